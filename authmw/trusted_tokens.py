"""Whose tokens a project trusts: profiles that say who issues them, for whom, with which keys, and what their claims mean.

Law: a profile trusts one issuer for one audience. What it does not name is neither read nor believed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import attrs

from authmw.oauth_providers import may_be_called

MAXIMUM_PEM_KEYS = 5
SMALLEST_RSA = 2048
"""Bits that an RSA key must have (NIST SP 800-131A)."""
_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


@attrs.frozen(kw_only=True)
class AttributeMapping:
    """Which claim means what; a claim that is not named (empty) is not read.

    `token_id` tells tokens of the issuer apart; one that has no such claim is told by its content. `external_id` is the host's own id of the user, `email` an
    address that signs in only as far as the profile's `email_proof` lets it.
    """

    token_id: str = "jti"
    external_id: str = ""
    email: str = "email"
    first_name: str = "given_name"
    last_name: str = "family_name"


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(values)


@attrs.frozen(kw_only=True)
class TrustedTokenProfile:
    """Tokens (JWTs) of another service that `sessions.attest` takes for a session.

    `issuer` is compared exactly, `audience` must be among those of the token. The keys are those published at `jwks_url` (https), or up to five public keys in
    `pem_keys` (RSA, P-256 or Ed25519). `email_proof` says when an address of the token proves who its holder is: `flag` if the token says
    `email_verified: true`, `always`, or `never`. With `can_jit_provision` a token of somebody unknown makes a user. `longest_minutes` is the longest life, from
    `iat` to `exp`, that a token may have (1 to 10080).
    """

    profile_id: str
    issuer: str
    audience: str
    jwks_url: str = ""
    pem_keys: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    attribute_mapping: AttributeMapping = attrs.field(factory=AttributeMapping)
    email_proof: Literal["flag", "always", "never"] = "flag"
    can_jit_provision: bool = False
    longest_minutes: int = 1440
    keys: tuple[Mapping[str, Any], ...] = attrs.field(init=False, repr=False, eq=False)
    """The PEM keys as JWKs; one that cannot be used is left out, and a fault."""

    def __attrs_post_init__(self) -> None:
        """Read the keys once."""
        read = (_jwk_of(text) for text in self.pem_keys)
        object.__setattr__(self, "keys", tuple(key for key in read if key is not None))

    def faults(self, *, live: bool) -> Iterator[str]:
        """What cannot work."""
        name = f"trusted_tokens {self.profile_id!r}"
        if not _ID.fullmatch(self.profile_id):
            yield f"{name}: an id is 1 to 128 letters, digits and . _ -"
        if not self.issuer or not self.audience:
            yield f"{name}: issuer and audience are needed."
        if bool(self.jwks_url) == bool(self.pem_keys):
            yield f"{name}: give jwks_url or pem_keys, not both."
        if self.jwks_url and not may_be_called(self.jwks_url, live=live):
            yield f"{name}: jwks_url must be an https address (http on this machine in Test)."
        if len(self.pem_keys) > MAXIMUM_PEM_KEYS or len(self.keys) < len(self.pem_keys):
            yield f"{name}: pem_keys are at most {MAXIMUM_PEM_KEYS} public keys: RSA of {SMALLEST_RSA} bits, P-256 or Ed25519."
        mapping = self.attribute_mapping
        if not mapping.external_id and (not mapping.email or self.email_proof == "never"):
            yield f"{name}: nothing of its tokens says who somebody is; map external_id, or an email that is proof."
        if not 1 <= self.longest_minutes <= 10_080:
            yield f"{name}: longest_minutes must be from 1 to 10080."


def _jwk_of(text: str) -> Mapping[str, Any] | None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

    try:
        key = serialization.load_pem_public_key(text.encode())
    except Exception:  # noqa: BLE001 -- the library raises several classes, and each means that this is no key
        return None
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= SMALLEST_RSA:
        return _public(RSAAlgorithm.to_jwk(key))
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return _public(ECAlgorithm.to_jwk(key))
    if isinstance(key, ed25519.Ed25519PublicKey):
        return _public(OKPAlgorithm.to_jwk(key))
    return None


def _public(jwk: str) -> dict[str, Any]:
    """What a verifier needs of a JWK; the library adds `key_ops`."""
    said: dict[str, Any] = json.loads(jwk)
    return {name: value for name, value in said.items() if name in {"kty", "n", "e", "crv", "x", "y"}}
