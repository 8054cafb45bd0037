"""A password enters a user, or takes the place of the one before."""

from __future__ import annotations

import attrs

from authmw.consumer.passwords.knowing import guess_at
from authmw.crypto import tokens
from authmw.messages import Notice
from authmw.operations import Call
from authmw.people.notices import notify_of
from authmw.people.records import Credential, Part, User
from authmw.people.rules import has_owner, with_part
from authmw.signin.attempts import forget_guesses
from authmw.signin.ending import end_all
from authmw.signin.passwords import CHECKED_AT, FACTOR, KIND, Chosen, password_of, stored_as
from authmw.storage import Write


async def with_password(call: Call, user: User, chosen: Chosen) -> tuple[User, Write]:
    """The user with this password, and the write that keeps its hash. What was counted against the one before is forgotten, and its lock is lifted."""
    standing = password_of(user)
    part = Part(
        part_id=standing.part_id if standing else tokens.new_id("password", call.settings.environment),
        kind=KIND,
        verified=has_owner(user),
        created_at=call.now,
        details={CHECKED_AT: chosen.breaches} if chosen.breaches == "unavailable" else {},
    )
    credential = await call.storage.get(Credential, part.part_id)
    after = with_part(user, part)
    unlocked = attrs.evolve(after, locks=tuple(lock for lock in after.locks if lock.factor != FACTOR))
    if standing is not None:
        forget_guesses(call, guess_at(user, part, by_own_session=False))
    return unlocked, stored_as(call, part.part_id, user, credential, chosen.stored)


async def with_new_password(call: Call, before: User, user: User, chosen: Chosen) -> tuple[User, Write]:
    """The same where a reset changes who stood `before`: every session of the user ends, and their verified addresses are told."""
    changed, kept = await with_password(call, user, chosen)
    after = end_all(call, changed)
    tell_changed(call, before, after)
    return after, kept


def tell_changed(call: Call, before: User, after: User) -> None:
    """Tell a user's verified addresses that their password was set or changed."""
    notify_of(call, before, after, Notice.PASSWORD_CHANGED if password_of(before) is not None else None)
