"""The small host app of `authmw dev`: what a developer would write around authmw, in plain Starlette. Its pages work without JavaScript."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from authmw import drive
from authmw.auth import Auth
from authmw.errors import Refused
from authmw.guard.decorators import require_session
from authmw.guard.verified import current_session, optional_session
from authmw.hosts.asgi import AuthMiddleware
from authmw.hosts.visits import SIGNED_OUT
from authmw.http.bodies import parse_form
from authmw.redirects import safe_next
from authmw_adapters.inbox import Inbox

MINUTES = 60 * 24
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


LOOPBACK_HOSTS = ("localhost", "127.0.0.1")
"""The names a browser on this machine reaches the demo by."""


def demo_app(auth: Auth, inbox: Inbox, hosts: Sequence[str] = LOOPBACK_HOSTS) -> Starlette:
    """The app behind its middleware, answering under these host names only.

    A stranger's page that points a name of its own at this machine (DNS rebinding) would otherwise be of the app's origin, and read the inbox.
    """
    demo = Demo(auth, inbox)
    routes = [
        Route("/", demo.home),
        Route("/login", demo.login, methods=["GET", "POST"]),
        Route("/code", demo.code, methods=["POST"]),
        Route("/authenticate", demo.landing, methods=["GET", "POST"]),
        Route("/account", demo.account),
        Route("/account/end", demo.end, methods=["POST"]),
        Route("/logout", demo.logout, methods=["POST"]),
        Route("/api/me", demo.me),
        Route("/dev/inbox", demo.inbox_page),
        Route("/dev/inbox.json", demo.inbox_json),
        Route("/demo.css", _style),
        Route("/favicon.ico", _favicon),
    ]
    guards = [Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts)), Middleware(AuthMiddleware, auth=auth)]
    return Starlette(routes=routes, middleware=guards)


class Demo:
    """The views."""

    def __init__(self, auth: Auth, inbox: Inbox) -> None:
        self._auth = auth
        self._inbox = inbox

    async def home(self, request: Request) -> Response:
        """What this is."""
        return _page("home.html", settings=self._auth.settings, session=optional_session())

    async def login(self, request: Request) -> Response:
        """Ask for a link or a code. The answer is the same for everybody."""
        following = safe_next(request.query_params.get("next"), "/account")
        if request.method == "GET":
            return _page("login.html", next=following)
        form = await self._form(request)
        following, address = safe_next(form.get("next"), "/account"), form.get("email", "")
        try:
            if form.get("by") == "code":
                sent = await self._do(self._auth.otps.email.login_or_create(email=address, expiration_minutes=10))
                return _page("code.html", next=following, method_id=sent.email_id)
            landing = f"{self._auth.settings.public_url}/authenticate?next={quote(following, safe='')}"
            await self._do(
                self._auth.magic_links.email.login_or_create(
                    email=address, login_magic_link_url=landing, signup_magic_link_url=landing
                )
            )
        except Refused as refused:
            return _page("login.html", refused.status, next=following, error=refused.message, email=address)
        return _page("sent.html")

    async def code(self, request: Request) -> Response:
        """Sign in by a code."""
        form = await self._form(request)
        following, method = safe_next(form.get("next"), "/account"), form.get("method_id", "")
        try:
            signed_in = await self._do(
                self._auth.otps.authenticate(
                    method_id=method, code=form.get("code", "").strip(), session_duration_minutes=MINUTES
                )
            )
        except Refused as refused:
            return _page("code.html", refused.status, next=following, method_id=method, error=refused.message)
        self._auth.keep(signed_in)
        return RedirectResponse(following, 303, headers=_HEADERS)

    async def landing(self, request: Request) -> Response:
        """Where a link leads: a page with one button, since following a link must not sign anybody in."""
        if request.method == "GET":
            following = safe_next(request.query_params.get("next"), "/account")
            return _page("landing.html", token=request.query_params.get("token", ""), next=following)
        form = await self._form(request)
        following = safe_next(form.get("next"), "/account")
        try:
            signed_in = await self._do(
                self._auth.magic_links.authenticate(token=form.get("token", ""), session_duration_minutes=MINUTES)
            )
        except Refused as refused:
            return _page("login.html", refused.status, next=following, error=refused.message)
        self._auth.keep(signed_in)
        return RedirectResponse(following, 303, headers=_HEADERS)

    @require_session
    async def account(self, request: Request) -> Response:
        """The visitor's own user, factors and sessions."""
        session = current_session()
        user = await self._do(self._auth.users.get(user_id=session.user_id))
        sessions = await self._do(self._auth.sessions.get(user_id=session.user_id))
        return _page("account.html", user=user, sessions=sessions.sessions, current=session.session_id)

    @require_session
    async def end(self, request: Request) -> Response:
        """End one of the visitor's own sessions."""
        form = await self._form(request)
        session = current_session()
        own = await self._do(self._auth.sessions.get(user_id=session.user_id))
        wanted = form.get("session_id", "")
        for one in own.sessions:
            if one.session_id == wanted or (wanted == "others" and one.session_id != session.session_id):
                await self._do(self._auth.sessions.revoke(session_id=one.session_id))
        return RedirectResponse("/account", 303, headers=_HEADERS)

    async def logout(self, request: Request) -> Response:
        """Sign out."""
        self._check_origin(request)
        session = optional_session()
        if session is not None:
            await self._do(self._auth.sessions.revoke(session_id=session.session_id))
        self._auth.keep(SIGNED_OUT)
        return RedirectResponse("/", 303, headers=_HEADERS)

    @require_session
    async def me(self, request: Request) -> Response:
        """A protected API."""
        session = current_session()
        return JSONResponse({"user_id": session.user_id, "session_id": session.session_id}, headers=_HEADERS)

    async def inbox_page(self, request: Request) -> Response:
        """What would have been sent, for people."""
        return _page("inbox.html", entries=self._inbox.entries())

    async def inbox_json(self, request: Request) -> Response:
        """What would have been sent, for programs."""
        return JSONResponse(self._inbox.as_json(), headers=_HEADERS)

    async def _do(self, work: Any) -> Any:
        return await drive.operate(self._auth.storage.io, work)

    async def _form(self, request: Request) -> dict[str, str]:
        """The fields of a form that came from one of our own pages."""
        self._check_origin(request)
        return parse_form(await request.body(), request.headers.get("content-type"))

    def _check_origin(self, request: Request) -> None:
        """Refused unless the request comes from a page of this app (CSR-01)."""
        here = f"{request.url.scheme}://{request.headers.get('host', '')}"
        ours = request.headers.get("origin") in {self._auth.settings.origin, here}
        if not ours or request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise Refused("cross_site_request")


def _page(name: str, status: int = 200, **values: Any) -> Response:
    text = _templates().get_template(name).render({"error": "", "email": "", **values})
    return HTMLResponse(text, status, headers=_HEADERS)


@functools.cache
def _templates() -> Any:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("authmw.cli", "templates"), autoescape=True, undefined=jinja2.StrictUndefined
    )


async def _style(request: Request) -> Response:
    return Response(_templates().get_template("demo.css").render(), media_type="text/css", headers=_HEADERS)


async def _favicon(request: Request) -> Response:
    return Response(_templates().get_template("icon.svg").render(), media_type="image/svg+xml", headers=_HEADERS)
