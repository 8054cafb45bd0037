"""Guards on the frameworks themselves: decorators and dependencies, synchronous and asynchronous, each way of installing."""

from __future__ import annotations

import asyncio
import contextvars
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from fastapi import FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect
from werkzeug.test import Client

from authmw import Refused, current_session, require_fresh, require_mfa, require_session
from authmw.guard.verified import optional_session
from authmw.hosts.asgi import AuthMiddleware
from authmw.hosts.fastapi import Session
from authmw.hosts.flask import install
from authmw.hosts.wsgi import AuthMiddleware as WSGIAuthMiddleware
from tests.world import URL, World, make_world

Visit: TypeAlias = Callable[..., tuple[int, str, dict[str, str]]]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path, "asgi")


def fastapi_app(world: World) -> Any:
    app = FastAPI()
    app.add_middleware(AuthMiddleware, auth=world.auth)

    @app.get("/sync")
    @require_session
    def sync() -> dict[str, str]:
        return {"user": current_session().user_id}

    @app.get("/async/{number}")
    @require_session
    async def asynchronous(number: int) -> dict[str, str]:
        return {"user": current_session().user_id, "number": str(number)}

    @app.get("/dependency")
    async def dependency(session: Session) -> dict[str, str]:
        return {"user": session.user_id}

    @app.get("/mfa")
    @require_mfa
    async def mfa() -> dict[str, str]:
        return {}

    @app.get("/fresh")
    @require_fresh(minutes=5)
    def fresh() -> dict[str, str]:
        return {}

    return app


def starlette_routes() -> list[Route]:
    @require_session
    def sync(request: Request) -> JSONResponse:
        return JSONResponse({"user": current_session().user_id})

    @require_session
    async def asynchronous(request: Request) -> JSONResponse:
        return JSONResponse({"user": current_session().user_id})

    @require_mfa
    async def mfa(request: Request) -> JSONResponse:
        return JSONResponse({})

    @require_fresh(minutes=5)
    def fresh(request: Request) -> JSONResponse:
        return JSONResponse({})

    paths = {"/sync": sync, "/async/{number}": asynchronous, "/dependency": asynchronous, "/mfa": mfa, "/fresh": fresh}
    return [Route(path, view) for path, view in paths.items()]


def starlette_inside(world: World) -> Any:
    app = Starlette(routes=starlette_routes())
    app.add_middleware(AuthMiddleware, auth=world.auth)
    return app


def flask_app(world: World) -> Any:
    app = Flask(__name__)
    install(app, world.auth)

    @app.get("/sync")
    @app.get("/dependency", endpoint="dependency")
    @require_session
    def sync() -> dict[str, str]:
        return {"user": current_session().user_id}

    @app.get("/async/<int:number>")
    @require_session
    async def asynchronous(number: int) -> dict[str, str]:
        return {"user": current_session().user_id}

    @app.get("/mfa")
    @require_mfa
    def mfa() -> dict[str, str]:
        return {}

    @app.get("/fresh")
    @require_fresh(minutes=5)
    async def fresh() -> dict[str, str]:
        return {}

    return app


@pytest.fixture(params=[fastapi_app, starlette_inside, flask_app])
def visit(request: pytest.FixtureRequest, world: World) -> Visit:
    app = request.param(world)

    def go(path: str, cookie: str = "", accept: str = "*/*") -> tuple[int, str, dict[str, str]]:
        headers = {"accept": accept, **({"cookie": cookie} if cookie else {})}
        if request.param is flask_app:
            answer = Client(app, use_cookies=False).open(path, headers=headers, base_url=URL)
            return answer.status_code, answer.text, {name.lower(): value for name, value in answer.headers.items()}
        client = TestClient(app, base_url=URL, raise_server_exceptions=False)
        got = client.get(path, headers=headers, follow_redirects=False)
        return got.status_code, got.text, dict(got.headers)

    return go


