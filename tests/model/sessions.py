"""Sessions in the state machine: proved, extended, judged and ended, whichever factors they hold."""

from __future__ import annotations

from datetime import timedelta

from hypothesis.stateful import invariant, rule

from authmw.drive import step as drive_step
from authmw.errors import Refused
from authmw.signin.sessions import live_by_token
from tests.model.funnel import Funnel
from tests.model.people import (
    ABSOLUTE,
    MINUTES,
    PICK,
    Held,
    Person,
)
from tests.model.sides import Side


class SessionMachine(Funnel):
    """What is done with a session that is there."""

    @rule(index=PICK, minutes=MINUTES)
    def prove_or_extend_a_session(self, index: int, minutes: int | None) -> None:
        """An extension moves the end and nothing else: no factor becomes fresher (SES-05)."""
        held = self.holding(index)
        if held is None:
            return
        expected = self.lives(held)
        outcome = self.step(
            lambda side: side.call(
                side.auth.sessions.authenticate(session_token=side.held[held.name], session_duration_minutes=minutes)
            ),
            expected,
        )
        if expected or not outcome.stood:
            return
        changed = False
        if minutes is not None:
            end = min(self.now + minutes * 60, held.started + ABSOLUTE * 60)
            changed = abs(end - held.expires) >= 60
            held.expires = end if changed else held.expires
        if changed or self.now - held.accessed >= 900:
            held.accessed = self.now
        for side, (answer, _) in zip(self.sides, outcome.answers or (), strict=False):
            shown = [factor["last_authenticated_at"] for factor in answer.session.authentication_factors]
            begin = side.clock.now() - timedelta(seconds=self.now)
            wanted = [f"{begin + timedelta(seconds=at):%Y-%m-%dT%H:%M:%SZ}" for at in held.factors.values()]
            assert shown == wanted
            self._judged(side, answer.session_jwt, held)

    def _judged(self, side: Side, jwt: str, held: Held) -> None:
        """What a host's routes make of the session: a second factor that is enrolled is a second factor that is needed."""
        found = side.auth.guard.known(None, jwt, side.clock.now())
        assert found is not None
        session = found.session
        assert session is not None
        active = held.person.parts - held.person.pending
        assert session.mfa is ("totp" not in active or len(held.groups()) >= 2)
        assert set(session.categories) == held.groups()

    @rule(index=PICK)
    def present_a_replaced_token(self, index: int) -> None:
        """The secret before a step-up says "try again" for a minute, then nothing."""
        held: Held | None = self.pick([one for one in self.sessions if one.old], index)
        if held is None:
            return
        known = not held.ended and self.now < held.old_until
        self.step(
            lambda side: side.call(side.auth.sessions.authenticate(session_token=side.held[f"{held.name} before"])),
            "invalid_session_token" if known else "session_not_found",
        )

    @rule(index=PICK)
    def change_the_own_name(self, index: int) -> None:
        """A sensitive call that changes no factor (invariant 4)."""
        held = self.holding(index)
        if held is None:
            return
        self.step(
            lambda side: side.call(
                side.auth.users.update(user_id=side.held[held.person.name], untrusted_metadata={"n": self.count}),
                side.held[held.name],
            ),
            "user_not_found" if held.person.gone else self.sensitive(held),
        )

    @rule(index=PICK)
    def sign_out(self, index: int) -> None:
        held = self.holding(index)
        if held is None:
            return
        outcome = self.step(lambda side: side.call(side.auth.sessions.revoke(), side.held[held.name]), "")
        held.ended = held.ended or (outcome.stood and self.alive(held))

    @rule(index=PICK)
    def end_all_sessions(self, index: int) -> None:
        """As an administrator does: list them, and end each."""
        person: Person | None = self.pick([one for one in self.people if not one.gone], index)
        if person is None:
            return
        outcome = self.step(lambda side: side.call(side.auth.sessions.get(user_id=side.held[person.name])), "")
        if outcome.answers is None:
            return
        theirs = [one for one in self.sessions if one.person is person and self.alive(one)]
        for answer, _ in outcome.answers:
            assert len(answer.sessions) == len(theirs)
        for number in range(len(theirs)):
            ended = [answer.sessions[number].session_id for answer, _ in outcome.answers]
            ids = dict(zip(self.sides, ended, strict=True))
            self.step(lambda side, ids=ids: side.call(side.auth.sessions.revoke(session_id=ids[side])), "")
        for one in theirs:
            one.ended = True

    @invariant()
    def sessions_live_as_the_model_says(self) -> None:
        """Invariant 3: and so a live session's person is there."""
        for held in self.sessions:
            if not held.held:
                continue
            for side in self.sides:
                try:
                    work = live_by_token(side.storage.inner, side.held[held.name], side.auth.settings, side.clock.now())
                    drive_step(work)
                    alive = True
                except Refused:
                    alive = False
                assert alive is self.alive(held)
