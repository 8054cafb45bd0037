"""The browser API: `/sdk/v1/...` under the public token, with the session of the caller's own browser.

Law: identity comes from the session, never from a body. A change that rests on a cookie needs a same-site or listed origin (CSR-01). Tokens go into HttpOnly
cookies, or into the body where the vendor's client or a native app keeps them itself.

The event log is of operations: every row's call is in it, with what was refused before its body. The two addresses that belong to none, bootstrap and the client's own telemetry,
leave no event: they read no person and change nothing, every page view of anybody asks them, and a row for each would let strangers fill the log.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeAlias
from urllib.parse import urlencode

import attrs
from starlette.responses import Response

from authmw.auth import Auth
from authmw.crypto import tokens
from authmw.declarations import Operation
from authmw.errors import Refused
from authmw.http.answers import json_answer
from authmw.http.backend import arguments_of, basic
from authmw.http.bodies import parse_object
from authmw.http.requests import Request
from authmw.http.sessions import clear_cookies, cookie_of, set_cookies
from authmw.operations import declaration, known, visit
from authmw.rows import Row
from authmw.settings import PasswordRules
from authmw.signin.sessions import can_be_token, live_by_token
from authmw.switches import is_switched_off

Target: TypeAlias = Callable[[Request, dict[str, str]], Awaitable[Response]]


def browser_routes(auth: Auth) -> Iterator[tuple[str, str, Target]]:
    """The routes of every row, and the two that belong to no operation."""
    for row in auth.rows():
        yield row.method, row.path, _target(auth, row)
    yield "GET", "/sdk/v1/projects/bootstrap/{public_token}", _bootstrap(auth)
    yield "POST", "/sdk/v1/events", _events(auth)


def allowed_origin(auth: Auth, origin: str | None) -> bool:
    """Whether an origin may call the browser API: our own, or one that is listed, compared exactly."""
    return origin is not None and (origin == auth.settings.origin or origin in auth.settings.cors_origins)


def cors(auth: Auth, request: Request, answer: Response) -> Response:
    """The headers that let a listed origin read the answer (CSR-03)."""
    origin = request.header("origin")
    answer.headers["vary"] = "Origin"
    if allowed_origin(auth, origin) and origin is not None:
        answer.headers["access-control-allow-origin"] = origin
        answer.headers["access-control-allow-credentials"] = "true"
    return answer


def preflight(auth: Auth, request: Request, methods: list[str]) -> Response:
    """The answer to a preflight; without the allowing headers for an origin that is not listed."""
    answer = cors(auth, request, Response(b"", 204))
    if "access-control-allow-origin" in answer.headers:
        answer.headers["access-control-allow-methods"] = ", ".join(methods)
        answer.headers["access-control-allow-headers"] = "authorization, content-type, x-sdk-client, x-sdk-parent-host"
        answer.headers["access-control-max-age"] = "600"
    return answer


def _target(auth: Auth, row: Row) -> Target:
    operation = declaration(row.call)
    product = row.call.__self__  # type: ignore[attr-defined]  # a bound method of a product
    assert operation is not None  # rows name operations only

    async def answer(request: Request, parameters: dict[str, str]) -> Response:
        settings = auth.core.project.current.settings
        if is_switched_off(row.path, settings.browser_off, sending=settings.browser_sending):
            raise Refused("endpoint_not_authorized_for_sdk")
        with known(operation, product):
            arguments = await _arguments(auth, row, operation, request, parameters)
        result = await product.core.perform(operation, product, arguments)
        shown = row.show(result)
        return _granted(auth, row, request, result, shown)

    return answer


async def _arguments(
    auth: Auth, row: Row, operation: Operation, request: Request, parameters: dict[str, str]
) -> dict[str, Any]:
    """What the operation is called with, once it is clear who asks."""
    token, by_cookie = session_token_of(auth, request)
    if request.method != "GET":
        check_origin(auth, request, by_cookie=by_cookie)
    if row.needs_session and not token:
        raise Refused("user_unauthenticated")
    if token and not row.needs_session:
        token = await _living(auth, token)
    here = visit.get()
    if here is not None:
        here.caller = attrs.evolve(here.caller, session_token=token, actor="visitor")
    own = {row.own_user: await _own_id(auth, token)} if row.own_user is not None else {}
    return arguments_of(operation, _said(row, request, own), {**parameters, **own})


async def _living(auth: Auth, token: str) -> str:
    """The token if its session holds, else none: what a browser still carries of an ended session keeps nobody from signing in."""
    try:
        await live_by_token(auth.storage, token, auth.settings, auth.core.clock.now())
    except Refused:
        return ""
    return token


async def _own_id(auth: Auth, token: str) -> str:
    live = await live_by_token(auth.storage, token, auth.settings, auth.core.clock.now())
    return live.subject.id


def _said(row: Row, request: Request, own: dict[str, str]) -> Request:
    """The request with its body held to the row: hidden names refused, required ones there, others renamed, and the caller's own user put in."""
    import msgspec

    if request.method in {"GET", "DELETE"}:
        return attrs.evolve(request, query=urlencode(own), body=b"")
    body = parse_object(request.body, request.header("content-type"), required=False)
    for name in row.hides & body.keys():
        if name == "trusted_metadata":
            raise Refused("cannot_update_trusted_metadata")
        raise Refused("bad_request", f"`$.{name}` cannot be set from a browser.")
    for name in row.requires:
        if body.get(name) is None:
            raise Refused("bad_request", f"`$.{name}` is required.")
    named: dict[str, object] = {**{row.renames.get(name, name): value for name, value in body.items()}, **own}
    headers = {**request.headers, "content-type": ("application/json",)}
    return attrs.evolve(request, body=msgspec.json.encode(named), headers=headers)


