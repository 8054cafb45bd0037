"""Proofs that whoever presents a token holds its key (DPoP, RFC 9449 section 4.3), checked by pure rules.

Law: a proof is for one method and one public URL, at one time, and beside a token for that token alone. That it was not seen before is for the caller to know: the
answer says by what it is remembered. Every failure is `InvalidToken`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from datetime import datetime
from typing import Any, cast

import attrs

from authmw.crypto import tokens
from authmw.crypto.jwts import InvalidToken
from authmw.crypto.strict_json import strict_object

ALGORITHMS = ("ES256", "EdDSA", "RS256")
WINDOW = 300
"""Seconds that a proof may be old; it may be ahead of our clock by a minute."""
AHEAD = 60
MAXIMUM_LENGTH = 8192
_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n"), "OKP": ("crv", "kty", "x")}
_FITTING = {"ES256": ("EC", "P-256"), "EdDSA": ("OKP", "Ed25519"), "RS256": ("RSA", None)}


@attrs.frozen
class Proof:
    """A proof that holds: the thumbprint of its key (RFC 7638), and its own id, which may be seen once."""

    thumbprint: str
    proof_id: str


def check_proof(
    proof: str, *, method: str, urls: Collection[str], now: datetime, access_token: str | None = None
) -> Proof:
    """The key that a proof proves. Raises InvalidToken.

    `urls` are the public addresses of the endpoint, without query. Beside an access token the proof must hold its hash.
    """
    from jwt import PyJWK, PyJWS, PyJWTError

    header, algorithm = _header(proof)
    try:
        key = PyJWK(header["jwk"], algorithm=algorithm)
        reader = PyJWS(algorithms=[algorithm], options={"enforce_minimum_key_length": True})
        payload: bytes = reader.decode(proof, key.key, algorithms=[algorithm])
        said = strict_object(payload)
    except (PyJWTError, ValueError, TypeError, RecursionError):
        raise InvalidToken("signature") from None
    _check_claims(said, method, urls, now, access_token)
    return Proof(thumbprint(header["jwk"]), str(said["jti"]))


def _header(proof: str) -> tuple[dict[str, Any], str]:
    """The header, if it is one of a proof: its type, a listed algorithm, and a public key of that algorithm and no more."""
    part = proof.partition(".")[0]
    if len(proof) > MAXIMUM_LENGTH:
        raise InvalidToken("shape")
    try:
        header = strict_object(tokens.from_base64url(part))
    except (ValueError, RecursionError):
        raise InvalidToken("header") from None
    algorithm, jwk = header.get("alg"), header.get("jwk")
    if header.get("typ") != "dpop+jwt" or algorithm not in ALGORITHMS or not isinstance(jwk, dict):
        raise InvalidToken("header")
    if header.keys() - {"typ", "alg", "jwk"}:
        raise InvalidToken("header")
    kind, curve = _FITTING[algorithm]
    public = {*_MEMBERS[kind], "use", "alg", "kid", "key_ops"}
    members = cast("dict[str, Any]", jwk)
    if members.get("kty") != kind or (curve is not None and members.get("crv") != curve) or members.keys() - public:
        raise InvalidToken("key")
    if not all(isinstance(members.get(name), str) for name in _MEMBERS[kind]):
        raise InvalidToken("key")
    return header, algorithm


def _check_claims(
    said: dict[str, Any], method: str, urls: Collection[str], now: datetime, access_token: str | None
) -> None:
    issued, proof_id = said.get("iat"), said.get("jti")
    if not isinstance(proof_id, str) or not 1 <= len(proof_id) <= 256:
        raise InvalidToken("claims")
    if said.get("htm") != method or said.get("htu") not in urls:
        raise InvalidToken("audience")
    if not isinstance(issued, int) or isinstance(issued, bool):
        raise InvalidToken("claims")
    if not -AHEAD <= now.timestamp() - issued <= WINDOW:
        raise InvalidToken("lifetime")
    if access_token is not None:
        half = tokens.base64url(hashlib.sha256(tokens.octets(access_token)).digest())
        if not tokens.same(half, str(said.get("ath", ""))):
            raise InvalidToken("claims")


def thumbprint(jwk: dict[str, Any]) -> str:
    """The SHA-256 thumbprint of a key: over its required members alone, in the order of their names (RFC 7638 section 3)."""
    members = {name: jwk[name] for name in _MEMBERS[jwk["kty"]]}
    text = json.dumps(members, separators=(",", ":"), sort_keys=True)
    return tokens.base64url(hashlib.sha256(text.encode()).digest())
