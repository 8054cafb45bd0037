"""The two session cookies on the way out."""

from __future__ import annotations

import functools
from datetime import datetime

from starlette.responses import Response

from authmw.auth import Auth
from authmw.http.addresses import UNKNOWN, prefix
from authmw.http.cookies import CookieSpec, CookieTooLarge, DuplicateCookie, sole
from authmw.http.requests import Request
from authmw.operations import visit
from authmw.settings import Cookies


def specs(auth: Auth) -> tuple[CookieSpec, CookieSpec]:
    """How the cookies of the opaque token and of the JWT are written."""
    return _specs(auth.settings.cookies)


@functools.lru_cache(maxsize=64)
def _specs(cookies: Cookies) -> tuple[CookieSpec, CookieSpec]:
    shared = {"domain": cookies.domain, "path": cookies.path, "secure": cookies.secure, "httponly": not cookies.vendor}
    return (
        CookieSpec(name=cookies.session(), **shared),  # type: ignore[arg-type]  # typed where they are declared
        CookieSpec(name=cookies.jwt(), **shared),  # type: ignore[arg-type]  # as above
    )


def cookie_headers(auth: Auth, token: str | None, jwt: str, expires_at: datetime) -> list[str]:
    """The `Set-Cookie` values for fresh tokens. A JWT too large for a cookie is left out: the opaque token alone then signs in."""
    age = max(1, int((expires_at - auth.core.clock.now()).total_seconds()))
    session, short = specs(auth)
    headers = [session.set(token, age)] if token else []
    try:
        headers.append(short.set(jwt, age))
    except CookieTooLarge:
        headers.append(short.clear())
    return headers


def set_cookies(auth: Auth, answer: Response, token: str, jwt: str, expires_at: datetime) -> None:
    """Put fresh tokens into the answer's cookies."""
    for header in cookie_headers(auth, token, jwt, expires_at):
        answer.headers.append("set-cookie", header)


CLEAR_SITE_DATA = ("clear-site-data", '"cookies"')
"""Has the browser drop every cookie of the site and those below it, at https."""


def clear_cookies(auth: Auth, answer: Response) -> None:
    """Remove both cookies, with the attributes they were set with; and every other one of the site, where the project wants it (SES-08)."""
    for spec in specs(auth):
        answer.headers.append("set-cookie", spec.clear())
    if auth.settings.cookies.clear_site_data:
        answer.headers.append(*CLEAR_SITE_DATA)


def cookie_of(auth: Auth, request: Request, name: str) -> str | None:
    """The value of one of our cookies in a request to us. One that stands twice counts as none, for somebody may have planted the other, and is told of (SES-03)."""
    try:
        return sole(request.headers.get("cookie", ()), name)
    except DuplicateCookie:
        here = visit.get()
        address = here.who().ip_address if here is not None else UNKNOWN
        auth.incidents.tell("duplicate_cookie", address, prefix(address))
        return None
