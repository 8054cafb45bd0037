"""Authenticators in software: passkeys, security keys and device keys for tests, with real keys and real signatures.

They do what hardware and browsers do, and can be told to do it wrong. The `passkeys` extra is needed.
"""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urlsplit

import attrs

from authmw.crypto import tokens
from authmw.testing.lies import ATTESTED, BACKED_UP, BACKUP_ELIGIBLE, USER_PRESENT, USER_VERIFIED, Edits

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate

    PrivateKey: TypeAlias = EllipticCurvePrivateKey | Ed25519PrivateKey | RSAPrivateKey

Algorithm: TypeAlias = Literal["ES256", "EdDSA", "RS256"]
_NUMBERS: dict[str, int] = {"ES256": -7, "EdDSA": -8, "RS256": -257}


class NotAllowed(Exception):
    """As the browser's `NotAllowedError`: no credential fits, or the user cannot be verified."""


class InvalidState(Exception):
    """As the browser's `InvalidStateError`: one of the excluded credentials is here already."""


class SecurityFault(Exception):
    """As the browser's `SecurityError`: the page may not use this domain."""


@attrs.define(eq=False, kw_only=True)
class VirtualCredential:
    """A credential of a virtual authenticator."""

    credential_id: bytes
    domain: str
    user_handle: bytes
    algorithm: Algorithm
    key: PrivateKey = attrs.field(repr=False)
    discoverable: bool
    counter: int = 0

    def sign(self, message: bytes) -> bytes:
        """The signature of a message by this credential's key."""
        return _sign(self.key, message)


