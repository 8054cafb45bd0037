"""The state machine with real passkeys in it: added, used, replayed and removed among links, codes, step-ups and ends, by the wire's own operations."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from authmw.consumer.users import operations as users
from authmw.consumer.webauthn import operations
from authmw.signin import ending
from authmw.testing import Edits, VirtualAuthenticator
from tests.model.machine import SignInMachine
from tests.model.people import ADDRESSES, MINUTES, PICK, Held, Person
from tests.model.sides import Side
from tests.model.test_machine import BOUNDED

KIND = "webauthn"
METHOD = ("webauthn", "webauthn_registration")
ORIGIN, DOMAIN = "http://localhost:8000", "localhost"
UNABLE = "unable_to_auth_webauthn_registration"
CHALLENGES = 25
"""How many challenges one person asks for in a run: the limit of 30 a minute is told elsewhere."""


@attrs.define(eq=False)
class Passkey:
    """A person's passkey; on each side it is another authenticator."""

    name: str
    person: Person
    devices: dict[str, VirtualAuthenticator]
    gone: bool = False


class PasskeyMachine(SignInMachine):
    """Links, codes and sessions as before, and passkeys by their own operations."""

    real: ClassVar[frozenset[str]] = frozenset({KIND})

    def __init__(self) -> None:
        super().__init__()
        self.passkeys: list[Passkey] = []

    def _asks(self, person: Person) -> bool:
        return self.has_room(f"passkey challenges of {person.name}", CHALLENGES)

    def _stands(self, passkey: Passkey) -> bool:
        return not passkey.gone and KIND in passkey.person.parts and not passkey.person.gone

    @rule(index=PICK)
    def add_a_passkey(self, index: int) -> None:
        """From the browser that is signed in: an owner, and the MFA rule (ACC-02, ACC-03, WA-08)."""
        held = self.holding(index)
        if held is None or held.person.more[KIND] or not self._asks(held.person):
            return
        self._add(held)

    def _add(self, held: Held) -> None:
        person = held.person
        expected = "user_not_found" if person.gone else "" if self.alive(held) else "session_not_found"
        expected = expected or ("" if person.groups() else "email_verification_required") or self.sensitive(held)
        started = self.step(
            lambda side: side.call(
                side.auth.webauthn.register_start(
                    user_id=side.held[person.name], domain=DOMAIN, return_passkey_credential_options=True
                ),
                side.held[held.name],
            ),
            expected,
        )
        if started.answers is None:
            return
        passkey = Passkey(self.name("passkey"), person, {side.name: VirtualAuthenticator() for side in self.sides})
        for side, (answer, _) in zip(self.sides, started.answers, strict=True):
            options = answer.public_key_credential_creation_options
            side.held[passkey.name] = passkey.devices[side.name].register(options, origin=ORIGIN)
        outcome = self.step(
            lambda side: side.call(
                side.auth.webauthn.register(
                    user_id=side.held[person.name], public_key_credential=side.held[passkey.name]
                ),
                side.held[held.name],
            ),
            "",
        )
        if not outcome.stood:
            return
        for one in self.passkeys:
            # What died with the account's last owner stays dead beside the new one.
            one.gone = one.gone or (one.person is person and KIND not in person.parts)
        person.gain_part(KIND)
        self.passkeys.append(passkey)
        self.remember_part(f"{passkey.name} id", person, KIND)
        self.sign_in(person, (METHOD, passkey.name), None, held, outcome)

    @rule(index=PICK, join=st.none() | PICK, minutes=MINUTES, verified=st.booleans(), again=st.booleans())
    def use_a_passkey(self, index: int, join: int | None, minutes: int | None, verified: bool, again: bool) -> None:
        """By a backend, without naming anybody: alone it opens a session only with PIN or biometric (X-14), and once (WAN-02)."""
        passkey: Passkey | None = self.pick(self.passkeys, index)
        if passkey is None or not self._asks(passkey.person):
            return
        joined = self.holding(join) if join is not None else None
        self._use(passkey, joined, minutes, verified=verified, again=again)

    def _use(
        self, passkey: Passkey, joined: Held | None, minutes: int | None, *, verified: bool, again: bool = False
    ) -> None:
        started = self.step(lambda side: side.call(side.auth.webauthn.authenticate_start(domain=DOMAIN)), "")
        if started.answers is None:
            return
        answers: dict[str, str] = {}
        for side, (answer, _) in zip(self.sides, started.answers, strict=True):
            device = passkey.devices[side.name]
            device.verifies_users = verified
            options = answer.public_key_credential_request_options
            answers[side.name] = device.authenticate(options, origin=ORIGIN, edits=Edits())
        person = passkey.person
        joins = joined is not None and joined.person is person
        expected = self.lives(joined) or ("" if self._stands(passkey) else UNABLE)
        if not verified and minutes is not None and not joins:
            expected = expected or "webauthn_user_verification_required"
        expected = expected or self._joins(person, joined)

        def used(side: Side) -> Any:
            return side.call(
                side.auth.webauthn.authenticate(
                    public_key_credential=answers[side.name],
                    session_duration_minutes=minutes,
                    session_token=side.held[joined.name] if joined else None,
                )
            )

        outcome = self.step(used, expected)
        if expected or not outcome.stood:
            return
        self.sign_in(person, (METHOD, passkey.name), minutes, joined, outcome)
        if again and (joined is None or joined.held):
            self.step(used, self.lives(joined) or UNABLE)

    @rule(index=PICK, which=PICK)
    def remove_a_passkey(self, index: int, which: int) -> None:
        """From the browser that is signed in; every other session ends (ACC-02, SES-07)."""
        held, passkey = self.holding(index), self.pick(self.passkeys, which)
        if held is None or passkey is None:
            return
        mine = passkey.person is held.person and self._stands(passkey)
        expected = self.sensitive(held) or ("" if mine else "webauthn_registration_not_found")
        outcome = self.step(
            lambda side: side.call(
                side.auth.users.delete_webauthn_registration(webauthn_registration_id=side.held[f"{passkey.name} id"]),
                side.held[held.name],
            ),
            expected,
        )
        if expected or not outcome.stood:
            return
        person = held.person
        passkey.gone = True
        person.lose_part(KIND)
        self.goes_on(held, outcome, passkey.name)


