"""The state machine with numbers in it that two people want, and proof that it sees what could be wrong with them."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis.stateful import run_state_machine_as_test

from authmw.consumer import proofs
from authmw.consumer.otps import codes, operations, phones
from authmw.people import rules as people
from authmw.people.rules import prove_phone
from tests.model.people import ADDRESSES
from tests.model.phones import NUMBERS, PhoneMachine
from tests.model.planting import Plant, check_seen
from tests.model.test_machine import BOUNDED

ADA, BOB, _ = ADDRESSES
ONE, _ = NUMBERS


def test_numbers_behave_as_the_model_over_memory_and_sqlite() -> None:
    """HOWTEST section 4: PC-04 to PC-09, PC-13, PC-15, ACC-01 to ACC-06, OTP-02, OTP-04, SES-01, SES-07, among everything that the machine does without them."""
    run_state_machine_as_test(PhoneMachine, settings=BOUNDED)


def _a_life(machine: PhoneMachine) -> None:
    """A number of one's own, from the first code to the last."""
    machine.sign_in_by_a_new_link(text=ADA, minutes=1440)
    machine.add_a_number(index=0, text=ONE, channel="sms")
    machine.type_a_texted_code(index=0, join=0, minutes=None, right=0)
    machine.type_a_texted_code(index=0, join=0, minutes=None, right=1)
    machine.type_a_texted_code(index=0, join=None, minutes=60, right=1)
    machine.change_the_own_name(index=0)
    machine.tick(seconds=1)
    machine.come_by_a_number(text=ONE, channel="whatsapp")
    machine.tick(seconds=121)
    machine.type_a_texted_code(index=0, join=None, minutes=60, right=1)
    machine.remove_a_number(index=0, which=0)
    machine.prove_or_extend_a_session(index=0, minutes=60)


def _contested(machine: PhoneMachine) -> None:
    """A number that two add at once is whose code comes back first, and then nobody else's."""
    machine.sign_in_by_a_new_link(text=ADA, minutes=1440)
    machine.sign_in_by_a_new_link(text=BOB, minutes=1440)
    machine.add_a_number(index=0, text=ONE, channel="sms")
    machine.tick(seconds=1)
    machine.add_a_number(index=1, text=ONE, channel="sms")
    machine.type_a_texted_code(index=1, join=1, minutes=None, right=1)
    machine.type_a_texted_code(index=0, join=0, minutes=None, right=1)
    machine.tick(seconds=1)
    machine.add_a_number(index=0, text=ONE, channel="sms")


def _somebody_came_before(machine: PhoneMachine) -> None:
    """Whatever hangs on an unproved number of an account dies when its owner comes."""
    machine.come_by_a_number(text=ONE, channel="sms")
    machine.prove_any_factor(index=0, method=("webauthn", "webauthn_registration"), join=None, minutes=1440)
    machine.enrol(machine.people[0], "webauthn")
    machine.type_a_texted_code(index=0, join=None, minutes=60, right=1)
    machine.remove_a_number(index=1, which=0)


def _over(machine: PhoneMachine) -> None:
    """What is being added dies with the session that asked (ACC-06)."""
    machine.sign_in_by_a_new_link(text=ADA, minutes=1440)
    machine.add_a_number(index=0, text=ONE, channel="sms")
    machine.sign_out(index=0)
    machine.type_a_texted_code(index=0, join=None, minutes=60, right=1)


def _again(challenge: Any) -> Any:
    return operations.Insert(attrs.evolve(challenge, challenge_id=f"{challenge.challenge_id} again", version=0))


def _by_own_session(*args: Any, by_own_session: bool) -> Any:
    return prove_phone(*args, by_own_session=True)


def _unbound(_: Any, challenge: Any, *__: Any) -> Any:
    return attrs.evolve(challenge, adds_address=True)


PLANTS: dict[str, Plant[PhoneMachine]] = {
    "a texted code is good twice": (_a_life, operations, "Delete", _again),
    "every code is right": (_a_life, operations, "is_code_of", lambda *_: True),
    "a code outlives its time": (_a_life, operations, "check_live", lambda *_: None),
    "a number of somebody else's is asked for": (_contested, phones, "_is_taken", lambda *_: False),
    "what came before the owner stays": (_somebody_came_before, proofs, "prove_phone", _by_own_session),
    "the last number can go": (_somebody_came_before, people, "_still_reachable", lambda subject: subject),
    "a number is added without its session": (_over, codes, "claimed_by", _unbound),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_the_machine_sees_what_is_planted(monkeypatch: pytest.MonkeyPatch, plant: str) -> None:
    check_seen(monkeypatch, PhoneMachine, PLANTS[plant])
