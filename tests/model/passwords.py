"""Passwords in the state machine: made, tried, forgotten, changed and removed, among links, codes, step-ups and ends, by the wire's own operations."""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import rule

from authmw.people.records import User
from authmw.settings import PasswordRules
from tests.model.funnel import Outcome
from tests.model.machine import SignInMachine
from tests.model.people import ADDRESSES, MINUTES, PASSWORD, PICK, Address, Held, Person, Sent
from tests.model.sides import Side

FRESH = 300
"""How many seconds old a factor may be at most whose session sets a password without the old one."""
THRESHOLD, LOCK = 10, 3600
"""After how many wrong guesses in a row a password signs nobody in, and for how many seconds."""
TRIES = 6
"""How many guesses a run makes at an address without a password: what more of them do is told elsewhere."""
VISITS = 80
"""How many passwords a run tries: the limit of 100 in ten minutes is told elsewhere."""
WEAK = "password1"
GUESS = "somebody-elses-guess"
WRONG = "unauthorized_credentials"
RIGHT = ("reset_password", "insufficient_factors", "cannot_reset_password_with_existing_password")
"""How a password is refused that was the right one."""
NO_LINK = "unable_to_auth_password_reset_token"
MAILBOX = (("magic_link", "email"), ("otp", "email"), PASSWORD)
"""By which proof a session may set a password."""


