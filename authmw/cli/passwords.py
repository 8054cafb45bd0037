"""The demo's passwords: sign in by one, make an account with one, and set another."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from authmw.cli.views import HEADERS, MINUTES, Views, page
from authmw.errors import Refused
from authmw.guard.decorators import require_session
from authmw.guard.verified import current_session
from authmw.redirects import safe_next

RESET = "reset_password"
"""What a link to set a new password says its token is for."""
_WRONG = "That address and that password do not belong together."
_UNTOLD = frozenset({"unauthorized_credentials", "email_not_found", "user_lock_limit_reached"})
"""Refusals that would tell a stranger who is known here."""


class Passwords(Views):
    """The views."""

    def routes(self) -> list[Route]:
        """Where they stand."""
        return [
            Route("/password", self.sign_in, methods=["GET", "POST"]),
            Route("/password/forgotten", self.forgotten, methods=["GET", "POST"]),
            Route("/password/new", self.renew, methods=["POST"]),
            Route("/account/password", self.change, methods=["POST"]),
        ]

    async def sign_in(self, request: Request) -> Response:
        """Sign in, or make an account."""
        following = safe_next(request.query_params.get("next"), "/account")
        if request.method == "GET":
            return page("password.html", next=following)
        form = await self.form(request)
        following, email, password = (
            safe_next(form.get("next"), "/account"),
            form.get("email", ""),
            form.get("password", ""),
        )
        passwords = self.auth.passwords
        entering = (
            passwords.create(email=email, password=password, session_duration_minutes=MINUTES)
            if form.get("by") == "new"
            else passwords.authenticate(email=email, password=password, session_duration_minutes=MINUTES)
        )
        try:
            self.auth.keep(await self.do(entering))
        except Refused as refused:
            if refused.error_type in {"duplicate_email", RESET}:
                return page("forgotten.html", email=email)
            status, words = (401, _WRONG) if refused.error_type in _UNTOLD else (refused.status, refused.message)
            return page("password.html", status, next=following, email=email, error=words)
        return RedirectResponse(following, 303, headers=HEADERS)

    async def forgotten(self, request: Request) -> Response:
        """Mail a link to set another one. The answer is the same for everybody."""
        if request.method == "GET":
            return page("forgotten.html")
        form = await self.form(request)
        landing = f"{self.auth.settings.public_url}/authenticate"
        asking = self.auth.passwords.email.reset_start(
            email=form.get("email", ""), reset_password_redirect_url=landing, login_redirect_url=landing
        )
        try:
            await self.do(asking)
        except Refused as refused:
            if refused.error_type not in _UNTOLD:
                return page("forgotten.html", refused.status, error=refused.message)
        return page("sent.html")

    async def renew(self, request: Request) -> Response:
        """Set another one by the mailed link."""
        form = await self.form(request)
        token = form.get("token", "")
        setting = self.auth.passwords.email.reset(
            token=token, password=form.get("password", ""), session_duration_minutes=MINUTES
        )
        try:
            self.auth.keep(await self.do(setting))
        except Refused as refused:
            return page("new_password.html", refused.status, token=token, error=refused.message)
        return RedirectResponse("/account", 303, headers=HEADERS)

    @require_session
    async def change(self, request: Request) -> Response:
        """Set a first one by a fresh sign-in, or another by the present one. Every other session ends."""
        form = await self.form(request)
        present, password = form.get("present", ""), form.get("password", "")
        user = await self.do(self.auth.users.get(user_id=current_session().user_id))
        token = self.token(request)
        changing = (
            self.auth.passwords.existing_password.reset(
                email=user.emails[0].address, existing_password=present, new_password=password, session_token=token
            )
            if present and user.emails
            else self.auth.passwords.sessions.reset(password=password, session_token=token)
        )
        try:
            self.auth.keep(await self.do(changing))
        except Refused as refused:
            words = _WRONG if refused.error_type in _UNTOLD else refused.message
            return page("trouble.html", refused.status, error=words)
        return RedirectResponse("/account", 303, headers=HEADERS)
