"""Links that the host delivers itself, in the state machine: minted for somebody, and good for whoever holds one, by the wire's own operations."""

from __future__ import annotations

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.model.machine import SignInMachine
from tests.model.people import MINUTES, PICK, Held, Person

METHOD = ("magic_link", "embedded")
UNABLE = "unable_to_auth_magic_link"
TRIES = 10
"""How often one link can be presented."""


@attrs.define(eq=False)
class Minted:
    """A link on its way by other means than ours."""

    name: str
    person: Person
    expires: float
    used: bool = False
    tries: int = 0


class EmbeddedMachine(SignInMachine):
    """Everything of the machine, and links that no mail of ours carries."""

    def __init__(self) -> None:
        super().__init__()
        self.minted: list[Minted] = []

    @rule(index=PICK, minutes=st.sampled_from([5, 60, 1440]))
    def mint_a_link(self, index: int, minutes: int) -> None:
        """ML-22: by a backend, for somebody who is there; it proves no address."""
        person: Person | None = self.pick(self.people, index)
        if person is None:
            return
        outcome = self.step(
            lambda side: side.call(
                side.auth.magic_links.create(user_id=side.held[person.name], expiration_minutes=minutes)
            ),
            "user_not_found" if person.gone else "",
        )
        minted = Minted(self.name("minted"), person, self.now + minutes * 60)
        if self.keep(minted.name, outcome, lambda _, answer: answer[0].token):
            self.minted.append(minted)

    @rule(index=PICK, join=st.none() | PICK, minutes=MINUTES, again=st.booleans())
    def follow_a_minted_link(self, index: int, join: int | None, minutes: int | None, again: bool) -> None:
        """TOK-01, TOK-03: once, in time, and in nobody else's session."""
        minted: Minted | None = self.pick(self.minted, index)
        if minted is None:
            return
        for _ in range(1 + again):
            self._follow_minted(minted, self.holding(join) if join is not None else None, minutes)

    def _follow_minted(self, minted: Minted, joined: Held | None, minutes: int | None) -> None:
        expected = UNABLE if minted.used or self.now >= minted.expires or minted.tries >= TRIES else ""
        counted, armed = not expected, self.fault
        expected = expected or (UNABLE if minted.person.gone else self._joins(minted.person, joined))
        outcome = self.step(
            lambda side: side.call(
                side.auth.magic_links.authenticate(
                    token=side.held[minted.name],
                    session_duration_minutes=minutes,
                    session_token=side.held[joined.name] if joined else None,
                )
            ),
            expected,
        )
        if counted and armed != "read":
            minted.tries += 1
        if expected or not outcome.stood:
            return
        minted.used = True
        self.sign_in(minted.person, (METHOD, minted.name), minutes, joined, outcome)
