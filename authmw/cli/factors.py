"""The demo's factors: how a signed-in visitor adds and removes ways to sign in, and proves a second one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import attrs
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from authmw.cli.views import HEADERS, MINUTES, Views, page
from authmw.consumer.answers import UserAnswer
from authmw.errors import Refused
from authmw.guard.decorators import require_fresh, require_session
from authmw.guard.verified import current_session, optional_session
from authmw.redirects import safe_next


@attrs.frozen(kw_only=True)
class Way:
    """One way to sign in, as the account page lists it."""

    kind: str
    id: str
    name: str
    verified: bool


def ways_of(user: UserAnswer) -> list[Way]:
    """Every way a user has."""
    return list(_ways(user))


def _ways(user: UserAnswer) -> Iterator[Way]:
    for email in user.emails:
        yield Way(kind="email", id=email.email_id, name=email.address, verified=email.verified)
    for phone in user.phone_numbers:
        yield Way(kind="phone", id=phone.phone_id, name=phone.number, verified=phone.verified)
    for totp in user.totps:
        yield Way(kind="totp", id=totp.totp_id, name="Authenticator app", verified=totp.verified)
    if user.password is not None:
        yield Way(
            kind="password", id=user.password.password_id, name="Password", verified=not user.password.requires_reset
        )
    for one in user.providers:
        yield Way(kind="oauth", id=one.oauth_user_registration_id, name=f"{one.provider_type} account", verified=True)
    for passkey in user.webauthn_registrations:
        yield Way(kind="passkey", id=passkey.webauthn_registration_id, name=passkey.name, verified=passkey.verified)
    for device in user.biometric_registrations:
        yield Way(kind="device", id=device.biometric_registration_id, name="Device key", verified=device.verified)
    for wallet in user.crypto_wallets:
        name = f"{wallet.crypto_wallet_type.title()} wallet {wallet.crypto_wallet_address[:10]}…"
        yield Way(kind="wallet", id=wallet.crypto_wallet_id, name=name, verified=wallet.verified)


class Factors(Views):
    """The views."""

    def routes(self) -> list[Route]:
        """Where they stand."""
        return [
            Route("/second", self.second, methods=["GET", "POST"]),
            Route("/account/email", self.add_email, methods=["POST"]),
            Route("/account/totp", self.add_totp, methods=["POST"]),
            Route("/account/totp/code", self.prove_totp, methods=["POST"]),
            Route("/account/recovery-codes", self.recovery_codes),
            Route("/account/remove", self.remove, methods=["POST"]),
        ]

    async def second(self, request: Request) -> Response:
        """Prove a second factor of the session that is there: a code of the app, a recovery code, or a passkey."""
        session = optional_session()
        if session is None:
            raise Refused("user_unauthenticated")
        following = safe_next(request.query_params.get("next"), "/account")
        if request.method == "GET":
            return self._second_page(following)
        form = await self.form(request)
        following, code = safe_next(form.get("next"), "/account"), form.get("code", "").strip()
        token, totps = self.token(request), self.auth.totps
        proving = (
            totps.recover(
                user_id=session.user_id, recovery_code=code, session_token=token, session_duration_minutes=MINUTES
            )
            if "-" in code
            else totps.authenticate(
                user_id=session.user_id, totp_code=code, session_token=token, session_duration_minutes=MINUTES
            )
        )
        try:
            self.auth.keep(await self.do(proving))
        except Refused as refused:
            return self._second_page(following, refused.status, error=refused.message)
        return RedirectResponse(following, 303, headers=HEADERS)

    def _second_page(self, following: str, status: int = 200, **values: str) -> Response:
        session = optional_session()
        # A code of the app is of the kind that a device's key is, and two of one kind are no second.
        alone = session is not None and session.categories == frozenset({"dedicated"})
        return page("second.html", status, next=following, alone=alone, **self.for_script(), **values)

    @require_session
    async def add_email(self, request: Request) -> Response:
        """Mail a link to another address; it enters when the link is followed."""
        form = await self.form(request)
        landing = f"{self.auth.settings.public_url}/authenticate"
        sending = self.auth.magic_links.email.send(
            email=form.get("email", ""), session_token=self.token(request), login_magic_link_url=landing
        )
        try:
            await self.do(sending)
        except Refused as refused:
            return page("trouble.html", refused.status, error=refused.message)
        return page("sent.html")

    @require_session
    async def add_totp(self, request: Request) -> Response:
        """Show a new authenticator app's secret as a picture, with its recovery codes."""
        self.check_origin(request)
        try:
            made = await self.do(self.auth.totps.create(user_id=current_session().user_id))
        except Refused as refused:
            return page("trouble.html", refused.status, error=refused.message)
        return page("totp.html", made=made)

    @require_session
    async def prove_totp(self, request: Request) -> Response:
        """Take the app's first code, which makes it a factor."""
        form = await self.form(request)
        proving = self.auth.totps.authenticate(
            user_id=current_session().user_id,
            totp_code=form.get("code", "").strip(),
            session_token=self.token(request),
        )
        try:
            self.auth.keep(await self.do(proving))
        except Refused as refused:
            return page("trouble.html", refused.status, error=refused.message)
        return _account()

    @require_session
    @require_fresh(minutes=60)
    async def recovery_codes(self, request: Request) -> Response:
        """Show what is left of the recovery codes."""
        listing = self.auth.totps.recovery_codes(user_id=current_session().user_id)
        try:
            listed = await self.do(listing)
        except Refused as refused:
            return page("trouble.html", refused.status, error=refused.message)
        return page("recovery_codes.html", codes=[code for one in listed.totps for code in one.recovery_codes])

    @require_session
    async def remove(self, request: Request) -> Response:
        """Remove one of the visitor's own ways to sign in. It ends every session, this one included."""
        form = await self.form(request)
        user = await self.do(self.auth.users.get(user_id=current_session().user_id))
        own = next((way for way in ways_of(user) if way.id == form.get("id")), None)
        if own is None:
            return page("trouble.html", 404, error="That is none of your ways to sign in.")
        try:
            await self.do(self._removal(own.kind)(own.id))
        except Refused as refused:
            return page("trouble.html", refused.status, error=refused.message)
        return RedirectResponse("/login", 303, headers=HEADERS)

    def _removal(self, kind: str) -> Callable[[str], Any]:
        users = self.auth.users
        removals: dict[str, Callable[[str], Awaitable[Any]]] = {
            "email": lambda way: users.delete_email(email_id=way),
            "phone": lambda way: users.delete_phone_number(phone_id=way),
            "password": lambda way: users.delete_password(password_id=way),
            "totp": lambda way: users.delete_totp(totp_id=way),
            "oauth": lambda way: users.delete_oauth_registration(oauth_user_registration_id=way),
            "passkey": lambda way: users.delete_webauthn_registration(webauthn_registration_id=way),
            "device": lambda way: users.delete_biometric_registration(biometric_registration_id=way),
            "wallet": lambda way: users.delete_crypto_wallet(crypto_wallet_id=way),
        }
        return removals[kind]


def _account() -> Response:
    return RedirectResponse("/account", 303, headers=HEADERS)
