"""Device biometrics in the state machine: a key registered by proving it, used, replayed and removed, by the wire's own operations."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import rule

from authmw.testing import DeviceKey
from tests.model.machine import SignInMachine
from tests.model.people import MINUTES, PICK, Held, Person
from tests.model.sides import Side

KIND = "biometric"
METHOD = ("signature_challenge", "biometric")
UNABLE = "unable_to_auth_biometric_registration"
LIFE = 300
WAITING = 5
"""How many challenges wait for one key at most."""
CHALLENGES = 25
"""How many challenges one person asks for in a run: the limit of 30 a minute is told elsewhere."""


@attrs.define(eq=False)
class Device:
    """A key that a person's device keeps, and the challenges that wait for it: their names and when they were given."""

    name: str
    person: Person
    key: DeviceKey
    waiting: list[tuple[str, float]] = attrs.field(factory=list)


class DeviceMachine(SignInMachine):
    """Everything of the machine, and keys of devices."""

    real: ClassVar[frozenset[str]] = frozenset({KIND})

    def __init__(self) -> None:
        super().__init__()
        self.devices: list[Device] = []

    def _may_ask(self, person: Person) -> bool:
        return self.has_room(f"challenges of {person.name}", CHALLENGES)

    def _is_registered(self, device: Device) -> bool:
        newest = [one for one in self.devices if one.person is device.person][-1]
        return newest is device and KIND in device.person.parts and not device.person.gone

    @rule(index=PICK, taken=st.booleans())
    def register_a_device(self, index: int, taken: bool) -> None:
        """From the browser that is signed in: an owner, and the MFA rule (ACC-02, ACC-03); a key belongs to one person."""
        held = self.holding(index)
        if held is None or KIND in held.person.parts or not self._may_ask(held.person):
            return
        standing = next((one.key for one in self.devices if self._is_registered(one)), None) if taken else None
        self._register(held, standing)

    def _register(self, held: Held, standing: DeviceKey | None) -> None:
        person, key = held.person, standing or DeviceKey()
        expected = "user_not_found" if person.gone else "" if self.alive(held) else "session_not_found"
        expected = expected or ("" if person.groups() else "email_verification_required") or self.sensitive(held)
        expected = expected or ("duplicate_biometric_registration" if standing else "")
        started = self.step(
            lambda side: side.call(
                side.auth.biometrics.register_start(user_id=side.held[person.name], public_key=key.public_key),
                side.held[held.name],
            ),
            expected,
        )
        if started.answers is None:
            return
        device = Device(self.name("device"), person, key)
        for side, (answer, _) in zip(self.sides, started.answers, strict=True):
            side.held[f"{device.name} id"] = answer.biometric_registration_id
            side.held[device.name] = key.sign(answer.challenge)
        outcome = self.step(
            lambda side: side.call(
                side.auth.biometrics.register(
                    user_id=side.held[person.name],
                    biometric_registration_id=side.held[f"{device.name} id"],
                    signature=side.held[device.name],
                ),
                side.held[held.name],
            ),
            "",
        )
        if not outcome.stood:
            return
        person.parts.add(KIND)
        self.devices.append(device)
        self.sign_in(person, (METHOD, device.name), None, held, outcome)

    @rule(index=PICK)
    def challenge_a_device(self, index: int) -> None:
        """By a backend, for the owner of the key alone."""
        device: Device | None = self.pick(self.devices, index)
        if device is None or not self._may_ask(device.person):
            return
        expected = "" if self._is_registered(device) else "biometric_registration_not_found"
        outcome = self.step(
            lambda side: side.call(side.auth.biometrics.authenticate_start(public_key=device.key.public_key)), expected
        )
        if expected or not outcome.stood:
            return
        name = self.name("challenge")
        standing = [one for one in device.waiting if self.now < one[1] + LIFE]
        device.waiting = [*standing[-(WAITING - 1) :], (name, self.now)]
        for side, (answer, _) in zip(self.sides, outcome.answers or (), strict=False):
            side.held[name] = device.key.sign(answer.challenge)

    @rule(index=PICK, which=PICK, join=st.none() | PICK, minutes=MINUTES, again=st.booleans())
    def answer_by_a_device(self, index: int, which: int, join: int | None, minutes: int | None, again: bool) -> None:
        """BIO-01: once, within five minutes, by the device that was asked."""
        known = [one for one in self.devices if any(name in self.sides[0].held for name, _ in one.waiting)]
        device: Device | None = self.pick(known, index)
        if device is not None:
            challenge = self.pick([one for one in device.waiting if one[0] in self.sides[0].held], which)
            self._answer(device, challenge, self.holding(join) if join is not None else None, minutes, again=again)

    def _answer(
        self, device: Device, challenge: tuple[str, float], joined: Held | None, minutes: int | None, *, again: bool
    ) -> None:
        name, given = challenge
        expected = self.lives(joined)
        expected = expected or ("" if self._is_registered(device) and self.now < given + LIFE else UNABLE)
        expected = expected or self._joins(device.person, joined)

        def answered(side: Side) -> Any:
            return side.call(
                side.auth.biometrics.authenticate(
                    biometric_registration_id=side.held[f"{device.name} id"],
                    signature=side.held[name],
                    session_duration_minutes=minutes,
                    session_token=side.held[joined.name] if joined else None,
                )
            )

        outcome = self.step(answered, expected)
        if expected or not outcome.stood:
            return
        device.waiting = []
        self.sign_in(device.person, (METHOD, device.name), minutes, joined, outcome)
        if again and (joined is None or joined.held):
            self.step(answered, self.lives(joined) or UNABLE)

    @rule(index=PICK, which=PICK)
    def remove_a_device(self, index: int, which: int) -> None:
        """From the browser that is signed in; every other session ends (ACC-02, SES-07)."""
        held, device = self.holding(index), self.pick(self.devices, which)
        if held is None or device is None:
            return
        mine = device.person is held.person and self._is_registered(device)
        expected = self.sensitive(held) or ("" if mine else "biometric_registration_not_found")
        outcome = self.step(
            lambda side: side.call(
                side.auth.users.delete_biometric_registration(biometric_registration_id=side.held[f"{device.name} id"]),
                side.held[held.name],
            ),
            expected,
        )
        if expected or not outcome.stood:
            return
        held.person.parts.discard(KIND)
        self.goes_on(held, outcome, device.name)
