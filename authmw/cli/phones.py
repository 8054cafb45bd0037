"""The demo's phones: sign in by a code that comes as a text or by WhatsApp, or add a number to an account."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from authmw.cli.views import HEADERS, Views, page
from authmw.consumer.otps.phones import SMSPasscodes, WhatsAppPasscodes
from authmw.errors import Refused
from authmw.guard.decorators import require_session
from authmw.redirects import safe_next

LIFE = 10
"""Minutes that a code holds: people look for it in the inbox."""


class Phones(Views):
    """The views."""

    def routes(self) -> list[Route]:
        """Where they stand."""
        return [
            Route("/phone", self.sign_in, methods=["GET", "POST"]),
            Route("/account/phone", self.add, methods=["POST"]),
            Route("/account/phone/code", self.prove, methods=["POST"]),
        ]

    async def sign_in(self, request: Request) -> Response:
        """Send a code, and make an account where there is none. The answer is the same for everybody."""
        following = safe_next(request.query_params.get("next"), "/account")
        if request.method == "GET":
            return page("phone.html", next=following, number="")
        form = await self.form(request)
        following, number = safe_next(form.get("next"), "/account"), form.get("phone", "")
        sending = self._channel(form).login_or_create(phone_number=_plain(number), expiration_minutes=LIFE)
        try:
            sent = await self.do(sending)
        except Refused as refused:
            return page("phone.html", refused.status, next=following, number=number, error=refused.message)
        return page("code.html", next=following, method_id=sent.phone_id)

    @require_session
    async def add(self, request: Request) -> Response:
        """Send a code to a number; it enters when the code is proved."""
        form = await self.form(request)
        sending = self._channel(form).send(
            phone_number=_plain(form.get("phone", "")),
            session_token=self.token(request),
            expiration_minutes=LIFE,
        )
        try:
            sent = await self.do(sending)
        except Refused as refused:
            return page("trouble.html", refused.status, error=refused.message)
        return page("phone_code.html", method_id=sent.phone_id)

    @require_session
    async def prove(self, request: Request) -> Response:
        """Take the code that was sent."""
        form = await self.form(request)
        method = form.get("method_id", "")
        proving = self.auth.otps.authenticate(
            method_id=method, code=form.get("code", "").strip(), session_token=self.token(request)
        )
        try:
            self.auth.keep(await self.do(proving))
        except Refused as refused:
            return page("phone_code.html", refused.status, method_id=method, error=refused.message)
        return RedirectResponse("/account", 303, headers=HEADERS)

    def _channel(self, form: dict[str, str]) -> SMSPasscodes | WhatsAppPasscodes:
        return self.auth.otps.whatsapp if form.get("by") == "whatsapp" else self.auth.otps.sms


def _plain(number: str) -> str:
    """A number without the spaces that people write it with."""
    return "".join(number.split())