@attrs.define(eq=False, kw_only=True)
class VirtualAuthenticator:
    """A passkey provider or security key, and the browser in front of it. Its attributes may be changed at any time.

    `attestation` is `none`, `self` (packed, signed by the new key) or `certificate` (packed, signed by a certificate of `authority`). `counts` says whether each use counts;
    synced passkeys do not. `verifies_users` whether it has a PIN or biometric, which it then always asks for.
    """

    algorithm: Algorithm = "ES256"
    attestation: Literal["none", "self", "certificate"] = "none"
    authority: AttestationAuthority | None = None
    attachment: Literal["platform", "cross-platform"] = "platform"
    transports: tuple[str, ...] = ("internal",)
    verifies_users: bool = True
    user_present: bool = True
    backup_eligible: bool = False
    backed_up: bool = False
    counts: bool = True
    aaguid: bytes = bytes(16)
    credentials: list[VirtualCredential] = attrs.field(factory=list[VirtualCredential])

    def register(self, options: str, *, origin: str, edits: Edits | None = None) -> str:
        """Answer `navigator.credentials.create()` on a page of this origin: JSON as `credential.toJSON()` gives it. `options` are the JSON that `register_start` answers.

        Raises InvalidState, NotAllowed and SecurityFault as browsers do, unless the answer is edited.
        """
        asked, edit = json.loads(options), edits or Edits()
        domain = asked["rp"]["id"]
        if edits is None:
            self._check_page(domain, origin, asked["authenticatorSelection"]["userVerification"])
            excluded = {_bytes(one["id"]) for one in asked.get("excludeCredentials", ())}
            if any(one.credential_id in excluded for one in self.credentials):
                raise InvalidState
        if _NUMBERS[self.algorithm] not in {one["alg"] for one in asked["pubKeyCredParams"]}:
            raise NotAllowed
        credential = VirtualCredential(
            credential_id=tokens.random_bytes(32),
            domain=domain,
            user_handle=_bytes(asked["user"]["id"]),
            algorithm=self.algorithm,
            key=_new_key(self.algorithm),
            discoverable=asked["authenticatorSelection"]["residentKey"] != "discouraged",
        )
        client = _client_data("webauthn.create", asked["challenge"], origin, edit)
        attested = self._attested(credential, client, edit)
        self.credentials.append(credential)
        response = {
            "clientDataJSON": tokens.base64url(client),
            "attestationObject": tokens.base64url(attested),
            "transports": [*self.transports],
        }
        return self._answer(credential, response, {"credProps": {"rk": credential.discoverable}}, edit)

    def authenticate(
        self, options: str, *, origin: str, edits: Edits | None = None, using: VirtualCredential | None = None
    ) -> str:
        """Answer `navigator.credentials.get()` on a page of this origin. `using` picks a credential, asked for or not; else it is the newest that fits.

        Raises NotAllowed and SecurityFault as browsers do, unless the answer is edited.
        """
        asked, edit = json.loads(options), edits or Edits()
        if edits is None:
            self._check_page(asked["rpId"], origin, asked["userVerification"])
        credential = using or self._fitting(asked)
        if self.counts:
            credential.counter += 1
        client = _client_data("webauthn.get", asked["challenge"], origin, edit)
        data = edit.data(self._data(credential, asked["rpId"]))
        signature = edit.signature(credential.sign(data + hashlib.sha256(client).digest()))
        response = {
            "clientDataJSON": tokens.base64url(client),
            "authenticatorData": tokens.base64url(data),
            "signature": tokens.base64url(signature),
            "userHandle": tokens.base64url(credential.user_handle) if credential.discoverable else None,
        }
        return self._answer(credential, response, {}, edit)

    def _check_page(self, domain: str, origin: str, verification: str) -> None:
        host = urlsplit(origin).hostname or ""
        if host != domain and not host.endswith("." + domain):
            raise SecurityFault
        if verification == "required" and not self.verifies_users:
            raise NotAllowed

    def _fitting(self, asked: dict[str, Any]) -> VirtualCredential:
        allowed = {_bytes(one["id"]) for one in asked.get("allowCredentials", ())}
        for one in reversed(self.credentials):
            if one.domain == asked["rpId"] and (one.credential_id in allowed if allowed else one.discoverable):
                return one
        raise NotAllowed

    def _data(self, credential: VirtualCredential, domain: str, attested: bytes = b"") -> bytes:
        flags = (
            USER_PRESENT * self.user_present
            | USER_VERIFIED * self.verifies_users
            | BACKUP_ELIGIBLE * self.backup_eligible
            | BACKED_UP * self.backed_up
            | ATTESTED * bool(attested)
        )
        counter = credential.counter.to_bytes(4, "big")
        return hashlib.sha256(domain.encode()).digest() + bytes([flags]) + counter + attested

    def _attested(self, credential: VirtualCredential, client: bytes, edit: Edits) -> bytes:
        from webauthn.helpers import encode_cbor

        held = len(credential.credential_id).to_bytes(2, "big") + credential.credential_id
        public = encode_cbor(cose_key(credential.key))
        data = edit.data(self._data(credential, credential.domain, self.aaguid + held + public))
        message = data + hashlib.sha256(client).digest()
        attested: dict[str, Any] = {"fmt": "none", "attStmt": {}, "authData": data}
        if self.attestation == "self":
            statement = {"alg": _NUMBERS[self.algorithm], "sig": edit.signature(credential.sign(message))}
            attested = {"fmt": "packed", "attStmt": statement, "authData": data}
        elif self.attestation == "certificate":
            authority = self.authority or AttestationAuthority()
            key, chain = authority.certify(self.aaguid)
            statement = {"alg": -7, "sig": edit.signature(_sign(key, message)), "x5c": chain}
            attested = {"fmt": "packed", "attStmt": statement, "authData": data}
        edited = edit.attestation(attested)
        return edited if isinstance(edited, bytes) else encode_cbor(edited)

    def _answer(
        self, credential: VirtualCredential, response: dict[str, Any], extensions: dict[str, Any], edit: Edits
    ) -> str:
        answer = {
            "id": tokens.base64url(credential.credential_id),
            "rawId": tokens.base64url(credential.credential_id),
            "type": "public-key",
            "authenticatorAttachment": self.attachment,
            "response": response,
            "clientExtensionResults": extensions,
        }
        return json.dumps(edit.answer(answer))


