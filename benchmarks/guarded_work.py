"""The work whose instructions are guarded; `benchmarks.guarded` runs it under a counter. What is imported here before the first mark would hide from it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from benchmarks.marks import mark

if TYPE_CHECKING:
    import asyncio

Drive = Callable[[int], object]


def _start() -> None:
    """Import, build and mount, each in a section of its own."""
    mark()
    import starlette.applications

    mark()
    import authmw

    mark()
    from benchmarks.site import Site

    mark()
    Site()
    mark()
    site = Site()
    mark()
    assert starlette.applications
    assert authmw.AuthMiddleware(_bare_asgi, site.auth)
    mark()
    sys.stdout.write(f"{len(site.auth.table())}\n")


async def _bare_asgi(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"hello"})


def _bare_wsgi(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def _private(asked: Any) -> None:
    from authmw import current_session

    assert current_session().user_id


class Works:
    """What is counted, each prepared on a loop of its own and driven so many times."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        from authmw.testing import FixedClock
        from benchmarks.site import OTHER_COOKIES, Site

        self.loop, self.clock = loop, FixedClock()
        self.site = Site(clock=self.clock)
        self.auth = self.site.auth
        self.user_id = loop.run_until_complete(self.site.user())
        self.signed_in = loop.run_until_complete(self.site.signed_in())
        self.cookie, self.others = self.site.cookie(self.signed_in), OTHER_COOKIES

    def all(self) -> Iterator[tuple[str, Drive, int]]:
        """Name, drive and how many times."""
        yield from self._asgi()
        yield from self._wsgi()
        yield from self._operations()

    def _asgi(self) -> Iterator[tuple[str, Drive, int]]:
        from authmw import AuthMiddleware
        from benchmarks.clients import asgi

        async def private(scope: Any, receive: Any, send: Any) -> None:
            _private(scope)
            await _bare_asgi(scope, receive, send)

        ours, guarded = AuthMiddleware(_bare_asgi, self.auth), AuthMiddleware(private, self.auth)
        yield "ASGI: bare", asgi(_bare_asgi, "/public", self.cookie, self.loop), 100
        yield "ASGI: live session", asgi(guarded, "/private", self.cookie, self.loop), 100
        yield "ASGI: no session", asgi(ours, "/public", self.others, self.loop), 100
        yield "ASGI: path that is not ours", asgi(ours, "/public", None, self.loop), 100
        live = asgi(guarded, "/private", self.cookie, self.loop)

        def renew(times: int) -> None:
            for _ in range(times):
                self.auth.guard.forget()
                live(1)

        yield "ASGI: JWT verified anew", renew, 5
        self.clock.advance(seconds=301)
        yield "ASGI: renewal from memory", renew, 3
        self.clock.advance(seconds=-301)

    def _wsgi(self) -> Iterator[tuple[str, Drive, int]]:
        from authmw.hosts.wsgi import AuthMiddleware
        from benchmarks.clients import wsgi

        def private(environ: Any, start_response: Any) -> list[bytes]:
            _private(environ)
            return _bare_wsgi(environ, start_response)

        ours, guarded = AuthMiddleware(_bare_wsgi, self.auth), AuthMiddleware(private, self.auth)
        yield "WSGI: bare", wsgi(_bare_wsgi, "/public", self.cookie), 100
        yield "WSGI: live session", wsgi(guarded, "/private", self.cookie), 100
        yield "WSGI: no session", wsgi(ours, "/public", self.others), 100
        yield "WSGI: path that is not ours", wsgi(ours, "/public", None), 100

    def _operations(self) -> Iterator[tuple[str, Drive, int]]:
        from benchmarks.clients import backend

        auth, run = self.auth, self.loop.run_until_complete

        def noted(drive: Drive) -> Drive:
            """With the events of the calls, which else a thread would write when it likes."""

            def both(times: int) -> None:
                drive(times)
                run(auth.notes.write())

            return both

        def sign_in(times: int) -> None:
            for _ in range(times):
                token = run(auth.magic_links.create(user_id=self.user_id)).token
                run(auth.magic_links.authenticate(token=token, session_duration_minutes=60))

        def get(times: int) -> None:
            for _ in range(times):
                run(auth.users.get(user_id=self.user_id))

        operands = [{"filter_name": "email_address", "filter_value": ["ada@example.org"]}]
        search = {"query": {"operator": "AND", "operands": operands}}
        authenticate = {"session_token": self.signed_in.session_token}
        yield "a link made and a sign-in by it", noted(sign_in), 3
        yield "users.get in Python", noted(get), 10
        for method, path, body, times in (
            ("GET", f"/v1/users/{self.user_id}", None, 10),
            ("POST", "/v1/users/search", search, 10),
            ("POST", "/v1/sessions/authenticate", authenticate, 3),
        ):
            name = f"{method} {path.replace(self.user_id, '{user_id}')}"
            yield name, noted(backend(self.site, method, path, body, self.loop)), times


def main() -> None:
    """The program that is counted."""
    _start()
    from authmw.ledger import notes

    notes._PERIOD = 1e6  # no thread writes while others are counted
    import asyncio
    import gc

    with asyncio.Runner() as runner:
        for name, drive, times in Works(runner.get_loop()).all():
            drive(2)
            gc.collect()
            gc.freeze()
            mark()
            drive(times)
            mark()
            drive(3 * times)
            mark()
            sys.stdout.write(f"{name}\t{times}\n")


if __name__ == "__main__":
    main()