GUARDED = ["/sync", "/async/1", "/dependency", "/mfa", "/fresh"]


def cookie_of(world: World) -> str:
    return f"authmw_session={world.sign_in()['session_token']}"


@pytest.mark.parametrize("path", GUARDED)
def test_a_call_without_a_session_gets_the_error_in_json(visit: Visit, path: str) -> None:
    status, text, headers = visit(path)
    assert (status, headers["content-type"]) == (401, "application/json")
    assert "user_unauthenticated" in text


@pytest.mark.parametrize("path", GUARDED)
def test_a_navigation_without_a_session_leads_to_sign_in_and_back(visit: Visit, path: str) -> None:
    status, _, headers = visit(path, accept="text/html")
    assert (status, headers["location"]) == (303, f"/login?next={path}")


@pytest.mark.parametrize("path", ["/sync", "/async/1", "/dependency", "/fresh"])
def test_a_session_opens_the_view(visit: Visit, world: World, path: str) -> None:
    assert visit(path, cookie_of(world))[0] == 200


def test_one_factor_does_not_open_a_view_that_asks_for_two(visit: Visit, world: World) -> None:
    status, text, _ = visit("/mfa", cookie_of(world))
    assert status == 401
    assert "insufficient_factors" in text


@pytest.mark.parametrize(("seconds", "status"), [(299, 200), (300, 401)])
def test_a_factor_is_fresh_for_less_than_was_asked(visit: Visit, world: World, seconds: int, status: int) -> None:
    """A040."""
    cookie = cookie_of(world)
    world.clock.advance(seconds=seconds)
    assert visit("/fresh", cookie)[0] == status


def test_clock_moved_back_makes_no_factor_fresh(visit: Visit, world: World) -> None:
    """A040."""
    cookie = cookie_of(world)
    world.clock.advance(hours=-2)
    assert visit("/fresh", cookie)[0] == 401


def test_the_next_visitor_on_the_same_thread_is_nobody(visit: Visit, world: World) -> None:
    assert visit("/sync", cookie_of(world))[0] == 200
    assert visit("/sync")[0] == 401


def test_an_address_of_another_site_is_never_where_sign_in_comes_back_to(world: World) -> None:
    """RED-05: `//evil.example` as a path of ours would be a foreign address as `next`."""

    @require_session
    async def anything(request: Request) -> JSONResponse:
        return JSONResponse({})

    app = Starlette(routes=[Route("/{path:path}", anything)])
    app.add_middleware(AuthMiddleware, auth=world.auth)

    def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        require_session(lambda: None)()
        return []

    client = TestClient(app, base_url=URL, raise_server_exceptions=False)
    on_asgi = client.get(f"{URL}//evil.example/x", headers={"accept": "text/html"}, follow_redirects=False)
    on_wsgi = Client(WSGIAuthMiddleware(wsgi, world.auth)).open(
        environ_overrides={"PATH_INFO": "//evil.example/x"}, headers={"accept": "text/html"}, base_url=URL
    )
    for answer in (on_asgi, on_wsgi):
        assert answer.headers["location"] == "/login?next=/evil.example/x"


def test_under_a_prefix_and_beyond_ascii_a_wsgi_visitor_comes_back_to_the_same_page(world: World) -> None:
    def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        require_session(lambda: None)()
        return []

    client = Client(WSGIAuthMiddleware(wsgi, world.auth))
    answer = client.open("/caf\u00e9", headers={"accept": "text/html"}, base_url=f"{URL}/shop")
    assert answer.headers["location"] == "/login?next=/shop/caf%C3%A9"


