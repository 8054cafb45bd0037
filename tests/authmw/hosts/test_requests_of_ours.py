"""Requests to our own routes as servers really hand them over: mounted below a path, in pieces, without a length, or left off halfway."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest

from authmw.hosts.asgi import AuthMiddleware
from authmw.hosts.wsgi import AuthMiddleware as WSGIAuthMiddleware
from tests.world import PROJECT_ID, SECRET, World, make_world

PAIR = b"Basic " + base64.b64encode(f"{PROJECT_ID}:{SECRET}".encode())
HEADERS = [(b"authorization", PAIR), (b"content-type", b"application/json")]
BODY = {"type": "http.request", "body": b'{"email":"ada@example.org"}'}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path, "asgi")


def asgi(world: World, path: str, *messages: dict[str, Any], root: str | None = None) -> list[Any]:
    """The status of our answer to a POST, if there was one; "host" where the host was asked instead."""
    told: list[Any] = []
    coming = iter(messages)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        told.append("host")

    async def receive() -> Any:
        return next(coming)

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            told.append(message["status"])

    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": HEADERS}
    asyncio.run(AuthMiddleware(app, world.auth)(scope if root is None else {**scope, "root_path": root}, receive, send))
    return told


@pytest.mark.parametrize(
    ("root", "path", "answered"),
    [
        (None, "/auth/v1/users", 200),
        ("", "/auth/v1/users", 200),
        ("/app", "/app/auth/v1/users", 200),
        ("/app", "/auth/v1/users", 200),
        ("/a", "/auth/v1/users", 200),
        ("/auth/v", "/auth/v1/users", 200),
        ("/app", "/application/auth/v1/users", "host"),
        ("/app", "/other/auth/v1/users", "host"),
        ("/app", "/app", "host"),
    ],
)
def test_below_a_path_our_routes_are_found_by_whole_segments(
    world: World, root: str | None, path: str, answered: int | str
) -> None:
    """Servers differ in whether `path` repeats `root_path`; what only begins with the same letters does not."""
    assert asgi(world, path, BODY, root=root) == [answered]


def test_a_body_in_pieces_is_one_body(world: World) -> None:
    text = BODY["body"]
    pieces = [{"type": "http.request", "body": text[at : at + 5], "more_body": True} for at in range(0, len(text), 5)]
    assert asgi(world, "/auth/v1/users", *pieces, {"type": "http.request"}) == [200]


def test_a_request_that_was_left_off_halfway_is_not_carried_out(world: World) -> None:
    gone = {"type": "http.disconnect"}
    assert asgi(world, "/auth/v1/users", {**BODY, "more_body": True}, gone) == []
    assert world.backend("POST", "/v1/users/search", {}).json["results_metadata"]["total"] == 0


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"wsgi.input_terminated": True}, 200),
        ({"CONTENT_LENGTH": "27"}, 200),
        ({"CONTENT_LENGTH": "", "wsgi.input_terminated": True}, 200),
        ({}, 400),
        ({"CONTENT_LENGTH": "x"}, 400),
        ({"CONTENT_LENGTH": "-1"}, 400),
        ({"CONTENT_LENGTH": "26"}, 400),
        ({"CONTENT_LENGTH": "65537"}, 413),
    ],
)
def test_a_wsgi_body_without_a_length_is_read_where_the_server_says_that_it_ends(
    world: World, more: dict[str, Any], status: int
) -> None:
    """A client may send in chunks; reading on where nothing ends the input would wait for ever."""
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/auth/v1/users",
        "QUERY_STRING": "",
        "CONTENT_TYPE": "application/json",
        "HTTP_AUTHORIZATION": PAIR.decode(),
        "wsgi.input": io.BytesIO(BODY["body"]),
        **more,
    }
    told: list[str] = []
    app = WSGIAuthMiddleware(lambda environ, start: [b"host"], world.auth)
    answer = b"".join(app(environ, lambda line, headers, *rest: told.append(line)))
    assert told[0].startswith(str(status)), answer
    assert json.loads(answer)["status_code"] == status


def test_of_an_endless_wsgi_body_no_more_is_read_than_one_byte_too_many(world: World) -> None:
    class Endless(io.RawIOBase):
        taken = 0

        def read(self, size: int = -1) -> bytes:
            assert 0 < size <= 65_537
            self.taken += size
            return b" " * size

    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/auth/v1/users",
        "CONTENT_TYPE": "application/json",
        "HTTP_AUTHORIZATION": PAIR.decode(),
        "wsgi.input": Endless(),
        "wsgi.input_terminated": True,
    }
    told: list[str] = []
    app = WSGIAuthMiddleware(lambda environ, start: [b"host"], world.auth)
    list(app(environ, lambda line, headers, *rest: told.append(line)))
    assert told[0].startswith("413")