def test_passkeys_behave_as_the_model_over_memory_and_sqlite() -> None:
    """HOWTEST section 4: X-14, ACC-01 to ACC-03, WAN-02, WAN-04, SES-01, SES-07, among everything that the machine does without them."""
    run_state_machine_as_test(PasskeyMachine, settings=BOUNDED)


class _OverMemory(PasskeyMachine):
    sqlite = False


def _script(machine: PasskeyMachine) -> None:
    """A passkey from its first day to its last."""
    machine.begin()
    machine.sign_in_by_a_new_link(text=ADDRESSES[0], minutes=1440)
    machine.add_a_passkey(index=0)
    machine.use_a_passkey(index=0, join=None, minutes=60, verified=True, again=True)
    machine.use_a_passkey(index=0, join=None, minutes=60, verified=False, again=False)
    machine.change_the_own_name(index=0)
    machine.remove_a_passkey(index=0, which=0)
    machine.prove_or_extend_a_session(index=0, minutes=60)
    machine.use_a_passkey(index=0, join=None, minutes=60, verified=True, again=False)
    machine.sessions_live_as_the_model_says()
    machine.people_are_as_the_model_says()


def _two_of_them(machine: PasskeyMachine) -> None:
    """A second passkey by a session that holds two categories: each signs in, and the one that stays goes on when the other is removed."""
    machine.begin()
    machine.sign_in_by_a_new_link(text=ADDRESSES[0], minutes=1440)
    machine.add_a_passkey(index=0)
    machine.add_a_passkey(index=0)
    machine.use_a_passkey(index=1, join=None, minutes=60, verified=True, again=True)
    machine.use_a_passkey(index=0, join=0, minutes=None, verified=True, again=False)
    machine.prove_or_extend_a_session(index=0, minutes=60)
    machine.remove_a_passkey(index=0, which=0)
    machine.prove_or_extend_a_session(index=0, minutes=60)
    machine.use_a_passkey(index=0, join=None, minutes=60, verified=True, again=False)
    machine.use_a_passkey(index=1, join=0, minutes=None, verified=True, again=False)
    machine.remove_a_passkey(index=0, which=1)
    machine.sessions_live_as_the_model_says()
    machine.people_are_as_the_model_says()


def _all_of_its_kind(subject: Any, part_id: str) -> Any:
    gone = subject.part(part_id)
    return attrs.evolve(subject, parts=tuple(one for one in subject.parts if one.kind != gone.kind))


def _in_place_of_the_first(user: Any, part: Any) -> Any:
    others = tuple(one for one in user.parts if one.kind != part.kind)
    return attrs.evolve(user, parts=(*others, part))


PLANTS: dict[str, tuple[Any, Any, str, Any]] = {
    "possession alone signs in": (_script, operations, "check_worth", lambda **_: None),
    "a challenge is good twice": (
        _script,
        operations,
        "Delete",
        lambda challenge: operations.Update(challenge),
    ),
    "a second passkey takes the place of the first": (_two_of_them, operations, "with_part", _in_place_of_the_first),
    "with one passkey all go": (_two_of_them, users, "without_part", _all_of_its_kind),
    "a removed passkey counts in the session that goes on": (
        _two_of_them,
        ending,
        "still_held",
        lambda factors, _: tuple(factors),
    ),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_the_machine_sees_what_is_planted(monkeypatch: pytest.MonkeyPatch, plant: str) -> None:
    story, *planted = PLANTS[plant]
    story(_OverMemory())
    monkeypatch.setattr(*planted)
    with pytest.raises(AssertionError):
        story(_OverMemory())
