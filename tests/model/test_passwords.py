"""The state machine with passwords in it, and proof that it sees what could be wrong with them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis.stateful import run_state_machine_as_test

from authmw.consumer.passwords import knowing, resets, rules, setting
from authmw.people import rules as people
from authmw.signin import attempts
from tests.model.passwords import PasswordMachine
from tests.model.people import ADDRESSES
from tests.model.test_machine import BOUNDED

ADA, BOB, _ = ADDRESSES


def test_passwords_behave_as_the_model_over_memory_and_sqlite() -> None:
    """HOWTEST section 4: PW-01 to PW-03, PW-05, PW-08, PW-10 to PW-13, PWD-09, ACC-01 to ACC-03, ACC-08, SES-01, SES-05, SES-07, A209."""
    run_state_machine_as_test(PasswordMachine, settings=BOUNDED)


class _OverMemory(PasswordMachine):
    sqlite = False

    def looks(self) -> None:
        """At everything that holds after a step."""
        self.sessions_live_as_the_model_says()
        self.people_are_as_the_model_says()


def _a_reset(machine: _OverMemory) -> None:
    """A password that is forgotten, twice, and found at once."""
    machine.sign_in_by_a_new_link(text=ADA, minutes=1440)
    machine.tick(seconds=1)
    machine.forget_a_password(text=ADA)
    machine.tick(seconds=1)
    machine.forget_a_password(text=ADA)
    machine.set_one_by_mail(index=0, join=None, minutes=60, weak=True)
    machine.set_one_by_mail(index=0, join=None, minutes=60, weak=False)
    machine.looks()
    machine.set_one_by_mail(index=0, join=None, minutes=60, weak=False)
    machine.set_one_by_mail(index=1, join=None, minutes=60, weak=False)
    machine.type_a_password(text=ADA, join=None, minutes=60, right=0)
    machine.type_a_password(text=ADA, join=None, minutes=60, right=1)
    machine.tick(seconds=1)
    machine.forget_a_password(text=ADA)
    machine.tick(seconds=3600)
    machine.set_one_by_mail(index=2, join=None, minutes=60, weak=False)
    machine.looks()


def _somebody_came_before(machine: _OverMemory) -> None:
    """A password on an address of somebody else's, who comes later (pre-hijacking)."""
    machine.sign_up_with_a_password(text=ADA, minutes=60, weak=False)
    machine.tick(seconds=1)
    machine.set_one_by_a_session(index=0, minutes=None, weak=False, browser=True)
    machine.enrol(machine.people[0], "totp")
    machine.change_it_by_the_old_one(text=ADA, join=None, minutes=1440, same=False, own=True)
    machine.tick(seconds=3600)
    machine.set_one_by_a_session(index=1, minutes=None, weak=False, browser=False)
    machine.sign_in_by_a_new_link(text=ADA, minutes=1440)
    machine.looks()
    machine.type_a_password(text=ADA, join=None, minutes=60, right=1)
    machine.set_one_by_a_session(index=0, minutes=None, weak=False, browser=True)
    machine.type_a_password(text=ADA, join=None, minutes=60, right=1)
    machine.looks()


def _two_categories(machine: _OverMemory) -> None:
    """Whoever has a second factor changes nothing by the first alone, and a password that is gone counts no more."""
    machine.sign_in_by_a_new_link(text=ADA, minutes=1440)
    machine.set_one_by_a_session(index=0, minutes=None, weak=False, browser=False)
    machine.enrol(machine.people[0], "totp")
    machine.change_it_by_the_old_one(text=ADA, join=None, minutes=60, same=False, own=True)
    machine.change_it_by_the_old_one(text=ADA, join=0, minutes=60, same=True, own=False)
    machine.step_up(index=0, method=("totp", "authenticator_app"))
    machine.type_a_password(text=ADA, join=0, minutes=None, right=1)
    machine.change_it_by_the_old_one(text=ADA, join=0, minutes=60, same=False, own=True)
    machine.remove_the_own_password(index=0)
    machine.prove_or_extend_a_session(index=0, minutes=60)
    machine.looks()


