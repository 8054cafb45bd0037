"""The state machine with device biometrics in it, and proof that it sees what could be wrong with them."""

from __future__ import annotations

import pytest
from hypothesis.stateful import run_state_machine_as_test

from authmw.consumer.biometrics import operations
from tests.model.devices import DeviceMachine
from tests.model.people import ADDRESSES
from tests.model.planting import Plant, check_seen, nothing
from tests.model.test_machine import BOUNDED

ADA, BOB, _ = ADDRESSES


def test_devices_behave_as_the_model_over_memory_and_sqlite() -> None:
    """HOWTEST section 4: ACC-01 to ACC-03, SES-01, SES-07, among everything that the machine does without them."""
    run_state_machine_as_test(DeviceMachine, settings=BOUNDED)


def _a_life(machine: DeviceMachine) -> None:
    """A device from its first day to its last."""
    machine.sign_in_by_a_new_link(text=ADA, minutes=1440)
    machine.register_a_device(index=0, taken=False)
    machine.challenge_a_device(index=0)
    machine.answer_by_a_device(index=0, which=0, join=None, minutes=60, again=True)
    machine.challenge_a_device(index=0)
    machine.tick(seconds=301)
    machine.answer_by_a_device(index=0, which=0, join=None, minutes=60, again=False)
    machine.challenge_a_device(index=0)
    machine.answer_by_a_device(index=0, which=1, join=1, minutes=60, again=False)
    machine.change_the_own_name(index=0)
    machine.remove_a_device(index=0, which=0)
    machine.prove_or_extend_a_session(index=0, minutes=60)


def _two_categories(machine: DeviceMachine) -> None:
    """Whoever has a second factor adds a device by both."""
    machine.sign_in_by_a_new_link(text=ADA, minutes=1440)
    machine.enrol(machine.people[0], "totp")
    machine.register_a_device(index=0, taken=False)
    machine.step_up(index=0, method=("totp", "authenticator_app"))
    machine.register_a_device(index=0, taken=False)
    machine.sign_in_by_a_new_link(text=BOB, minutes=1440)
    machine.register_a_device(index=1, taken=True)


PLANTS: dict[str, Plant[DeviceMachine]] = {
    "a challenge is good twice": (_a_life, operations, "Delete", operations.Update),
    "a challenge outlives its time": (
        _a_life,
        operations,
        "_open",
        lambda _, challenge, __: iter(operations._all(challenge)),
    ),
    "a device is added by the first factor alone": (_two_categories, operations, "check_may_change_factors", nothing),
    "a key of two people": (_two_categories, operations, "_check_free", lambda *_: None),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_the_machine_sees_what_is_planted(monkeypatch: pytest.MonkeyPatch, plant: str) -> None:
    check_seen(monkeypatch, DeviceMachine, PLANTS[plant])
