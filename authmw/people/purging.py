"""Clearing up behind a deletion: what belonged to somebody who is gone, and sessions that were ended all at once.

Law: nothing here decides who may sign in; all of it was dead with the commit that left the purge. So it may be late, be repeated, and lose against any other commit.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from authmw.crypto import tokens
from authmw.factors.challenges import Challenge
from authmw.ledger.commits import settle
from authmw.ledger.records import Purge
from authmw.operations import Call, Core
from authmw.people.apps import Consent, Grant
from authmw.people.records import Credential, Session, User
from authmw.storage import MAX_WRITES, Between, Cursor, Delete, Equals, Filter, Order, Record, Update, moment

AT_ONCE = MAX_WRITES - 1
"""Rows cleared in one commit, beside the purge itself."""


def leave_purge(call: Call, subject_id: str, *, epoch: int | None = None) -> None:
    """Have remains cleared behind the commit that the running operation is about to make: with `epoch` the sessions born under an earlier one
    and the secrets of factors that are gone, else all of a subject.
    """
    call.outgoing.append(
        Purge(
            purge_id=tokens.new_id("purge", call.settings.environment),
            subject_id=subject_id,
            epoch=epoch,
            due_at=call.now,
        )
    )


async def purge_due(core: Core, now: datetime, limit: int = 50) -> int:
    """Clear what is due, 20 records a commit; how many purges were finished."""
    page = await core.storage.page(Purge, Between("due", None, (moment(now),)), order=Order("due"), limit=limit)
    finished = 0
    for purge in page.records:
        finished += await _purge(core, purge)
    return finished


async def _purge(core: Core, purge: Purge) -> bool:
    """Clear one subject's remains; False if another worker took over, or something changed meanwhile: it stays due."""
    theirs = Equals("subject", (purge.subject_id,))
    kinds: tuple[tuple[type[Record], Filter], ...] = (
        (Session, Between("subject", (purge.subject_id,), (purge.subject_id, moment(purge.due_at)))),
        (Credential, theirs),
    )
    if purge.epoch is None:
        kinds = (*kinds, (Challenge, theirs), (Consent, theirs), (Grant, theirs))
    for kind, where in kinds:
        after: Cursor | None = None
        while True:
            found = await core.storage.page(kind, where, after=after, limit=AT_ONCE)
            # Read after the page: what stood in it had come with its part, in one commit.
            subject = await core.storage.get(User, purge.subject_id) if kind is Credential else None
            remains = [record for record in found.records if _remains(record, purge, subject)]
            if remains:
                if not await settle(core, Update(purge), *(Delete(record) for record in remains)):
                    return False
                purge = attrs.evolve(purge, version=purge.version + 1)
            after = found.cursor
            if after is None:
                break
    return await settle(core, Delete(purge))


def _remains(record: Any, purge: Purge, subject: User | None) -> bool:
    """Whether a record is dead: a living session of a subject that stays was born under the epoch that holds, and whoever came back has new things."""
    if isinstance(record, Session):
        return purge.epoch is None or record.subject_epoch < purge.epoch
    if subject is not None and subject.part(record.part_id) is not None:
        return False
    made: datetime = record.created_at if isinstance(record, Challenge | Consent | Grant) else record.changed_at
    return made <= purge.due_at
