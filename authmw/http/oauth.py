"""The endpoints of OAuth: requests in JSON or as a form, clients by Basic header or body, and refusals in the shape of RFC 6749 section 5.2.

Law: who asks is said once. The vendor's clients send the project's own credentials in the same header that OAuth gives to clients; which of the two it is, is decided by
the user name, and a secret in two places is refused. Nothing is read from the query of a POST.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeAlias
from urllib.parse import unquote_plus

import attrs
import msgspec
from starlette.responses import Response

from authmw.auth import Auth
from authmw.crypto import tokens
from authmw.crypto.dpop import check_proof
from authmw.crypto.jwts import InvalidToken
from authmw.declarations import Operation
from authmw.errors import Refused
from authmw.guard.bearer import metadata_url, remember_proof
from authmw.http.answers import json_answer
from authmw.http.backend import basic, check_credentials
from authmw.http.bodies import parse_form, parse_object
from authmw.http.requests import Request
from authmw.limits import LimitReached
from authmw.operations import Answer, Product, known, known_as
from authmw.platform.idp.discovery import provider_metadata, resource_metadata

Target: TypeAlias = Callable[[Request, dict[str, str]], Awaitable[Response]]

ALIASES = {
    f"/v1/public/{{project_id}}/oauth2/{name}": f"/v1/oauth2/{name}"
    for name in ("token", "introspect", "revoke", "register", "par", "device_authorization")
}
"""The addresses that discovery documents name, for the operations that the vendor's clients reach under the project's id."""

SEVERAL = ("resource",)
"""Parameters that a request may hold several times (RFC 8707 section 2)."""

_CODES = {
    "bad_request": "invalid_request",
    "invalid_argument": "invalid_request",
    "json_invalid": "invalid_request",
    "body_too_large": "invalid_request",
    "unsupported_media_type": "invalid_request",
    "unauthorized_credentials": "invalid_client",
    "invalid_authorization_header": "invalid_client",
    "project_not_found": "invalid_client",
    "server_unavailable": "temporarily_unavailable",
    "internal_server_error": "server_error",
}
"""What a refusal that is not one of OAuth is called there."""


@attrs.frozen(kw_only=True)
class Asked:
    """What a client sent: its parameters, with its own credentials among them."""

    values: dict[str, object] = attrs.field(repr=False)


def oauth_routes(auth: Auth) -> Iterator[tuple[str, str, Target]]:
    """The routes of every operation of this door; those that share a path are told apart by their grant type."""
    by_path: dict[str, dict[str, tuple[Product, Operation]]] = {}
    for product, operation in auth.table():
        if operation.door == "oauth":
            by_path.setdefault(operation.path, {})[operation.grant] = (product, operation)
    for path, grants in by_path.items():
        target = _target(auth, grants)
        yield "POST", path, target
        if path in ALIASES:
            yield "POST", ALIASES[path], target


def discovery_routes(auth: Auth) -> Iterator[tuple[str, str, Target]]:
    """The documents by which clients find everything else, at each address that one of them asks for first, and the keys.

    For an issuer with a path, RFC 8414 section 3.1 puts the well-known part before the path, and OpenID Connect Discovery section 4 behind it.
    """

    async def metadata(request: Request, parameters: dict[str, str]) -> Response:
        return json_answer(provider_metadata(auth.settings))

    async def keys(request: Request, parameters: dict[str, str]) -> Response:
        return json_answer({"keys": await auth.keys.published()})

    def resource(document: dict[str, Any]) -> Target:
        async def answer(request: Request, parameters: dict[str, str]) -> Response:
            return json_answer(document)

        return answer

    for one in auth.settings.provider.resources:
        where = metadata_url(auth.settings, one.url)
        if where is not None:
            yield "GET", where[len(auth.settings.origin) :], resource(resource_metadata(auth.settings, one))
    for name in ("oauth-authorization-server", "openid-configuration"):
        for path in dict.fromkeys((f"/.well-known/{name}", f"/.well-known/{name}{auth.settings.mount}")):
            yield "GET", path, metadata
    yield "GET", "/.well-known/jwks.json", keys


def userinfo_routes(auth: Auth) -> Iterator[tuple[str, str, Target]]:
    """UserInfo, whose client shows a token in the header (OpenID Connect Core section 5.3.1)."""

    async def answer(request: Request, parameters: dict[str, str]) -> Response:
        try:
            with known_as(auth.idp.userinfo):
                scheme, _, token = (request.header("authorization") or "").partition(" ")
                if scheme.lower() not in {"bearer", "dpop"} or not token:
                    raise Refused("invalid_token")
                key = await _proved_key(auth, request, token)
                if (scheme.lower() == "dpop") != (key is not None):
                    raise Refused("invalid_token")
            result = await auth.idp.userinfo(access_token=token, dpop_key=key)
        except Refused as refused:
            shown = oauth_error(auth, refused)
            code = _CODES.get(refused.error_type, refused.error_type)
            shown.headers["www-authenticate"] = f'Bearer realm="authmw", error="{code}"'
            return shown
        return json_answer(flat(result))

    yield "GET", "/v1/oauth2/userinfo", answer
    yield "POST", "/v1/oauth2/userinfo", answer


def _target(auth: Auth, grants: dict[str, tuple[Product, Operation]]) -> Target:
    # What cannot be read, or names no grant that there is, is logged as a call of the first.
    of_path, first = next(iter(grants.values()))

    async def answer(request: Request, parameters: dict[str, str]) -> Response:
        try:
            with known(first, of_path):
                values = dict(asked_of(auth, request).values)
                values.pop("dpop_key", None)  # a key is proved, never named
                product, operation = _granted(grants, values)
            with known(operation, product):
                key = await _proved_key(auth, request)
                if key is not None and "dpop_key" in operation.signature.parameters:
                    values["dpop_key"] = key
                places: dict[str, object] = {name: parameters.get(name) for name in operation.places}
                arguments = operation.arguments(values, operation.body)
            result = await product.core.perform(operation, product, {**arguments, **places})
        except Refused as refused:
            return oauth_error(auth, refused, basic_used=bool(request.headers.get("authorization")))
        return json_answer(flat(result), result.status_code)

    return answer


async def _proved_key(auth: Auth, request: Request, access_token: str | None = None) -> str | None:
    """The thumbprint of the key that a request proves, None if it brings no proof. Refused `invalid_dpop_proof`."""
    proofs = request.headers.get("dpop", ())
    if not proofs:
        return None
    settings, now = auth.settings, auth.core.clock.now()
    urls = (settings.public_url + request.path, settings.public_url + settings.mount + request.path)
    try:
        if len(proofs) != 1:
            raise Refused("invalid_dpop_proof")
        proof = check_proof(proofs[0], method=request.method, urls=urls, now=now, access_token=access_token)
        await remember_proof(auth.core, proof.thumbprint, proof.proof_id)
    except (InvalidToken, LimitReached):
        raise Refused("invalid_dpop_proof") from None
    return proof.thumbprint


def flat(result: Answer) -> dict[str, Any]:
    """An answer with its custom claims beside its own members, which win."""
    shown: dict[str, Any] = msgspec.to_builtins(result)
    return {**shown.pop("claims", {}), **shown}


def _granted(grants: dict[str, tuple[Product, Operation]], values: dict[str, object]) -> tuple[Product, Operation]:
    """The operation that a request asks for."""
    if "" in grants:
        return grants[""]
    grant = values.pop("grant_type", None)
    if not isinstance(grant, str):
        raise Refused("bad_request", "`$.grant_type` is required.")
    if grant not in grants:
        raise Refused("unsupported_grant_type")
    return grants[grant]


def asked_of(auth: Auth, request: Request) -> Asked:
    """The parameters of a request, its client's credentials taken from where they stand. Refused if they stand twice, or differ."""
    if request.query:
        raise Refused("bad_request", "Parameters belong into the body.")
    values = _parameters(request)
    header = request.headers.get("authorization", ())
    if not header:
        return Asked(values=values)
    user, password = basic(request.header("authorization"))
    if tokens.same(user, auth.settings.project_id):
        check_credentials(auth, request.header("authorization"))
        return Asked(values=values)
    return Asked(values=_with_client(values, unquote_plus(user), unquote_plus(password)))


