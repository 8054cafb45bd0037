"""A visit of the host's own views, by hand-made requests: what a server may send, and what is left when the answer is closed."""

from __future__ import annotations

import asyncio
import contextvars
from pathlib import Path
from typing import Any

import pytest

from authmw import Cookies, current_session, optional_session
from authmw.clock import Clock, SystemClock, seconds
from authmw.guard.verified import hold
from authmw.hosts.asgi import AuthMiddleware
from authmw.hosts.wsgi import AuthMiddleware as WSGIAuthMiddleware
from authmw.operations import Caller, visit
from authmw.testing import FixedClock
from tests.world import World, make_world

Headers = list[tuple[bytes, bytes]]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path, "asgi")


def asgi(world: World, view: Any, headers: Headers) -> list[Any]:
    """What the view gave, when a server sends these headers, and afterwards in the same context."""
    given: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        given.append(view())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        pass

    async def served() -> None:
        scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers}
        await AuthMiddleware(app, world.auth)(scope, receive, send)
        given.append(visit.get())

    # A thread's own context may know the visitor of a test before, whose answer nobody closed.
    contextvars.Context().run(asyncio.run, served())
    return given


def wsgi(world: World, view: Any, cookie: str) -> list[Any]:
    given: list[Any] = []

    def app(environ: Any, start_response: Any) -> Any:
        given.append(view())
        start_response("200 OK", [])
        return []

    def served() -> None:
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "QUERY_STRING": "", "HTTP_COOKIE": cookie}
        body: Any = WSGIAuthMiddleware(app, world.auth)(environ, lambda *told: None)
        list(body)
        getattr(body, "close", lambda: None)()
        given.append(visit.get())

    contextvars.Context().run(served)
    return given


def who() -> str:
    session = optional_session()
    return session.user_id if session else "nobody"


def cookies(world: World) -> tuple[str, bytes, bytes]:
    """The user, and the two cookies."""
    signed_in = world.sign_in()
    pairs = (("authmw_session", signed_in["session_token"]), ("authmw_session_jwt", signed_in["session_jwt"]))
    opaque, jwt = (f"{name}={value}".encode() for name, value in pairs)
    return signed_in["user_id"], opaque, jwt


def test_cookies_that_http2_brought_in_two_headers_are_one_session(world: World) -> None:
    """RFC 9113 section 8.2.3."""
    user, opaque, jwt = cookies(world)
    assert asgi(world, who, [(b"cookie", opaque), (b"cookie", jwt)])[0] == user
    assert asgi(world, who, [(b"cookie", b"theme=dark"), (b"accept", b"*/*"), (b"cookie", jwt)])[0] == user


def test_an_empty_cookie_header_hides_no_other(world: World) -> None:
    user, _, jwt = cookies(world)
    for headers in ([b"", jwt], [jwt, b""], [b"", b"", jwt]):
        assert asgi(world, who, [(b"cookie", value) for value in headers])[0] == user
    assert asgi(world, who, [(b"cookie", b"")])[0] == "nobody"


def test_the_names_of_both_cookies_have_the_mark_in_common() -> None:
    for names in (Cookies(), Cookies(secure=False, name="mine"), Cookies(vendor=True), Cookies(domain="example.org")):
        assert names.session() in names.jwt()


def test_a_visit_shows_nothing_of_what_it_holds(world: World) -> None:
    """Cookies and tokens are in reach of it."""
    _, _, jwt = cookies(world)

    def shown() -> str:
        here = visit.get()
        assert here is not None
        return repr(here) + repr(here.__rich_repr__())

    assert asgi(world, shown, [(b"cookie", jwt)])[0] == "<_Visit>[]"
    assert wsgi(world, shown, jwt.decode())[0] == "<_Visit>[]"


@pytest.mark.parametrize("clock", [FixedClock(), SystemClock()])
def test_what_is_compared_on_every_request_is_what_the_clock_tells(clock: Clock) -> None:
    rounded = 1e-6  # a date holds whole microseconds
    before = clock.now().timestamp() - rounded
    assert before <= seconds(clock)() <= clock.now().timestamp() + rounded


def test_a_cookie_that_stands_in_two_headers_is_no_session_though_each_alone_was_met_before(world: World) -> None:
    """SES-03, A032."""
    user, opaque, jwt = cookies(world)
    assert asgi(world, who, [(b"cookie", jwt)])[0] == user
    for first, second in ((jwt, jwt), (jwt, b"authmw_session_jwt=planted"), (b"authmw_session_jwt=planted", jwt)):
        assert asgi(world, who, [(b"cookie", first), (b"cookie", second)])[0] == "nobody"
    assert opaque != jwt


def test_another_header_that_stands_twice_does_not_matter(world: World) -> None:
    user, _, jwt = cookies(world)
    headers = [(b"x-forwarded-for", b"192.0.2.1"), (b"cookie", jwt), (b"x-forwarded-for", b"192.0.2.2")]
    assert [asgi(world, who, headers)[0] for _ in range(2)] == [user, user]


@pytest.mark.parametrize("at", range(-16, 0))
def test_a_header_that_differs_in_one_character_from_one_met_before_is_another(world: World, at: int) -> None:
    """It may be found by the same part of it."""
    user, _, jwt = cookies(world)
    # The last character of a signature may hold bits that mean nothing: the one before it does not.
    place = len(jwt) + at - 1
    other = jwt[:place] + (b"A" if jwt[place : place + 1] != b"A" else b"B") + jwt[place + 1 :]
    for _ in range(2):
        assert asgi(world, who, [(b"cookie", jwt)])[0] == user
        assert asgi(world, who, [(b"cookie", other)])[0] == "nobody"
        assert wsgi(world, who, jwt.decode())[0] == user
        assert wsgi(world, who, other.decode())[0] == "nobody"


def test_when_the_answer_is_closed_its_context_knows_nobody(world: World) -> None:
    user, _, jwt = cookies(world)
    assert asgi(world, who, [(b"cookie", jwt)]) == [user, None]
    assert wsgi(world, who, jwt.decode()) == [user, None]
    assert asgi(world, who, []) == ["nobody", None]
    assert wsgi(world, who, "") == ["nobody", None]


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_code_that_acts_as_another_caller_still_has_the_visitors_session(world: World, host: str) -> None:
    user, _, jwt = cookies(world)

    def view() -> tuple[str, str, str]:
        with world.auth.acting_as(Caller(actor="support", ip_address="192.0.2.7")):
            here = visit.get()
            assert here is not None
            inside, caller = current_session().user_id, here.who().actor
        here = visit.get()
        assert here is not None
        return inside, caller, here.who().actor

    given = asgi(world, view, [(b"cookie", jwt)]) if host == "asgi" else wsgi(world, view, jwt.decode())
    assert given[0] == (user, "support", "project")


def test_what_was_read_for_one_visitor_is_never_what_the_next_one_is_given(world: World) -> None:
    """`hold` puts a session with exact roles in the place of the remembered one, for one request."""
    user, _, jwt = cookies(world)

    def promoted() -> tuple[str, ...]:
        import attrs

        hold(attrs.evolve(current_session(), roles=("admin",)))
        return current_session().roles

    assert asgi(world, promoted, [(b"cookie", jwt)])[0] == ("admin",)
    assert "admin" not in asgi(world, lambda: current_session().roles, [(b"cookie", jwt)])[0]
    assert asgi(world, who, [(b"cookie", jwt)])[0] == user
