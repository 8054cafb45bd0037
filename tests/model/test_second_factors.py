"""The state machine with an authenticator app and its recovery codes in it, by the wire's own operations, among links, codes, step-ups and ends.

A place for the next product: another subclass, with rules as these.
"""

from __future__ import annotations

import base64
from typing import Any, ClassVar

import attrs
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from authmw.consumer.proofs import check_may_change_factors
from authmw.consumer.totps import operations as totps
from authmw.factors.totp.rules import code_of, step_of
from authmw.operations import Call
from authmw.people.records import User
from authmw.signin.keys import KeyRing
from tests.model.funnel import Outcome
from tests.model.machine import SignInMachine
from tests.model.people import ADDRESSES, MINUTES, PICK, Held, Person
from tests.model.planting import Plant, check_seen, nothing
from tests.model.sides import Side
from tests.model.test_machine import BOUNDED

APP, RECOVERY = ("totp", "authenticator_app"), ("recovery_codes", "recovery_code")
TRIES = 3
"""How many refused guesses at one thing a run makes: what more of them do is told elsewhere."""


@attrs.define(eq=False)
class App:
    """An authenticator app of somebody, and what the model knows of its codes."""

    name: str
    person: Person
    expires: float
    newest: float = -1e12
    spent: set[int] = attrs.field(factory=set)
    tries: int = 0


