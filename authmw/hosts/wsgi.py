"""The WSGI middleware: the same as the ASGI one, on the host's own thread."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any, TypeAlias

from starlette.responses import Response

from authmw import drive
from authmw.auth import Auth
from authmw.errors import Refused
from authmw.guard.verified import seen
from authmw.hosts.visits import Visitor
from authmw.http.bodies import MAXIMUM_BODY
from authmw.http.requests import Request
from authmw.operations import Visit, visit

Environ: TypeAlias = dict[str, Any]
StartResponse: TypeAlias = Callable[..., Any]
App: TypeAlias = Callable[[Environ, StartResponse], Iterable[bytes]]


class AuthMiddleware:
    """Puts an `Auth` in front of a WSGI application."""

    def __init__(self, app: App, auth: Auth) -> None:
        from authmw.http.api import Api  # which loads every product

        self._app = app
        self._auth = auth
        self._api = Api(auth)
        self._visitor = Visitor(auth)
        self._io: drive.IO = auth.storage.io

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer, or pass on."""
        try:
            path = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8")
        except UnicodeDecodeError:
            return self._theirs(environ, start_response)
        inner = self._api.claims(path)
        return self._theirs(environ, start_response) if inner is None else self._ours(inner, environ, start_response)

    def _ours(self, path: str, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(
            method=environ["REQUEST_METHOD"],
            path=path,
            query=environ.get("QUERY_STRING", ""),
            headers=_headers(environ),
            body=_body(environ),
            peer=environ.get("REMOTE_ADDR"),
        )
        answer = drive.run(self._io, self._api.answer(request))
        return _start(answer, environ, start_response)

    def _theirs(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        cookie = environ.get("HTTP_COOKIE")
        cookies = [cookie] if cookie else []
        found = self._visitor.known(cookies)
        if found is None:
            found = self._visitor.waited(cookies)
        environ["authmw.session"] = found.seen.session
        here = Visit(
            describe=lambda: self._visitor.caller(environ.get("REMOTE_ADDR"), _headers(environ)),
            presented=lambda: self._visitor.presented(environ["REQUEST_METHOD"], _path(environ), _headers(environ)),
        )
        seen.set(found.seen)
        visit.set(here)
        outgoing = found
        refusal: list[bytes] = []
        begun = False

        def start_with_cookies(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            nonlocal begun
            begun = True
            if here.kept is not None or outgoing.unsettled:
                fresh = self._visitor.cookies(outgoing, here)
                headers = [*headers, *(("Set-Cookie", one) for one in fresh)]
            return start_response(status, headers, *rest)

        def refuse(refused: Refused) -> list[bytes]:
            # Begun but not sent, the headers may be replaced, which must be told (PEP 3333, start_response and exc_info).
            rest = (sys.exc_info(),) if begun else ()
            query = environ.get("QUERY_STRING", "")
            path = _path(environ) + (f"?{query}" if query else "")
            answer = self._visitor.refusal(refused, environ["REQUEST_METHOD"], path, _headers(environ))
            return list(_start(answer, environ, start_with_cookies, *rest))

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            # A framework that knows no refusal calls a guard's an error of the host's own.
            if here.refused is not None and status.startswith("500"):
                refusal[:] = refuse(here.refused)
                return _unsent
            return start_with_cookies(status, headers, *rest)

        try:
            self._visitor.check_origin(environ["REQUEST_METHOD"], cookies, lambda: _headers(environ))
            return _Body(self._app(environ, start), refusal, refuse)
        except Refused as refused:
            body = refuse(refused)
            _forget()
            return body
        except BaseException:
            _forget()
            raise


class _Body:
    """A response body that answers a refusal while it can, and forgets the visitor when the server has sent it: streams still run in the view's context."""

    def __init__(self, body: Iterable[bytes], refusal: list[bytes], refuse: Callable[[Refused], list[bytes]]) -> None:
        self._body = body
        self._refusal = refusal
        self._refuse = refuse

    def __iter__(self) -> Iterator[bytes]:
        sent = False
        try:
            for chunk in self._body:
                if self._refusal:
                    break
                yield chunk
                sent = sent or bool(chunk)
        except Refused as refused:
            if sent:
                raise
            self._refusal[:] = self._refuse(refused)
        yield from self._refusal

    def close(self) -> None:
        """End the request."""
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            _forget()


def _unsent(data: bytes) -> None:
    """Takes the text of a framework's error page that a refusal stands in for."""


def _path(environ: Environ) -> str:
    """The whole path of a request, as the visitor asked for it."""
    raw: str = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "/")
    return raw.encode("latin-1").decode("utf-8", "replace")


def _forget() -> None:
    seen.set(None)
    visit.set(None)


def _headers(environ: Environ) -> dict[str, tuple[str, ...]]:
    headers: dict[str, tuple[str, ...]] = {
        name[5:].replace("_", "-").lower(): (value,) for name, value in environ.items() if name.startswith("HTTP_")
    }
    if environ.get("CONTENT_TYPE"):
        headers["content-type"] = (environ["CONTENT_TYPE"],)
    return headers


def _body(environ: Environ) -> bytes:
    """As many bytes as were announced, one over the limit at most; no length means no body."""
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return b""
    if length > MAXIMUM_BODY:
        return b"\0" * (MAXIMUM_BODY + 1)  # refused for its size before anything reads it
    data: bytes = environ["wsgi.input"].read(length) if length > 0 else b""
    return data


def _start(answer: Response, environ: Environ, start_response: StartResponse, *rest: Any) -> Iterable[bytes]:
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.raw_headers]
    start_response(f"{answer.status_code} {HTTPStatus(answer.status_code).phrase}", headers, *rest)
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else bytes(answer.body)]
