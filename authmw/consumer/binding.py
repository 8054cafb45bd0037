"""What a challenge is bound to beside its user: the session that asked, and where there is none, at least the browser.

Law: what one browser was asked is answered by no other (WAN-02, WAL-04). A backend answers for its own people, so its challenges are bound to the user it names.
"""

from __future__ import annotations

from authmw.consumer.proofs import signed_in_caller
from authmw.errors import Refused
from authmw.operations import Call
from authmw.people.records import Subject
from authmw.signin.keys import KeyRing
from authmw.signin.rules import is_impersonated
from authmw.signin.sessions import Live


async def own_session(call: Call, keys: KeyRing) -> Live | None:
    """The session that a browser carries; none of a backend's."""
    return await signed_in_caller(call, keys, None, None) if call.caller.audience == "browser" else None


def agent_of(call: Call) -> str:
    """The browser that asks; empty for a backend."""
    return call.caller.user_agent[:1024] if call.caller.audience == "browser" else ""


def is_bound(call: Call, live: Live | None, *, session_id: str | None, agent: str) -> bool:
    """Whether an answer comes from where its challenge was asked for."""
    same_session = session_id is None or (live is not None and live.session.session_id == session_id)
    return same_session and (call.caller.audience != "browser" or agent == agent_of(call))


def joins(live: Live | None, subject: Subject) -> bool:
    """Whether a proof of this subject is added to the session that is there (`signin.complete` joins no other)."""
    return live is not None and live.subject.id == subject.id and not is_impersonated(live.session.factors)


def check_own(call: Call, live: Live | None, subject: Subject, missing: str) -> None:
    """Refused with `missing` unless a browser asks about its own user, and `session_not_mutable` if somebody else is behind it."""
    if call.caller.audience != "browser":
        return
    if live is None or live.subject.id != subject.id:
        raise Refused(missing)
    if is_impersonated(live.session.factors):
        raise Refused("session_not_mutable")