def _parameters(request: Request) -> dict[str, object]:
    content_type = request.header("content-type")
    if (content_type or "").strip(" \t").lower().startswith("application/json"):
        return parse_object(request.body, content_type)
    return {
        name: value for name, value in parse_form(request.body, content_type, several=SEVERAL).items() if value != ""
    }


def _with_client(values: dict[str, object], client_id: str, secret: str) -> dict[str, object]:
    """The parameters with the credentials of the header. Its parts are form-encoded (RFC 6749 section 2.3.1)."""
    if "client_secret" in values:
        raise Refused("bad_request", "A client authenticates in one way only.")
    if values.get("client_id", client_id) != client_id:
        raise Refused("bad_request", "The header and the body name different clients.")
    return {**values, "client_id": client_id, "client_secret": secret}


def oauth_error(auth: Auth, refused: Refused, *, basic_used: bool = False) -> Response:
    """A refusal in the shape of OAuth, with the two fields that every answer of ours has."""
    settings = auth.settings
    code = _CODES.get(refused.error_type, refused.error_type)
    body = {
        "status_code": refused.status,
        "request_id": refused.request_id or f"request-id-{settings.environment}-{tokens.uuid4()}",
        "error": code,
        "error_description": refused.message,
        "error_uri": f"{settings.public_url}{settings.mount}/errors#{refused.error_type}",
    }
    answer = json_answer(body, refused.status)
    if refused.retry_after is not None:
        answer.headers["retry-after"] = str(max(1, int(refused.retry_after + 0.999)))
    if refused.status == 401 and basic_used:
        answer.headers["www-authenticate"] = 'Basic realm="authmw"'
    return answer
