"""Links by mail, whichever product sends them: made, and looked at when they come back.

Law: what is mailed is kept nowhere, only its digest. Ten looks at a link by somebody who lacks what else it needs use it up (A110).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs

from authmw.crypto import tokens
from authmw.factors.challenges import Challenge, check_attributes, check_pkce
from authmw.limits import Limit
from authmw.operations import SKEW, Call
from authmw.parameters import Attributes, MatchOptions
from authmw.people.records import Email, Subject
from authmw.signin.limits import charge

TRIES = 10
"""How often a link's token can be presented."""


@attrs.frozen(kw_only=True)
class Link:
    """What a link is made for: its purpose, where it leads, and how long it holds. `details` are kept with it."""

    purpose: str
    url: str
    life: timedelta
    details: dict[str, Any] = attrs.field(factory=dict[str, Any], repr=False)


def new_link(
    call: Call,
    user: Subject,
    email: Email,
    link: Link,
    *,
    pkce: str | None = None,
    attributes: Attributes | None = None,
) -> tuple[Challenge, str]:
    """A link for this user and address, and the token that is mailed and kept nowhere."""
    token = tokens.token()
    given = attributes or Attributes(ip_address=call.caller.ip_address, user_agent=call.caller.user_agent[:1024])
    challenge = Challenge(
        challenge_id=tokens.new_id("magic-link", call.settings.environment),
        purpose=link.purpose,
        subject_id=user.id,
        method_id=email.email_id,
        address=email.address,
        digest=tokens.digest(token),
        created_at=call.now,
        expires_at=call.now + link.life,
        pkce=pkce,
        ip_address=given.ip_address,
        user_agent=given.user_agent,
        redirect_url=link.url,
        details=link.details,
    )
    return challenge, token


async def check_link(
    call: Call,
    challenge: Challenge,
    refusal: str,
    attributes: Attributes | None,
    options: MatchOptions | None,
    verifier: str | None,
) -> None:
    """Refused unless whoever presents a link is who it may be presented by; each look is counted before."""
    life = challenge.expires_at - challenge.created_at + SKEW
    tries = Limit.during(life, "link", (call.settings.project_id, challenge.challenge_id), TRIES)
    await charge(call, tries, refusal=refusal, tells_wait=False)
    matching, given = options or MatchOptions(), attributes or Attributes()
    check_attributes(
        challenge,
        ip_address=given.ip_address,
        user_agent=given.user_agent,
        ip=matching.ip_match_required,
        agent=matching.user_agent_match_required,
    )
    check_pkce(challenge.pkce, verifier)
