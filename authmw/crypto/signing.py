"""Keys that sign JWTs: made, sealed, and published as a JWK (RFC 7517).

Law: a key has one algorithm and one purpose, which are read from the key and never from a token; what is published
holds public members only.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import attrs

from authmw.crypto import tokens
from authmw.crypto.roots import RootKeys
from authmw.crypto.sealing import seal, unseal

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

Algorithm: TypeAlias = Literal["RS256", "ES256"]
Purpose: TypeAlias = Literal["session", "machine", "access", "identity"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
"""What a key signs: session JWTs, access tokens of machines, access tokens that people grant, or OpenID ID tokens. A token of one kind never verifies as another (TOK-07)."""
PrivateKey: TypeAlias = "RSAPrivateKey | EllipticCurvePrivateKey"
PublicKey: TypeAlias = "RSAPublicKey | EllipticCurvePublicKey"

KID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What a key's id may look like (TOK-05)."""
_SEALED = "authmw/signing-key/1"
_LIFE = timedelta(days=400)
_RSA_BITS = 2048
_COORDINATE_BYTES = 32


@attrs.frozen(eq=False, slots=False)
class SigningKey:
    """A key pair: RSA-2048 for RS256 or P-256 for ES256.

    `private` is PKCS#8 DER, loaded at first use and never shown. `certificate` is a self-signed X.509 certificate
    (DER); it exists because official clients read `x5c`, and nothing here trusts a token through it.
    """

    kid: str = attrs.field(validator=attrs.validators.matches_re(KID))
    private: bytes = attrs.field(repr=False)
    certificate: bytes = attrs.field(repr=False)
    algorithm: str = attrs.field(default="RS256", validator=attrs.validators.in_(("RS256", "ES256")))
    purpose: str = attrs.field(default="session", validator=attrs.validators.in_(PURPOSES))

    @functools.cached_property
    def private_key(self) -> PrivateKey:
        """The loaded private key. Raises ValueError if it is not one of this algorithm.

        The consistency check of an RSA key costs 29 ms and is skipped. That is safe here only: these bytes were made
        by `generate` in this process or opened by `unseal`, whose tag proves that we wrote them. A key from anywhere
        else must be checked.
        """
        from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_der_private_key

        key = load_der_private_key(self.private, None, unsafe_skip_rsa_key_validation=True)
        if isinstance(key, RSAPrivateKey) and self.algorithm == "RS256":
            return key
        if isinstance(key, EllipticCurvePrivateKey) and self.algorithm == "ES256":
            return key
        message = "A signing key does not fit its algorithm."
        raise ValueError(message)

    @functools.cached_property
    def public_key(self) -> PublicKey:
        """The loaded public key."""
        return self.private_key.public_key()

    def public_jwk(self) -> dict[str, str | list[str]]:
        """The published form (RFC 7517): the members that official clients read, and the standard spelling of the thumbprint beside theirs."""
        thumbprint = tokens.base64url(hashlib.sha256(self.certificate).digest())
        return {
            "use": "sig",
            "key_ops": ["verify"],
            "alg": self.algorithm,
            "kid": self.kid,
            "x5c": [base64.b64encode(self.certificate).decode("ascii")],
            "x5tS256": thumbprint,
            "x5t#S256": thumbprint,
            **_public_members(self.public_key),
        }

    def to_sealed(self, roots: RootKeys, project_id: str) -> bytes:
        """The private part, sealed for storage; it opens only beside this id, certificate, algorithm, purpose and project."""
        return seal(roots, _SEALED, self._place(project_id), self.private)

    @classmethod
    def from_sealed(
        cls,
        roots: RootKeys,
        project_id: str,
        *,
        kid: str,
        sealed: bytes,
        certificate: bytes,
        algorithm: str = "RS256",
        purpose: str = "session",
    ) -> SigningKey:
        """The key that `to_sealed` stored. Raises SealBroken if any of these was changed, ValueError for an id, algorithm or purpose that no key can have."""
        named = cls(kid=kid, private=b"", certificate=certificate, algorithm=algorithm, purpose=purpose)
        return attrs.evolve(named, private=unseal(roots, _SEALED, named._place(project_id), sealed))

    def _place(self, project_id: str) -> str:
        """What the sealed bytes are bound to. Only the last part can hold the separator, so no two places look alike."""
        certificate = hashlib.sha256(self.certificate).hexdigest()
        return "|".join((self.kid, self.algorithm, self.purpose, certificate, project_id))


def generate(
    environment: str,
    now: datetime,
    algorithm: Algorithm = "RS256",
    *,
    purpose: Purpose = "session",
    life: timedelta = _LIFE,
) -> SigningKey:
    """A new key pair with an id of its own; its certificate holds from `now` for `life`.

    RSA takes 26 ms at the median and 61 ms at worst, so never on an event loop. The randomness of the key itself is
    OpenSSL's, seeded by the operating system.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    kid = tokens.new_id("jwk", environment)
    key: PrivateKey = (
        rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
        if algorithm == "RS256"
        else ec.generate_private_key(ec.SECP256R1())
    )
    private = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return SigningKey(kid, private, _self_signed(kid, key, now, now + life), algorithm, purpose)


def _self_signed(kid: str, key: PrivateKey, start: datetime, end: datetime) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509.oid import NameOID

    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, kid)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        # Positive and at most 20 octets (RFC 5280 section 4.1.2.2): the byte in front keeps it from being 0.
        .serial_number(int.from_bytes(b"\x01" + tokens.random_bytes(16), "big"))
        .not_valid_before(start)
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.DER)


def _public_members(key: PublicKey) -> dict[str, str]:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    if isinstance(key, RSAPublicKey):
        rsa = key.public_numbers()
        return {"kty": "RSA", "n": _number(rsa.n), "e": _number(rsa.e)}
    point = key.public_numbers()
    return {
        "kty": "EC",
        "crv": "P-256",
        "x": _number(point.x, _COORDINATE_BYTES),
        "y": _number(point.y, _COORDINATE_BYTES),
    }


def _number(number: int, length: int | None = None) -> str:
    """A number as base64url: as short as it can be for RSA, in full length for a coordinate (RFC 7518 sections 6.2.1 and 6.3.1)."""
    return tokens.base64url(number.to_bytes(length or (number.bit_length() + 7) // 8, "big"))
