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
from authmw.guard.remembered import SAMPLE
from authmw.guard.sessions import Found
from authmw.hosts.visits import HostVisit, Visitor
from authmw.http.bodies import MAXIMUM_BODY
from authmw.http.paths import told_apart
from authmw.http.requests import Request
from authmw.operations import PROJECT, Caller, visit

Environ: TypeAlias = dict[str, Any]
StartResponse: TypeAlias = Callable[..., Any]
App: TypeAlias = Callable[[Environ, StartResponse], Iterable[bytes]]

_MADE = frozenset({list, tuple})
"""Answers that are made already: nothing of the host's runs while they are sent, nor at their end."""


class AuthMiddleware:
    """Puts an `Auth` in front of a WSGI application."""

    def __init__(self, app: App, auth: Auth) -> None:
        from authmw.http.api import Api  # which loads every product

        self._app = app
        self._auth = auth
        self._api = Api(auth)
        self._prefixes = self._api.prefixes
        self._visitor = Visitor(auth)
        self._met, self._seconds = self._visitor.met, self._visitor.seconds
        self._io: drive.IO = auth.storage.io

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer, or pass on."""
        path: str = environ.get("PATH_INFO", "")
        try:
            text = path if path.isascii() else path.encode("latin-1").decode("utf-8")
        except UnicodeDecodeError:
            return self._theirs(environ, start_response)
        # Most paths are the host's, and are told by this one look.
        inner = self._claimed(text, environ) if text.startswith(self._prefixes) else None
        return self._theirs(environ, start_response) if inner is None else self._ours(inner, environ, start_response)

    def _claimed(self, path: str, environ: Environ) -> str | None:
        """The path within our table, with encoded slashes told apart where the server says how it came: gunicorn and Werkzeug do under one name, others under the other."""
        raw: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
        return self._api.claims(told_apart(path, raw) if "%" in raw else path)

    def _ours(self, path: str, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(
            method=environ["REQUEST_METHOD"],
            path=path,
            query=environ.get("QUERY_STRING", ""),
            headers=_headers(environ),
            body=_body(environ),
            peer=environ.get("REMOTE_ADDR"),
            scheme=environ.get("wsgi.url_scheme", "http"),
        )
        answer = drive.run(self._io, self._api.answer(request))
        return _start(answer, environ, start_response)

    def _theirs(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        visitor, cookie = self._visitor, environ.get("HTTP_COOKIE")
        if not cookie:
            found = visitor.nobody
        else:
            met = self._met(cookie[SAMPLE])
            if met is not None and met[0][1] == cookie and self._seconds() < met[1]:
                found = met[0][0]
            else:
                found = self._asked(cookie, environ)
        seen = found.seen
        here = _Visit(environ, start_response, visitor, found, seen=seen)
        environ["authmw.session"] = seen.session
        visit.set(here)
        try:
            if visitor.guards_changes:
                cookies = (cookie,) if cookie else ()
                visitor.check_origin(environ["REQUEST_METHOD"], cookies, lambda: _headers(environ))
            here.body = self._app(environ, here.start)
        except Refused as refused:
            refusal = here.refuse(refused)
            visit.set(None)
            return refusal
        except BaseException:
            visit.set(None)
            raise
        if type(here.body) not in _MADE or here.refusal is not None:
            return here
        visit.set(None)
        return here.body

    def _asked(self, cookie: str, environ: Environ) -> Found:
        """What is found behind a Cookie header that was not met before."""
        visitor = self._visitor
        if visitor.mark not in cookie:
            return visitor.nobody
        known = visitor.known((cookie,), cookie)
        found = known if isinstance(known, Found) else visitor.waited(known)
        if found is visitor.doubtful:
            visitor.tell_of(environ.get("REMOTE_ADDR"), _headers(environ))
        return found


class _Visit(HostVisit):
    """A request to the host's own application: the `start_response` that the application is given, and the answer that the server is.

    The answer turns to a refusal while it can, and forgets the visitor when the server has sent it: streams still run in the view's context.
    """

    _environ: Environ
    _start_response: StartResponse
    _visitor: Visitor
    _found: Found
    body: Iterable[bytes] = ()
    """What the application answers."""
    begun: bool = False
    refusal: list[bytes] | None = None
    """The body of the refusal that stands in for what the application answers."""

    def __iter__(self) -> Iterator[bytes]:
        """What the server sends."""
        sent = False
        try:
            for chunk in self.body:
                if self.refusal is not None:
                    break
                yield chunk
                sent = sent or bool(chunk)
        except Refused as refused:
            if sent:
                raise
            self.refusal = self.refuse(refused)
        if self.refusal is not None:
            yield from self.refusal

    def close(self) -> None:
        """End the request."""
        try:
            close = getattr(self.body, "close", None)
            if close is not None:
                close()
        finally:
            visit.set(None)

    def who(self) -> Caller:
        """Who calls operations from a view."""
        if self.caller is PROJECT:
            self.caller = self._visitor.caller(self._environ.get("REMOTE_ADDR"), _headers(self._environ))
        return self.caller

    def presented(self) -> object:
        """What the guard of access tokens is shown."""
        environ = self._environ
        return self._visitor.presented(environ["REQUEST_METHOD"], _path(environ), _headers(environ))

    def encrypted(self) -> bool:
        """Whether the request came by https."""
        return self._visitor.encrypted(self._environ.get("wsgi.url_scheme", "http"), _headers(self._environ))

    def start(self, status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        """Begin the application's answer, with fresh cookies in its head; or a refusal in its stead."""
        # A framework that knows no refusal calls a guard's an error of the host's own.
        if self.refused is not None and status.startswith("500"):
            self.refusal = self.refuse(self.refused)
            return _unsent
        self.begun = True
        if self.kept is not None or self._found.unsettled:
            headers = [*headers, *self._visitor.headers(self._found, self)]
        return self._start_response(status, headers, *rest)

    def refuse(self, refused: Refused) -> list[bytes]:
        """Begin a refusal's answer; its body."""
        self.refused = None
        # Begun but not sent, the headers may be replaced, which must be told (PEP 3333, start_response and exc_info).
        rest = (sys.exc_info(),) if self.begun else ()
        return list(_start(self.answer(refused), self._environ, self.start, *rest))

    def answer(self, refused: Refused) -> Response:
        """The answer to a refusal on this request."""
        environ = self._environ
        query = environ.get("QUERY_STRING", "")
        path = _path(environ) + (f"?{query}" if query else "")
        return self._visitor.refusal(refused, environ["REQUEST_METHOD"], path, _headers(environ))


