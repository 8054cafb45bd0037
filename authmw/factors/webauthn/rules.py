"""Pure decisions of passkeys: what a browser is asked, and what its answer is worth.

Law: a passkey alone signs in only if the authenticator verified its user (ruling X-14); a counter that does not grow is a copied key until shown otherwise (WAN-05).
"""

from __future__ import annotations

import base64
import json
import unicodedata
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Literal, TypeAlias

import attrs

from authmw.crypto import tokens
from authmw.errors import Refused
from authmw.factors.webauthn.answers import decode
from authmw.factors.webauthn.cose import ALGORITHMS

LIFE = timedelta(minutes=5)
"""How long a challenge waits for its answer (WAN-02)."""

REGISTRATIONS = 10
"""Registrations that a user may have for one domain."""

AGENT = 256
"""Characters of the user agent that are kept of a registration: they come back in each session's JWT, which must fit into a cookie."""

HANDLE_BYTES = 64
"""Bytes of the longest user handle (WebAuthn section 5.4.3)."""

AuthenticatorType: TypeAlias = Literal["platform", "cross-platform"]
Verification: TypeAlias = Literal["preferred", "required"]


@attrs.frozen(kw_only=True)
class Known:
    """A credential as options name it: its id, and how the authenticator is reached."""

    credential_id: str
    transports: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Registrant:
    """Whose credential it will be, as the authenticator keeps and shows it. The handle says nothing of the person."""

    handle: str
    name: str
    display_name: str


def creation_options(
    *,
    domain: str,
    project: str,
    challenge: str,
    registrant: Registrant,
    known: Iterable[Known],
    authenticator_type: AuthenticatorType | None,
    passkey: bool,
    verification: Verification,
    attested: bool,
    base64url: bool,
) -> str:
    """What `navigator.credentials.create()` is asked (section 5.4), as JSON.

    Binary values are base64url without padding, or base64 as older clients decode it. `passkey` asks for a credential that is found without naming its user.
    """
    selection: dict[str, Any] = {
        "residentKey": "required" if passkey else "discouraged",
        "requireResidentKey": passkey,
        "userVerification": verification,
    }
    if authenticator_type is not None:
        selection["authenticatorAttachment"] = authenticator_type
    options = {
        "rp": {"id": domain, "name": project},
        "user": {
            "id": _spelled(registrant.handle, base64url=base64url),
            "name": registrant.name,
            "displayName": registrant.display_name,
        },
        "challenge": _spelled(challenge, base64url=base64url),
        "pubKeyCredParams": [{"type": "public-key", "alg": algorithm} for algorithm in ALGORITHMS],
        "timeout": int(LIFE.total_seconds() * 1000),
        "excludeCredentials": _listed(known, base64url=base64url),
        "authenticatorSelection": selection,
        "attestation": "direct" if attested else "none",
        "extensions": {"credProps": True},
    }
    return json.dumps(options, separators=(",", ":"))


def request_options(
    *, domain: str, challenge: str, known: Iterable[Known], verification: Verification, base64url: bool
) -> str:
    """What `navigator.credentials.get()` is asked (section 5.5), as JSON. With no known credential the authenticator says who it is."""
    options = {
        "challenge": _spelled(challenge, base64url=base64url),
        "timeout": int(LIFE.total_seconds() * 1000),
        "rpId": domain,
        "allowCredentials": _listed(known, base64url=base64url),
        "userVerification": verification,
    }
    return json.dumps(options, separators=(",", ":"))


def _listed(known: Iterable[Known], *, base64url: bool) -> list[dict[str, Any]]:
    return [
        {"type": "public-key", "id": _spelled(one.credential_id, base64url=base64url), "transports": [*one.transports]}
        for one in known
    ]


def _spelled(text: str, *, base64url: bool) -> str:
    if base64url:
        return text
    data = decode(text)
    assert data is not None  # ours
    return base64.b64encode(data).decode("ascii")


def given_handle(text: str) -> str:
    """A user handle that a caller chose, as it is kept. Refused: `bad_request` over 64 bytes."""
    handle = text.encode("utf-8", "surrogatepass")
    if not 1 <= len(handle) <= HANDLE_BYTES:
        raise Refused("bad_request", "`$.override_id` must be 1 to 64 bytes.")
    return tokens.base64url(handle)


def checked_name(text: str) -> str:
    """What a person calls a passkey: one line, 1 to 64 characters, without spaces around it. Refused: `empty_webauthn_registration_name`, `bad_request`."""
    name = unicodedata.normalize("NFC", text).strip()
    if not name:
        raise Refused("empty_webauthn_registration_name")
    if len(name) > 64 or any(unicodedata.category(one)[0] == "C" or one in "\u2028\u2029" for one in name):
        raise Refused("bad_request", "`$.name` must be one line of up to 64 characters.")
    return name


def check_worth(*, user_verified: bool, always: bool, joins: bool, opens: bool) -> None:
    """What an answer is worth. Refused: `webauthn_user_verification_required` for possession alone where the project demands more `always`, or where it would open a session by itself.

    `joins` says that it is added to a session of its user, which holds another factor (WA-06); `opens`, that a session is asked for (X-14).
    """
    if not user_verified and (always or (opens and not joins)):
        raise Refused("webauthn_user_verification_required")


def check_counter(before: int, now: int) -> None:
    """Refused: `webauthn_counter_not_increased` unless a signature counter grew, or there is none on either side (section 6.1.1)."""
    if (before or now) and now <= before:
        raise Refused("webauthn_counter_not_increased")
