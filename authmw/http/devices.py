"""The page on which a person lets a device in (RFC 8628 section 3.3): the code is typed or brought by a link, and compared with the device before anything is allowed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import TypeAlias
from urllib.parse import quote

from starlette.responses import Response

from authmw.auth import Auth
from authmw.errors import Refused
from authmw.http.answers import redirect_answer
from authmw.http.backend import query_of
from authmw.http.bodies import parse_form
from authmw.http.browser import check_origin
from authmw.http.forms import SIGN_IN, code_over, destination, form_page, is_code_over, session_of
from authmw.http.pages import page, refusal_page
from authmw.http.requests import Request
from authmw.operations import known_as
from authmw.platform.idp.client_documents import is_address
from authmw.signin.sessions import live_by_token

Target: TypeAlias = Callable[[Request, dict[str, str]], Awaitable[Response]]


def device_routes(auth: Auth) -> Iterator[tuple[str, str, Target]]:
    """The page, if the project allows devices."""
    if auth.settings.provider.device_grant:
        pages = DevicePages(auth)
        yield "GET", "/oauth/device", pages.ask
        yield "POST", "/oauth/device", pages.answer


class DevicePages:
    """What people see of a device that waits."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth
        self._path = f"{auth.settings.mount}/oauth/device"

    async def ask(self, request: Request, _: dict[str, str]) -> Response:
        """The form for a code, filled in where a link brought one. Whoever is not signed in signs in first."""
        code = query_of(request.query).get("user_code", "")[:64]
        session, now = session_of(self._auth, request), self._auth.core.clock.now()
        try:
            await live_by_token(self._auth.storage, session, self._auth.settings, now)
        except Refused as refused:
            return self._refused(refused, code)
        return self._code_page(code)

    async def answer(self, request: Request, _: dict[str, str]) -> Response:
        """Show what a device asks for, and then take the person's answer to just that."""
        with known_as(self._auth.idp.devices.decide):
            form = parse_form(request.body, request.header("content-type"))
            session = session_of(self._auth, request)
            check_origin(self._auth, request, by_cookie=True)
        code = form.get("user_code", "")[:64]
        try:
            if "decision" not in form:
                return await self._consent_page(code, session)
            return await self._decided(form, code, session)
        except Refused as refused:
            if refused.error_type == "user_code_not_found":
                return self._code_page(code, refused)
            return self._refused(refused, code)

    async def _consent_page(self, code: str, session: str) -> Response:
        start = await self._auth.idp.devices.start(user_code=code)
        emails = start.user["emails"]
        shown = {"user_code": start.user_code, "client_id": start.client.client_id}
        scopes = [one for one in start.scope_results if one.is_grantable]
        return form_page(
            "device_consent.html.j2",
            action=self._path,
            fields={**shown, "shown": code_over(self._auth, session, _with(shown, [one.scope for one in scopes]))},
            project=self._auth.settings.name,
            app=start.client.client_name or start.client.client_id,
            known=start.client.client_type.startswith("first_party"),
            who=emails[0]["email"] if emails else "",
            scopes=scopes,
            code=start.user_code,
            site=destination(start.client.client_id) if is_address(start.client.client_id) else "",
        )

    async def _decided(self, form: dict[str, str], code: str, session: str) -> Response:
        start = await self._auth.idp.devices.start(user_code=code)
        shown = {"user_code": start.user_code, "client_id": start.client.client_id}
        scopes = [one.scope for one in start.scope_results if one.is_grantable]
        if not is_code_over(self._auth, form.get("shown", ""), session, _with(shown, scopes)):
            return refusal_page(
                Refused("bad_request", "This page is not of your present session; start again on the device.")
            )
        granted = form["decision"] == "allow"
        await self._auth.idp.devices.decide(user_code=code, consent_granted=granted)
        if granted:
            return page("The device is let in", "<p>You can go back to it now, and close this page.</p>")
        return page("The device is not let in", "<p>Nothing was allowed. You can close this page.</p>")

    def _code_page(self, code: str, refused: Refused | None = None) -> Response:
        return form_page(
            "device.html.j2",
            refused.status if refused else 200,
            action=self._path,
            code=code,
            error=refused.message if refused else "",
            project=self._auth.settings.name,
        )

    def _refused(self, refused: Refused, code: str) -> Response:
        """To the sign-in and back where that is what is missing; else the refusal, for people."""
        if refused.error_type in SIGN_IN:
            there = quote(f"{self._path}?user_code={quote(code, safe='')}" if code else self._path, safe="/")
            return redirect_answer(f"{self._auth.settings.sign_in_path}?next={there}")
        return refusal_page(refused)


def _with(shown: dict[str, str], scopes: list[str]) -> dict[str, str]:
    return {**shown, "scopes": " ".join(scopes)}
