"""The demo's OAuth: its buttons, the page that stands in for each provider, and adding an account of one to the visitor's own."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import attrs
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from authmw.auth import Auth
from authmw.cli.views import HEADERS, Views, page
from authmw.errors import ERROR_TYPES, Refused
from authmw.guard.decorators import require_session
from authmw.http.backend import query_of
from authmw.oauth_providers import PROVIDERS
from authmw.testing.stand_ins import Person, Return, StandInRefused, StandIns

TYPE = "oauth"
"""The `stytch_token_type` of a landing after a provider."""
_FORMS = "'self' http://localhost:* http://127.0.0.1:*"
"""Where the stand-in's form may end: Chromium holds the redirects behind a form to `form-action` too, and apps under development listen on this machine."""
_OWN = ("decision", "email", "first_name", "last_name", "verified")


@attrs.frozen
class Button:
    """One provider on the sign-in page."""

    label: str
    url: str


def buttons(auth: Auth, following: str) -> list[Button]:
    """Where signing in with each provider begins. Links, not forms: so no policy holds up the way to a real provider."""
    return [Button(label_of(one.name), start_url(auth, one.name, following)) for one in auth.settings.oauth]


def start_url(auth: Auth, provider: str, following: str, **more: str) -> str:
    """Where signing in with a provider begins."""
    landing = f"{auth.settings.public_url}/authenticate?{urlencode({'next': following})}"
    query = {"login_redirect_url": landing, "signup_redirect_url": landing, **more}
    return f"/v1/public/oauth/{provider}/start?" + urlencode({"public_token": auth.settings.public_token, **query})


def words_of(error: str | None) -> str:
    """What a landing says of a sign-in that failed at a provider; a word that is not ours says nothing."""
    known = ERROR_TYPES.get(error or "")
    return known.message if known else "Signing in with the provider did not work."


def label_of(name: str) -> str:
    """How a provider is called on a button."""
    return {"github": "GitHub"}.get(name, PROVIDERS[name].label)


class Providers(Views):
    """The views."""

    def routes(self) -> Iterator[Route]:
        """Where they stand."""
        yield Route("/account/oauth", self.attach, methods=["POST"])
        if isinstance(self.auth.core.fetcher, StandIns):
            yield Route("/dev/providers/{name}/authorize_url", self.ask)
            yield Route("/dev/providers/{name}/authorize_url", self.answer, methods=["POST"])

    @require_session
    async def attach(self, request: Request) -> Response:
        """Have the visitor's account at a provider added to their own."""
        form = await self.form(request)
        provider = form.get("provider", "")
        try:
            adding = self.auth.oauth.attach(provider=provider, session_token=self.token(request))
            token = (await self.do(adding)).oauth_attach_token
        except Refused as refused:
            return page("trouble.html", refused.status, error=refused.message)
        url = start_url(self.auth, provider, "/account", oauth_attach_token=token)
        return RedirectResponse(url, 303, headers=HEADERS)

    async def ask(self, request: Request) -> Response:
        """The stand-in's own sign-in: whoever fills it in is believed."""
        name, asked = request.path_params["name"], query_of(request.url.query)
        try:
            self._stand_ins.check(name, asked)
        except StandInRefused as refused:
            return page("trouble.html", 400, error=str(refused))
        return _asked(name, asked, asked.get("login_hint", "ada@example.org"))

    async def answer(self, request: Request) -> Response:
        """Send the browser back to the app, as the real provider would."""
        form = await self.form(request)
        name, asked = request.path_params["name"], {key: value for key, value in form.items() if key not in _OWN}
        try:
            if form.get("decision") != "allow":
                return _returned(name, self._stand_ins.decline(name, asked))
            address = form.get("email", "")
            if "@" not in address:
                self._stand_ins.check(name, asked)
                return _asked(name, asked, address, 400, error="Say who you are there by an e-mail address.")
            person = Person(
                email=address,
                first_name=form.get("first_name", ""),
                last_name=form.get("last_name", ""),
                verified="verified" in form,
            )
            return _returned(name, self._stand_ins.agree(name, asked, person))
        except StandInRefused as refused:
            return page("trouble.html", 400, error=str(refused))

    @property
    def _stand_ins(self) -> StandIns:
        fetcher = self.auth.core.fetcher
        assert isinstance(fetcher, StandIns)  # else these views have no route
        return fetcher


def _asked(name: str, asked: dict[str, str], email: str, status: int = 200, error: str = "") -> Response:
    return page(
        "provider.html",
        status,
        forms=_FORMS,
        label=label_of(name),
        row=PROVIDERS[name],
        asked=asked,
        email=email,
        error=error,
    )


def _returned(name: str, back: Return) -> Response:
    if back.posts:
        return page("provider_posts.html", forms=_FORMS, label=label_of(name), url=back.url, fields=back.parameters)
    return RedirectResponse(f"{back.url}?{urlencode(back.parameters)}", 303, headers=HEADERS)
