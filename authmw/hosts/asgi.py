"""The ASGI middleware: answers what is ours, hands the verified session to everything else, and puts fresh cookies on the way out.

Streams, websockets and background tasks of the host pass untouched; its lifespan ends when our own work behind replies has.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, TypeAlias

from starlette.responses import Response

from authmw import drive
from authmw.auth import Auth
from authmw.beginning import UNFIT, tell_away
from authmw.errors import Refused, StorageError
from authmw.guard.remembered import SAMPLE
from authmw.guard.sessions import Found
from authmw.hosts.visits import HostVisit, Tokens, Visitor
from authmw.http.bodies import MAXIMUM_BODY
from authmw.http.paths import told_apart
from authmw.http.requests import Request
from authmw.operations import PROJECT, Caller, visit

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


class AuthMiddleware:
    """Puts an `Auth` in front of an ASGI application."""

    def __init__(self, app: App, auth: Auth) -> None:
        # Every route is told here, before the first request: so every product is loaded now, and not by whoever only imports authmw.
        from authmw.http.api import Api

        self._app = app
        self._auth = auth
        self._api = Api(auth)
        self._prefixes = self._api.prefixes
        self._visitor = Visitor(auth)
        self._met, self._seconds = self._visitor.met, self._visitor.seconds
        self._mark = self._visitor.mark.encode()
        self._guards_changes = self._visitor.guards_changes
        self._io: drive.IO = auth.storage.io

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: C901 -- written out, for each call of a function would cost as much as a step
        """Answer, or pass on."""
        kind = scope["type"]
        if kind == "http":
            path: str = scope["path"]
            root: str = scope.get("root_path", "")
            # Servers differ in whether the path repeats the root; a path that only begins with the same letters does not.
            if root and path.startswith(root) and path[len(root) :].startswith("/"):
                path = path[len(root) :]
            # Most paths are the host's, and are told by this one look.
            if path.startswith(self._prefixes):
                raw = scope.get("raw_path")
                inner = self._api.claims(told_apart(path, raw.decode("latin-1")) if raw and b"%" in raw else path)
                if inner is not None:
                    await self._ours(inner, scope, receive, send)
                    return
        elif kind != "websocket":
            await self._live(scope, receive, send)
            return
        cookie: bytes | None = None
        for name, value in scope["headers"]:
            if name == b"cookie":
                cookie = value if cookie is None else b""
                if not cookie:
                    break
        visitor = self._visitor
        if cookie is None:
            found = visitor.nobody
        else:
            met = self._met(cookie[SAMPLE])
            if met is not None and met[0][1] == cookie and self._seconds() < met[1]:
                found = met[0][0]
            else:
                known = self._known(cookie, scope)
                found = known if isinstance(known, Found) else await visitor.awaited(known)
        seen = found.seen
        here = _Visit(scope, send, visitor, found, seen=seen)
        scope["authmw.session"] = seen.session
        token = visit.set(here)
        try:
            if self._guards_changes:
                # A page of another site may open a websocket with the visitor's cookies, and read it.
                method = scope["method"] if kind == "http" else "CONNECT"
                visitor.check_origin(method, _cookies(scope["headers"]), lambda: _headers(scope))
            await self._app(scope, receive, here.send if kind == "http" else send)
            if here.replaced and here.refused is not None:
                raise here.refused
        except Refused as refused:
            if here.started and not here.replaced:
                raise
            await self._refuse(refused, here)
        finally:
            visit.reset(token)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lifespan, and whatever protocols servers learn to speak."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        drive.home.adopt()
        try:
            await self._auth.start()
        except UNFIT as unfit:
            # Servers take what is merely raised for an application without lifespan, and go on.
            await receive()
            await send({"type": "lifespan.startup.failed", "message": str(unfit)})
            raise
        except StorageError:
            # A worker that begins while the database restarts is as good as one that was there before: it says 503 until there is one.
            tell_away()
        life = _Life(self._auth, receive, send)
        try:
            await self._app(scope, life.receive, life.send)
        except Exception:
            if life.heard:
                raise
        if not life.heard:
            await life.alone()

    def _known(self, cookie: bytes, scope: Scope) -> Found | Tokens:
        """What is found without storage behind a Cookie header that was not met before, or behind several (an empty one); the tokens if storage must be asked."""
        visitor = self._visitor
        found: Found | Tokens
        if cookie:
            found = visitor.known((cookie.decode("latin-1"),), cookie) if self._mark in cookie else visitor.nobody
        else:
            found = visitor.known(_cookies(scope["headers"]))
        if found is visitor.doubtful:
            visitor.tell_of(_peer(scope), _headers(scope))
        return found

    async def _ours(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        if body is None:
            return
        request = Request(
            method=scope["method"],
            path=path,
            query=scope["query_string"].decode("latin-1"),
            headers=_headers(scope),
            body=body,
            peer=_peer(scope),
            scheme=scope.get("scheme", "http"),
        )
        answer = await drive.operate(self._io, self._api.answer(request))
        await _send(answer, send, head=scope["method"] == "HEAD")

    async def _refuse(self, refused: Refused, here: _Visit) -> None:
        scope = here.scope
        if scope["type"] == "websocket":
            await here.send_on({"type": "websocket.close", "code": 1008, "reason": refused.error_type})
            return
        here.replaced, here.refused = False, None
        await _send(here.answer(refused), here.send, head=scope["method"] == "HEAD")


class _Life:
    """The lifespan of an application, at whose end our work behind replies comes to its own. One that does not speak the protocol is spoken for."""

    heard = False
    """Whether the application has asked what the server says."""

    def __init__(self, auth: Auth, receive: Receive, send: Send) -> None:
        self._auth = auth
        self._receive = receive
        self._send = send

    def receive(self) -> Awaitable[MutableMapping[str, Any]]:
        """Hand the server's next message to the application."""
        self.heard = True
        return self._receive()

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Pass a message of the application on; the last one when nothing of ours is left to do."""
        if message["type"].startswith("lifespan.shutdown."):
            await self._auth.stop()
        await self._send(message)

    async def alone(self) -> None:
        """Answer in place of an application that does not."""
        while True:
            kind = (await self._receive())["type"]
            await self.send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return


class _Visit(HostVisit):
    """A request to the host's own application, and the `send` that the application is given."""

    scope: Scope
    send_on: Send
    _visitor: Visitor
    _found: Found
    started: bool = False
    replaced: bool = False
    """Whether a refusal stands in for what the application answers."""

    def who(self) -> Caller:
        """Who calls operations from a view."""
        if self.caller is PROJECT:
            self.caller = self._visitor.caller(_peer(self.scope), _headers(self.scope))
        return self.caller

    def presented(self) -> object:
        """What the guard of access tokens is shown."""
        scope = self.scope
        return self._visitor.presented(scope.get("method", ""), scope["path"], _headers(scope))

    def encrypted(self) -> bool:
        """Whether the request came by https."""
        return self._visitor.encrypted(self.scope.get("scheme", "http"), _headers(self.scope))

    def answer(self, refused: Refused) -> Response:
        """The answer to a refusal on this request."""
        scope = self.scope
        path = scope["path"] + (f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else "")
        return self._visitor.refusal(refused, scope["method"], path, _headers(scope))

    def send(self, message: MutableMapping[str, Any]) -> Awaitable[None]:
        """Pass a message of the application on, with fresh cookies and the like in its head; of an answer that a refusal stands in for, nothing."""
        if message["type"] == "http.response.start":
            self.started = True
            if self.kept is not None or self.refused is not None or self._found.unsettled:
                self._begin(message)
        if self.replaced:
            return _nothing()
        send = self.send_on
        return send(message)

    def _begin(self, message: MutableMapping[str, Any]) -> None:
        # A framework that knows no refusal calls a guard's an error of the host's own.
        self.replaced = self.refused is not None and message["status"] == 500
        if self.kept is not None or self._found.unsettled:
            more = self._visitor.headers(self._found, self)
            message["headers"] = [
                *message.get("headers", ()),
                *((name.encode("latin-1"), value.encode("latin-1")) for name, value in more),
            ]


async def _nothing() -> None:
    """Sends nothing."""


def _cookies(headers: Sequence[tuple[bytes, bytes]]) -> list[str]:
    return [value.decode("latin-1") for name, value in headers if name == b"cookie"]


def _peer(scope: Scope) -> str | None:
    client = scope.get("client")
    return client[0] if client else None


def _headers(scope: Scope) -> dict[str, tuple[str, ...]]:
    headers: dict[str, tuple[str, ...]] = {}
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin-1").lower()
        value = raw_value.decode("latin-1")
        headers[name] = (*headers[name], value) if name in headers else (value,)
    return headers


async def _body(receive: Receive) -> bytes | None:
    """The body, read no further than one chunk over the limit; None if its sender left before its end."""
    chunks: list[bytes] = []
    size = 0
    while size <= MAXIMUM_BODY:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk = message.get("body", b"")
        chunks.append(chunk)
        size += len(chunk)
        if not message.get("more_body", False):
            break
    return b"".join(chunks)


async def _send(answer: Response, send: Send, *, head: bool = False) -> None:
    await send({"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers})
    await send({"type": "http.response.body", "body": b"" if head else bytes(answer.body)})
