"""How makers of authenticators show what theirs are (WebAuthn sections 8.3 to 8.8): statements of each format, made with real keys under a root of our own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier
from pyasn1.codec.der.encoder import encode as der
from webauthn.helpers import parse_authenticator_data, parse_cbor
from webauthn.helpers.asn1.android_key import KeyDescription

from authmw.testing import AttestationAuthority, Edits

Statement = Callable[[AttestationAuthority, bytes, bytes, dict[str, Any]], dict[str, Any]]
"""A statement by this maker over this authenticator data and this hash of the client data; the last is what the authenticator itself would have said."""


def stated(name: str, authority: AttestationAuthority, lie: Callable[[dict[str, Any]], None] | None = None) -> Edits:
    """An answer with a statement of this format; `lie` changes the statement once it is made. The authenticator's own must be `self`."""
    client: list[bytes] = []

    def heard(said: dict[str, Any]) -> bytes:
        client.append(json.dumps(said, separators=(",", ":")).encode())
        return client[0]

    def attested(made: dict[str, Any]) -> dict[str, Any]:
        statement = STATEMENTS[name](authority, made["authData"], hashlib.sha256(client[0]).digest(), made["attStmt"])
        if lie is not None:
            lie(statement)
        return {"fmt": name, "attStmt": statement, "authData": made["authData"]}

    return Edits(client=heard, attestation=attested)


def held(data: bytes) -> tuple[bytes, bytes, ec.EllipticCurvePublicKey]:
    """Id, point and key of the credential in authenticator data."""
    credential = parse_authenticator_data(data).attested_credential_data
    assert credential is not None
    key = parse_cbor(credential.credential_public_key)
    point = b"\x04" + key[-2] + key[-3]
    return credential.credential_id, point, ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)


def certified(
    authority: AttestationAuthority, key: ec.EllipticCurvePublicKey, *extensions: x509.ExtensionType, named: bool = True
) -> bytes:
    """A certificate of this maker (DER)."""
    names = [x509.NameAttribute(NameOID.COMMON_NAME, "A key")] if named else []
    root = x509.load_pem_x509_certificate(authority.root.encode())
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(names))
        .issuer_name(root.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(authority.begins)
        .not_valid_after(authority.begins + timedelta(days=authority.days))
    )
    for one in (x509.BasicConstraints(ca=False, path_length=None), *extensions):
        builder = builder.add_extension(one, critical=False)
    return builder.sign(authority._key, SHA256()).public_bytes(Encoding.DER)


def _u2f(authority: AttestationAuthority, data: bytes, client: bytes, own: dict[str, Any]) -> dict[str, Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    credential_id, point, _ = held(data)
    signed = key.sign(b"\0" + data[:32] + client + credential_id + point, ec.ECDSA(SHA256()))
    return {"sig": signed, "x5c": [certified(authority, key.public_key())]}


def _apple(authority: AttestationAuthority, data: bytes, client: bytes, own: dict[str, Any]) -> dict[str, Any]:
    nonce = b"\x30\x24\xa1\x22\x04\x20" + hashlib.sha256(data + client).digest()
    extension = x509.UnrecognizedExtension(ObjectIdentifier("1.2.840.113635.100.8.2"), nonce)
    return {"alg": -7, "x5c": [certified(authority, held(data)[2], extension)]}


def _android(authority: AttestationAuthority, data: bytes, client: bytes, own: dict[str, Any]) -> dict[str, Any]:
    said = KeyDescription()
    for name, value in (
        ("attestationVersion", 4),
        ("attestationSecurityLevel", 1),
        ("keymasterVersion", 4),
        ("keymasterSecurityLevel", 1),
        ("attestationChallenge", client),
        ("uniqueId", b""),
    ):
        said[name] = value
    said["softwareEnforced"].clear()
    said["teeEnforced"]["purpose"].extend([2])
    said["teeEnforced"]["origin"] = 0
    extension = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.11129.2.1.17"), der(said))
    root = x509.load_pem_x509_certificate(authority.root.encode()).public_bytes(Encoding.DER)
    return {**own, "x5c": [certified(authority, held(data)[2], extension), root]}


def _tpm(authority: AttestationAuthority, data: bytes, client: bytes, own: dict[str, Any]) -> dict[str, Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    _, point, _ = held(data)
    x, y = point[1:33], point[33:]
    parameters = bytes.fromhex("0010001000030010")  # no symmetric algorithm, no scheme, P-256, no derivation
    area = bytes.fromhex("0023000b00060472") + b"\0\0" + parameters + b"\0\x20" + x + b"\0\x20" + y
    extra = hashlib.sha256(data + client).digest()
    name = b"\0\x0b" + hashlib.sha256(area).digest()
    info = b"\xffTCG\x80\x17" + b"\0\0" + b"\0\x20" + extra + bytes(17) + bytes(8) + b"\0\x22" + name + b"\0\0"
    module = [("2.23.133.2.1", "id:494E5443"), ("2.23.133.2.2", "model"), ("2.23.133.2.3", "id:13")]
    names = x509.Name([x509.NameAttribute(ObjectIdentifier(oid), value) for oid, value in module])
    extensions = (
        x509.SubjectAlternativeName([x509.DirectoryName(names)]),
        x509.ExtendedKeyUsage([ObjectIdentifier("2.23.133.8.3")]),
    )
    return {
        "ver": "2.0",
        "alg": -7,
        "sig": key.sign(info, ec.ECDSA(SHA256())),
        "x5c": [certified(authority, key.public_key(), *extensions, named=False)],
        "certInfo": info,
        "pubArea": area,
    }


STATEMENTS: dict[str, Statement] = {"fido-u2f": _u2f, "apple": _apple, "android-key": _android, "tpm": _tpm}
