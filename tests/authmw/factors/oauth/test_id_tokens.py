"""Forged ID tokens, named after the tests that certify relying parties, and what a stranger's text can do to the reading (A140, A141, OAU-03)."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from authmw.factors.oauth.id_tokens import Expected, InvalidIDToken, UnknownKeyID, check_id_token
from tests.oauth_provider import jwk, signing_key

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
ISSUER = "https://op.example"
OTHER = rsa.generate_private_key(65537, 2048)
CURVE = ec.generate_private_key(ec.SECP256R1())
EDWARDS = ed25519.Ed25519PrivateKey.generate()
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "somebody",
    "aud": "us",
    "iat": SECONDS,
    "exp": SECONDS + 300,
    "nonce": "n-1",
}
EXPECTED = Expected(issuers=(ISSUER,), client_id="us", nonce="n-1", access_token="access", code="code")
KEYS = [
    jwk(),
    {**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(CURVE.public_key())), "kid": "curve", "use": "sig"},
    {**json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(EDWARDS.public_key())), "kid": "edwards", "use": "sig"},
    {**jwk("secret"), "use": "enc"},
]


def half(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:16]).rstrip(b"=").decode()


def signed(key: Any = None, algorithm: str = "RS256", header: dict[str, Any] | None = None, **claims: Any) -> str:
    said = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not ...}
    named = {"kid": "one", "typ": "JWT", **(header or {})}
    named = {name: value for name, value in named.items() if value is not None}
    return jwt.api_jws.encode(json.dumps(said).encode(), key or signing_key(), algorithm, headers=named)


def unsigned(algorithm: str = "none", signature: str = "") -> str:
    parts = [json.dumps({"alg": algorithm, "kid": "one"}), json.dumps(CLAIMS)]
    return ".".join([*(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts), signature])


def by_secret() -> str:
    return jwt.encode(CLAIMS, "the client secret, long enough to be one", "HS256", headers={"kid": "one"})


def altered(token: str) -> str:
    head, _, tail = token.split(".")
    said = base64.urlsafe_b64encode(json.dumps({**CLAIMS, "sub": "admin"}).encode()).rstrip(b"=").decode()
    return f"{head}.{said}.{tail}"


FORGED: dict[str, Callable[[], str]] = {
    "oidcc-client-test-idtoken-sig-none": unsigned,
    "alg None in other letters": lambda: unsigned("NoNe"),
    "alg none with a signature": lambda: unsigned("none", "AAAA"),
    "alg RS256 without a signature": lambda: unsigned("RS256"),
    "alg RS256 with a signature of one byte": lambda: unsigned("RS256", "AA"),
    "oidcc-client-test-invalid-sig-hs256": by_secret,
    "oidcc-client-test-invalid-sig-rs256": lambda: signed(OTHER),
    "oidcc-client-test-invalid-sig-es256": lambda: signed(
        ec.generate_private_key(ec.SECP256R1()), "ES256", {"kid": "curve"}
    ),
    "a changed subject": lambda: altered(signed()),
    "RS384, which is not taken": lambda: signed(algorithm="RS384"),
    "RS512, which is not taken": lambda: signed(algorithm="RS512"),
    "an RSA key asked to be a curve": lambda: signed(CURVE, "ES256", {"kid": "one"}),
    "an unknown kid": lambda: signed(header={"kid": "two"}),
    "an encryption key": lambda: signed(header={"kid": "secret"}),
    "crit": lambda: signed(header={"crit": ["b64"], "b64": True}),
    "oidcc-client-test-invalid-iss": lambda: signed(iss="https://evil.example"),
    "issuer with a slash": lambda: signed(iss=ISSUER + "/"),
    "issuer in capitals": lambda: signed(iss="https://OP.example"),
    "issuer as a list": lambda: signed(iss=[ISSUER]),
    "no issuer": lambda: signed(iss=...),
    "oidcc-client-test-invalid-aud": lambda: signed(aud="others"),
    "no audience": lambda: signed(aud=...),
    "an empty audience": lambda: signed(aud=[]),
    "two audiences without azp": lambda: signed(aud=["us", "others"]),
    "two audiences with our azp": lambda: signed(aud=["us", "others"], azp="us"),
    "two audiences with a foreign azp": lambda: signed(aud=["us", "others"], azp="others"),
    "one audience with a foreign azp": lambda: signed(azp="others"),
    "azp that is null": lambda: signed(azp=None),
    "audience that holds a number": lambda: signed(aud=[1]),
    "oidcc-client-test-missing-sub": lambda: signed(sub=...),
    "an empty subject": lambda: signed(sub=""),
    "a subject that is a number": lambda: signed(sub=1),
    "a subject too long": lambda: signed(sub="s" * 256),
    "oidcc-client-test-missing-iat": lambda: signed(iat=...),
    "iat in the future": lambda: signed(iat=SECONDS + 3600),
    "iat as text": lambda: signed(iat=str(SECONDS)),
    "no exp": lambda: signed(exp=...),
    "expired": lambda: signed(exp=SECONDS),
    "exp as text": lambda: signed(exp=str(SECONDS + 300)),
    "exp as true": lambda: signed(exp=True),
    "exp beyond any calendar": lambda: signed(exp=1e308),
    "exp without end": lambda: signed(exp=float("inf")),
    "exp that no double holds": lambda: signed(exp=10**400),
    "exp of 64 bits": lambda: signed(exp=2**64 - 1),
    "a claim twice": lambda: jwt.api_jws.encode(
        json.dumps(CLAIMS)[:-1].encode() + b', "sub": "admin"}', signing_key(), "RS256", headers={"kid": "one"}
    ),
    "nbf in the future": lambda: signed(nbf=SECONDS + 3600),
    "oidcc-client-test-nonce-invalid": lambda: signed(nonce="n-2"),
    "no nonce": lambda: signed(nonce=...),
    "oidcc-client-test-invalid-athash": lambda: signed(at_hash=half("other")),
    "oidcc-client-test-invalid-chash": lambda: signed(c_hash=half("other")),
    "not three parts": lambda: signed().rpartition(".")[0],
    "padding": lambda: signed() + "=",
    "too long": lambda: signed(more="x" * 16_384),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_token_does_not_count(name: str) -> None:
    with pytest.raises(InvalidIDToken):
        check_id_token(FORGED[name](), KEYS, EXPECTED, NOW)


@pytest.mark.parametrize(
    "token",
    [
        signed(),
        signed(algorithm="PS256"),
        signed(aud=["us"], azp="us"),
        signed(at_hash=half("access"), c_hash=half("code")),
        signed(iat=SECONDS + 59, nbf=SECONDS),
        signed(CURVE, "ES256", {"kid": "curve"}),
        signed(EDWARDS, "EdDSA", {"kid": "edwards"}),
    ],
)
def test_a_token_that_says_all_of_it_counts(token: str) -> None:
    assert check_id_token(token, KEYS, EXPECTED, NOW)["sub"] == "somebody"


def test_a_token_without_a_key_id_counts_if_one_key_fits() -> None:
    """oidcc-client-test-kid-absent-single-jwks, oidcc-client-test-kid-absent-multiple-jwks."""
    token = signed(header={"kid": None})
    assert check_id_token(token, KEYS, EXPECTED, NOW)["sub"] == "somebody"
    with pytest.raises(InvalidIDToken):
        check_id_token(token, [jwk("one"), jwk("two")], EXPECTED, NOW)
    with pytest.raises(UnknownKeyID):
        check_id_token(token, [], EXPECTED, NOW)


def test_a_tenant_completes_the_one_issuer_that_is_a_template() -> None:
    """Microsoft: the token's own tenant, in exact form, and one that may sign in."""
    tenant = "11111111-2222-3333-4444-555555555555"
    expected = Expected(issuers=("https://login.microsoftonline.com/{tenantid}/v2.0",), client_id="us", nonce="n-1")
    issued = f"https://login.microsoftonline.com/{tenant}/v2.0"
    assert check_id_token(signed(iss=issued, tid=tenant), KEYS, expected, NOW)["tid"] == tenant
    for claims in ({"tid": "x/../y"}, {"tid": ...}, {"tid": tenant.replace("1", "2")}, {"tid": f"{tenant}\n"}):
        with pytest.raises(InvalidIDToken):
            check_id_token(signed(iss=issued, **claims), KEYS, expected, NOW)


@settings(max_examples=100)
@given(st.text(max_size=200))
def test_no_text_makes_another_failure_than_the_one(text: str) -> None:
    with pytest.raises(InvalidIDToken):
        check_id_token(text, KEYS, EXPECTED, NOW)


@settings(max_examples=100)
@given(
    st.dictionaries(
        st.sampled_from(sorted(CLAIMS)), st.none() | st.integers() | st.text(max_size=9) | st.booleans(), min_size=1
    )
)
def test_no_other_value_of_a_claim_counts_unless_it_is_a_time(claims: dict[str, Any]) -> None:
    try:
        said = check_id_token(signed(**claims), KEYS, EXPECTED, NOW)
    except InvalidIDToken:
        return
    assert {name: said[name] for name in ("iss", "aud", "nonce")} == {
        name: CLAIMS[name] for name in ("iss", "aud", "nonce")
    }
    assert said["exp"] > SECONDS >= said["iat"] - 60
