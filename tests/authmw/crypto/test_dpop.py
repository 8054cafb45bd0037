"""Proofs of possession (RFC 9449): what passes, and that everything that differs from it in one place does not."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from authmw.crypto.dpop import AHEAD, MAXIMUM_LENGTH, WINDOW, Proof, check_proof, thumbprint
from authmw.crypto.jwts import InvalidToken

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
URL = "https://api.example.org/notes"
TOKEN = "an.access.token"


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


ATH = _text(hashlib.sha256(TOKEN.encode()).digest())


@functools.cache
def keys(algorithm: str) -> tuple[Any, dict[str, Any]]:
    """A private key and its public half as a JWK."""
    if algorithm == "ES256":
        private: Any = ec.generate_private_key(ec.SECP256R1())
        return private, ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
    if algorithm == "EdDSA":
        private = ed25519.Ed25519PrivateKey.generate()
        return private, OKPAlgorithm.to_jwk(private.public_key(), as_dict=True)
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return private, RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)


def public(algorithm: str) -> dict[str, Any]:
    members = {"crv", "kty", "x", "y", "e", "n"}
    return {name: value for name, value in keys(algorithm)[1].items() if name in members}


def made(
    algorithm: str = "ES256",
    *,
    head: dict[str, Any] | None = None,
    jwk: dict[str, Any] | None = None,
    **claims: Any,
) -> str:
    """A good proof, but for what is named; None leaves a claim out."""
    said = {"htm": "GET", "htu": URL, "iat": int(NOW.timestamp()), "jti": "one", "ath": ATH, **claims}
    header = {"typ": "dpop+jwt", "jwk": jwk or public(algorithm), **(head or {})}
    present = {name: value for name, value in said.items() if value is not None}
    return jwt.encode(present, keys(algorithm)[0], algorithm=algorithm, headers=header)


def check(proof: str, *, token: str | None = TOKEN, now: datetime = NOW) -> Proof:
    return check_proof(proof, method="GET", urls=(URL,), now=now, access_token=token)


def reason(proof: str, **more: Any) -> str:
    with pytest.raises(InvalidToken) as refused:
        check(proof, **more)
    return refused.value.reason_code


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
def test_a_good_proof_names_its_key_and_its_id(algorithm: str) -> None:
    """RFC 9449 section 4.3; the thumbprint is that of RFC 7638 section 3."""
    members = json.dumps(public(algorithm), separators=(",", ":"), sort_keys=True)
    assert check(made(algorithm)) == Proof(_text(hashlib.sha256(members.encode()).digest()), "one")
    with_more = {**public(algorithm), "use": "sig", "kid": "k"}
    assert check(made(algorithm, jwk=with_more)).thumbprint == check(made(algorithm)).thumbprint


def test_the_thumbprint_of_the_rfcs_own_key() -> None:
    """RFC 7638 section 3.1."""
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn6"
        "4tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91"
        "CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    jwk = {"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
    assert thumbprint(jwk) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"head": {"typ": "JWT"}}, "header"),
        ({"head": {"jwk": "text"}}, "header"),
        ({"head": {"kid": "k"}}, "header"),
        ({"head": {"jku": "https://evil.example/keys"}}, "header"),
        ({"jwk": {"kty": "oct", "k": "AA"}}, "key"),
        ({"jwk": {"crv": "P-384"}}, "key"),
        ({"jwk": {"d": "private"}}, "key"),
        ({"jwk": {"x": 5}}, "key"),
        ({"jwk": {"x": "AA"}}, "signature"),
        ({"jti": None}, "claims"),
        ({"jti": ""}, "claims"),
        ({"jti": "x" * 257}, "claims"),
        ({"jti": 5}, "claims"),
        ({"htm": "POST"}, "audience"),
        ({"htm": "get"}, "audience"),
        ({"htu": URL + "/"}, "audience"),
        ({"htu": [URL]}, "audience"),
        ({"iat": None}, "claims"),
        ({"iat": True}, "claims"),
        ({"iat": 1.5}, "claims"),
        ({"iat": "now"}, "claims"),
        ({"iat": 10**19}, "lifetime"),
        ({"iat": 10**400}, "signature"),
        ({"ath": None}, "claims"),
        ({"ath": ATH[:-1]}, "claims"),
        ({"ath": _text(hashlib.sha256(b"another").digest())}, "claims"),
    ],
    ids=str,
)
def test_a_proof_that_differs_in_one_place_is_none(changes: dict[str, Any], why: str) -> None:
    """RFC 9449 section 4.3, each of its checks."""
    if "jwk" in changes:
        changes = {**changes, "jwk": {**public("ES256"), **changes["jwk"]}}
    assert reason(made(**changes)) == why


def test_a_key_signs_for_itself_only() -> None:
    assert reason(made("ES256", jwk=public("EdDSA"))) == "key"
    other = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key(), as_dict=True)
    assert reason(made("ES256", jwk={name: other[name] for name in ("kty", "crv", "x", "y")})) == "signature"
    assert reason(jwt.encode({}, "secret-of-thirty-two-bytes-or-more", "HS256", {"typ": "dpop+jwt"})) == "header"


def test_a_proof_in_which_a_name_stands_twice_is_none() -> None:
    said = (
        f'{{"htm": "POST", "htm": "GET", "htu": "{URL}", "iat": {int(NOW.timestamp())}, "jti": "one", "ath": "{ATH}"}}'
    )
    header = {"typ": "dpop+jwt", "jwk": public("ES256")}
    assert reason(jwt.api_jws.encode(said.encode(), keys("ES256")[0], "ES256", header)) == "signature"


@pytest.mark.parametrize("text", ["", ".", "a.b.c", "!!.b.c", _text(b"[]") + ".b.c", _text(b"\xff") + ".b.c"])
def test_what_is_no_token_is_no_proof(text: str) -> None:
    assert reason(text) == "header"


def test_a_proof_longer_than_any_is_not_even_read() -> None:
    assert reason("a" * (MAXIMUM_LENGTH + 1)) == "shape"


@given(seconds=st.integers(-2 * WINDOW, 2 * WINDOW))
def test_a_proof_is_good_for_its_time_and_a_minute_before(seconds: int) -> None:
    """Whatever our clock says: -60 to 300 seconds after the proof was made."""
    proof = made()
    if -AHEAD <= seconds <= WINDOW:
        assert check(proof, now=NOW + timedelta(seconds=seconds)).proof_id == "one"
    else:
        assert reason(proof, now=NOW + timedelta(seconds=seconds)) == "lifetime"


def test_without_an_access_token_no_hash_is_asked_for() -> None:
    """RFC 9449 section 4.2: at the token endpoint there is none yet."""
    assert check(made(ath=None), token=None).proof_id == "one"


@given(st.text(max_size=60) | st.binary(max_size=60).map(_text))
def test_nothing_that_anybody_can_write_does_more_than_be_refused(text: str) -> None:
    with pytest.raises(InvalidToken):
        check(text)


@given(
    st.dictionaries(
        st.sampled_from(["typ", "alg", "jwk", "crit"]),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.text(max_size=5)
            | st.sampled_from(["dpop+jwt", "ES256", "none"]),
            lambda inner: (
                st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["kty", "crv", "x", "y"]), inner)
            ),
            max_leaves=5,
        ),
    )
)
def test_no_header_does_more_than_be_refused(header: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        check(".".join((_text(json.dumps(header).encode()), "e30", "AA")))


@pytest.mark.parametrize("depth", [100, 1000, 2500])
def test_no_depth_of_a_header_does_more_than_be_refused(depth: int) -> None:
    header = _text(b'{"typ":' + b"[" * depth + b"]" * depth + b"}")
    with pytest.raises(InvalidToken):
        check_proof(f"{header}.e30.AAAA", method="GET", urls=(URL,), now=NOW)
