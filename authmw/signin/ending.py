"""Ending sessions: all of a person's, or all but the one that asks.

Law: sessions end by the commit that raises their subject's epoch (SES-06), whatever else that commit does, and their JWTs are refused in this process as soon as it stands.
"""

from __future__ import annotations

from typing import TypeVar

import attrs

from authmw.operations import Call, visit
from authmw.people.purging import leave_purge
from authmw.people.records import Session, Subject
from authmw.signin.complete import SignedIn
from authmw.signin.keys import KeyRing
from authmw.signin.rules import still_held
from authmw.signin.sessions import Live, derive_token, issue_jwt, with_new_secret
from authmw.storage import Update, Write

S = TypeVar("S", bound=Subject)
KEPT = "other sessions kept"
"""The remark of an event that would have ended them by default (SES-07)."""


def end_all(call: Call, subject: S) -> S:
    """The subject under the next epoch: every session born before is over with the commit that writes it, and cleared behind it.

    Where the project keeps them (`SessionRules.end_others`) the event says so, and only what waits to be answered is over.
    """
    if not call.settings.sessions.end_others:
        call.remark = "; ".join(filter(None, (call.remark, KEPT)))
        return attrs.evolve(subject, kept_epochs=subject.kept_epochs + 1)
    deny_all(call, subject)
    leave_purge(call, subject.id, epoch=subject.session_epoch + 1)
    return attrs.evolve(subject, session_epoch=subject.session_epoch + 1)


def deny_all(call: Call, subject: Subject) -> None:
    """Have JWTs of this subject's sessions refused in this process, when the running operation's commit stands."""
    core, epoch = call.core, subject.session_epoch + 1

    async def deny() -> None:
        core.denied.raise_epoch(subject.id, epoch, core.clock.now())

    call.after.append(deny)


@attrs.frozen
class Kept:
    """A person whose other sessions have ended, and the session that stays. `writes` belong into one commit with what ended the others."""

    subject: Subject
    session: Session

    @property
    def writes(self) -> tuple[Write, Write]:
        """What to commit."""
        return Update(self.subject), Update(self.session)


def end_others(call: Call, live: Live, subject: Subject) -> Kept:
    """End every session of the live one's subject but this one, which moves to the new epoch and gets a new secret (SES-01, SES-07).

    A factor that `subject` has no more counts in it no longer.

    `subject` is the subject as it is to be written, changed or not. After the commit hand out the fresh tokens: `await keep_signed_in(...)`. Where the vendor's client keeps the
    tokens itself it reads none from such an answer, so there the secret stays.
    """
    ended = end_all(call, subject)
    moved = attrs.evolve(
        live.session,
        factors=still_held(live.session.factors, ended),
        subject_epoch=ended.session_epoch,
        last_accessed_at=call.now,
    )
    if not call.settings.cookies.vendor:
        moved = with_new_secret(call.core.roots, moved, call.now)
    return Kept(ended, moved)


async def keep_signed_in(call: Call, keys: KeyRing, kept: Kept) -> None:
    """Leave fresh tokens of the kept session on the visit, once the commit stands: the answer to the browser carries them, whatever else it says."""
    here = visit.get()
    if here is None:
        return
    here.kept = SignedIn(
        subject=kept.subject,
        session=kept.session,
        session_token=derive_token(call.core.roots, kept.session) or "",
        session_jwt=await issue_jwt(call.core, keys, kept.session, kept.subject, call.now),
    )
