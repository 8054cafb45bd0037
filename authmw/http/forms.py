"""Pages with a form that a person answers: shown under a policy that admits nothing else, in the person's present session.

Law: what a person agrees to is what they were shown. The form carries a code over all of it and over their session, and nobody is asked in a frame (CSR-04).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from starlette.responses import Response

from authmw.auth import Auth
from authmw.crypto import tokens
from authmw.http.answers import SAFE
from authmw.http.requests import Request
from authmw.http.sessions import cookie_of
from authmw.operations import visit

SIGN_IN = frozenset({"user_unauthenticated", "session_not_found", "invalid_session_token", "insufficient_factors"})
"""Refusals that signing in mends."""


def session_of(auth: Auth, request: Request) -> str:
    """The session token of the browser, empty if there is none; operations from here on are called on its behalf."""
    token = cookie_of(auth, request, auth.settings.cookies.session()) or ""
    here = visit.get()
    if here is not None:
        here.caller = attrs.evolve(here.caller, session_token=token, actor="visitor")
    return token


def code_over(auth: Auth, session: str, shown: Mapping[str, str]) -> str:
    """A code over all that a person is shown, good in their present session only."""
    return _code(auth, session, shown, auth.core.roots.newest)


def is_code_over(auth: Auth, given: str, session: str, shown: Mapping[str, str]) -> bool:
    """Whether this is that code, whichever root key stood in front when the person was shown the page."""
    versions = auth.core.roots.versions
    return sum(tokens.same(given, _code(auth, session, shown, version)) for version in versions) > 0


def _code(auth: Auth, session: str, shown: Mapping[str, str], version: int) -> str:
    parts = [f"{name}={value}" for name, value in shown.items()]
    return auth.core.roots.token("consent form", tokens.digest(session), *parts, version=version)


def form_page(name: str, status: int = 200, *, actions: Sequence[str] = (), **values: Any) -> Response:
    """One of the templates, under a policy that admits nothing but its own style and form (CSR-04)."""
    nonce = tokens.token()
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self' {' '.join(_source(action) for action in actions)}"
    )
    headers = {
        **SAFE,
        "content-security-policy": policy.rstrip(),
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "x-frame-options": "DENY",
    }
    text = _templates().get_template(name).render(nonce=nonce, **values)
    return Response(text, status, headers=headers, media_type="text/html")


@functools.cache
def _templates() -> Any:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("authmw.http", "layouts"), autoescape=True, undefined=jinja2.StrictUndefined
    )


def _source(redirect_uri: str) -> str:
    """What `form-action` must list so that a browser follows the answer to our form: Chromium holds redirects to it too."""
    scheme, _, rest = redirect_uri.partition(":")
    if scheme not in {"http", "https"}:
        return f"{scheme}:"
    return f"{scheme}://{rest.removeprefix('//').partition('/')[0].partition('?')[0]}"


def destination(redirect_uri: str) -> str:
    """Where the person is sent, in short: the host, or the scheme of an app on this device."""
    scheme, _, rest = redirect_uri.partition(":")
    return rest.removeprefix("//").partition("/")[0].partition("?")[0] if scheme in {"http", "https"} else f"{scheme}:"
