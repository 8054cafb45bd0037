"""The state machine: people, addresses, links, codes and sessions, as REQUIREMENTS says they behave, beside the project itself.

Law: the model is written from the requirements and never calls a rule of `authmw`. Every step says beforehand how it must end; both sides must end so, and alike.

A product adds its own rules in a subclass: a rule computes the expected error type (empty for success), hands the operation to `self.step`, and applies its effect to the model
if `outcome.stood`. `self.sign_in(...)` is the model of the funnel that every factor ends in.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from authmw.drive import step as drive_step
from authmw.errors import Refused
from authmw.ledger.records import Event
from authmw.people.records import Email, User
from authmw.settings import SessionRules
from authmw.signin.sessions import live_by_token
from authmw.storage import Update
from tests.model.people import (
    ABSOLUTE,
    ADDRESSES,
    FAKED,
    GROUP,
    IDLE,
    MINUTES,
    PASSWORD,
    PICK,
    Address,
    Held,
    Person,
    Sent,
)
from tests.model.sides import ALL_KINDS, Side, make_sides


@attrs.frozen
class Outcome:
    stood: bool
    """Whether the commit of the step stands, whatever the caller was told."""
    answers: tuple[Any, ...] | None
    """What the two sides answered, if they did."""


class SignInMachine(RuleBasedStateMachine):
    """Sign-up to deletion through the public operations."""

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
        """Keep the id of a person's part on both sides under a name, as a backend would read it from its own database."""
        for side in self.sides:
            user = next(one for one in side.records(User) if one.id == side.held[person.name])
            side.held[name] = user.parts_of(kind)[0].part_id

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

    # -- what people do

    def _limited(self, text: str) -> str:
        """One mail a second to one address; the clock going back frees nobody."""
        if self.quiet_until.get(text, -1e12) > self.now:
            return "too_many_requests"
        self.quiet_until[text] = self.now + 1
        return ""

    def _login_or_create(self, text: str, code: bool) -> None:
        expected = self._limited(text)
        outcome = self.step(
            lambda side: side.call(
                (side.auth.otps if code else side.auth.magic_links).email.login_or_create(email=text)
            ),
            expected,
        )
        if expected or not outcome.stood:
            return
        person = self.person_at(text)
        known = person is not None
        if person is None:
            person = Person(self.name("person"), [Address(self.name("address"), text)])
            self.people.append(person)
        address = person.at(text)
        assert address is not None
        self._know(person, address)
        name, life = self.name("sent"), 120 if code else 3600 if known else 604_800
        held = self.keep(name, outcome, lambda side, _: self._mailed(side, text, code=code))
        sent = Sent(name, person, address, self.now + life, held)
        if code:
            self.codes[address] = sent
        else:
            self.links.append(sent)

    def _know(self, person: Person, address: Address) -> None:
        """Read the ids of a person and an address from both storages, as a backend would from its own database."""
        for side in self.sides:
            found = ((user, user.email_at(address.text) or user.phone_at(address.text)) for user in side.records(User))
            user, contact = next((user, contact) for user, contact in found if contact is not None)
            side.held[person.name] = user.id
            side.held[address.name] = contact.phone_id if address.is_number else contact.email_id

    def _mailed(self, side: Side, text: str, *, code: bool) -> str:
        entries = (one for one in side.inbox.entries() if one.to == text)
        return next(one.code if code else one.links[0].split("token=")[-1] for one in entries if one.code or one.links)

    @rule(text=st.sampled_from(ADDRESSES), code=st.booleans())
    def sign_up_or_log_in(self, text: str, code: bool) -> None:
        self._login_or_create(text, code)

    @rule(index=PICK, text=st.sampled_from(ADDRESSES))
    def ask_to_add_an_address(self, index: int, text: str) -> None:
        held = self.holding(index)
        if held is None:
            return
        person, holder = held.person, self.person_at(text)
        expected = self._limited(text) or self.lives(held)
        standing = person.at(text)
        if not expected and standing is None:
            taken = holder.at(text) if holder else None
            expected = (
                "email_verification_required"
                if not person.groups()
                else "duplicate_email"
                if taken and taken.verified
                else ""
            )
        outcome = self.step(
            lambda side: side.call(side.auth.magic_links.email.send(email=text, session_token=side.held[held.name])),
            expected,
        )
        if expected or not outcome.stood:
            return
        address = standing or Address(self.name("address"), text)
        name = self.name("sent")
        kept = self.keep(name, outcome, lambda side, _: self._mailed(side, text, code=False))
        named = standing is not None and self.only_named(person, standing)
        life, adding = (3600 if standing else 300), (held if named or not standing else None)
        stood = standing is not None
        self.links.append(Sent(name, person, address, self.now + life, kept, adding, person.epoch, stood))

    def only_named(self, person: Person, address: Address) -> bool:
        """Whether an address merely stands on an account that has an owner by another one."""
        return not address.verified and person.owned()

    @rule(index=PICK, text=st.sampled_from(ADDRESSES))
    def an_import_names_an_address(self, index: int, text: str) -> None:
        """As a migration may leave it: an address that nobody proved, on an account that is there already."""
        person: Person | None = self.pick([one for one in self.people if not one.gone], index)
        if person is None or self.person_at(text) is not None:
            return
        address = Address(self.name("address"), text)
        email_id = f"email-test-00000000-0000-4000-8000-{self.count:012}"
        for side in self.sides:
            user = next(one for one in side.records(User) if one.id == side.held[person.name])
            email = Email(email_id=email_id, address=text, created_at=side.clock.now())
            drive_step(side.storage.inner.commit(Update(attrs.evolve(user, emails=(*user.emails, email)))))
            side.held[address.name] = email_id
        person.addresses.append(address)

    def _proof(self, sent: Sent, refusal: str) -> str:
        """Whether what was mailed still proves anything."""
        if sent.person.gone or (sent.stood and sent.address not in sent.person.contacts):
            return refusal
        adding = sent.adding
        if sent.bound and sent.epoch != sent.person.epoch:
            return refusal
        if adding and (adding.ended or adding.epoch != sent.person.epoch or sent.epoch != sent.person.epoch):
            return refusal
        holder = self.person_at(sent.address.text)
        if holder is not None and holder is not sent.person:
            standing = holder.at(sent.address.text)
            assert standing is not None
            duplicate = "duplicate_phone_number" if standing.is_number else "duplicate_email"
            return duplicate if standing.verified else ""
        return ""

    def _joins(self, person: Person, joined: Held | None) -> str:
        return self.lives(joined) or ("user_id_mismatch" if joined and joined.person is not person else "")

    def _proved(self, sent: Sent, joined: Held | None) -> tuple[Person, str]:
        """Proof wins (ACC-05, ACC-06): the address is theirs, and what an unowned account held before dies. Whose account only named it keeps nothing of who proves it."""
        person, address = sent.person, sent.address
        own = sent.adding is not None or (joined is not None and joined.person is person)
        if address in person.contacts and self.only_named(person, address) and not own:
            return self._somebody_new(person, address), address.name
        return person, self.prove_address(person, address, own=sent.adding is not None)

    def prove_address(self, person: Person, address: Address, *, own: bool) -> str:
        """Somebody proves an address, which may stand on them or unproved on another: what an unowned account held before dies, unless its own session asked (ACC-05); the name of the address."""
        holder = self.person_at(address.text)
        if not person.owned() and not own:
            person.keep_only(address)
            person.epoch += 1
        if holder is not None and holder is not person:
            holder.lose(address.text)
            holder.epoch += 1
        standing = person.at(address.text)
        if standing is None:
            standing = address
            person.gain(address)
        standing.verified = True
        person.pending.discard("password")
        return standing.name

    def _somebody_new(self, named_by: Person, address: Address) -> Person:
        named_by.lose(address.text)
        named_by.epoch += 1
        address.verified = True
        person = Person(self.name("person"), epoch=1)
        person.gain(address)
        self.people.append(person)
        self._know(person, address)
        return person

    @rule(index=PICK, join=st.none() | PICK, minutes=MINUTES)
    def follow_a_link(self, index: int, join: int | None, minutes: int | None) -> None:
        sent: Sent | None = self.pick([one for one in self.links if one.held], index)
        if sent is None:
            return
        self._follow(sent, self.holding(join) if join is not None else None, minutes)

    def _follow(self, sent: Sent, joined: Held | None, minutes: int | None) -> None:
        refusal = "unable_to_auth_magic_link"
        expected = refusal if sent.used or self.now >= sent.expires or sent.guesses >= 10 else ""
        counted = not expected
        expected = expected or self._proof(sent, refusal) or self._joins(sent.person, joined)
        outcome = self.step(
            lambda side: side.call(
                side.auth.magic_links.authenticate(
                    token=side.held[sent.name],
                    session_duration_minutes=minutes,
                    session_token=side.held[joined.name] if joined else None,
                )
            ),
            expected,
        )
        if counted and (outcome.stood or outcome.answers is None):
            sent.guesses += 1
        if expected or not outcome.stood:
            return
        sent.used = True
        person, name = self._proved(sent, joined)
        self.sign_in(person, (("magic_link", "email"), name), minutes, joined, outcome)

    @rule(
        index=PICK, join=st.none() | PICK, minutes=MINUTES, guess=st.sampled_from(["right", "right", "wrong", "other"])
    )
    def type_a_code(self, index: int, join: int | None, minutes: int | None, guess: str) -> None:
        sent: Sent | None = self.pick([one for one in self.codes.values() if one.held], index)
        if sent is None:
            return
        person, joined = sent.person, self.holding(join) if join is not None else None
        refusal = "unable_to_auth_otp_code"
        expected, counts, locks = "", False, False
        if sent.used or person.gone:
            expected = refusal
        elif person.locked_until > self.now:
            expected = "user_lock_limit_reached"
        elif self.now >= sent.expires or sent.guesses >= 5:
            expected = refusal
        elif person.failures >= 10:
            expected, locks = "user_lock_limit_reached", True
        else:
            counts = True
            expected = refusal if guess != "right" else self._proof(sent, refusal) or self._joins(person, joined)
        armed = self.fault

        def typed(side: Side) -> str:
            code = side.held[sent.name]
            return code if guess == "right" else f"{(int(code) + 1) % 10**6:06d}" if guess == "wrong" else "12345"

        outcome = self.step(
            lambda side: side.call(
                side.auth.otps.authenticate(
                    method_id=side.held[sent.address.name],
                    code=typed(side),
                    session_duration_minutes=minutes,
                    session_token=side.held[joined.name] if joined else None,
                )
            ),
            expected,
        )
        if counts and armed != "read":
            sent.guesses += 1
            person.failures += 1
        if locks and outcome.stood:
            person.locked_until = self.now + 3600
            person.failures = 0 if armed != "lost" else person.failures
        if expected or not outcome.stood:
            return
        sent.used = True
        if outcome.answers is not None:
            person.failures = sent.guesses = 0
        person, name = self._proved(sent, joined)
        self.sign_in(person, (("otp", "email"), name), minutes, joined, outcome)

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

    @rule(index=PICK, which=PICK)
    def remove_an_address(self, index: int, which: int) -> None:
        """From the browser that is signed in (ACC-02, ACC-04, SES-07)."""
        held = self.holding(index)
        if held is None:
            return
        person = held.person
        theirs = [one for one in person.addresses if one.name in self.sides[0].held]
        address: Address | None = self.pick(theirs, which)
        if address is None:
            return
        last = len(person.contacts) == 1 and "oauth" not in person.parts
        expected = self.sensitive(held) or ("cannot_delete_last_primary_factor" if last else "")
        outcome = self.step(
            lambda side: side.call(
                side.auth.users.delete_email(email_id=side.held[address.name]), side.held[held.name]
            ),
            expected,
        )
        if expected or not outcome.stood:
            return
        person.addresses.remove(address)
        self.goes_on(held, outcome, address.name)

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

    @rule(text=st.sampled_from(ADDRESSES), minutes=st.sampled_from([60, 1440]))
    def sign_in_by_a_new_link(self, text: str, minutes: int) -> None:
        """The main job, in one step, so that most runs hold sessions."""
        before = len(self.links)
        self._login_or_create(text, code=False)
        if len(self.links) > before and self.links[-1].held:
            self._follow(self.links[-1], None, minutes)

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

    @invariant()
    def people_are_as_the_model_says(self) -> None:
        """Invariants 2 and 5: nothing is proved twice, and everybody keeps an address."""
        wanted = sorted(
            (sorted((one.text, one.verified) for one in person.contacts), sorted(person.parts), person.epoch)
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
