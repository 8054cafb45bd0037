"""ID tokens of providers: one strict reading (OpenID Connect Core section 3.1.3.7).

Law: exactly one key fits or none does; the algorithm is one that the key can have and that we take; every claim is compared here, with the time as an argument. The only
exception that leaves is `InvalidIDToken`, whose word never holds a part of the token.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import attrs

from authmw.crypto import tokens
from authmw.crypto.strict_json import strict_object
from authmw.errors import AuthError
from authmw.factors.key_sets import UnknownKey

ALGORITHMS: Mapping[str, str] = {
    "RS256": "RSA",
    "PS256": "RSA",
    "ES256": "EC",
    "EdDSA": "OKP",
}
"""The algorithms that are taken, and the type of key each one has. Neither `none` nor anything symmetric (RFC 8725 section 3.1)."""
MAXIMUM_LENGTH = 16 * 1024
LEEWAY = 60
"""Seconds that `iat` and `nbf` may be ahead of our clock."""
_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_LAST_SECOND = 253_402_300_799
TENANT_PLACE = "{tenantid}"
"""Where the tenant stands in the issuer of Microsoft."""
_TENANT = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class InvalidIDToken(AuthError):
    """An ID token is not one that counts. `reason` is a fixed word for tests and logs."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The ID token is not valid ({reason}).")
        self.reason = reason


class UnknownKeyID(InvalidIDToken, UnknownKey):
    """No key of the set fits: the set may be old."""

    def __init__(self) -> None:
        InvalidIDToken.__init__(self, "key")


@attrs.frozen(kw_only=True)
class Expected:
    """What an ID token must say. `nonce` None: the caller compares it by itself. `access_token` and `code`: what came with it, for their hashes.

    For JWTs that are no ID tokens: `among` lets the audience stand among others and be called by any client (RFC 7519 section 4.1.3), and without `names_keys` the keys
    have no ids to be told by.
    """

    issuers: Collection[str]
    client_id: str
    client_ids: frozenset[str] = frozenset()
    algorithms: Collection[str] = tuple(ALGORITHMS)
    nonce: str | None = attrs.field(default=None, repr=False)
    access_token: str | None = attrs.field(default=None, repr=False)
    code: str | None = attrs.field(default=None, repr=False)
    tenants: frozenset[str] = frozenset()
    among: bool = False
    names_keys: bool = True


def check_id_token(token: str, keys: Sequence[Mapping[str, Any]], expected: Expected, now: datetime) -> dict[str, Any]:
    """The claims of a token that counts. Raises InvalidIDToken (UnknownKeyID if no key fits)."""
    header = _header(token)
    algorithm = header["alg"]
    if algorithm not in ALGORITHMS or algorithm not in expected.algorithms:
        raise InvalidIDToken("algorithm")
    claims = _verified(token, _key(keys, algorithm, header.get("kid") if expected.names_keys else None), algorithm)
    _check_parties(claims, expected)
    _check_times(claims, now.timestamp())
    if expected.nonce is not None and not _same(claims.get("nonce"), expected.nonce):
        raise InvalidIDToken("nonce")
    _check_hash(claims, "at_hash", expected.access_token, algorithm)
    _check_hash(claims, "c_hash", expected.code, algorithm)
    return claims


def _header(token: str) -> dict[str, Any]:
    if len(token) > MAXIMUM_LENGTH or not _SHAPE.fullmatch(token):
        raise InvalidIDToken("shape")
    try:
        header = strict_object(tokens.from_base64url(token.partition(".")[0]))
    except (ValueError, RecursionError):
        raise InvalidIDToken("header") from None
    if "crit" in header or not isinstance(header.get("alg"), str):
        raise InvalidIDToken("header")
    if not isinstance(header.get("kid"), str | None):
        raise InvalidIDToken("header")
    return header


