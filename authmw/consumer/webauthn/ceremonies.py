"""What both ceremonies share: a challenge that waits for one answer.

Law: a challenge is answered once, right or wrong, within five minutes, in the ceremony, by the session and from the browser it was made for (WAN-02).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from authmw.consumer.binding import agent_of, is_bound
from authmw.crypto import tokens
from authmw.errors import Refused
from authmw.factors.challenges import Challenge
from authmw.factors.webauthn.rules import LIFE
from authmw.ledger.commits import commit
from authmw.limits import Limit
from authmw.operations import Call
from authmw.passkeys import RelyingParty
from authmw.people.records import Subject
from authmw.signin.limits import charge, network_of
from authmw.signin.sessions import Live
from authmw.storage import Delete

T = TypeVar("T")

KIND = "webauthn"
FACTOR = "webauthn:webauthn_registration"
REGISTERING, SIGNING_IN = "webauthn_register", "webauthn_authenticate"


def party_of(call: Call, domain: str) -> RelyingParty:
    """The relying party of a domain of the project. Refused: `invalid_webauthn_registration_domain`."""
    settings = call.settings
    party = settings.webauthn.relying_party(domain.lower(), (settings.origin, *settings.cors_origins))
    if party is None:
        raise Refused("invalid_webauthn_registration_domain")
    return party


def new_challenge(
    call: Call, purpose: str, subject: Subject | None, live: Live | None, details: dict[str, Any]
) -> tuple[str, Challenge]:
    """A challenge (32 random bytes in base64url) for this subject or whoever proves to be one, and what is kept of it: its digest."""
    text = tokens.token()
    return text, Challenge(
        challenge_id=_key(purpose, text),
        purpose=purpose,
        subject_id=subject.id if subject else "",
        method_id="",
        created_at=call.now,
        expires_at=call.now + LIFE,
        user_agent=agent_of(call),
        session_id=live.session.session_id if live else None,
        details=details,
    )


async def waiting(call: Call, purpose: str, text: str, live: Live | None, refusal: str) -> Challenge:
    """The challenge that an answer names, if it waits for an answer from here."""
    challenge = await call.storage.get(Challenge, _key(purpose, text))
    if challenge is None or call.now >= challenge.expires_at:
        raise Refused(refusal)
    if not is_bound(call, live, session_id=challenge.session_id, agent=challenge.user_agent):
        raise Refused(refusal)
    return challenge


async def judged(challenge: Challenge, subject_id: str, judge: Callable[[], T]) -> T:
    """What an answer is worth. A refusal is logged, and spends the challenge all the same."""
    try:
        return judge()
    except Refused as refused:
        await commit(Delete(challenge), subject_id=subject_id, factor=FACTOR, refusal=refused)
        raise


async def charge_ceremony(call: Call, subject: Subject | None) -> None:
    """Count a challenge: 30 a minute for one user, 300 for one visitor's network without one. Refused: `too_many_requests`."""
    project, minute = call.settings.project_id, timedelta(minutes=1)
    if subject is not None:
        await charge(call, Limit("passkey challenges", (project, subject.id), 30, minute))
    elif call.caller.audience == "browser" and call.caller.ip_address:
        asked_from = network_of(call.caller.ip_address)
        await charge(call, Limit("passkey challenges from a network", (project, asked_from), 300, minute))


def _key(purpose: str, text: str) -> str:
    return f"{purpose}|{tokens.digest(text)}"
