"""How every step of the state machine is made and judged, and the funnel that every sign-in ends in: the model of it, over two sides.

A step says beforehand how it must end; both sides must end so, and alike. The model is written from REQUIREMENTS and never calls a rule of `authmw`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, ClassVar

import attrs
from hypothesis.stateful import RuleBasedStateMachine, initialize

from authmw.people.records import User
from authmw.settings import SessionRules
from tests.model.people import (
    ABSOLUTE,
    FAKED,
    IDLE,
    PASSWORD,
    Address,
    Held,
    Person,
    Sent,
)
from tests.model.sides import Side, make_sides


@attrs.frozen
class Outcome:
    stood: bool
    """Whether the commit of the step stands, whatever the caller was told."""
    answers: tuple[Any, ...] | None
    """What the two sides answered, if they did."""


class Funnel(RuleBasedStateMachine):
    """People and their sessions, on both sides, and no rule yet by which they come."""

    sqlite: ClassVar[bool] = True
    real: ClassVar[frozenset[str]] = frozenset()
    """The kinds of factors that a product of this machine makes: these are never faked."""
    settings: ClassVar[dict[str, Any]] = {}

    def __init__(self) -> None:
        super().__init__()
        said: dict[str, Any] = {"sessions": SessionRules(idle_minutes=IDLE, absolute_minutes=ABSOLUTE)}
        real: set[str] = set()
        for one in reversed(type(self).__mro__):
            real |= vars(one).get("real", frozenset())
            said.update(vars(one).get("settings", {}))
        self.faked = sorted(set(FAKED) - real)
        self.sides: tuple[Side, Side] = make_sides(sqlite=self.sqlite, **said)
        self.now = 0.0
        self.fault = ""
        self.count = 0
        self.people: list[Person] = []
        self.links: list[Sent] = []
        self.codes: dict[Address, Sent] = {}
        self.sessions: list[Held] = []
        self.quiet_until: dict[str, float] = {}
        self.canaries: set[str] = set()
        self.asked: dict[str, tuple[int, float]] = {}

    # -- how a step is made

    @initialize()
    def begin(self) -> None:
        for side in self.sides:
            side.storage.owner = threading.get_ident()

    def name(self, kind: str) -> str:
        self.count += 1
        return f"{kind} {self.count}"

    def step(self, act: Callable[[Side], tuple[str, Any]], expected: str) -> Outcome:
        """Do it on both sides; the two must end alike and, unless storage failed, as expected (invariant 1)."""
        fault, self.fault = self.fault, ""
        ends: list[tuple[str, bool]] = []
        answers: list[Any] = []
        for side in self.sides:
            side.storage.fault = fault
            error, answer = act(side)
            fired = fault != "" and side.storage.fault == ""
            side.storage.fault = ""
            ends.append((error, fired))
            answers.append(answer)
        assert ends[0] == ends[1]
        error, fired = ends[0]
        assert error == ("server_unavailable" if fired else expected)
        return Outcome(not fired or fault == "lost", None if error else tuple(answers))

    def keep(self, name: str, outcome: Outcome, read: Callable[[Side, Any], str]) -> bool:
        """Keep what the sides handed out under a name; False if nothing was."""
        if outcome.answers is None:
            return False
        for side, answer in zip(self.sides, outcome.answers, strict=True):
            side.held[name] = read(side, answer)
            self.canaries.add(side.held[name])
        return True

    def person_at(self, text: str) -> Person | None:
        return next((one for one in self.people if not one.gone and one.at(text)), None)

    def remember_part(self, name: str, person: Person, kind: str) -> None:
        """Keep the id of a person's newest part of a kind on both sides under a name, as a backend would read it from its own database."""
        for side in self.sides:
            user = next(one for one in side.records(User) if one.id == side.held[person.name])
            side.held[name] = user.parts_of(kind)[-1].part_id

    def has_room(self, what: str, most: int) -> bool:
        """Whether a run may ask once more for something that is limited by the minute: those limits are told elsewhere, and a clock that went back frees nobody."""
        count, newest = self.asked.get(what, (0, -1e12))
        if count >= most or self.now < newest:
            return False
        self.asked[what] = count + 1, self.now
        return True

    def pick(self, among: list[Any], index: int) -> Any:
        return among[index % len(among)] if among else None

    def holding(self, index: int) -> Held | None:
        return self.pick([one for one in self.sessions if one.held], index)

    # -- what a session is worth

    def alive(self, held: Held) -> bool:
        return (
            not held.ended
            and not held.person.gone
            and held.epoch == held.person.epoch
            and self.now < held.expires
            and self.now - held.accessed < IDLE * 60
            and self.now - held.started < ABSOLUTE * 60
        )

    def lives(self, held: Held | None) -> str:
        return "" if held is None or self.alive(held) else "session_not_found"

    def sensitive(self, held: Held) -> str:
        """ACC-02."""
        if not self.alive(held):
            return "session_not_found"
        if len(held.person.groups()) < 2:
            return ""
        if len(held.groups()) < 2:
            return "insufficient_factors"
        return "" if any(0 <= self.now - at < 3600 for at in held.factors.values()) else "stale_factors"

    def _joins(self, person: Person, joined: Held | None) -> str:
        return self.lives(joined) or ("user_id_mismatch" if joined and joined.person is not person else "")

    def sign_in(self, person: Person, factor: Any, minutes: int | None, joined: Held | None, outcome: Outcome) -> None:
        """The funnel after a proof that stood: a session born, stepped up, or none asked for."""
        held = joined
        if held is None:
            if minutes is None:
                return
            end = min(self.now + minutes * 60, self.now + ABSOLUTE * 60)
            held = Held(self.name("session"), person, person.epoch, self.now, self.now, end)
            self.sessions.append(held)
        else:
            self.replaced(held)
            self.forget_passwords(held)
            if minutes is not None:
                held.expires = min(self.now + minutes * 60, held.started + ABSOLUTE * 60)
        held.factors[factor] = self.now
        held.epoch, held.accessed = person.epoch, self.now
        held.held = self.keep(held.name, outcome, lambda _, answer: answer[0].session_token)

    def forget_factors(self, held: Held, of: str) -> None:
        """What was proved by something that is gone proves nothing in the session that goes on (SES-07)."""
        held.factors = {key: at for key, at in held.factors.items() if key[1] != of}
        self.forget_passwords(held)

    def forget_passwords(self, held: Held) -> None:
        """A password proves nothing for a person who has none."""
        if "password" not in held.person.parts:
            held.factors.pop((PASSWORD, ""), None)

    def goes_on(self, held: Held, outcome: Outcome, gone: str = "") -> None:
        """The browser's own session after a change that ended all others: under the new epoch and another secret, without what was proved by something that is gone."""
        person = held.person
        person.epoch += 1
        self.forget_factors(held, gone or "nothing")
        self.replaced(held)
        held.epoch, held.accessed = person.epoch, self.now
        held.held = self.keep(held.name, outcome, lambda _, answer: answer[1].session_token)

    def replaced(self, held: Held) -> None:
        """A session's secret changes: the one before is told from a stranger's for a minute."""
        held.old, held.old_until = held.held, self.now + 60
        for side in self.sides:
            if held.held:
                side.held[f"{held.name} before"] = side.held[held.name]
