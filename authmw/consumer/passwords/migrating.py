"""A user arrives from another system with the hash of their password."""

from __future__ import annotations

from typing import Any

import attrs

from authmw.consumer.passwords.setting import with_password
from authmw.consumer.proofs import taken_from
from authmw.errors import Refused
from authmw.factors.password.imports import Imported
from authmw.identifiers import valid_external_id
from authmw.operations import Call
from authmw.parameters import Name
from authmw.people.directory import new_email, new_phone, new_user, user_by_email, user_by_phone
from authmw.people.notices import notify_of
from authmw.people.purging import leave_purge
from authmw.people.records import User
from authmw.people.rules import has_owner, merged_metadata, prove_email, prove_phone, with_phone
from authmw.signin.ending import deny_all
from authmw.signin.passwords import Chosen, kept, password_of
from authmw.storage import Insert, Update, Write


@attrs.frozen(kw_only=True)
class Arrival:
    """What is brought along. What is None says nothing."""

    address: str = attrs.field(repr=False)
    hash: Imported
    email_verified: bool = False
    phone_number: str | None = attrs.field(default=None, repr=False)
    phone_verified: bool = False
    name: Name | None = attrs.field(default=None, repr=False)
    trusted_metadata: dict[str, Any] | None = attrs.field(default=None, repr=False)
    untrusted_metadata: dict[str, Any] | None = attrs.field(default=None, repr=False)
    external_id: str | None = None
    roles: list[str] | None = None


async def arrived(call: Call, arrival: Arrival) -> tuple[User, bool, tuple[Write, ...]]:
    """The user as they stand after it, whether they are new, and what to commit. Refused: `password_already_exists`, the duplicates."""
    known = await user_by_email(call.storage, arrival.address)
    if known is not None and password_of(known) is not None:
        raise Refused("password_already_exists")
    before = known or new_user(call, new_email(call, arrival.address))
    after, taken = await _with_phone(call, _proved(_described(before, arrival), arrival), arrival)
    await _refuse_external_id(call, after)
    stored = await kept(call, arrival.hash)
    after, write = await with_password(call, after, Chosen(stored=stored, breaches="not_checked"))
    if known is None:
        return after, True, (Insert(after), write, *taken)
    notify_of(call, known, after)
    if after.session_epoch != known.session_epoch:
        deny_all(call, known)
        leave_purge(call, known.id, epoch=after.session_epoch)
    return attrs.evolve(after, version=known.version), False, (Update(after), write, *taken)


def _described(user: User, arrival: Arrival) -> User:
    name = arrival.name
    after = attrs.evolve(
        user,
        trusted_metadata=merged_metadata(user.trusted_metadata, arrival.trusted_metadata),
        untrusted_metadata=merged_metadata(user.untrusted_metadata, arrival.untrusted_metadata),
        external_id=valid_external_id(arrival.external_id) if arrival.external_id else user.external_id,
        roles=tuple(arrival.roles) if arrival.roles is not None else user.roles,
    )
    if name is None:
        return after
    return attrs.evolve(after, first_name=name.first_name, middle_name=name.middle_name, last_name=name.last_name)


def _proved(user: User, arrival: Arrival) -> User:
    """The user with the address verified, if the project says it is: then what a stranger prepared around it goes, as if its owner had proved it (ACC-05)."""
    standing = user.email_at(arrival.address)
    if not arrival.email_verified or standing is None or standing.verified:
        return user
    proved = prove_email(user, standing, user, by_own_session=False).subject
    assert isinstance(proved, User)  # the same subject
    return proved


async def _with_phone(call: Call, user: User, arrival: Arrival) -> tuple[User, tuple[Write, ...]]:
    """The user with the number that is brought along, and what becomes of who else named it. Refused: `duplicate_phone_number`.

    The project's word proves it as its owner would: it is taken from an account that nobody has proved it for. Without that word it stays where it stands.
    """
    if arrival.phone_number is None:
        return user, ()
    phone = new_phone(call, arrival.phone_number)
    holder = await user_by_phone(call.storage, phone.number)
    standing = user.phone_at(phone.number)
    if not arrival.phone_verified:
        if holder is not None and holder.id != user.id:
            raise Refused("duplicate_phone_number")
        return (user if standing else with_phone(user, phone)), ()
    owned = prove_phone(user, standing or phone, holder, by_own_session=False)
    proved = owned.subject
    assert isinstance(proved, User)  # the same subject
    if not has_owner(user):
        # The number makes it somebody's, as an address would: what a stranger prepared goes, and the address that is brought along stays.
        proved = attrs.evolve(proved, emails=tuple(one for one in user.emails if one.address == arrival.address))
    return proved, taken_from(call, holder, owned)


async def _refuse_external_id(call: Call, user: User) -> None:
    if user.external_id is None:
        return
    holder = await call.storage.find(User, "external_id", (user.external_id,))
    if holder is not None and holder.id != user.id:
        raise Refused("duplicate_user_external_id")
