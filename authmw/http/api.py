"""The HTTP of one `Auth`: every request that is ours is answered here, by the audience of its path."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import attrs
from starlette.responses import Response

from authmw.auth import Auth
from authmw.errors import Refused, StorageError
from authmw.http.addresses import client_ip, is_encrypted, prefix
from authmw.http.answers import error_answer
from authmw.http.backend import backend_routes
from authmw.http.browser import browser_routes, cors, preflight
from authmw.http.consent import consent_routes
from authmw.http.devices import device_routes
from authmw.http.navigation import navigation_routes
from authmw.http.oauth import discovery_routes, oauth_routes, userinfo_routes
from authmw.http.openapi import openapi_routes
from authmw.http.pages import page_routes
from authmw.http.requests import Request
from authmw.http.table import Match, Table
from authmw.operations import Audience, Caller, Visit, visit

_OVERRIDES = ("x-http-method-override", "x-http-method", "x-method-override")
"""Headers by which a request would be another one than it says."""
Target: TypeAlias = Callable[[Request, dict[str, str]], Awaitable[Response]]
_log = logging.getLogger("authmw")


@attrs.frozen
class Entry:
    """What answers a route, and for whom."""

    audience: Audience
    answer: Target


class Api:
    """Answers the routes of an `Auth`: under its mount, and on the claimed root paths."""

    def __init__(self, auth: Auth) -> None:
        self.auth = auth
        self._table: Table[Entry] = Table()
        for method, path, target in backend_routes(auth):
            self._table.add(method, path, Entry("backend", target))
        for method, path, target in browser_routes(auth):
            self._table.add(method, path, Entry("browser", target))
        for routes in (oauth_routes, userinfo_routes, discovery_routes):
            for method, path, target in routes(auth):
                self._table.add(method, path, Entry("backend", target))
        for method, path, target in (*consent_routes(auth), *device_routes(auth), *navigation_routes(auth)):
            self._table.add(method, path, Entry("browser", target))
        for method, path, target in openapi_routes(auth):
            self._table.add(method, path, Entry("backend", target))
        for method, path, target in page_routes(auth):
            self._table.add(method, path, Entry("browser", target))
        self._mount = auth.settings.mount
        roots = ("/v1/", "/sdk/v1/", "/.well-known/", "/openapi.json") if auth.settings.claim_roots else ()
        # Clients of an issuer with a path look for its documents at the root, whatever else of the root is the host's.
        documents = ("oauth-authorization-server", "openid-configuration")
        exact = (*(f"/.well-known/{name}{self._mount}" for name in documents), "/.well-known/oauth-protected-resource/")
        self.prefixes: tuple[str, ...] = (f"{self._mount}/", *roots, *exact)

    def claims(self, path: str) -> str | None:
        """The path within our table if this one is ours, else None: it passes to the host untouched."""
        if not path.startswith(self.prefixes):
            return None
        inner = path[len(self._mount) :] if self._mount and path.startswith(self._mount + "/") else path
        return inner if self._table.match(inner) is not None else None

    async def answer(self, request: Request) -> Response:
        """Answer a request whose path is within our table. Never raises."""
        settings = self.auth.settings
        try:
            match = self._table.match(request.path)
        except UnicodeDecodeError:
            match = None
        if match is None:
            return error_answer(settings, Refused("route_not_found"))
        if request.method == "OPTIONS" and request.path.startswith("/sdk/"):
            return preflight(self.auth, request, sorted(match.methods))
        answered = await self._entry(request, match)
        return cors(self.auth, request, answered) if request.path.startswith("/sdk/") else answered

    def _be_encrypted(self, request: Request, caller: Caller) -> None:
        """Refused: `use_https` for what reaches Live in plain text, whoever it is from (OPS-01): what it carries is known to everybody on the way."""
        settings = self.auth.settings
        if not settings.live:
            return
        if not is_encrypted(request.scheme, request.headers.get("x-forwarded-proto", ()), settings.trusted_proxies):
            self.auth.incidents.tell("use_https", caller.ip_address, prefix(caller.ip_address))
            raise Refused("use_https")

    async def _entry(self, request: Request, match: Match[Entry]) -> Response:
        settings = self.auth.settings
        method = "GET" if request.method == "HEAD" and "GET" in match.methods else request.method
        entry = match.methods.get(method)
        if entry is None:
            refused = error_answer(settings, Refused("method_not_allowed"))
            refused.headers["allow"] = ", ".join(sorted(match.methods))
            return refused
        caller = Caller(
            audience=entry.audience,
            ip_address=client_ip(request.peer, request.headers.get("x-forwarded-for", ()), settings.trusted_proxies),
            user_agent=(request.header("user-agent") or "")[:1024],
        )
        token = visit.set(Visit(caller=caller))
        try:
            self._be_encrypted(request, caller)
            _be_what_it_says(request, method)
            if not self.auth.core.beginning.over:
                await self.auth.core.beginning.serve()
            await self.auth.core.project.now()
            return await entry.answer(request, match.parameters)
        except Refused as refused:
            return error_answer(settings, refused)
        except StorageError:
            return error_answer(settings, Refused("server_unavailable"))
        except Exception:
            # The traceback may hold what the caller sent, so only its place is logged.
            _log.error("request_failed", extra={"path_of_table": request.path.count("/")})
            return error_answer(settings, Refused("internal_server_error"))
        finally:
            visit.reset(token)


def _be_what_it_says(request: Request, method: str) -> None:
    """Refused: `bad_request` for a method that a header overrides, and for a GET with a body, which whoever stands before us may not have read (CSR-02).

    Refused `cross_site_request` for what a browser asks of an identity provider (FedCM section 3: only it says `Sec-Fetch-Dest: webidentity`). We are none: a page of another site that
    says so, and found a document on this host that names addresses of ours, would have the browser call them with the visitor's cookies.
    """
    if method == "GET" and request.body:
        raise Refused("bad_request", "A GET has no body.")
    if any("webidentity" in one.lower() for one in request.headers.get("sec-fetch-dest", ())):
        raise Refused("cross_site_request", "There is no identity provider of FedCM here.")
    if any(name in request.headers for name in _OVERRIDES):
        raise Refused("bad_request", "A header cannot name another method.")
