"""The pages by which people let apps in: the authorization endpoint (RFC 6749 section 3.1), its consent page, and signing out at the wish of an app.

Law: until the redirect URI is proved to be the app's, what is wrong is shown; after that it is sent there, always with `state` and `iss`. What a person agrees to is what
they were shown: the form carries a code over all of it and over their session. Nobody is asked in a frame, and nothing of an app but its words stands on the page.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any, TypeAlias
from urllib.parse import quote

import attrs
from starlette.responses import Response

from authmw.auth import Auth
from authmw.errors import Refused
from authmw.http.answers import redirect_answer
from authmw.http.backend import query_of
from authmw.http.bodies import parse_form
from authmw.http.browser import check_origin
from authmw.http.forms import SIGN_IN, code_over, destination, form_page, is_code_over, session_of
from authmw.http.oauth import SEVERAL
from authmw.http.pages import page, refusal_page
from authmw.http.requests import Request
from authmw.http.sessions import clear_cookies
from authmw.operations import known_as
from authmw.platform.idp.client_documents import is_address
from authmw.platform.idp.rules import answer_url
from authmw.scopes import parted
from authmw.signin.sessions import live_by_token

Target: TypeAlias = Callable[[Request, dict[str, str]], Awaitable[Response]]

FRESH_LOGIN = timedelta(minutes=5)
"""How recently a factor must have been proved for `prompt=login`."""
_FIELDS = (
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "resource",
    "prompt",
    "max_age",
    "request_uri",
    "dpop_jkt",
)
_CODES = {
    "unsupported_response_type": "unsupported_response_type",
    "oauth_invalid_scope_requested": "invalid_scope",
    "pkce_required_for_idp_authorization_flow": "invalid_request",
    "invalid_pkce_code_challenge": "invalid_request",
    "invalid_target": "invalid_target",
    "session_not_mutable": "access_denied",
}
"""What is wrong with a request whose redirect URI is the app's, in the words of RFC 6749 section 4.1.2.1: each is found after that was proved."""


@attrs.frozen(kw_only=True)
class Asked:
    """An authorization request: its parameters, each once."""

    values: dict[str, str] = attrs.field(repr=False)

    def get(self, name: str) -> str | None:
        """A parameter; None for one that is absent or empty (RFC 6749 section 3.1)."""
        return self.values.get(name) or None

    @property
    def scopes(self) -> list[str]:
        """What is asked for."""
        return parted(self.get("scope"))

    @property
    def prompts(self) -> list[str]:
        """How the person shall be asked."""
        return parted(self.get("prompt"))


def consent_routes(auth: Auth) -> Iterator[tuple[str, str, Target]]:
    """The pages of the provider."""
    pages = Pages(auth)
    yield "GET", "/oauth/authorize", pages.authorize
    yield "POST", "/oauth/authorize", pages.decide
    yield "GET", "/oauth/logout", pages.logout
    yield "POST", "/oauth/logout", pages.sign_out