class PasswordMachine(SignInMachine):
    """Everything of the machine, and passwords by their own operations."""

    real: ClassVar[frozenset[str]] = frozenset({"password"})
    settings: ClassVar[dict[str, Any]] = {"passwords": PasswordRules(memory_kib=8, iterations=1)}

    def __init__(self) -> None:
        super().__init__()
        self.passwords: dict[Person, str] = {}
        self.resets: list[Sent] = []
        self.misses: dict[str, int] = {}

    def _new_password(self) -> str:
        """One that nobody guesses, and that no record may hold."""
        self.count += 1
        text = f"Zq{self.count}-trombone-velvet-quarry"
        self.canaries.add(text)
        return text

    def _has_password(self, person: Person, text: str, outcome: Outcome) -> None:
        """It is theirs from now on, and no guess counts against it; before the account has an owner it is no factor."""
        person.password_locked_until = -1e12
        if "password" in person.parts and outcome.answers is not None:
            person.wrong_passwords = 0
        self.passwords[person] = text
        person.parts.add("password")
        person.stale_password = False
        if person.owned():
            person.pending.discard("password")
        else:
            person.pending.add("password")

    # -- made and tried

    @rule(text=st.sampled_from(ADDRESSES), minutes=MINUTES, weak=st.booleans())
    def sign_up_with_a_password(self, text: str, minutes: int | None, weak: bool) -> None:
        """PW-01, PW-03: whoever comes first with an address, before anybody proved it."""
        password = WEAK if weak else self._new_password()
        expected = "weak_password" if weak else "duplicate_email" if self.person_at(text) else ""
        outcome = self.step(
            lambda side: side.call(
                side.auth.passwords.create(email=text, password=password, session_duration_minutes=minutes)
            ),
            expected,
        )
        if expected or not outcome.stood:
            return
        address = Address(self.name("address"), text)
        person = Person(self.name("person"), [address])
        self.people.append(person)
        self._know(person, address)
        self._has_password(person, password, outcome)
        self.sign_in(person, (PASSWORD, ""), minutes, None, outcome)

    def _who(self, text: str, *, right: bool) -> tuple[Person | None, str, str]:
        """Whose an address is, what is typed, and how that is refused: alike for nobody and a wrong one (PW-02, ENU-01, A209)."""
        person = self.person_at(text)
        if person is None or "password" not in person.parts:
            return person, GUESS, WRONG
        typed = self.passwords.get(person, "") if right else GUESS
        locked = person.password_locked_until > self.now or person.wrong_passwords >= THRESHOLD
        if not right or locked:
            return person, typed, WRONG
        return person, typed, "reset_password" if person.stale_password else ""

    def _may_guess(self, text: str) -> bool:
        person = self.person_at(text)
        guarded = person is not None and "password" in person.parts
        return (guarded or self.misses.get(text, 0) < TRIES) and self.has_room("passwords tried", VISITS)

    def _tried(self, text: str, typed: str, expected: str, armed: str, outcome: Outcome) -> None:
        """RAT-01, RAT-02, OTP-03: a guess counts before it is compared, the one too many locks, and a right one that stands is forgotten, also where the refusal says that it was right."""
        person = self.person_at(text)
        if person is None or "password" not in person.parts:
            self.misses[text] = self.misses.get(text, 0) + 1
        elif armed == "read" or person.password_locked_until > self.now:
            return
        elif person.wrong_passwords >= THRESHOLD:
            if outcome.stood:
                person.password_locked_until = self.now + LOCK
                person.wrong_passwords = person.wrong_passwords if armed == "lost" else 0
        else:
            person.wrong_passwords += 1
            told = expected in RIGHT and outcome.stood and armed != "lost"
            if typed != GUESS and (outcome.answers is not None or told):
                person.wrong_passwords = 0

    @rule(text=st.sampled_from(ADDRESSES), join=st.none() | PICK, minutes=MINUTES, right=st.sampled_from([1, 1, 0]))
    def type_a_password(self, text: str, join: int | None, minutes: int | None, right: int) -> None:
        if not self._may_guess(text):
            return
        self._type_it(text, self.holding(join) if join is not None else None, minutes, right=bool(right))

    @rule(text=st.sampled_from(ADDRESSES), times=st.integers(2, 11))
    def guess_a_password_again_and_again(self, text: str, times: int) -> None:
        """RAT-01: ten times in a row at most, and then nobody signs in by it for an hour, not even by the right one."""
        person = self.person_at(text)
        for _ in range(times):
            if person is not None and "password" in person.parts and self._may_guess(text):
                self._type_it(text, None, None, right=False)

    def _type_it(self, text: str, joined: Held | None, minutes: int | None, *, right: bool) -> None:
        person, typed, refused = self._who(text, right=right)
        expected, armed = refused, self.fault
        if person is not None:
            expected = expected or self._joins(person, joined)
        outcome = self.step(
            lambda side: side.call(
                side.auth.passwords.authenticate(
                    email=text,
                    password=typed,
                    session_duration_minutes=minutes,
                    session_token=side.held[joined.name] if joined else None,
                )
            ),
            expected,
        )
        self._tried(text, typed, expected, armed, outcome)
        if person is not None and not expected and outcome.stood:
            self.sign_in(person, (PASSWORD, ""), minutes, joined, outcome)

    # -- forgotten

    @rule(text=st.sampled_from(ADDRESSES))
    def forget_a_password(self, text: str) -> None:
        """A mail with two links: to set another, and to sign in without (PW-05, PW-08, PW-10)."""
        person = self.person_at(text)
        expected = self._limited(text) or ("" if person else "email_not_found")
        outcome = self.step(lambda side: side.call(side.auth.passwords.email.reset_start(email=text)), expected)
        address = person.at(text) if person else None
        if person is None or address is None or expected or not outcome.stood:
            return
        self._know(person, address)
        for kind, life, sent in (("reset_password", 1800, self.resets), ("login", 1800, self.links)):
            name = self.name("sent")
            held = self.keep(name, outcome, lambda side, _, kind=kind: self._linked(side, text, kind))
            sent.append(Sent(name, person, address, self.now + life, held, epoch=person.epoch, bound=True))

    def _linked(self, side: Side, text: str, kind: str) -> str:
        links = next(one.links for one in side.inbox.entries() if one.to == text and one.links)
        return next(link for link in links if f"token_type={kind}" in link).split("token=")[-1]

    @rule(index=PICK, join=st.none() | PICK, minutes=MINUTES, weak=st.booleans())
    def set_one_by_mail(self, index: int, join: int | None, minutes: int | None, weak: bool) -> None:
        """PW-11, ACC-08, SES-07: once, until anything ended their sessions; a weak one does not use the link up."""
        sent: Sent | None = self.pick(
            [one for one in self.resets if one.may_be_tried(self.now) and one.guesses < 8], index
        )
        if sent is None:
            return
        joined = self.holding(join) if join is not None else None
        password = WEAK if weak else self._new_password()
        expected = NO_LINK if sent.used or self.now >= sent.expires or sent.person.gone else ""
        expected = expected or ("weak_password" if weak else "")
        expected = expected or self._proof(sent, NO_LINK) or self._joins(sent.person, joined)
        sent.guesses, sent.tried = sent.guesses + 1, self.now
        outcome = self.step(
            lambda side: side.call(
                side.auth.passwords.email.reset(
                    token=side.held[sent.name],
                    password=password,
                    session_duration_minutes=minutes,
                    session_token=side.held[joined.name] if joined else None,
                )
            ),
            expected,
        )
        if expected or not outcome.stood:
            return
        sent.used = True
        person, _ = self._proved(sent, joined)
        self._has_password(person, password, outcome)
        person.epoch += 1
        self.sign_in(person, (PASSWORD, ""), minutes, joined, outcome)

    # -- changed by whoever is signed in, or knows the old one

    @rule(
        text=st.sampled_from(ADDRESSES), join=st.none() | PICK, minutes=MINUTES, same=st.booleans(), own=st.booleans()
    )
    def change_it_by_the_old_one(self, text: str, join: int | None, minutes: int | None, same: bool, own: bool) -> None:
        """PW-12. From a browser whoever has a second factor has proved it in the session that asks (ACC-02)."""
        if self._may_guess(text):
            self._change(text, self.holding(join) if join is not None else None, minutes, same=same, browser=own)

    def _change(self, text: str, joined: Held | None, minutes: int | None, *, same: bool, browser: bool) -> None:
        person, typed, refused = self._who(text, right=True)
        expected, armed = refused, self.fault
        if browser:
            carried = joined if joined and self.alive(joined) and joined.person is person else None
            proved = {"account"} | (carried.groups() if carried else set())
            if person is not None and not expected and len(person.groups()) >= 2 and len(proved) < 2:
                expected = "insufficient_factors"
        else:
            carried = joined
        password = typed if same else self._new_password()
        expected = expected or ("cannot_reset_password_with_existing_password" if same else "")
        if person is not None and not browser:
            expected = expected or self._joins(person, joined)

        def changed(side: Side) -> Any:
            token = side.held[joined.name] if joined else None
            work = side.auth.passwords.existing_password.reset(
                email=text,
                existing_password=typed,
                new_password=password,
                session_duration_minutes=minutes,
                session_token=None if browser else token,
            )
            return side.call(work, (token or "") if browser else None)

        outcome = self.step(changed, expected)
        self._tried(text, typed, expected, armed, outcome)
        if person is None or expected or not outcome.stood:
            return
        self._has_password(person, password, outcome)
        person.epoch += 1
        self.sign_in(person, (PASSWORD, ""), minutes, carried, outcome)

    @rule(index=PICK, minutes=MINUTES, weak=st.booleans(), browser=st.booleans())
    def set_one_by_a_session(self, index: int, minutes: int | None, weak: bool, browser: bool) -> None:
        """PW-13: the mailbox or the old one was proved in it just now; no proof becomes fresher by it (SES-05)."""
        held = self.holding(index)
        if held is None:
            return
        person, password = held.person, WEAK if weak else self._new_password()
        by = next((key for key, at in held.factors.items() if key[0] in MAILBOX and 0 <= self.now - at < FRESH), None)
        expected = self.sensitive(held) if browser else self.lives(held)
        expected = expected or ("" if by else "session_too_old_to_reset_password")
        nothing_proved = "password" not in person.parts and not person.groups()
        expected = expected or ("email_verification_required" if nothing_proved or not person.addresses else "")
        expected = expected or ("weak_password" if weak else "")

        def reset(side: Side) -> Any:
            token = side.held[held.name]
            work = side.auth.passwords.sessions.reset(
                password=password, session_duration_minutes=minutes, session_token=None if browser else token
            )
            return side.call(work, token if browser else None)

        outcome = self.step(reset, expected)
        if by is None or expected or not outcome.stood:
            return
        proved_at = held.factors[by]
        self._has_password(person, password, outcome)
        person.epoch += 1
        self.sign_in(person, by, minutes, held, outcome)
        held.factors[by] = proved_at

    @rule(index=PICK)
    def remove_the_own_password(self, index: int) -> None:
        """From the browser that is signed in (ACC-02, SES-07); what it proved counts no more."""
        held = self.holding(index)
        if held is None or "password" not in held.person.parts:
            return
        person = held.person
        for side in self.sides:
            user = (
                next(one for one in side.records(User) if one.id == side.held[person.name]) if not person.gone else None
            )
            side.held["the password"] = user.parts_of("password")[0].part_id if user else "password-test-gone"
        expected = self.sensitive(held)
        outcome = self.step(
            lambda side: side.call(
                side.auth.users.delete_password(password_id=side.held["the password"]), side.held[held.name]
            ),
            expected,
        )
        if expected or not outcome.stood:
            return
        person.parts.discard("password")
        person.pending.discard("password")
        self.goes_on(held, outcome)
