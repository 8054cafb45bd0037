"""The state machine with people who arrive from another system, and proof that it sees what could be wrong with them."""

from __future__ import annotations

from typing import Any

import attrs
import hypothesis
import pytest
from hypothesis.stateful import run_state_machine_as_test

from authmw.consumer.passwords import migrating
from authmw.errors import Refused
from authmw.people.records import Phone, User
from authmw.people.rules import prove_phone
from tests.model.migrations import MigrationMachine
from tests.model.people import ADDRESSES
from tests.model.phones import NUMBERS
from tests.model.planting import Plant, check_seen
from tests.model.test_machine import BOUNDED

ADA, BOB, EVE = ADDRESSES
ONE, TWO = NUMBERS
PASSKEY = ("webauthn", "webauthn_registration")


def test_people_who_migrate_behave_as_the_model_over_memory_and_sqlite() -> None:
    """HOWTEST section 4: MIG-01, MIG-04, ACC-05, A209, PWD-09: somebody may have come before them."""
    run_state_machine_as_test(MigrationMachine, settings=hypothesis.settings(BOUNDED, max_examples=25))


def _migrated(machine: MigrationMachine) -> None:
    """An address that a stranger came by first, and that the host says is somebody's; and one of whom nobody says anything."""
    machine.sign_up_with_a_password(text=ADA, minutes=60, weak=False)
    machine.migrate_somebody(text=ADA, proved=True)
    machine.type_a_password(text=ADA, join=None, minutes=60, right=1)
    machine.remove_the_own_password(index=0)
    machine.migrate_somebody(text=ADA, proved=True)
    _looks(machine)
    machine.type_a_password(text=ADA, join=None, minutes=60, right=1)
    machine.migrate_somebody(text=BOB, proved=False)
    _looks(machine)
    machine.type_a_password(text=BOB, join=None, minutes=60, right=1)
    machine.sign_in_by_a_new_link(text=BOB, minutes=60)
    _looks(machine)
    machine.type_a_password(text=BOB, join=None, minutes=60, right=1)


def _with_a_number(machine: MigrationMachine) -> None:
    """What a stranger made for an address dies when the host says that the number that comes with it is its owner's; a number of which it says nothing proves nobody."""
    machine.sign_up_or_log_in(text=ADA, code=False)
    machine.enrol(machine.people[0], "webauthn")
    machine.prove_any_factor(index=0, method=PASSKEY, join=None, minutes=1440)
    machine.migrate_somebody(text=ADA, proved=False, number=ONE, reached=True)
    _looks(machine)
    machine.type_a_password(text=ADA, join=None, minutes=60, right=1)
    machine.migrate_somebody(text=BOB, proved=False, number=TWO, reached=False)
    _looks(machine)
    machine.migrate_somebody(text=EVE, proved=True, number=ONE, reached=True)
    machine.type_a_password(text=BOB, join=None, minutes=60, right=1)


def _with_anothers_number(machine: MigrationMachine) -> None:
    """A number that a stranger named is whose the host says it is; the stranger keeps the rest, and no session, and who had nothing else is gone."""
    machine.migrate_somebody(text=BOB, proved=True, number=ONE, reached=False)
    machine.type_a_password(text=BOB, join=None, minutes=1440, right=1)
    machine.come_by_a_number(text=TWO, channel="sms")
    machine.migrate_somebody(text=ADA, proved=True, number=ONE, reached=False)
    machine.migrate_somebody(text=ADA, proved=True, number=ONE, reached=True)
    machine.migrate_somebody(text=EVE, proved=False, number=TWO, reached=True)
    _looks(machine)
    machine.type_a_texted_code(index=0, join=None, minutes=60, right=1)
    machine.type_a_password(text=BOB, join=None, minutes=60, right=1)


def _looks(machine: MigrationMachine) -> None:
    machine.sessions_live_as_the_model_says()
    machine.people_are_as_the_model_says()


def _believed(user: Any, arrival: Any) -> Any:
    emails = tuple(attrs.evolve(one, verified=one.verified or arrival.email_verified) for one in user.emails)
    return attrs.evolve(user, emails=emails)


_proved, _with_phone = migrating._proved, migrating._with_phone


def _always(user: Any, arrival: Any) -> Any:
    return _proved(user, attrs.evolve(arrival, email_verified=True))


def _always_reached(call: Any, user: Any, arrival: Any) -> Any:
    return _with_phone(call, user, attrs.evolve(arrival, phone_verified=True))


def _by_own_session(*args: Any, by_own_session: bool) -> Any:
    return prove_phone(*args, by_own_session=True)


def _left_where_it_stands(subject: User, phone: Phone, holder: User | None, *, by_own_session: bool) -> Any:
    if holder is not None and holder.id != subject.id:
        raise Refused("duplicate_phone_number")
    return prove_phone(subject, phone, holder, by_own_session=by_own_session)


def _signed_in_still(subject: User, phone: Phone, holder: User | None, *, by_own_session: bool) -> Any:
    owned = prove_phone(subject, phone, holder, by_own_session=by_own_session)
    if owned.loser is None or holder is None:
        return owned
    return attrs.evolve(owned, loser=attrs.evolve(owned.loser, session_epoch=holder.session_epoch))


PLANTS: dict[str, Plant[MigrationMachine]] = {
    "a migrated password takes the place of one that stands": (_migrated, migrating, "password_of", lambda _: None),
    "what a stranger prepared outlives a migration": (_migrated, migrating, "_proved", _believed),
    "every migrated address is proved": (_migrated, migrating, "_proved", _always),
    "what a stranger prepared outlives a proved number": (_with_a_number, migrating, "prove_phone", _by_own_session),
    "every migrated number is proved": (_with_a_number, migrating, "_with_phone", _always_reached),
    "a number is kept from its owner": (_with_anothers_number, migrating, "prove_phone", _left_where_it_stands),
    "who loses a number stays signed in": (_with_anothers_number, migrating, "prove_phone", _signed_in_still),
    "any number is taken by who brings it": (_with_anothers_number, migrating, "_with_phone", _always_reached),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_the_machine_sees_what_is_planted(monkeypatch: pytest.MonkeyPatch, plant: str) -> None:
    check_seen(monkeypatch, MigrationMachine, PLANTS[plant])