class SecondFactors(SignInMachine):
    """Everything of the machine, and a dedicated category that is real."""

    real: ClassVar[frozenset[str]] = frozenset({"totp"})

    def __init__(self) -> None:
        super().__init__()
        self.apps: list[App] = []

    # -- an authenticator app

    def stands(self, app: App) -> bool:
        newest = [one for one in self.apps if one.person is app.person][-1]
        return newest is app and "totp" in app.person.parts

    @rule(index=PICK)
    def enrol_an_app(self, index: int) -> None:
        """By a backend: an owner is needed (ACC-03), and none that is active."""
        person: Person | None = self.pick(self.people, index)
        if person is None:
            return
        active = "totp" in person.parts and "totp" not in person.pending
        expected = "user_not_found" if person.gone else "" if person.groups() else "email_verification_required"
        expected = expected or ("active_totp_exists" if active else "")
        self._enrolled(person, None, expected)

    def _enrolled(self, person: Person, held: Held | None, expected: str) -> None:
        outcome = self.step(
            lambda side: side.call(
                side.auth.totps.create(user_id=side.held[person.name], expiration_minutes=60),
                side.held[held.name] if held else None,
            ),
            expected,
        )
        if expected or not outcome.stood:
            return
        app = App(self.name("app"), person, self.now + 3600)
        person.parts.add("totp")
        person.pending.add("totp")
        self.apps.append(app)
        for side in self.sides:
            user = next(one for one in side.records(User) if one.id == side.held[person.name])
            side.held[f"{app.name} id"] = user.parts_of("totp")[0].part_id
        self.keep(f"{app.name} seed", outcome, lambda _, answer: answer[0].secret)
        for number in range(10):
            self.keep(f"{app.name} {number}", outcome, lambda _, answer, at=number: answer[0].recovery_codes[at])

    @rule(index=PICK)
    def enrol_the_own_app(self, index: int) -> None:
        """From the browser that is signed in, by the rule of that moment (ACC-02, ACC-03)."""
        held = self.holding(index)
        if held is None:
            return
        person = held.person
        active = "totp" in person.parts and "totp" not in person.pending
        expected = "user_not_found" if person.gone else self.enters(person, held)
        expected = expected or ("active_totp_exists" if active else "")
        self._enrolled(person, held, expected)

    def enters(self, person: Person, by: Held | None) -> str:
        """Whether a factor may enter now: an owner is needed (ACC-03), and in a browser its own living session, under the MFA rule as the account is at this moment (ACC-02)."""
        expected = self.lives(by) or ("" if person.groups() else "email_verification_required")
        return expected or (self.sensitive(by) if by is not None else "")

    def _instance(self, app: App) -> str:
        if app.person.gone:
            return "user_not_found"
        if "totp" not in app.person.parts:
            return "totps_not_found_for_user"
        waits = "totp" in app.person.pending
        return "expired_totp" if waits and self.now >= app.expires else ""

    def _guessed(self, app: App, outcome: Outcome, *, counted: bool) -> None:
        if outcome.answers is not None:
            app.tries = 0
        elif counted:
            app.tries += 1

    def _known(self, index: int) -> App | None:
        """An app whose seed the machine has, and whose guesses have room."""
        known = [one for one in self.apps if f"{one.name} seed" in self.sides[0].held and one.tries < TRIES]
        app: App | None = self.pick([one for one in known if self.stands(one) or one.person.gone], index)
        return app

    @rule(index=PICK, join=st.none() | PICK, minutes=MINUTES)
    def type_a_code_of_an_app(self, index: int, join: int | None, minutes: int | None) -> None:
        """A step is accepted once, and none before it after it (OTP-05); the first makes the app a factor (OTP-06)."""
        app = self._known(index)
        if app is None:
            return
        self._typed(app, self.holding(join) if join is not None else None, minutes)

    @rule(index=PICK, minutes=MINUTES)
    def type_a_code_of_the_own_app(self, index: int, minutes: int | None) -> None:
        """In the browser that is signed in: a first code makes the app a factor under the rule of now, whatever held when it was asked for."""
        held = self.holding(index)
        known = [one for one in self.apps if held is not None and one.person is held.person]
        app = next((one for one in known if self.stands(one) and one.tries < TRIES), None)
        if held is not None and app is not None and f"{app.name} seed" in self.sides[0].held:
            self._typed(app, held, minutes, in_browser=True)

    def _typed(self, app: App, joined: Held | None, minutes: int | None, *, in_browser: bool = False) -> None:
        person, step = app.person, self.now // 30
        expected = self._instance(app)
        if not expected and "totp" in person.pending:
            expected = self.enters(person, joined if in_browser else None)
        counted = not expected
        expected = expected or ("totp_code_already_authenticated" if step <= app.newest else "")
        expected = expected or self._joins(person, joined)

        def typed(side: Side) -> Any:
            seed = base64.b32decode(side.held[f"{app.name} seed"])
            return side.call(
                side.auth.totps.authenticate(
                    user_id=side.held[person.name],
                    totp_code=code_of(seed, step_of(side.clock.now())),
                    session_duration_minutes=minutes,
                    session_token=side.held[joined.name] if joined and not in_browser else None,
                ),
                side.held[joined.name] if joined and in_browser else None,
            )

        armed = self.fault
        outcome = self.step(typed, expected)
        self._guessed(app, outcome, counted=counted and armed != "read")
        if expected or not outcome.stood:
            return
        app.newest = step
        person.pending.discard("totp")
        self.sign_in(person, (APP, app.name), minutes, joined, outcome)

    @rule(index=PICK, number=st.integers(0, 9), join=st.none() | PICK, minutes=MINUTES)
    def recover(self, index: int, number: int, join: int | None, minutes: int | None) -> None:
        """A recovery code is good once, and ends what it did not come with (OTP-07, SES-07)."""
        app = self._known(index)
        if app is None:
            return
        person, joined = app.person, self.holding(join) if join is not None else None
        expected = self._instance(app)
        if not expected and "totp" in person.pending:
            expected = "totps_not_found_for_user"
        counted = not expected
        expected = expected or ("unable_to_authenticate_recovery_code" if number in app.spent else "")
        expected = expected or self._joins(person, joined)
        armed = self.fault
        outcome = self.step(
            lambda side: side.call(
                side.auth.totps.recover(
                    user_id=side.held[person.name],
                    recovery_code=side.held[f"{app.name} {number}"],
                    session_duration_minutes=minutes,
                    session_token=side.held[joined.name] if joined else None,
                )
            ),
            expected,
        )
        self._guessed(app, outcome, counted=counted and armed != "read")
        if expected or not outcome.stood:
            return
        app.spent.add(number)
        person.epoch += 1
        self.sign_in(person, (RECOVERY, app.name), minutes, joined, outcome)

    @rule(index=PICK)
    def remove_the_own_app(self, index: int) -> None:
        """From the browser that is signed in (ACC-02, SES-07); what it proved counts no more."""
        held = self.holding(index)
        mine = [one for one in self.apps if held is not None and one.person is held.person and self.stands(one)]
        if held is None or not mine:
            return
        app, person = mine[0], held.person
        expected = self.sensitive(held)
        outcome = self.step(
            lambda side: side.call(
                side.auth.users.delete_totp(totp_id=side.held[f"{app.name} id"]), side.held[held.name]
            ),
            expected,
        )
        if expected or not outcome.stood:
            return
        person.parts.discard("totp")
        person.pending.discard("totp")
        self.goes_on(held, outcome, app.name)


