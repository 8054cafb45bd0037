"""The ASGI middleware: answers what is ours, hands the verified session to everything else, and puts fresh cookies on the way out.

Streams, websockets, lifespan and background tasks of the host pass untouched.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
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
        self._io: drive.IO = auth.storage.io

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        kind = scope["type"]
        if kind == "http":
            path: str = scope["path"]
            root: str = scope.get("root_path", "")
            if root and path.startswith(root):
                path = path[len(root) :]
            # Most paths are the host's, and are told by this one look.
            if path.startswith(self._prefixes):
                inner = self._api.claims(path)
                if inner is not None:
                    await self._ours(inner, scope, receive, send)
                    return
        elif kind != "websocket":
            if kind == "lifespan":
                drive.home.adopt()
                await self._auth.start()
            await self._app(scope, receive, send)
            return
        await self._theirs(scope, receive, send)

    async def _ours(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        request = Request(
            method=scope["method"],
            path=path,
            query=scope["query_string"].decode("latin-1"),
            headers=_headers(scope),
            body=body,
            peer=_peer(scope),
        )
        await self._auth.start()
        answer = await drive.operate(self._io, self._api.answer(request))
        await _send(answer, send, head=scope["method"] == "HEAD")

    async def _theirs(self, scope: Scope, receive: Receive, send: Send) -> None:
        cookies = [value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie"]
        found = self._visitor.known(cookies)
        if found is None:
            await self._auth.start()
            found = await self._visitor.awaited(cookies)
        scope["authmw.session"] = found.seen.session
        here = Visit(
            describe=lambda: self._visitor.caller(_peer(scope), _headers(scope)),
            presented=lambda: self._visitor.presented(scope.get("method", ""), scope["path"], _headers(scope)),
        )
        seen_token = seen.set(found.seen)
        visit_token = visit.set(here)
        outgoing = found
        started = replaced = False

        async def send_with_cookies(message: MutableMapping[str, Any]) -> None:
            nonlocal started, replaced
            if message["type"] == "http.response.start":
                started = True
                # A framework that knows no refusal calls a guard's an error of the host's own.
                replaced = message["status"] == 500 and here.refused is not None
                if here.kept is not None or outgoing.unsettled:
                    fresh = self._visitor.cookies(outgoing, here)
                    message["headers"] = [
                        *message.get("headers", ()),
                        *((b"set-cookie", one.encode("latin-1")) for one in fresh),
                    ]
            if not replaced:
                await send(message)

        http = scope["type"] == "http"
        try:
            # A page of another site may open a websocket with the visitor's cookies, and read it.
            self._visitor.check_origin(scope["method"] if http else "CONNECT", cookies, lambda: _headers(scope))
            await self._app(scope, receive, send_with_cookies if http else send)
            if replaced and here.refused is not None:
                raise here.refused
        except Refused as refused:
            if started and not replaced:
                raise
            replaced, here.refused = False, None
            await self._refuse(refused, scope, send_with_cookies if http else send)
        finally:
            visit.reset(visit_token)
            seen.reset(seen_token)

    async def _refuse(self, refused: Refused, scope: Scope, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refused.error_type})
            return
        headers = _headers(scope)
        path = scope["path"] + (f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else "")
        answer = self._visitor.refusal(refused, scope["method"], path, headers)
        await _send(answer, send, head=scope["method"] == "HEAD")


def _peer(scope: Scope) -> str | None:
    client = scope.get("client")
    return client[0] if client else None


def _headers(scope: Scope) -> dict[str, tuple[str, ...]]:
    headers: dict[str, tuple[str, ...]] = {}
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin-1").lower()
        headers[name] = (*headers.get(name, ()), raw_value.decode("latin-1"))
    return headers


async def _body(receive: Receive) -> bytes:
    """The body, read no further than one chunk over the limit."""
    chunks: list[bytes] = []
    size = 0
    while size <= MAXIMUM_BODY:
        message = await receive()
        chunk = message.get("body", b"")
        chunks.append(chunk)
        size += len(chunk)
        if not message.get("more_body", False):
            break
    return b"".join(chunks)


async def _send(answer: Response, send: Send, *, head: bool = False) -> None:
    await send({"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers})
    await send({"type": "http.response.body", "body": b"" if head else bytes(answer.body)})
