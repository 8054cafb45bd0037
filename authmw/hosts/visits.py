"""What every host does with a visitor: find the session behind the cookies, put fresh cookies on the answer, answer a refusal of a guard."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias
from urllib.parse import quote

from starlette.responses import Response

from authmw.auth import Auth
from authmw.clock import seconds
from authmw.errors import Refused, StorageError
from authmw.guard.bearer import Presented
from authmw.guard.origins import SAFE_METHODS, from_this_site
from authmw.guard.sessions import Found
from authmw.http.addresses import client_ip, is_encrypted, prefix
from authmw.http.answers import error_answer, redirect_answer
from authmw.http.cookies import DuplicateCookie, sole
from authmw.http.sessions import CLEAR_SITE_DATA, cookie_headers, specs
from authmw.operations import Caller, Visit, visit

Tokens: TypeAlias = tuple[str | None, str | None]
"""The opaque token and the JWT that cookies carry."""


class Visitor:
    """The visitors of one `Auth`."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth
        self._beginning = auth.core.beginning
        cookies = auth.settings.cookies
        self._session_name = cookies.session()
        self._jwt_name = cookies.jwt()
        self._guard = auth.guard
        self.nobody = auth.guard.nobody
        """The outcome of a request without a session."""
        self.doubtful = auth.guard.doubtful
        """The outcome of one whose cookies somebody has tampered with."""
        self.guards_changes = auth.settings.csrf_for_host
        """Whether `check_origin` has anything to say."""
        self.met = auth.guard.met
        """By the `SAMPLE` of a request's one Cookie header: the outcome of one met before and this header whole; and when it is over, in seconds since 1970."""
        self.seconds = seconds(auth.core.clock)
        """The time now, in seconds since 1970."""
        self.mark = self._session_name
        """What stands in each Cookie header with a cookie of ours: the JWT's name begins with the other."""
        self._now = auth.core.clock.now

    def known(self, cookies: Sequence[str], header: str | bytes | None = None) -> Found | Tokens:
        """The outcome that needs no storage: no cookie of ours, or tokens known here. The tokens if storage must be asked. It is remembered by the whole `header`."""
        for one in cookies:
            if self.mark in one:
                try:
                    tokens = sole(cookies, self._session_name), sole(cookies, self._jwt_name)
                except DuplicateCookie:  # SES-03
                    return self.doubtful
                return self._guard.known(*tokens, self._now(), header) or tokens
        return self.nobody

    def tell_of(self, peer: str | None, headers: Mapping[str, Sequence[str]]) -> None:
        """Tell of a request with a doubtful outcome (A032)."""
        address = self.caller(peer, headers).ip_address
        self._auth.incidents.tell("duplicate_cookie", address, prefix(address))

    async def awaited(self, tokens: Tokens) -> Found:
        """The outcome with storage, on a loop. Nobody is known while storage cannot be made ready."""
        try:
            if not self._beginning.over:
                await self._beginning.serve()
        except StorageError:
            return self.nobody
        return await self._guard.awaited(*tokens, self._now())

    def waited(self, tokens: Tokens) -> Found:
        """The outcome with storage, on the host's thread."""
        try:
            if not self._beginning.over:
                self._auth.run(self._beginning.serve())
        except StorageError:
            return self.nobody
        return self._guard.waited(*tokens, self._now())

    def check_origin(
        self, method: str, cookies: Sequence[str], headers: Callable[[], Mapping[str, Sequence[str]]]
    ) -> None:
        """Refused: `cross_site_request` for a change of the host's own that carries a session cookie and comes from another site; only if `Settings.csrf_for_host`."""
        settings = self._auth.settings
        if not settings.csrf_for_host or method in SAFE_METHODS:
            return
        if not any(self._session_name in header for header in cookies):
            return
        said = headers()
        origins, sites = said.get("origin", ()), said.get("sec-fetch-site", ())
        if not from_this_site(origins, sites, settings.origin, settings.cors_origins):
            raise Refused("cross_site_request")

    def headers(self, found: Found, visit: HostVisit) -> list[tuple[str, str]]:
        """The headers that the answer must carry: cookies, and at a sign-out the word that clears others, where the project wants it (SES-08)."""
        more = [("set-cookie", one) for one in self._cookies(found, visit)]
        if visit.kept is SIGNED_OUT and self._auth.settings.cookies.clear_site_data:
            more.append(CLEAR_SITE_DATA)
        return more

    def _cookies(self, found: Found, visit: HostVisit) -> list[str]:
        """The `Set-Cookie` values for the answer: a sign-in the view kept, a renewed JWT, or the removal of a dead session. None in Live to who came by plain http (OPS-01)."""
        if self._auth.settings.live and not visit.encrypted():
            address = visit.who().ip_address
            self._auth.incidents.tell("use_https", address, prefix(address))
            return []
        kept = visit.kept
        if kept is not None and kept.session is not None:
            return cookie_headers(self._auth, kept.session_token, kept.session_jwt, kept.session.expires_at)
        if kept is SIGNED_OUT or found.clear:
            return [spec.clear() for spec in specs(self._auth)]
        if found.fresh_jwt is not None and found.session is not None:
            return cookie_headers(self._auth, None, found.fresh_jwt, found.session.expires_at)
        return []

    def encrypted(self, scheme: str, headers: Mapping[str, Sequence[str]]) -> bool:
        """Whether a request came by https, as far as it can be told."""
        said = headers.get("x-forwarded-proto", ())
        return is_encrypted(scheme, said, self._auth.settings.trusted_proxies)

    def caller(self, peer: str | None, headers: Mapping[str, Sequence[str]]) -> Caller:
        """The host's own code, on behalf of this visitor: where its operations come from."""
        address = client_ip(peer, tuple(headers.get("x-forwarded-for", ())), self._auth.settings.trusted_proxies)
        return Caller(ip_address=address, user_agent=",".join(headers.get("user-agent", ()))[:1024])

    def presented(self, method: str, path: str, headers: Mapping[str, Sequence[str]]) -> Presented:
        """What a request to a view of the host presents, for the guard of access tokens."""
        return Presented(method=method, path=path, headers=headers, guard=self._auth.bearer)

    def refusal(self, refused: Refused, method: str, path: str, headers: Mapping[str, Sequence[str]]) -> Response:
        """The answer to a guard's refusal: a navigation goes to sign-in, or to prove one factor more, and comes back; a call gets the error."""
        settings = self._auth.settings
        ways = {
            "user_unauthenticated": settings.sign_in_path,
            "insufficient_factors": settings.step_up_path,
            "stale_factors": settings.step_up_path,
        }
        way = ways.get(refused.error_type)
        if method == "GET" and "text/html" in ",".join(headers.get("accept", ())) and way is not None:
            # Two slashes (or a backslash) at its start would make the way back lead to another site.
            back = "/" + path.lstrip("/\\")
            return redirect_answer(f"{way}?next={quote(back, safe='/')}")
        return error_answer(self._auth.settings, refused)


class HostVisit(Visit):
    """A request to the host's own application. Each host protocol has a kind of its own."""

    @abstractmethod
    def answer(self, refused: Refused) -> Response:
        """The answer to a refusal on this request."""

    @abstractmethod
    def encrypted(self) -> bool:
        """Whether the request came by https."""


def answer_to(refused: Refused) -> Response:
    """The answer to a refusal in a view, for the error handlers of frameworks. Raises the refusal itself where no middleware handles the request."""
    here = visit.get()
    if not isinstance(here, HostVisit):
        raise refused
    here.refused = None
    return here.answer(refused)


class _SignedOut:
    """Kept by a view that signs its visitor out."""

    session = None


SIGNED_OUT = _SignedOut()
