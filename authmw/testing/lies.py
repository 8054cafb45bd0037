"""What hostile pages and broken authenticators say: edits of an authenticator's answer, and a list of lies that no relying party may take."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import attrs

USER_PRESENT, USER_VERIFIED, BACKUP_ELIGIBLE, BACKED_UP, ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40
"""Flags of authenticator data (WebAuthn section 6.1)."""


@attrs.frozen(kw_only=True)
class Edits:
    """What a hostile page or a broken authenticator does to an answer; each takes what is right and gives what is sent. Whoever edits is no browser: nothing is checked for them.

    `client` changes the client data before it is hashed (a dict, or the bytes themselves), `data` the authenticator data before it is signed, `signature` what was signed,
    `attestation` the attestation object (a dict, or its bytes), and `answer` the whole answer.
    """

    client: Callable[[dict[str, Any]], dict[str, Any] | bytes] = attrs.field(default=lambda said: said)
    data: Callable[[bytes], bytes] = attrs.field(default=lambda data: data)
    signature: Callable[[bytes], bytes] = attrs.field(default=lambda signature: signature)
    attestation: Callable[[dict[str, Any]], dict[str, Any] | bytes] = attrs.field(default=lambda attested: attested)
    answer: Callable[[dict[str, Any]], dict[str, Any]] = attrs.field(default=lambda answer: answer)


def says(**changes: Any) -> Edits:
    """Client data with other members."""
    return Edits(client=lambda said: {**said, **changes})


def flagged(*, on: int = 0, off: int = 0) -> Edits:
    """Authenticator data with flags set or cleared."""
    return Edits(data=lambda data: data[:32] + bytes([data[32] & ~off | on]) + data[33:])


def answers(**changes: Any) -> Edits:
    """A response with other members."""
    return Edits(answer=lambda said: {**said, "response": {**said["response"], **changes}})


def with_another_bit(signature: bytes) -> bytes:
    """The same bytes with the lowest bit of the last one changed: never the bytes that were given, whatever they end in."""
    return signature[:-1] + bytes([signature[-1] ^ 1])


LIES: Mapping[str, Edits] = MappingProxyType(
    {
        "made on a page of another origin": says(origin="https://evil.example"),
        "made on a page inside another site's": says(crossOrigin=True),
        "made for another ceremony": says(type="payment.get"),
        "made for another domain": Edits(data=lambda data: bytes(32) + data[32:]),
        "made though nobody was there": flagged(off=USER_PRESENT),
        "backed up though it cannot be": flagged(on=BACKED_UP, off=BACKUP_ELIGIBLE),
        "with bytes to spare": Edits(data=lambda data: data + b"\0"),
        "with client data in another spelling": Edits(client=lambda said: json.dumps(said).encode("utf-16")),
    }
)
"""What no relying party may take, of a registration or a sign-in."""

SIGN_IN_LIES: Mapping[str, Edits] = MappingProxyType(
    {
        **LIES,
        "signed by nobody": Edits(signature=lambda signature: bytes(len(signature))),
        "with one bit of its signature changed": Edits(signature=with_another_bit),
        "said to be another user's": answers(userHandle="c29tZWJvZHkgZWxzZQ"),
    }
)
"""What no relying party may take of a sign-in."""