class Pages:
    """What people see of the provider."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth

    async def authorize(self, request: Request, _: dict[str, str]) -> Response:
        """Look the request over, have the person sign in, and ask them, or answer at once where nobody must be asked."""
        try:
            asked = await self._resolved(_known(query_of(request.query, SEVERAL)))
        except Refused as refused:
            return refusal_page(refused)
        session = session_of(self._auth, request)
        try:
            start = await self._started(asked)
            if "none" in asked.prompts and len(asked.prompts) > 1:
                return self._answered(asked, "invalid_request")
            if await self._must_sign_in(asked, session):
                raise Refused("user_unauthenticated")
            if start.consent_required and "none" in asked.prompts:
                return self._answered(asked, "consent_required")
            if not start.consent_required:
                return await self._granted(asked, granted=True)
        except Refused as refused:
            return self._refused(asked, refused)
        return self._consent_page(asked, start, session)

    async def decide(self, request: Request, _: dict[str, str]) -> Response:
        """The person's answer, from the page that we showed in this session."""
        with known_as(self._auth.idp.oauth.authorize):
            form = parse_form(request.body, request.header("content-type"))
            session = session_of(self._auth, request)
            check_origin(self._auth, request, by_cookie=True)
        asked = _known(form)
        if not is_code_over(self._auth, form.get("shown", ""), session, _shown(asked)):
            return refusal_page(
                Refused("bad_request", "This page is not of your present session; start again in the app.")
            )
        try:
            return await self._granted(asked, granted=form.get("decision") == "allow")
        except Refused as refused:
            return self._refused(asked, refused)

    async def logout(self, request: Request, _: dict[str, str]) -> Response:
        """Ask whether to sign out; following a link signs nobody out."""
        fields = query_of(request.query)
        session_of(self._auth, request)
        try:
            back = await self._way_back(fields)
        except Refused as refused:
            return refusal_page(refused)
        hidden = {name: fields[name] for name in ("client_id", "post_logout_redirect_uri", "state") if fields.get(name)}
        return form_page("logout.html.j2", actions=[back] if back else [], action=self._path("logout"), fields=hidden)

    async def sign_out(self, request: Request, _: dict[str, str]) -> Response:
        """End the session and go where the app wished."""
        with known_as(self._auth.sessions.revoke):
            fields = parse_form(request.body, request.header("content-type"))
            session = session_of(self._auth, request)
            check_origin(self._auth, request, by_cookie=True)
        back = await self._way_back(fields)
        if session:
            await self._auth.sessions.revoke()
        answer = redirect_answer(back) if back else page("Signed out", "<p>You are signed out.</p>")
        clear_cookies(self._auth, answer)
        return answer

    async def _way_back(self, fields: dict[str, str]) -> str | None:
        """Where the browser goes after signing out; None if the app named no place. Refused for a place that is not the app's."""
        if not fields.get("post_logout_redirect_uri"):
            return None
        start = await self._auth.idp.oauth.logout_start(
            client_id=fields.get("client_id", ""),
            post_logout_redirect_uri=fields["post_logout_redirect_uri"],
            state=fields.get("state"),
        )
        return start.redirect_uri

    async def _resolved(self, asked: Asked) -> Asked:
        """The request itself, or the one that was pushed before: then nothing else of the URL counts (RFC 9126 section 4)."""
        uri = asked.get("request_uri")
        if uri is None and self._auth.settings.provider.require_pushed_requests:
            raise Refused("bad_request", "The app must push its request ahead of the browser.")
        if uri is None:
            return asked
        pushed = await self._auth.idp.registration.pushed(uri, asked.get("client_id") or "")
        return Asked(values={**pushed, "request_uri": uri})

    async def _started(self, asked: Asked) -> Any:
        return await self._auth.idp.oauth.authorize_start(
            client_id=asked.get("client_id") or "",
            redirect_uri=asked.get("redirect_uri") or "",
            response_type=asked.get("response_type") or "",
            scopes=asked.scopes,
            prompt=asked.get("prompt"),
        )

    async def _must_sign_in(self, asked: Asked, session: str) -> bool:
        """Whether the person must prove again who they are: `prompt=login`, or a `max_age` in seconds (OpenID Connect Core section 3.1.2.1)."""
        limits: list[timedelta] = [FRESH_LOGIN] if "login" in asked.prompts else []
        age = asked.get("max_age")
        if age is not None:
            if not age.isascii() or not age.isdigit() or len(age) > 9:
                raise Refused("bad_request", "`max_age` must be a number of seconds.")
            limits.append(timedelta(seconds=int(age)))
        if not limits:
            return False
        now = self._auth.core.clock.now()
        live = await live_by_token(self._auth.storage, session, self._auth.settings, now)
        proved = [factor.last_authenticated_at for factor in live.session.factors]
        return not proved or now - max(proved) > min(limits)

    async def _granted(self, asked: Asked, *, granted: bool) -> Response:
        """Go back to the app, with a code or with the refusal."""
        if asked.get("code_challenge_method") != "S256":
            raise Refused("pkce_required_for_idp_authorization_flow")
        answer = await self._auth.idp.oauth.authorize(
            consent_granted=granted,
            client_id=asked.get("client_id") or "",
            redirect_uri=asked.get("redirect_uri") or "",
            response_type=asked.get("response_type") or "",
            scopes=asked.scopes,
            prompt=asked.get("prompt"),
            state=asked.get("state"),
            nonce=asked.get("nonce"),
            code_challenge=asked.get("code_challenge"),
            resources=parted(asked.get("resource")),
            dpop_key=asked.get("dpop_jkt"),
            request_uri=asked.get("request_uri"),
        )
        return redirect_answer(answer.redirect_uri)

    def _answered(self, asked: Asked, error: str) -> Response:
        """An error sent back to the app."""
        url = answer_url(
            asked.get("redirect_uri") or "",
            error=error,
            state=asked.get("state"),
            iss=self._auth.settings.provider_issuer,
        )
        return redirect_answer(url)

    def _refused(self, asked: Asked, refused: Refused) -> Response:
        """What becomes of a refusal: sign-in and back, an error at the app, or a page."""
        if refused.error_type in SIGN_IN:
            if "none" in asked.prompts:
                return self._answered(asked, "login_required")
            there = quote(f"{self._path('authorize')}?{_query(asked)}", safe="/")
            return redirect_answer(f"{self._auth.settings.sign_in_path}?next={there}")
        if refused.error_type in _CODES:
            return self._answered(asked, _CODES[refused.error_type])
        return refusal_page(refused)

    def _consent_page(self, asked: Asked, start: Any, session: str) -> Response:
        emails = start.user["emails"]
        fields = {**asked.values, "shown": code_over(self._auth, session, _shown(asked))}
        return form_page(
            "consent.html.j2",
            actions=[asked.get("redirect_uri") or ""],
            action=self._path("authorize"),
            fields=fields,
            project=self._auth.settings.name,
            app=start.client.client_name or start.client.client_id,
            description=start.client.client_description,
            known=start.client.client_type.startswith("first_party"),
            who=emails[0]["email"] if emails else "",
            scopes=[one for one in start.scope_results if one.is_grantable],
            destination=destination(asked.get("redirect_uri") or ""),
            site=destination(start.client.client_id) if is_address(start.client.client_id) else "",
        )

    def _path(self, name: str) -> str:
        return f"{self._auth.settings.mount}/oauth/{name}"


def _shown(asked: Asked) -> dict[str, str]:
    return {name: asked.values.get(name, "") for name in _FIELDS}


def _known(values: dict[str, str]) -> Asked:
    return Asked(values={name: values[name] for name in _FIELDS if values.get(name)})


def _query(asked: Asked) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in asked.values.items())
