"""Signing keys: KEY-01 (public members only), TOK-04, TOK-07, A301."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import NameOID

from authmw.crypto import signing
from authmw.crypto.roots import RootKeys
from authmw.crypto.sealing import SealBroken
from authmw.crypto.signing import Algorithm, SigningKey

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
ROOTS = RootKeys((b"r" * 32,))
PROJECT = "project-test-1"
ALGORITHMS = pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


@functools.cache
def key_of(algorithm: Algorithm) -> SigningKey:
    return signing.generate("test", NOW, algorithm)


def certificate_of(key: SigningKey) -> x509.Certificate:
    return x509.load_der_x509_certificate(key.certificate)


@ALGORITHMS
def test_a_key_id_names_its_environment(algorithm: Algorithm) -> None:
    assert re.fullmatch(r"jwk-test-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", key_of(algorithm).kid)
    assert signing.generate("live", NOW, "ES256").kid.startswith("jwk-live-")


def test_the_default_key_is_rsa_2048_for_sessions() -> None:
    key = signing.generate("test", NOW)
    assert (key.algorithm, key.purpose) == ("RS256", "session")
    assert isinstance(key.public_key, RSAPublicKey)
    assert key.public_key.key_size == 2048


def test_an_es256_key_is_on_p256() -> None:
    public = key_of("ES256").public_key
    assert isinstance(public, EllipticCurvePublicKey)
    assert public.curve.name == "secp256r1"


@ALGORITHMS
def test_only_public_members_are_published(algorithm: Algorithm) -> None:
    jwk = key_of(algorithm).public_jwk()
    common = {"kty", "use", "key_ops", "alg", "kid", "x5c", "x5tS256", "x5t#S256"}
    own = {"n", "e"} if algorithm == "RS256" else {"crv", "x", "y"}
    assert set(jwk) == common | own
    assert not PRIVATE_MEMBERS & set(jwk)
    assert (jwk["use"], jwk["key_ops"], jwk["alg"]) == ("sig", ["verify"], algorithm)


@ALGORITHMS
def test_the_published_key_is_the_public_half(algorithm: Algorithm) -> None:
    key = key_of(algorithm)
    read = jwt.PyJWK(key.public_jwk())
    assert read.key == key.public_key
    assert read.key_id == key.kid


@ALGORITHMS
def test_coordinates_and_numbers_have_the_length_the_standard_asks_for(algorithm: Algorithm) -> None:
    jwk = key_of(algorithm).public_jwk()
    lengths = {name: len(str(jwk[name])) for name in ("n", "e", "x", "y") if name in jwk}
    assert lengths == ({"n": 342, "e": 4} if algorithm == "RS256" else {"x": 43, "y": 43})


def test_a_coordinate_that_begins_with_nought_keeps_its_length() -> None:
    numbers = range(1, 5_000)
    found = next(
        one for one in numbers if ec.derive_private_key(one, ec.SECP256R1()).public_key().public_numbers().x >> 248 == 0
    )
    private = ec.derive_private_key(found, ec.SECP256R1()).private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    assert len(str(SigningKey("k1", private, b"", "ES256").public_jwk()["x"])) == 43


@ALGORITHMS
def test_the_thumbprint_is_of_the_certificate_in_both_spellings(algorithm: Algorithm) -> None:
    key = key_of(algorithm)
    jwk = key.public_jwk()
    assert [base64.b64decode(one, validate=True) for one in jwk["x5c"]] == [key.certificate]
    expected = base64.urlsafe_b64encode(hashlib.sha256(key.certificate).digest()).decode().rstrip("=")
    assert jwk["x5tS256"] == jwk["x5t#S256"] == expected


@ALGORITHMS
def test_the_certificate_names_the_key_and_holds_from_the_given_time(algorithm: Algorithm) -> None:
    key = signing.generate("test", NOW, algorithm, life=timedelta(days=7))
    certificate = certificate_of(key)
    (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert name.value == key.kid
    assert certificate.issuer == certificate.subject
    assert certificate.not_valid_before_utc == NOW
    assert certificate.not_valid_after_utc == NOW + timedelta(days=7)
    assert certificate.serial_number > 0
    assert certificate.public_key() == key.public_key
    certificate.verify_directly_issued_by(certificate)


def test_two_keys_share_nothing() -> None:
    one, other = (signing.generate("test", NOW, "ES256") for _ in range(2))
    assert one.kid != other.kid
    assert one.private != other.private
    assert certificate_of(one).serial_number != certificate_of(other).serial_number


@ALGORITHMS
def test_a_sealed_key_opens_again(algorithm: Algorithm) -> None:
    key = key_of(algorithm)
    opened = SigningKey.from_sealed(
        ROOTS,
        PROJECT,
        kid=key.kid,
        sealed=key.to_sealed(ROOTS, PROJECT),
        certificate=key.certificate,
        algorithm=algorithm,
    )
    assert opened.public_jwk() == key.public_jwk()
    assert opened.private == key.private
    assert key.private not in key.to_sealed(ROOTS, PROJECT)


@pytest.mark.parametrize(
    "change",
    [
        {"kid": "jwk-test-00000000-0000-4000-8000-000000000000"},
        {"algorithm": "ES256"},
        {"purpose": "access"},
        {"certificate": b"another"},
        {"sealed": b""},
    ],
)
def test_a_sealed_key_does_not_open_beside_other_facts(change: dict[str, Any]) -> None:
    key = key_of("RS256")
    facts: dict[str, Any] = {
        "kid": key.kid,
        "sealed": key.to_sealed(ROOTS, PROJECT),
        "certificate": key.certificate,
        "algorithm": "RS256",
        "purpose": "session",
    }
    SigningKey.from_sealed(ROOTS, PROJECT, **facts)  # the control: these facts open it
    with pytest.raises(SealBroken):
        SigningKey.from_sealed(ROOTS, PROJECT, **(facts | change))


def test_a_sealed_key_does_not_open_in_another_project_or_under_other_roots() -> None:
    key = key_of("RS256")
    sealed = key.to_sealed(ROOTS, PROJECT)
    for roots, project in ((ROOTS, "project-live-1"), (RootKeys((b"o" * 32,)), PROJECT)):
        with pytest.raises(SealBroken):
            SigningKey.from_sealed(roots, project, kid=key.kid, sealed=sealed, certificate=key.certificate)


@pytest.mark.parametrize(
    "change", [{"algorithm": "HS256"}, {"algorithm": "none"}, {"purpose": "webhook"}, {"kid": "../k"}]
)
def test_a_key_of_an_unknown_kind_is_not_made(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        attrs.evolve(key_of("ES256"), **change)


@pytest.mark.parametrize(("made", "named"), [("RS256", "ES256"), ("ES256", "RS256")])
def test_a_key_that_does_not_fit_its_algorithm_is_not_used(made: Algorithm, named: str) -> None:
    wrong = attrs.evolve(key_of(made), algorithm=named)
    with pytest.raises(ValueError, match="does not fit"):
        _ = wrong.private_key


def test_a_key_shows_only_its_id_and_kind() -> None:
    key = key_of("RS256")
    assert repr(key) == f"SigningKey(kid='{key.kid}', algorithm='RS256', purpose='session')"


def test_a_key_is_loaded_once() -> None:
    key = key_of("RS256")
    assert key.private_key is key.private_key