def _unsent(data: bytes) -> None:
    """Takes the text of a framework's error page that a refusal stands in for."""


def _path(environ: Environ) -> str:
    """The whole path of a request, as the visitor asked for it."""
    raw: str = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "/")
    return raw.encode("latin-1").decode("utf-8", "replace")


def _headers(environ: Environ) -> dict[str, tuple[str, ...]]:
    headers: dict[str, tuple[str, ...]] = {
        name[5:].replace("_", "-").lower(): (value,) for name, value in environ.items() if name.startswith("HTTP_")
    }
    if environ.get("CONTENT_TYPE"):
        headers["content-type"] = (environ["CONTENT_TYPE"],)
    return headers


def _body(environ: Environ) -> bytes:
    """As many bytes as were announced, one over the limit at most. Without a length, as many as there are if the server says that its input ends, else none."""
    announced = environ.get("CONTENT_LENGTH")
    if not announced:
        return _until_its_end(environ["wsgi.input"]) if environ.get("wsgi.input_terminated") else b""
    try:
        length = int(announced)
    except ValueError:
        return b""
    if length > MAXIMUM_BODY:
        return b"\0" * (MAXIMUM_BODY + 1)  # refused for its size before anything reads it
    data: bytes = environ["wsgi.input"].read(length) if length > 0 else b""
    return data


def _until_its_end(source: Any) -> bytes:
    """A body that came in chunks, read no further than one byte over the limit."""
    data = b""
    while len(data) <= MAXIMUM_BODY and (chunk := source.read(MAXIMUM_BODY + 1 - len(data))):
        data += chunk
    return data


def _start(answer: Response, environ: Environ, start_response: StartResponse, *rest: Any) -> Iterable[bytes]:
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.raw_headers]
    start_response(f"{answer.status_code} {HTTPStatus(answer.status_code).phrase}", headers, *rest)
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else bytes(answer.body)]
