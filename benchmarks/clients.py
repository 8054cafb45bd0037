"""Drives an application as a server would, without one: fixed work, timed in rounds that alternate between those compared."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import Callable, Mapping
from time import thread_time
from typing import Any

Drive = Callable[[int], None]
"""Sends so many requests."""

HEADERS = {
    "host": "localhost",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "accept": "application/json",
    "accept-language": "en",
    "accept-encoding": "gzip, deflate, br",
    "connection": "keep-alive",
}


def asgi(
    app: Any,
    path: str,
    cookie: str | None,
    loop: asyncio.AbstractEventLoop,
    *,
    status: int = 200,
    method: str = "GET",
    more: Mapping[str, str] = {},
    body: bytes = b"",
) -> Drive:
    """Requests to an ASGI application, one after the other on one loop."""
    headers = [(name.encode(), value.encode()) for name, value in {**HEADERS, **more}.items()]
    asked = None if cookie is None else bytearray(cookie.encode())
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "root_path": "",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }
    answered: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answered.append(message["status"])

    async def many(times: int) -> None:
        for _ in range(times):
            # As from a server, the Cookie header is new each time: nobody has hashed it yet.
            sent = headers if asked is None else [*headers, (b"cookie", bytes(asked))]
            await app({**scope, "headers": sent, "state": {}}, receive, send)

    def drive(times: int) -> None:
        answered.clear()
        loop.run_until_complete(many(times))
        if set(answered) != {status}:
            raise AssertionError(f"{path} answered {sorted(set(answered))} instead of {status}.")

    return drive


def wsgi(app: Any, path: str, cookie: str | None, *, status: int = 200) -> Drive:
    """Requests to a WSGI application, one after the other on this thread."""
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in HEADERS.items()},
    }
    if cookie is not None:
        environ["HTTP_COOKIE"] = cookie
    asked = (cookie or "").encode()
    answered: set[str] = set()

    def start_response(line: str, headers: Any, *rest: Any) -> None:
        answered.add(line[:3])

    def drive(times: int) -> None:
        answered.clear()
        for _ in range(times):
            made = {**environ, "wsgi.input": io.BytesIO()}
            if asked:
                made["HTTP_COOKIE"] = asked.decode("latin-1")  # new each time, as from a server
            body = app(made, start_response)
            for _chunk in body:
                pass
            close = getattr(body, "close", None)
            if close is not None:
                close()
        if answered != {str(status)}:
            raise AssertionError(f"{path} answered {sorted(answered)} instead of {status}.")

    return drive


def microseconds(
    drives: Mapping[str, Drive], *, times: int, rounds: int, clock: Callable[[], float] = thread_time
) -> dict[str, float]:
    """The cost of one request to each, in microseconds: the best of rounds that alternate, since noise only ever adds. Counted is the time that this thread was on a processor,
    or by `clock` another."""
    for drive in drives.values():
        drive(max(1, times // 10))
    best = dict.fromkeys(drives, float("inf"))
    for _ in range(rounds):
        for name, drive in drives.items():
            began = clock()
            drive(times)
            best[name] = min(best[name], (clock() - began) / times * 1e6)
    return best


def backend(site: Any, method: str, path: str, body: object, loop: asyncio.AbstractEventLoop) -> Drive:
    """Calls of a backend to a site that claims the root paths, in this process."""
    from authmw import AuthMiddleware

    async def nothing(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("The path is not ours.")

    settings = site.auth.settings
    credentials = f"{settings.project_id}:{settings.secret.reveal()}".encode()
    sent = b"" if body is None else json.dumps(body).encode()
    headers = {
        "authorization": "Basic " + base64.b64encode(credentials).decode(),
        "content-type": "application/json",
        "content-length": str(len(sent)),
    }
    prefix = "" if settings.claim_roots else settings.mount
    app = AuthMiddleware(nothing, site.auth)
    return asgi(app, prefix + path, None, loop, method=method, more=headers, body=sent)