def test_second_factors_behave_as_the_model_over_memory_and_sqlite() -> None:
    """HOWTEST section 4: ACC-01 to ACC-06, OTP-05 to OTP-07, SES-01, SES-07, among everything that the machine does without them."""
    run_state_machine_as_test(SecondFactors, settings=BOUNDED)


def _an_app_from_its_first_day_to_its_last(machine: SecondFactors) -> None:
    machine.sign_in_by_a_new_link(text=ADDRESSES[0], minutes=1440)
    machine.enrol_an_app(index=0)
    machine.type_a_code_of_an_app(index=0, join=0, minutes=None)
    machine.type_a_code_of_an_app(index=0, join=None, minutes=60)
    machine.tick(seconds=59)
    machine.type_a_code_of_an_app(index=0, join=0, minutes=60)
    machine.change_the_own_name(index=0)
    machine.recover(index=0, number=1, join=0, minutes=None)
    machine.recover(index=0, number=1, join=None, minutes=60)
    machine.remove_the_own_app(index=0)
    machine.prove_or_extend_a_session(index=0, minutes=60)


def _an_app_that_was_asked_for_before_there_was_another_factor(machine: SecondFactors) -> None:
    machine.sign_in_by_a_new_link(text=ADDRESSES[0], minutes=1440)
    machine.enrol_the_own_app(index=0)
    machine.enrol(machine.people[0], "webauthn")
    machine.type_a_code_of_the_own_app(index=0, minutes=60)
    machine.step_up(index=0, method=("webauthn", "webauthn_registration"))
    machine.type_a_code_of_the_own_app(index=0, minutes=60)


async def _by_the_rule_of_the_day_it_was_asked_for(call: Call, keys: KeyRing, user: User) -> None:
    if not user.parts_of("totp"):
        await check_may_change_factors(call, keys, user)


PLANTS: dict[str, Plant[SecondFactors]] = {
    "a step is good twice": (
        _an_app_from_its_first_day_to_its_last,
        totps,
        "_accepted",
        lambda call, held, code: step_of(call.now),
    ),
    "a recovery code is good twice": (
        _an_app_from_its_first_day_to_its_last,
        totps,
        "without",
        lambda kept, *_: kept,
    ),
    "a recovery code ends nothing": (
        _an_app_from_its_first_day_to_its_last,
        totps,
        "end_all",
        lambda _, user: user,
    ),
    "an app enters by the rule of the day it was asked for": (
        _an_app_that_was_asked_for_before_there_was_another_factor,
        totps,
        "check_may_change_factors",
        _by_the_rule_of_the_day_it_was_asked_for,
    ),
    "an app enters by no rule": (
        _an_app_that_was_asked_for_before_there_was_another_factor,
        totps,
        "check_may_change_factors",
        nothing,
    ),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_the_machine_sees_what_is_planted(monkeypatch: pytest.MonkeyPatch, plant: str) -> None:
    check_seen(monkeypatch, SecondFactors, PLANTS[plant])
