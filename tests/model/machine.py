"""The state machine: people, addresses, links, codes and sessions, as REQUIREMENTS says they behave, beside the project itself.

Law: the model is written from the requirements and never calls a rule of `authmw`. Every step says beforehand how it must end; both sides must end so, and alike.

A product adds its own rules in a subclass: a rule computes the expected error type (empty for success), hands the operation to `self.step`, and applies its effect to the model
if `outcome.stood`. `self.sign_in(...)` is the model of the funnel that every factor ends in.
"""

from __future__ import annotations

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from authmw.ledger.records import Event
from authmw.people.records import User
from tests.model.mailed import MailMachine
from tests.model.people import (
    GROUP,
    MINUTES,
    PICK,
    Held,
    Person,
)
from tests.model.sessions import SessionMachine
from tests.model.sides import ALL_KINDS


class SignInMachine(MailMachine, SessionMachine):
    """Sign-up to deletion through the public operations."""

    @rule(index=PICK, method=st.sampled_from(sorted(GROUP)), join=st.none() | PICK, minutes=MINUTES)
    def prove_any_factor(self, index: int, method: tuple[str, str], join: int | None, minutes: int | None) -> None:
        person: Person | None = self.pick(self.people, index)
        if person is None:
            return
        self._prove(person, method, self.holding(join) if join is not None else None, minutes)

    def _prove(self, person: Person, method: tuple[str, str], joined: Held | None, minutes: int | None) -> None:
        expected = "user_not_found" if person.gone else self._joins(person, joined)
        outcome = self.step(
            lambda side: side.call(
                side.factors.prove(
                    user_id=side.held[person.name],
                    type=method[0],
                    delivery_method=method[1],
                    session_duration_minutes=minutes,
                    session_token=side.held[joined.name] if joined else None,
                )
            ),
            expected,
        )
        if not expected and outcome.stood:
            self.sign_in(person, (method, ""), minutes, joined, outcome)

    @rule(index=PICK, which=PICK)
    def enrol_a_factor(self, index: int, which: int) -> None:
        person: Person | None = self.pick(self.people, index)
        kind: str | None = self.pick(self.faked, which)
        if person is not None and kind is not None:
            self.enrol(person, kind)

    def enrol(self, person: Person, kind: str) -> None:
        """Put a factor on somebody that no product of the machine makes."""
        expected = "user_not_found" if person.gone else ""
        outcome = self.step(
            lambda side: side.call(side.factors.enrol(user_id=side.held[person.name], kind=kind)), expected
        )
        if not expected and outcome.stood:
            person.parts.add(kind)
            person.stale_password = person.stale_password and kind != "password"

    @rule(index=PICK, method=st.sampled_from(sorted(GROUP)))
    def step_up(self, index: int, method: tuple[str, str]) -> None:
        """A factor more in a session, by its own person."""
        held = self.holding(index)
        if held is not None:
            self._prove(held.person, method, held, None)

    @rule(index=PICK, which=PICK)
    def mistake_one_token_for_another(self, index: int, which: int) -> None:
        """TOK-03: a token opens nothing but what it was made for."""
        held, sent = self.holding(index), self.pick([one for one in self.links if one.held], which)
        if held is None or sent is None:
            return
        self.step(
            lambda side: side.call(side.auth.magic_links.authenticate(token=side.held[held.name])),
            "unable_to_auth_magic_link",
        )
        self.step(
            lambda side: side.call(side.auth.sessions.authenticate(session_token=side.held[sent.name])),
            "session_not_found",
        )

    @rule(index=PICK)
    def delete(self, index: int) -> None:
        person: Person | None = self.pick(self.people, index)
        if person is None:
            return
        expected = "user_not_found" if person.gone else ""
        outcome = self.step(lambda side: side.call(side.auth.users.delete(user_id=side.held[person.name])), expected)
        person.gone = person.gone or outcome.stood

    @rule(seconds=st.sampled_from([1, 59, 3599, 3600, 86_400, -3600]))
    def tick(self, seconds: int) -> None:
        self.now += seconds
        for side in self.sides:
            side.clock.advance(seconds=seconds)

    @rule(fault=st.sampled_from(["read", "commit", "lost"]))
    def storage_fails_next(self, fault: str) -> None:
        self.fault = fault

    # -- what holds after every step

    @invariant()
    def people_are_as_the_model_says(self) -> None:
        """Invariants 2 and 5: nothing is proved twice, and everybody keeps an address."""
        wanted = sorted(
            (
                sorted((one.text, one.verified) for one in person.contacts),
                sorted([*person.parts, *person.more.elements()]),
                person.epoch,
            )
            for person in self.people
            if not person.gone
        )
        for side in self.sides:
            found = sorted(
                (
                    sorted(
                        [
                            *((email.address, email.verified) for email in user.emails),
                            *((phone.number, phone.verified) for phone in user.phones),
                        ]
                    ),
                    sorted(part.kind for part in user.parts),
                    user.session_epoch,
                )
                for user in side.records(User)
            )
            assert found == wanted
            assert all(user.emails or user.phones or user.parts for user in side.records(User))

    def teardown(self) -> None:
        """Invariants 7 and 8: one end for each call, and no secret at rest."""
        for side in self.sides:
            side.auth.notes.flush()
            ends = [event.request_id for event in side.records(Event) if event.status != "started"]
            assert len(ends) == len(set(ends)) == min(side.calls, 1000)
            kept = "".join(str(attrs.asdict(record)) for kind in ALL_KINDS for record in side.records(kind))
            assert not [secret for secret in self.canaries if len(secret) > 20 and secret in kept]
            side.clear()