def session_token_of(auth: Auth, request: Request) -> tuple[str, bool]:
    """The session token a browser carries, and whether a cookie brought it. Refused without a valid public token.

    What cannot be a token is none (SES-03): the vendor's client would carry it for ever, for it forgets a session only when it hears that there is none.
    """
    user, password = basic(request.header("authorization"))
    if not auth.core.project.current.holds_public_token(user):
        raise Refused("unauthorized_credentials")
    if password and password != user:
        return (password if can_be_token(password) else ""), False
    cookie = cookie_of(auth, request, auth.settings.cookies.session())
    return (cookie if cookie is not None and can_be_token(cookie) else ""), cookie is not None


def check_origin(auth: Auth, request: Request, *, by_cookie: bool) -> None:
    """Refused for a change from an origin that is not listed, or one that rests on a cookie and names no origin at all."""
    origins = request.headers.get("origin", ())
    if not origins and not by_cookie:
        return  # A native app: it holds its token itself, and no browser adds anything to its request.
    if len(origins) != 1 or not allowed_origin(auth, origins[0]):
        raise Refused("cross_site_request" if by_cookie else "bad_domain_for_stytch_sdk")


def _granted(auth: Auth, row: Row, request: Request, result: Any, shown: dict[str, Any]) -> Response:
    """The answer with the tokens it grants, in HttpOnly cookies or, for who keeps them itself, in the body."""
    in_cookies = bool(request.headers.get("origin")) and not auth.settings.cookies.vendor
    granted = result if row.grants else _kept()
    if granted is not None:
        hidden = ("", "") if in_cookies else (granted.session_token, granted.session_jwt)
        shown = {**shown, "session_token": hidden[0], "session_jwt": hidden[1]}
    answer = json_answer({"data": shown}, result.status_code)
    if granted is not None and in_cookies and granted.session_token:
        set_cookies(auth, answer, granted.session_token, granted.session_jwt, granted.session.expires_at)
    if row.path.endswith("/sessions/revoke"):
        clear_cookies(auth, answer)
    return answer


def _kept() -> Any:
    """The caller's own session under fresh tokens, where an operation that granted none has ended the old ones."""
    here = visit.get()
    return here.kept if here is not None else None


def _bootstrap(auth: Auth) -> Target:
    async def answer(request: Request, parameters: dict[str, str]) -> Response:
        settings = auth.settings
        if not auth.core.project.current.holds_public_token(parameters["public_token"]):
            raise Refused("public_token_not_found")
        return cors(
            auth,
            request,
            json_answer(
                {
                    "data": {
                        "status_code": 200,
                        "request_id": f"request-id-{settings.environment}-{tokens.uuid4()}",
                        "project_name": settings.name,
                        "disable_sdk_watermark": True,
                        "cname_domain": None,
                        "email_domains": [],
                        "captcha_settings": {"enabled": False},
                        "pkce_required_for_email_magic_links": settings.pkce_for_magic_links,
                        "pkce_required_for_password_resets": settings.pkce_for_password_resets,
                        "pkce_required_for_oauth": True,
                        "pkce_required_for_sso": True,
                        "slug_pattern": None,
                        "create_organization_enabled": False,
                        "password_config": _password_config(auth.core.project.current.settings.passwords),
                        "dfp_protected_auth_enabled": False,
                        "rbac_policy": {"roles": [], "resources": [], "scopes": []},
                        "siwe_required_for_crypto_wallets": False,
                        "vertical": "CONSUMER",
                        "opaque_errors": True,
                    }
                }
            ),
        )

    return answer


def _password_config(rules: PasswordRules) -> dict[str, int] | None:
    """What the vendor's pages need to know of the policy; nothing where it is the default one."""
    if rules.policy != "luds":
        return None
    return {"luds_complexity": rules.luds_complexity, "luds_minimum_count": rules.minimum_length}


def _events(auth: Auth) -> Target:
    """The vendor's client reports its own telemetry here; nothing of it is kept."""

    async def answer(request: Request, parameters: dict[str, str]) -> Response:
        request_id = f"request-id-{auth.settings.environment}-{tokens.uuid4()}"
        return cors(auth, request, json_answer({"data": {"status_code": 200, "request_id": request_id}}))

    return answer
