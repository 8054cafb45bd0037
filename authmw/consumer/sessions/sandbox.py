"""The session tokens of the sandbox: fixed values that answer the same at every call, for trying an integration (Test only).

Law: no storage is touched, no browser is signed in by one, and Live knows none of them.
"""

from __future__ import annotations

from datetime import timedelta

from authmw.errors import Refused
from authmw.operations import Call
from authmw.people.directory import sandbox_user
from authmw.people.records import Proved, Session
from authmw.signin.rules import end_of
from authmw.signin.sessions import Live

LIVING = "WJtR5BCy38Szd5AfoDpf0iqFKEt4EE5JhjlWUY7l3FtY"
UNKNOWN = "59cnLELtq5cFVS6uYK9f-pAWzBkhqZl8AvLhbhOvKNWw"
_SESSION = "session-test-fe6c042b-6286-479f-8a4f-b046a6c46509"


def sandbox_session(call: Call, token: str | None, minutes: int | None) -> Live | None:
    """The session of a sandbox token, or None for any other token. Refused: `session_not_found` for the one that stands for an unknown session."""
    settings = call.settings
    if token not in {LIVING, UNKNOWN} or settings.live or not settings.sandbox or call.caller.audience == "browser":
        return None
    if token == UNKNOWN:
        raise Refused("session_not_found")
    user = sandbox_user(call.now)
    email = user.emails[0]
    factor = Proved(
        type="magic_link",
        delivery_method="email",
        last_authenticated_at=call.now,
        created_at=call.now,
        updated_at=call.now,
        details={"email_factor": {"email_id": email.email_id, "email_address": email.address}},
    )
    began = call.now - timedelta(minutes=1)
    session = Session(
        session_id=_SESSION,
        subject_id=user.id,
        random=b"",
        key_version=call.core.roots.newest,
        digest="",
        started_at=began,
        last_accessed_at=call.now,
        expires_at=end_of(call.now, minutes or settings.sessions.default_minutes, began, settings.sessions),
        factors=(factor,),
    )
    return Live(session, user)
