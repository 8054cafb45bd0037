"""Verifying the two ceremonies (WebAuthn sections 7.1 and 7.2): a well-kept library, and around it what it leaves unchecked.

Law: whatever is wrong is one refusal, and so is whatever the library stumbles over; nothing is kept that was not verified. Challenge life, single use, and whose a
credential is are the operation's to check.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime
from importlib import import_module
from typing import Any, cast

import attrs
import msgspec

from authmw.crypto import ed25519, tokens
from authmw.errors import Misconfigured, Refused
from authmw.factors.webauthn.answers import Assertion, Attestation, ClientData, decode
from authmw.factors.webauthn.attested import check_model, check_trust
from authmw.factors.webauthn.cose import ALGORITHMS, EDDSA, check_key
from authmw.passkeys import ATTESTATION_FORMATS, RelyingParty

_ATTESTED_KEYS = {"fmt", "attStmt", "authData"}
_STATEMENTS: Mapping[str, frozenset[str]] = {
    "none": frozenset(),
    "packed": frozenset({"alg", "sig", "x5c"}),
    "fido-u2f": frozenset({"sig", "x5c"}),
    "tpm": frozenset({"ver", "alg", "sig", "x5c", "certInfo", "pubArea"}),
    "android-key": frozenset({"alg", "sig", "x5c"}),
    "apple": frozenset({"alg", "x5c"}),
}
"""What a statement of each format may hold (sections 8.2 to 8.8)."""
_HEADER = 37
"""Bytes of authenticator data before what was attested: hash of the domain, flags, counter (section 6.1)."""


class _Wrong(Exception):
    """Something is not as it must be; it never leaves this module."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a credential, sealed: the public key (COSE), and what its authenticator said of itself when it registered."""

    cose: bytes
    backup_eligible: bool
    backed_up: bool
    user_verified: bool
    aaguid: str
    attestation: str


@attrs.frozen(kw_only=True)
class Registered:
    """A registration that was verified."""

    key: Key
    counter: int


@attrs.frozen(kw_only=True)
class Used:
    """An assertion that was verified."""

    counter: int
    backed_up: bool
    user_verified: bool


def verify_registration(
    answer: Attestation,
    party: RelyingParty,
    *,
    user_verification: bool,
    roots: Collection[str],
    now: datetime,
    formats: Collection[str] = ATTESTATION_FORMATS,
) -> Registered:
    """Verify a new credential, whose attestation is of one of these formats. With `roots` (PEM) it must lead to one of them at `now`.

    Refused: `unable_to_register_webauthn_registration`.
    """
    _load()
    try:
        return _registered(answer, party, user_verification=user_verification, roots=roots, now=now, formats=formats)
    except Exception:  # noqa: BLE001 -- hostile bytes make the libraries raise anything; none of it is an answer
        raise Refused("unable_to_register_webauthn_registration") from None


def verify_assertion(answer: Assertion, party: RelyingParty, *, key: Key, handle: str, named: bool) -> Used:
    """Verify a signature of a known credential. `named` says that the user was known beforehand, so that the authenticator need not say whose credential it is.

    Refused: `unable_to_auth_webauthn_registration`. Counters are the caller's to judge (`rules.check_counter`).
    """
    _load()
    try:
        return _used(answer, party, key=key, handle=handle, named=named)
    except Exception:  # noqa: BLE001 -- as above
        raise Refused("unable_to_auth_webauthn_registration") from None


