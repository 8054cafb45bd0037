"""The small host app of `authmw dev`: what a developer would write around authmw, in plain Starlette. Its pages work without JavaScript."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from authmw.auth import Auth
from authmw.cli.devices import device_of, proofs_of
from authmw.cli.factors import Factors, ways_of
from authmw.cli.letting_in import LettingIn
from authmw.cli.passkeys import Passkeys
from authmw.cli.passwords import RESET, Passwords
from authmw.cli.phones import Phones
from authmw.cli.providers import TYPE, Providers, buttons, label_of, words_of
from authmw.cli.views import HEADERS, MINUTES, Views, favicon, page, script, style
from authmw.cli.wallets import Wallets
from authmw.errors import Refused
from authmw.guard.decorators import require_session
from authmw.guard.verified import current_session, optional_session
from authmw.hosts.asgi import AuthMiddleware
from authmw.hosts.visits import SIGNED_OUT
from authmw.redirects import safe_next
from authmw_adapters.inbox import Inbox

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
        *Factors(auth).routes(),
        *Passwords(auth).routes(),
        *Providers(auth).routes(),
        *LettingIn(auth).routes(),
        *Passkeys(auth).routes(),
        *Phones(auth).routes(),
        *Wallets(auth).routes(),
        Route("/dev/inbox", demo.inbox_page),
        Route("/dev/inbox.json", demo.inbox_json),
        Route("/demo.css", style),
        Route("/api.js", script("api.js")),
        Route("/devices.js", script("devices.js")),
        Route("/favicon.ico", favicon),
    ]
    guards = [Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts)), Middleware(AuthMiddleware, auth=auth)]
    return Starlette(routes=routes, middleware=guards)


class Demo(Views):
    """The views."""

    def __init__(self, auth: Auth, inbox: Inbox) -> None:
        super().__init__(auth)
        self._inbox = inbox

    async def home(self, request: Request) -> Response:
        """What this is."""
        return page("home.html", settings=self.auth.settings, session=optional_session())

    async def login(self, request: Request) -> Response:
        """Ask for a link or a code. The answer is the same for everybody."""
        following = safe_next(request.query_params.get("next"), "/account")
        if request.method == "GET":
            return self._login_page(following)
        form = await self.form(request)
        following, address = safe_next(form.get("next"), "/account"), form.get("email", "")
        try:
            if form.get("by") == "code":
                sent = await self.do(self.auth.otps.email.login_or_create(email=address, expiration_minutes=10))
                return page("code.html", next=following, method_id=sent.email_id)
            landing = f"{self.auth.settings.public_url}/authenticate?next={quote(following, safe='')}"
            await self.do(
                self.auth.magic_links.email.login_or_create(
                    email=address, login_magic_link_url=landing, signup_magic_link_url=landing
                )
            )
        except Refused as refused:
            return self._login_page(following, refused.status, error=refused.message, email=address)
        return page("sent.html")

    async def code(self, request: Request) -> Response:
        """Sign in by a code."""
        form = await self.form(request)
        following, method = safe_next(form.get("next"), "/account"), form.get("method_id", "")
        try:
            signed_in = await self.do(
                self.auth.otps.authenticate(
                    method_id=method, code=form.get("code", "").strip(), session_duration_minutes=MINUTES
                )
            )
        except Refused as refused:
            return page("code.html", refused.status, next=following, method_id=method, error=refused.message)
        self.auth.keep(signed_in)
        return RedirectResponse(following, 303, headers=HEADERS)

    async def landing(self, request: Request) -> Response:
        """Where a link or a provider leads: a page with one button, since following a link must not sign anybody in."""
        if request.method == "GET":
            query = request.query_params
            following, kind = safe_next(query.get("next"), "/account"), query.get("stytch_token_type", "")
            if "error" in query:
                return self._login_page(following, error=words_of(query.get("error")))
            if kind == RESET:
                return page("new_password.html", token=query.get("token", ""))
            return page("landing.html", token=query.get("token", ""), next=following, type=kind)
        form = await self.form(request)
        following, token = safe_next(form.get("next"), "/account"), form.get("token", "")
        present = self.token(request) if optional_session() is not None else None
        signing_in: Coroutine[Any, Any, Any] = (
            self.auth.oauth.authenticate(token=token, session_token=present, session_duration_minutes=MINUTES)
            if form.get("type") == TYPE
            else self.auth.magic_links.authenticate(token=token, session_duration_minutes=MINUTES)
        )
        try:
            signed_in = await self.do(signing_in)
        except Refused as refused:
            return self._login_page(following, refused.status, error=refused.message)
        self.auth.keep(signed_in)
        return RedirectResponse(following, 303, headers=HEADERS)

    def _login_page(self, following: str, status: int = 200, **values: str) -> Response:
        offered = buttons(self.auth, following)
        return page("login.html", status, next=following, providers=offered, **self.for_script(), **values)

    @require_session
    async def account(self, request: Request) -> Response:
        """The visitor's own user, factors and sessions."""
        session = current_session()
        user = await self.do(self.auth.users.get(user_id=session.user_id))
        sessions = await self.do(self.auth.sessions.get(user_id=session.user_id))
        return page(
            "account.html",
            user=user,
            sessions=[
                (one, device_of(one.attributes.get("user_agent", "")), proofs_of(one)) for one in sessions.sessions
            ],
            current=session.session_id,
            ways=ways_of(user),
            apps=await LettingIn(self.auth).apps(),
            providers=[(one.name, label_of(one.name)) for one in self.auth.settings.oauth],
            **self.for_script(),
        )

    @require_session
    async def end(self, request: Request) -> Response:
        """End one of the visitor's own sessions."""
        form = await self.form(request)
        session = current_session()
        own = await self.do(self.auth.sessions.get(user_id=session.user_id))
        wanted = form.get("session_id", "")
        for one in own.sessions:
            if one.session_id == wanted or (wanted == "others" and one.session_id != session.session_id):
                await self.do(self.auth.sessions.revoke(session_id=one.session_id))
        return RedirectResponse("/account", 303, headers=HEADERS)

    async def logout(self, request: Request) -> Response:
        """Sign out."""
        self.check_origin(request)
        session = optional_session()
        if session is not None:
            await self.do(self.auth.sessions.revoke(session_id=session.session_id))
        self.auth.keep(SIGNED_OUT)
        return RedirectResponse("/", 303, headers=HEADERS)

    @require_session
    async def me(self, request: Request) -> Response:
        """A protected API."""
        session = current_session()
        return JSONResponse({"user_id": session.user_id, "session_id": session.session_id}, headers=HEADERS)

    async def inbox_page(self, request: Request) -> Response:
        """What would have been sent, for people."""
        return page("inbox.html", entries=self._inbox.entries())

    async def inbox_json(self, request: Request) -> Response:
        """What would have been sent, for programs."""
        return JSONResponse(self._inbox.as_json(), headers=HEADERS)
