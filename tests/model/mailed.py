"""Addresses in the state machine, and the links and codes that are mailed to them: sign-up, sign-in, adding, proving and removing one."""

from __future__ import annotations

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import rule

from authmw.drive import step as drive_step
from authmw.people.records import Email, User
from authmw.storage import Update
from tests.model.funnel import Funnel
from tests.model.people import (
    ADDRESSES,
    MINUTES,
    PICK,
    Address,
    Held,
    Person,
    Sent,
)
from tests.model.sides import Side


class MailMachine(Funnel):
    """Links and codes by e-mail."""

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
        sent: Sent | None = self.pick([one for one in self.links if one.may_be_tried(self.now)], index)
        if sent is None:
            return
        self._follow(sent, self.holding(join) if join is not None else None, minutes)

    def _follow(self, sent: Sent, joined: Held | None, minutes: int | None) -> None:
        refusal, sent.tried = "unable_to_auth_magic_link", self.now
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
        sent: Sent | None = self.pick([one for one in self.codes.values() if one.may_be_tried(self.now)], index)
        if sent is None:
            return
        person, joined = sent.person, self.holding(join) if join is not None else None
        refusal, sent.tried = "unable_to_auth_otp_code", self.now
        expected, counts, locks = "", False, False
        if sent.used or person.gone:
            expected = refusal
        elif person.locked_until > self.now:
            expected = "user_lock_limit_reached"
        elif self.now >= sent.expires:
            expected = refusal
        elif person.failures >= 10:
            expected, locks = "user_lock_limit_reached", True
        elif sent.guesses >= 5:
            expected = refusal
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

    @rule(text=st.sampled_from(ADDRESSES), minutes=st.sampled_from([60, 1440]))
    def sign_in_by_a_new_link(self, text: str, minutes: int) -> None:
        """The main job, in one step, so that most runs hold sessions."""
        before = len(self.links)
        self._login_or_create(text, code=False)
        if len(self.links) > before and self.links[-1].held:
            self._follow(self.links[-1], None, minutes)

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