def test_a_streamed_answer_still_knows_its_visitor(world: World) -> None:
    async def stream(request: Request) -> StreamingResponse:
        async def parts() -> Any:
            session = optional_session()
            yield session.user_id if session else "nobody"

        return StreamingResponse(parts())

    app = AuthMiddleware(Starlette(routes=[Route("/", stream)]), world.auth)
    signed_in = world.sign_in()
    client = TestClient(app, base_url=URL)
    assert (
        client.get("/", headers={"cookie": f"authmw_session={signed_in['session_token']}"}).text == signed_in["user_id"]
    )


def test_a_guarded_websocket_is_closed_for_nobody_and_open_for_somebody(world: World) -> None:
    @require_session
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(current_session().user_id)
        await websocket.close()

    app = AuthMiddleware(Starlette(routes=[WebSocketRoute("/", talk)]), world.auth)
    client = TestClient(app, base_url=URL)
    with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect("/"):
        raise AssertionError("A stranger was let in.")
    assert closed.value.code == 1008
    signed_in = world.sign_in()
    headers = {"cookie": f"authmw_session={signed_in['session_token']}"}
    with client.websocket_connect("/", headers=headers) as socket:
        assert socket.receive_text() == signed_in["user_id"]


@pytest.mark.parametrize("path", GUARDED)
def test_wrapped_around_an_application_that_answers_its_errors_itself_a_refusal_is_still_a_refusal(
    world: World, path: str
) -> None:
    app = AuthMiddleware(Starlette(routes=starlette_routes()), world.auth)
    client = TestClient(app, base_url=URL)
    got = client.get(path)
    assert (got.status_code, got.json()["error_type"]) == (401, "user_unauthenticated")
    led = client.get(path, headers={"accept": "text/html"}, follow_redirects=False)
    assert (led.status_code, led.headers["location"]) == (303, f"/login?next={path}")


def test_an_error_of_the_hosts_own_stays_one(world: World) -> None:
    async def broken(request: Request) -> JSONResponse:
        raise ZeroDivisionError

    client = TestClient(
        AuthMiddleware(Starlette(routes=[Route("/", broken)]), world.auth), raise_server_exceptions=False
    )
    assert client.get("/").status_code == 500


@pytest.mark.parametrize("begun", [True, False])
def test_a_refusal_inside_a_wsgi_body_is_answered_while_nothing_was_sent(world: World, begun: bool) -> None:
    def stream(environ: dict[str, Any], start_response: Any) -> Any:
        if begun:
            start_response("200 OK", [("Content-Type", "text/plain")])
        yield b""
        yield current_session().user_id.encode()

    told: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        told.append((status, exc_info is not None))

    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "QUERY_STRING": ""}
    body = WSGIAuthMiddleware(stream, world.auth)(environ, start_response)
    assert b"user_unauthenticated" in b"".join(body)
    assert told[-1] == ("401 Unauthorized", begun)


def test_a_refusal_after_a_wsgi_body_began_does_not_begin_another(world: World) -> None:
    def stream(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"half"
        current_session()

    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "QUERY_STRING": ""}
    body = WSGIAuthMiddleware(stream, world.auth)(environ, lambda *told: None)
    with pytest.raises(Refused):
        list(body)


def test_a_refusal_after_the_answer_began_does_not_begin_another(world: World) -> None:
    async def late(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        current_session()

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message["type"])

    async def receive() -> Any:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    with pytest.raises(Refused):
        asyncio.run(AuthMiddleware(late, world.auth)(scope, receive, send))
    assert sent == ["http.response.start"]


def test_a_guard_without_the_middleware_is_an_error_and_opens_nothing() -> None:
    with pytest.raises(RuntimeError, match="middleware"):
        contextvars.Context().run(require_session(lambda: "open"))


def test_the_docs_page_shows_the_session_of_a_guarded_route(world: World) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        described = fastapi_app(world).openapi()
    assert described["paths"]["/dependency"]["get"]["security"] == [{"Session": []}]
    parameters = described["paths"]["/async/{number}"]["get"]["parameters"]
    assert [(one["name"], one["schema"]["type"]) for one in parameters] == [("number", "integer")]