def _key(keys: Sequence[Mapping[str, Any]], algorithm: str, kid: str | None) -> dict[str, Any]:
    """The one key of the set that can have made the signature."""
    fitting = [
        dict(key)
        for key in keys
        if key.get("kty") == ALGORITHMS[algorithm]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (kid is None or key.get("kid") == kid)
    ]
    if len(fitting) != 1:
        raise UnknownKeyID
    return fitting[0]


def _verified(token: str, jwk: dict[str, Any], algorithm: str) -> dict[str, Any]:
    import jwt

    try:
        key = jwt.PyJWK(jwk, algorithm=algorithm)
        content = jwt.PyJWS().decode(token, key, algorithms=[algorithm])
        return strict_object(content)
    except Exception:  # noqa: BLE001  # see below
        # The library raises a dozen classes for forgeries, KeyError among them; each of them means no.
        raise InvalidIDToken("signature") from None


def _check_parties(claims: Mapping[str, Any], expected: Expected) -> None:
    if not any(_issuer_fits(claims, issuer, expected.tenants) for issuer in expected.issuers):
        raise InvalidIDToken("issuer")
    ours = expected.client_ids | {expected.client_id}
    audience = claims.get("aud")
    named = cast("list[object]", audience) if isinstance(audience, list) else [audience]
    if expected.among:
        if not any(isinstance(one, str) and one in ours for one in named):
            raise InvalidIDToken("audience")
    # A second audience is refused even with our azp: such a token was made for somebody else too.
    elif len(named) != 1 or not isinstance(named[0], str) or named[0] not in ours:
        raise InvalidIDToken("audience")
    elif "azp" in claims and (not isinstance(claims["azp"], str) or claims["azp"] not in ours):
        raise InvalidIDToken("audience")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255 or "\0" in subject:
        raise InvalidIDToken("subject")


def _issuer_fits(claims: Mapping[str, Any], issuer: str, tenants: frozenset[str]) -> bool:
    """Exact, but for Microsoft's template, which the token's own tenant completes."""
    said = claims.get("iss")
    if TENANT_PLACE in issuer:
        tenant = claims.get("tid")
        if not isinstance(tenant, str) or said != issuer.replace(TENANT_PLACE, tenant):
            return False
    return isinstance(said, str) and issuer_fits(said, issuer, tenants)


def issuer_fits(said: str, issuer: str, tenants: frozenset[str]) -> bool:
    """Whether an issuer is the known one: byte for byte, or one tenant of Microsoft's template that may sign in (all may if none is named)."""
    before, place, behind = issuer.partition(TENANT_PLACE)
    if not place:
        return tokens.same(said, issuer)
    tenant = said[len(before) : len(said) - len(behind)]
    named = bool(_TENANT.fullmatch(tenant)) and (not tenants or tenant in tenants)
    return named and said == before + tenant + behind


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    expires, issued = _second(claims.get("exp")), _second(claims.get("iat"))
    not_before = _second(claims["nbf"]) if "nbf" in claims else 0
    if now >= expires:
        raise InvalidIDToken("expired")
    if issued > now + LEEWAY or not_before > now + LEEWAY:
        raise InvalidIDToken("not_yet")


def _second(value: object) -> float:
    """A time of a claim: a number, no text, no bool, no NaN and nothing that no calendar holds (TOK-06)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidIDToken("time")
    if not 0 < value <= _LAST_SECOND:
        raise InvalidIDToken("time")
    return value


def _check_hash(claims: Mapping[str, Any], name: str, of: str | None, algorithm: str) -> None:
    """The hash of what came with the token, if the token holds one (OpenID Connect Core section 3.3.2.11)."""
    if name not in claims or of is None:
        return
    hashed = (hashlib.sha512 if algorithm == "EdDSA" else hashlib.sha256)(of.encode()).digest()
    if not _same(claims[name], tokens.base64url(hashed[: len(hashed) // 2])):
        raise InvalidIDToken(name)


def _same(said: object, expected: str) -> bool:
    return isinstance(said, str) and tokens.same(said, expected)
