"""One code of any channel: made, stored in the place of the one before, counted, and what it proves.

Law: what is kept of a code is keyed and bound to its method; there is one code per method, so that a new one ends the old one whatever channel it went by.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import attrs

from authmw.consumer.proofs import claimed_by
from authmw.crypto import tokens
from authmw.factors.challenges import Challenge
from authmw.operations import Call
from authmw.parameters import Attributes
from authmw.people.directory import in_sandbox
from authmw.people.records import Proved, Subject, User
from authmw.signin.attempts import Guess
from authmw.signin.rules import category_of
from authmw.signin.sessions import Live
from authmw.storage import Insert, Update, Write

_PURPOSE = "one-time passcode"
_SANDBOX_CODE = "000000"
_CHANNELS = {"email_otp": "email", "sms_otp": "sms", "whatsapp_otp": "whatsapp"}
"""The delivery method of each purpose."""


@attrs.frozen(kw_only=True)
class Sent:
    """What a code is made for: its purpose, the method (an e-mail's or a phone number's id), where it goes, and how long it holds."""

    purpose: str
    method_id: str
    address: str = attrs.field(repr=False)
    life: timedelta


def code_key(method_id: str) -> str:
    """Where the one code of a method is stored."""
    return f"otp|{method_id}"


def code_mac(call: Call, method_id: str, code: str) -> bytes:
    """What is kept of a code: six digits are few, so it is keyed and bound to the method."""
    return call.core.roots.mac(_PURPOSE, method_id, code)


def is_code_of(call: Call, challenge: Challenge, code: str) -> bool:
    """Whether this is the code, also of a process that has not got the newest root key yet."""
    roots = call.core.roots
    macs = [roots.mac(_PURPOSE, challenge.method_id, code, version=version) for version in roots.versions]
    return sum(tokens.same(mac, challenge.code_mac) for mac in macs) > 0


def decoy(call: Call, prefix: str, address: str) -> str:
    """A method id for an address or number nobody has, the same at each asking: one that changed would tell a stranger who is known (ENU-01)."""
    made = UUID(bytes=call.core.roots.mac("method id of nobody", address)[:16], version=4)
    return f"{prefix}-{call.settings.environment}-{made}"


def guess_at(challenge: Challenge, user: User, *, by_own_session: bool) -> Guess:
    """A guess at this code, counted by its channel."""
    return Guess(
        subject=user,
        factor=f"otp:{_CHANNELS[challenge.purpose]}",
        authenticator=challenge.method_id,
        challenge=(challenge.method_id, challenge.generation),
        life=challenge.expires_at - challenge.created_at,
        refusal="unable_to_auth_otp_code",
        by_own_session=by_own_session,
    )


def proved_by(challenge: Challenge, now: datetime) -> Proved:
    """What a right code proves, as sessions and answers show it."""
    channel = _CHANNELS[challenge.purpose]
    details = (
        {"email_factor": {"email_id": challenge.method_id, "email_address": challenge.address}}
        if channel == "email"
        else {"phone_number_factor": {"phone_id": challenge.method_id, "phone_number": challenge.address}}
    )
    return Proved(
        type="otp",
        delivery_method=channel,
        last_authenticated_at=now,
        created_at=now,
        updated_at=now,
        details=details,
        category=category_of("otp", channel),
    )


async def new_code(
    call: Call,
    user: Subject,
    sent: Sent,
    attributes: Attributes | None,
    *,
    claimed: bool = False,
    live: Live | None = None,
) -> tuple[str, Write]:
    """A code for this method, and the write that stores it in the place of the one before."""
    code = _SANDBOX_CODE if in_sandbox(call, sent.address) else tokens.digits(6)
    given = attributes or Attributes(ip_address=call.caller.ip_address, user_agent=call.caller.user_agent[:1024])
    challenge = Challenge(
        challenge_id=code_key(sent.method_id),
        purpose=sent.purpose,
        subject_id=user.id,
        method_id=sent.method_id,
        address=sent.address,
        code_mac=code_mac(call, sent.method_id, code),
        generation=tokens.token(),
        created_at=call.now,
        expires_at=call.now + sent.life,
        ip_address=given.ip_address,
        user_agent=given.user_agent,
    )
    if claimed:
        challenge = claimed_by(call, challenge, user, live)
    standing = await call.storage.get(Challenge, challenge.challenge_id)
    return code, Update(attrs.evolve(challenge, version=standing.version)) if standing else Insert(challenge)