def _registered(
    answer: Attestation,
    party: RelyingParty,
    *,
    user_verification: bool,
    roots: Collection[str],
    now: datetime,
    formats: Collection[str],
) -> Registered:
    from webauthn import verify_registration_response
    from webauthn.helpers import parse_authenticator_data, parse_cbor
    from webauthn.helpers.cose import COSEAlgorithmIdentifier
    from webauthn.helpers.structs import AttestationFormat

    _check_client(answer.client, "webauthn.create", party)
    attested = _attested(answer.attestation_object, formats)
    trusted = [root.encode("ascii") for root in roots]
    verified = verify_registration_response(
        credential=_credential(
            answer.credential_id, answer.client, attestationObject=tokens.base64url(answer.attestation_object)
        ),
        expected_challenge=_challenge(answer.client),
        expected_rp_id=party.domain,
        expected_origin=list(party.origins),
        require_user_verification=user_verification,
        supported_pub_key_algs=[COSEAlgorithmIdentifier(one) for one in ALGORITHMS],
        # These two the library holds to their makers' own roots, which a project may add to; it is `check_certificates` that narrows them.
        pem_root_certs_bytes_by_fmt={AttestationFormat.APPLE: trusted, AttestationFormat.ANDROID_KEY: trusted},
    )
    data = parse_authenticator_data(attested["authData"])
    credential = data.attested_credential_data
    _require(credential is not None)
    assert credential is not None  # required
    _require(credential.credential_id == answer.credential_id)
    held = len(credential.credential_id).to_bytes(2, "big") + credential.credential_id
    rest = credential.aaguid + held + credential.credential_public_key + (data.extensions or b"")
    _require(attested["authData"][_HEADER:] == rest)
    check_key(parse_cbor(credential.credential_public_key))
    chain = attested["attStmt"].get("x5c")
    if attested["fmt"] == "packed":
        check_model(chain, credential.aaguid)
    check_trust(chain, roots, now)
    return Registered(
        key=Key(
            cose=credential.credential_public_key,
            backup_eligible=data.flags.be,
            backed_up=data.flags.bs,
            user_verified=data.flags.uv,
            aaguid=verified.aaguid,
            attestation=attested["fmt"],
        ),
        counter=data.sign_count,
    )


def _used(answer: Assertion, party: RelyingParty, *, key: Key, handle: str, named: bool) -> Used:
    from webauthn import verify_authentication_response
    from webauthn.helpers import parse_authenticator_data, parse_cbor

    _check_client(answer.client, "webauthn.get", party)
    _require(tokens.same(answer.user_handle, decode(handle) or b"") if answer.user_handle else named)
    verify_authentication_response(
        credential=_credential(
            answer.credential_id,
            answer.client,
            authenticatorData=tokens.base64url(answer.authenticator_data),
            signature=tokens.base64url(answer.signature),
        ),
        expected_challenge=_challenge(answer.client),
        expected_rp_id=party.domain,
        expected_origin=list(party.origins),
        credential_public_key=key.cose,
        credential_current_sign_count=0,
    )
    public = parse_cbor(key.cose)
    if check_key(public) == EDDSA:
        ed25519.verify(
            public[-2], answer.signature, answer.authenticator_data + hashlib.sha256(answer.client.raw).digest()
        )
    data = parse_authenticator_data(answer.authenticator_data)
    _require(data.attested_credential_data is None)
    _require(len(answer.authenticator_data) == _HEADER + len(data.extensions or b""))
    _require(data.flags.be == key.backup_eligible)
    return Used(counter=data.sign_count, backed_up=data.flags.bs, user_verified=data.flags.uv)


def _check_client(client: ClientData, ceremony: str, party: RelyingParty) -> None:
    """What the browser says: this ceremony, at one of these origins, in no page of another site."""
    _require(client.type == ceremony)
    _require(client.origin in party.origins)
    _require(not client.embedded)


def _attested(data: bytes, formats: Collection[str]) -> dict[str, Any]:
    """The attestation object in its one encoding, of one of these formats, whose statement holds nothing else."""
    from webauthn.helpers import encode_cbor, parse_cbor

    attested: Any = parse_cbor(data)
    _require(type(attested) is dict and attested.keys() == _ATTESTED_KEYS)
    _require(encode_cbor(attested) == data)
    statement: Any = attested["attStmt"]
    _require(attested["fmt"] in formats and type(statement) is dict and type(attested["authData"]) is bytes)
    _require(statement.keys() <= _STATEMENTS[str(attested["fmt"])])
    return cast("dict[str, Any]", attested)


def _credential(credential_id: bytes, client: ClientData, **response: str) -> dict[str, Any]:
    """The answer in the library's form, made of what was read strictly."""
    text = tokens.base64url(credential_id)
    return {
        "id": text,
        "rawId": text,
        "type": "public-key",
        "response": {"clientDataJSON": tokens.base64url(client.raw), **response},
    }


def _challenge(client: ClientData) -> bytes:
    return decode(client.challenge) or b""


def _load() -> None:
    """Load the library; that it is not installed is no fault of an answer. Misconfigured then."""
    try:
        import_module("webauthn.helpers")
    except ImportError:
        raise Misconfigured("Passkeys need the package webauthn: pip install 'authmw[passkeys]'") from None


def _require(condition: object) -> None:
    if not condition:
        raise _Wrong
