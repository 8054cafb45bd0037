"""Numbers in the state machine: two of them, which everybody wants; texted to, added, proved, taken away and removed, by the wire's own operations."""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import rule

from authmw.settings import PhoneRules
from tests.model.machine import SignInMachine
from tests.model.people import MINUTES, PICK, Address, Held, Person, Sent

NUMBERS = ("+12025550123", "+12025550145")
METHODS = {"sms": ("otp", "sms"), "whatsapp": ("otp", "whatsapp")}
UNABLE = "unable_to_auth_otp_code"
LIFE = 120
TEXTS = 100
"""How many texts a run asks for: the budgets are told elsewhere."""
TRIES = 3
"""How many refused guesses at one person's codes a run makes: what more of them do is told elsewhere."""


class PhoneMachine(SignInMachine):
    """Everything of the machine, and numbers that are contested."""

    settings: ClassVar[dict[str, Any]] = {
        "phones": PhoneRules(
            per_number_hour=10**6,
            per_number_day=10**6,
            per_range_hour=10**6,
            per_country_hour=10**6,
            per_address_hour=10**6,
            per_day=10**6,
        )
    }

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[Address, tuple[Sent, str]] = {}
        self.wrong: dict[Person, int] = {}

    def _product(self, side: Any, channel: str) -> Any:
        return side.auth.otps.sms if channel == "sms" else side.auth.otps.whatsapp

    # -- texted

    @rule(text=st.sampled_from(NUMBERS), channel=st.sampled_from(sorted(METHODS)))
    def come_by_a_number(self, text: str, channel: str) -> None:
        """PC-04, PC-07: to the user of the number, or to one who is made for it."""
        if not self.has_room("texts", TEXTS):
            return
        expected = self._limited(text)
        outcome = self.step(
            lambda side: side.call(self._product(side, channel).login_or_create(phone_number=text)), expected
        )
        if expected or not outcome.stood:
            return
        person = self.person_at(text)
        if person is None:
            person = Person(self.name("person"), phones=[Address(self.name("number"), text)])
            self.people.append(person)
        address = person.at(text)
        assert address is not None
        self._know(person, address)
        self._texted(Sent(self.name("text"), person, address, self.now + LIFE, outcome.answers is not None), channel)

    @rule(index=PICK, text=st.sampled_from(NUMBERS), channel=st.sampled_from(sorted(METHODS)))
    def add_a_number(self, index: int, text: str, channel: str) -> None:
        """PC-06, PC-09: to the session's own number, or to one that it adds, while it stands and nobody has proved it (OTP-02, ACC-06)."""
        held = self.holding(index)
        if held is not None and self.has_room("texts", TEXTS):
            self._add_number(held, text, channel)

    def _add_number(self, held: Held, text: str, channel: str) -> None:
        person, holder = held.person, self.person_at(text)
        standing = person.at(text)
        named = standing is not None and self.only_named(person, standing)
        expected = self._limited(text) or self.lives(held)
        if not expected and (named or standing is None) and not person.groups():
            expected = "email_verification_required"
        taken = holder.at(text) if holder and standing is None else None
        expected = expected or ("duplicate_phone_number" if taken and taken.verified else "")
        outcome = self.step(
            lambda side: side.call(
                self._product(side, channel).send(phone_number=text, session_token=side.held[held.name])
            ),
            expected,
        )
        if expected or not outcome.stood:
            return
        address = standing or Address(self.name("number"), text)
        for side, (answer, _) in zip(self.sides, outcome.answers or (), strict=False):
            side.held[address.name] = answer.phone_id
        if address.name not in self.sides[0].held:
            return  # Nobody was told the id of what was texted.
        adding = held if named or standing is None else None
        sent = Sent(
            self.name("text"), person, address, self.now + LIFE, outcome.answers is not None, adding, person.epoch
        )
        sent.stood = standing is not None
        self._texted(sent, channel)

    def _texted(self, sent: Sent, channel: str) -> None:
        """A new code ends the one before of the same number of the same person, whatever channel it went by (OTP-04)."""
        self.texts.pop(sent.address, None)
        if not sent.held:
            return  # It leaves later, and nobody here reads it.
        self.texts[sent.address] = sent, channel
        for side in self.sides:
            side.held[sent.name] = next(one.code for one in side.inbox.entries() if one.to == sent.address.text) or ""

    # -- and typed

    @rule(index=PICK, join=st.none() | PICK, minutes=MINUTES, right=st.sampled_from([1, 1, 0]))
    def type_a_texted_code(self, index: int, join: int | None, minutes: int | None, right: int) -> None:
        texts = [
            one
            for one in self.texts.values()
            if one[0].may_be_tried(self.now) and self.wrong.get(one[0].person, 0) < TRIES
        ]
        found: tuple[Sent, str] | None = self.pick(texts, index)
        if found is not None:
            self._type(*found, self.holding(join) if join is not None else None, minutes, right=bool(right))

    def _type(self, sent: Sent, channel: str, joined: Held | None, minutes: int | None, *, right: bool) -> None:
        sent.tried = self.now
        expected = UNABLE if sent.used or sent.person.gone or self.now >= sent.expires or not right else ""
        expected = expected or self._proof(sent, UNABLE) or self._joins(sent.person, joined)

        def typed(side: Any) -> str:
            code = side.held[sent.name]
            return code if right else f"{(int(code) + 1) % 10**6:06d}"

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
        self.wrong[sent.person] = 0 if outcome.answers else self.wrong.get(sent.person, 0) + 1
        if expected or not outcome.stood:
            return
        sent.used = True
        person, name = self._proved(sent, joined)
        self.sign_in(person, (METHODS[channel], name), minutes, joined, outcome)

    @rule(index=PICK, which=PICK)
    def remove_a_number(self, index: int, which: int) -> None:
        """From the browser that is signed in (ACC-02, ACC-04, SES-07)."""
        held = self.holding(index)
        number: Address | None = self.pick(held.person.phones, which) if held is not None else None
        if held is None or number is None:
            return
        person = held.person
        last = len(person.contacts) == 1 and "oauth" not in person.parts
        expected = self.sensitive(held) or ("cannot_delete_last_primary_factor" if last else "")
        outcome = self.step(
            lambda side: side.call(
                side.auth.users.delete_phone_number(phone_id=side.held[number.name]), side.held[held.name]
            ),
            expected,
        )
        if expected or not outcome.stood:
            return
        person.phones.remove(number)
        self.goes_on(held, outcome, number.name)