@attrs.define(eq=False)
class AttestationAuthority:
    """A maker of authenticators: a root, and a certificate for each model (WebAuthn section 8.2.1), valid from `begins` for `days`."""

    begins: datetime = datetime(2020, 1, 1, tzinfo=UTC)
    days: int = 36500
    unit: str = "Authenticator Attestation"

    @cached_property
    def _key(self) -> EllipticCurvePrivateKey:
        from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

        return generate_private_key(SECP256R1())

    @cached_property
    def root(self) -> str:
        """The root certificate, as PEM."""
        from cryptography.hazmat.primitives.serialization import Encoding

        made = self._certificate(self._key.public_key(), "Root", authority=True)
        return made.public_bytes(Encoding.PEM).decode("ascii")

    def certify(self, aaguid: bytes) -> tuple[EllipticCurvePrivateKey, list[bytes]]:
        """A key for a model of authenticator, and its certificate (DER)."""
        from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
        from cryptography.hazmat.primitives.serialization import Encoding

        key = generate_private_key(SECP256R1())
        made = self._certificate(key.public_key(), "Authenticator", authority=False, aaguid=aaguid)
        return key, [made.public_bytes(Encoding.DER)]

    def _certificate(self, public: Any, name: str, *, authority: bool, aaguid: bytes = b"") -> Certificate:
        from cryptography import x509
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.x509.oid import NameOID, ObjectIdentifier

        def named(common: str, unit: str) -> x509.Name:
            attributes = (
                (NameOID.COUNTRY_NAME, "NO"),
                (NameOID.ORGANIZATION_NAME, "Authenticators"),
                (NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
                (NameOID.COMMON_NAME, common),
            )
            return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])

        builder = (
            x509.CertificateBuilder()
            .subject_name(named(name, "Roots" if authority else self.unit))
            .issuer_name(named("Root", "Roots"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.begins)
            .not_valid_after(self.begins + timedelta(days=self.days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if aaguid:
            model = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4"), b"\x04\x10" + aaguid)
            builder = builder.add_extension(model, critical=False)
        return builder.sign(self._key, SHA256())


class DeviceKey:
    """An Ed25519 key that a device keeps behind its biometrics; values are base64, as the mobile clients send them."""

    def __init__(self) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self._key = Ed25519PrivateKey.generate()
        self.public_key = base64.b64encode(self._key.public_key().public_bytes_raw()).decode("ascii")

    def sign(self, challenge: str) -> str:
        """The signature of a challenge's bytes."""
        return base64.b64encode(self._key.sign(base64.b64decode(challenge))).decode("ascii")


def cose_key(key: PrivateKey) -> dict[int, Any]:
    """The public half of a key as COSE (RFC 9053), not encoded yet."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if isinstance(key, EllipticCurvePrivateKey):
        point = key.public_key().public_numbers()
        return {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
    if isinstance(key, Ed25519PrivateKey):
        return {1: 1, 3: -8, -1: 6, -2: key.public_key().public_bytes_raw()}
    modulus = key.public_key().public_numbers().n
    return {1: 3, 3: -257, -1: modulus.to_bytes((modulus.bit_length() + 7) // 8, "big"), -2: b"\x01\x00\x01"}


def _new_key(algorithm: Algorithm) -> PrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return ed25519.Ed25519PrivateKey.generate() if algorithm == "EdDSA" else rsa.generate_private_key(65537, 2048)


def _sign(key: PrivateKey, message: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
    from cryptography.hazmat.primitives.hashes import SHA256

    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(message, ec.ECDSA(SHA256()))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    return key.sign(message, padding.PKCS1v15(), SHA256())


def _bytes(text: str) -> bytes:
    """The bytes of either spelling in which options come: base64, or base64url without padding."""
    return tokens.from_base64url(text.rstrip("=").replace("+", "-").replace("/", "_"))


def _client_data(ceremony: str, challenge: str, origin: str, edit: Edits) -> bytes:
    said = {"type": ceremony, "challenge": tokens.base64url(_bytes(challenge)), "origin": origin, "crossOrigin": False}
    edited = edit.client(said)
    return edited if isinstance(edited, bytes) else json.dumps(edited, separators=(",", ":")).encode()
