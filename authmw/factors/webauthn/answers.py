"""What a browser's ceremony answered: read once and strictly, before anything of it is believed.

Law: a value has one spelling. Base64url without padding, one JSON object without a name twice, UTF-8; whatever two parsers could read differently is refused.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

import attrs

from authmw.crypto.strict_json import strict_object
from authmw.crypto.tokens import from_base64url
from authmw.errors import Refused

MAXIMUM_CLIENT_DATA = 8 * 1024
MAXIMUM_ATTESTATION = 48 * 1024
MAXIMUM_CREDENTIAL_ID = 1023
"""Bytes of the longest credential id (WebAuthn section 7.1, step 25)."""

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_TRANSPORTS = frozenset({"usb", "nfc", "ble", "smart-card", "hybrid", "internal"})
_ATTACHMENTS = frozenset({"platform", "cross-platform"})
_INVALID = "invalid_public_key_credential"


@attrs.frozen(kw_only=True)
class ClientData:
    """What the browser says of the ceremony (section 5.8.1). `raw` is what was hashed and signed; `challenge` is 32 bytes in base64url."""

    raw: bytes = attrs.field(repr=False)
    type: str
    challenge: str = attrs.field(repr=False)
    origin: str
    embedded: bool
    """Whether the page ran inside one of another site."""


@attrs.frozen(kw_only=True)
class Attestation:
    """The answer to `navigator.credentials.create()`."""

    credential_id: bytes = attrs.field(repr=False)
    client: ClientData
    attestation_object: bytes = attrs.field(repr=False)
    transports: tuple[str, ...] = ()
    attachment: str = ""


@attrs.frozen(kw_only=True)
class Assertion:
    """The answer to `navigator.credentials.get()`. `user_handle` is empty if the authenticator gave none."""

    credential_id: bytes = attrs.field(repr=False)
    client: ClientData
    authenticator_data: bytes = attrs.field(repr=False)
    signature: bytes = attrs.field(repr=False)
    user_handle: bytes = attrs.field(default=b"", repr=False)


def decode(text: object) -> bytes | None:
    """The bytes of unpadded base64url, or None for anything else, a second spelling of the same bytes included."""
    try:
        return from_base64url(text) if isinstance(text, str) else None
    except ValueError:
        return None


def read_attestation(text: str) -> Attestation:
    """Read the answer to a registration. Refused: `invalid_public_key_credential` and its kin, which name the part that cannot be read."""
    answer, response = _parts(text)
    found = _bytes_of(response, "attestationObject", "attestation_object", MAXIMUM_ATTESTATION)
    transports = response.get("transports")
    known = [one for one in transports if isinstance(one, str)] if isinstance(transports, list) else []  # pyright: ignore[reportUnknownVariableType]
    attachment = answer.get("authenticatorAttachment")
    return Attestation(
        credential_id=_id_of(answer),
        client=_client_data(response),
        attestation_object=found,
        transports=tuple(sorted(_TRANSPORTS.intersection(known))),
        attachment=attachment if isinstance(attachment, str) and attachment in _ATTACHMENTS else "",
    )


def read_assertion(text: str) -> Assertion:
    """Read the answer to a sign-in. Refused as `read_attestation`."""
    answer, response = _parts(text)
    handle = response.get("userHandle")
    user_handle = b"" if handle is None else decode(handle)
    if user_handle is None or len(user_handle) > 64:
        _refuse("")
    return Assertion(
        credential_id=_id_of(answer),
        client=_client_data(response),
        authenticator_data=_bytes_of(response, "authenticatorData", "authenticator_data", MAXIMUM_CLIENT_DATA),
        signature=_bytes_of(response, "signature", "signature", MAXIMUM_CLIENT_DATA),
        user_handle=user_handle,
    )


def _parts(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    answer = _object(text)
    if answer is None or answer.get("type", "public-key") != "public-key":
        _refuse("")
    response = answer.get("response")
    if response is None:
        _refuse("_missing_response_field")
    if not isinstance(response, dict):
        _refuse("")
    return answer, response  # pyright: ignore[reportUnknownVariableType]


def _id_of(answer: dict[str, Any]) -> bytes:
    if answer.get("id") is None:
        _refuse("_missing_id_field")
    found = decode(answer["id"])
    if not found or len(found) > MAXIMUM_CREDENTIAL_ID or answer.get("rawId", answer["id"]) != answer["id"]:
        _refuse("_invalid_id")
    return found


_MALFORMED = {
    "attestation_object": "_malformed_attestation_object",
    "authenticator_data": "_invalid_authenticator_data",
    "signature": "_invalid_signature",
    "client_data_json": "_malformed_client_data_json",
}


def _bytes_of(response: dict[str, Any], name: str, field: str, most: int) -> bytes:
    if response.get(name) is None:
        _refuse(f"_missing_{field}_field")
    found = decode(response[name])
    if not found or len(found) > most:
        _refuse(_MALFORMED[field])
    return found


def _client_data(response: dict[str, Any]) -> ClientData:
    raw = _bytes_of(response, "clientDataJSON", "client_data_json", MAXIMUM_CLIENT_DATA)
    try:
        said = _object(raw.decode("utf-8-sig"))  # section 7.1 step 5: UTF-8 decode, which drops a byte order mark
    except UnicodeDecodeError:
        said = None
    texts = [said.get(name) for name in ("type", "challenge", "origin")] if said is not None else [None]
    if said is None or not all(isinstance(one, str) for one in texts) or not _CHALLENGE.fullmatch(said["challenge"]):
        _refuse("_malformed_client_data_json")
    embedded = said.get("crossOrigin", False) is not False or "topOrigin" in said
    return ClientData(raw=raw, type=said["type"], challenge=said["challenge"], origin=said["origin"], embedded=embedded)


def _object(text: str) -> dict[str, Any] | None:
    """One JSON object in which no name stands twice, or None."""
    try:
        return strict_object(text)
    except (ValueError, RecursionError):
        return None


def _refuse(which: str) -> NoReturn:
    raise Refused(_INVALID + which)
