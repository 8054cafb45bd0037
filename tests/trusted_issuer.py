"""Another service that signs people in by itself, and whose tokens a project trusts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import Any

import attrs
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from authmw import AttributeMapping, TrustedTokenProfile
from tests.web_servers import Counter, counter, fetcher_for, reply

ISSUER = "https://legacy.example"
AUDIENCE = "our-app"
PROFILE = "legacy"


@cache
def key(name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def public_pem(private: Any) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return private.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def key_set(*names: str) -> bytes:
    keys = [
        {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key(name).public_key())), "kid": name, "use": "sig"}
        for name in names
    ]
    return json.dumps({"keys": keys}).encode()


@attrs.define
class Issuer:
    """Makes tokens at the time of a clock."""

    clock: Any
    made: int = 0

    def token(self, *, signed_by: str = "one", header: dict[str, Any] | None = None, **claims: Any) -> str:
        self.made += 1
        now = int(self.clock.now().timestamp())
        said = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "ada-1",
            "iat": now,
            "exp": now + 600,
            "jti": f"token-{self.made}",
            "email": "ada@example.org",
            "email_verified": True,
            "given_name": "Ada",
            **claims,
        }
        said = {name: value for name, value in said.items() if value is not ...}
        return jwt.encode(said, key(signed_by), "RS256", headers={"kid": signed_by, **(header or {})})

    def later(self, **by: float) -> int:
        return int((self.clock.now() + timedelta(**by)).timestamp())


def profile(**more: Any) -> TrustedTokenProfile:
    """One that knows its users by the host's own ids, and lists its keys."""
    said: dict[str, Any] = {
        "profile_id": PROFILE,
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "pem_keys": [public_pem(key("one"))],
        "attribute_mapping": AttributeMapping(external_id="sub"),
        **more,
    }
    if said.get("jwks_url"):
        said["pem_keys"] = ()
    return TrustedTokenProfile(**said)


@contextmanager
def publishing(*answers: bytes) -> Iterator[tuple[Counter, Any]]:
    """A server that gives these key sets in turn, and a client that reaches it."""
    with counter(*(reply(200, answer) for answer in answers)) as server:
        yield server, fetcher_for(server.port)