def _guessed(machine: _OverMemory) -> None:
    """Ten guesses lock a password and not its owner's mailbox; an hour later, or with another one, they sign in by it again."""
    machine.sign_up_with_a_password(text=ADA, minutes=60, weak=False)
    machine.sign_in_by_a_new_link(text=ADA, minutes=1440)
    machine.set_one_by_a_session(index=1, minutes=None, weak=False, browser=False)
    machine.guess_a_password_again_and_again(text=ADA, times=9)
    machine.type_a_password(text=ADA, join=None, minutes=60, right=1)
    machine.guess_a_password_again_and_again(text=ADA, times=1)
    machine.type_a_password(text=ADA, join=None, minutes=60, right=1)
    machine.guess_a_password_again_and_again(text=ADA, times=10)
    machine.type_a_password(text=ADA, join=None, minutes=60, right=1)
    machine.tick(seconds=59)
    machine.type_a_password(text=ADA, join=None, minutes=60, right=1)
    machine.prove_or_extend_a_session(index=0, minutes=60)
    machine.tick(seconds=3600)
    machine.type_a_password(text=ADA, join=None, minutes=60, right=1)
    machine.guess_a_password_again_and_again(text=ADA, times=11)
    machine.forget_a_password(text=ADA)
    machine.set_one_by_mail(index=0, join=None, minutes=60, weak=False)
    machine.type_a_password(text=ADA, join=None, minutes=60, right=1)
    machine.looks()


PLANTS: dict[str, tuple[Any, Any, str, Any]] = {
    "guesses are free": (_guessed, knowing, "count_guess", None),
    "a lock closes nothing": (_guessed, attempts, "check_open", lambda *_: None),
    "a right password forgets no guesses": (_guessed, knowing, "forget_guesses", lambda *_: None),
    "a lock outlives its time": (_guessed, people, "live_locks", lambda subject, _: subject.locks),
    "a new password is as locked as the one before": (_guessed, setting, "FACTOR", "another"),
    "a reset link outlives its time": (_a_reset, resets, "check_live", lambda *_: None),
    "a reset leaves other sessions": (_a_reset, setting, "end_all", lambda _, user: user),
    "a reset leaves other links": (_a_reset, rules, "_link", None),
    "every password is right": (_a_reset, knowing, "is_right", None),
    "a weak password is taken": (_a_reset, resets, "choose", None),
    "who came before still signs in": (_somebody_came_before, knowing, "REQUIRES_RESET", "nothing"),
    "a password of nobody's account is a factor": (_somebody_came_before, setting, "has_owner", lambda _: True),
    "an old proof sets a password": (_somebody_came_before, resets, "fresh_enough", lambda factors, _: factors[0]),
    "the first factor changes itself": (_two_categories, resets, "_check_may_change", None),
    "the same again is another": (_two_categories, resets, "check_length", lambda *_, **__: object()),
}
"""What is broken, in which story it shows, and how."""


def _planted(monkeypatch: pytest.MonkeyPatch, plant: str) -> None:
    _, module, attribute, broken = PLANTS[plant]
    if plant == "a reset leaves other links":
        original = rules._link

        def broken(*args: Any) -> Any:
            link = original(*args)
            link.details.pop("session_epoch")
            return link

    elif plant == "a weak password is taken":
        original = resets.choose

        async def broken(call: Any, _: str, about: Any) -> Any:
            return await original(call, "Zq-trombone-velvet-quarry", about)

    elif broken is None:

        async def broken(*_: Any, **__: Any) -> bool:
            return True

    monkeypatch.setattr(module, attribute, broken)


@pytest.mark.parametrize("plant", PLANTS)
def test_the_machine_sees_what_is_planted(monkeypatch: pytest.MonkeyPatch, plant: str) -> None:
    story = PLANTS[plant][0]
    for planted in (False, True):
        machine = _OverMemory()
        machine.begin()
        if not planted:
            story(machine)
            continue
        _planted(monkeypatch, plant)
        with pytest.raises(AssertionError):
            story(machine)
