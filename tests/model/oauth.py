"""Sign-in by a provider in the state machine: with addresses that it has verified and others, new people, known ones, and identities that are added, by the wire's own operations."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import rule

from authmw.people.records import User
from authmw.testing import Person as Account
from tests.model.machine import SignInMachine
from tests.model.people import ADDRESSES, MINUTES, PICK, Address, Held, Person
from tests.model.sides import Side
from tests.world import PUBLIC_TOKEN

KIND, PROVIDER = "oauth", "github"
METHOD = ("oauth", "oauth_github")
NO_TOKEN, NO_ATTACH, TAKEN = "oauth_token_not_found", "invalid_oauth_attach_token", "duplicate_oauth_registration"
LIFE = 300
STARTS = 60
"""How many sign-ins a run begins: the limit of 120 a minute is told elsewhere."""
TRIES = 8
"""How often a run presents one token: that ten tries use it up is told elsewhere."""


@attrs.define(eq=False)
class Attach:
    """What an identity is added to: a person under an epoch, and the session that asks, if one does."""

    person: Person
    epoch: int
    session: Held | None
    name: str


@attrs.define(eq=False)
class Landed:
    """Somebody came back from the provider, as who has this address there."""

    name: str
    text: str
    proved: bool
    landed: float
    attach: Attach | None
    used: bool = False
    tries: int = 0


class OAuthMachine(SignInMachine):
    """Everything of the machine, and one provider at which each address is an account."""

    settings: ClassVar[dict[str, Any]] = {"providers": True}

    def __init__(self) -> None:
        super().__init__()
        self.identities: dict[str, tuple[Person, str]] = {}
        self.landings: list[Landed] = []

    def identified(self, text: str) -> Person | None:
        """Whose the account at the provider is, here: by the provider's own id, never by the address (ACC-07)."""
        person, _ = self.identities.get(text, (None, ""))
        return person if person is not None and not person.gone and KIND in person.parts else None

    def whose(self, text: str) -> Person | None:
        """Who a proved address makes it: not somebody on whose account it was only named."""
        person = self.person_at(text)
        address = person.at(text) if person else None
        return person if person and address and (address.verified or not person.owned()) else None

    # -- to the provider and back

    @rule(text=st.sampled_from(ADDRESSES), verified=st.booleans())
    def come_back_from_the_provider(self, text: str, verified: bool) -> None:
        """OAU-06: the address counts where the provider has verified it."""
        if self.has_room("oauth starts", STARTS):
            self._come_back(text, None, verified=verified)

    @rule(text=st.sampled_from(ADDRESSES), verified=st.booleans(), browser=st.booleans(), index=PICK)
    def add_an_identity(self, text: str, verified: bool, browser: bool, index: int) -> None:
        """By a token that a session or a backend asks for: an owner, and in a browser the MFA rule (ACC-02, ACC-03)."""
        held = self.holding(index) if browser else None
        person: Person | None = held.person if held else None if browser else self.pick(self.people, index)
        if person is not None and self.has_room("oauth starts", STARTS):
            self._add_to(text, person, held, verified=verified)

    def _add_to(self, text: str, person: Person, held: Held | None, *, verified: bool) -> None:
        if held is not None:
            expected = "" if self.alive(held) else "session_not_found"
        else:
            expected = "user_not_found" if person.gone else ""
        expected = expected or ("" if person.groups() else "email_verification_required")
        expected = expected or (self.sensitive(held) if held else "")

        def asked(side: Side) -> Any:
            if held is not None:
                return side.call(side.auth.oauth.attach(provider=PROVIDER), side.held[held.name])
            return side.call(side.auth.oauth.attach(provider=PROVIDER, user_id=side.held[person.name]))

        outcome = self.step(asked, expected)
        if outcome.answers is None:
            return
        attach = Attach(person, person.epoch, held, self.name("attach"))
        self.keep(attach.name, outcome, lambda _, answer: answer[0].oauth_attach_token)
        self._come_back(text, attach, verified=verified)

    def _come_back(self, text: str, attach: Attach | None, *, verified: bool) -> None:
        started = self.step(
            lambda side: side.call(
                side.auth.oauth.start(
                    provider=PROVIDER,
                    public_token=PUBLIC_TOKEN,
                    oauth_attach_token=side.held[attach.name] if attach else None,
                )
            ),
            "",
        )
        if started.answers is None:
            return
        back: dict[str, dict[str, Any]] = {}
        for side, (answer, _) in zip(self.sides, started.answers, strict=True):
            assert side.providers is not None
            asked = dict(parse_qsl(urlsplit(answer.redirect_url).query))
            agreed = side.providers.agree(PROVIDER, asked, Account(email=text, verified=verified))
            back[side.name] = {**agreed.parameters, "binding": answer.binding}
        owner = self.identified(text)
        expected = TAKEN if attach and owner is not None and owner is not attach.person else ""
        outcome = self.step(
            lambda side: side.call(
                side.auth.oauth.callback(
                    oauth_callback_id=side.auth.oauth.callback_url(PROVIDER).rpartition("/")[2], **back[side.name]
                )
            ),
            expected,
        )
        if outcome.answers is None:
            return
        landed = Landed(self.name("landing"), text, verified, self.now, attach)
        self.keep(landed.name, outcome, lambda _, answer: answer[0].redirect_url.split("token=")[-1])
        self.landings.append(landed)

    # -- signed in

    @rule(index=PICK, join=st.none() | PICK, minutes=MINUTES)
    def sign_in_as_who_came_back(self, index: int, join: int | None, minutes: int | None) -> None:
        """OA-11, ACC-05: once, within five minutes; two users are never merged."""
        landed: Landed | None = self.pick([one for one in self.landings if one.tries < TRIES], index)
        if landed is not None:
            self._arrive(landed, self.holding(join) if join is not None else None, minutes)

    def _meant(self, landed: Landed, joined: Held | None) -> tuple[Person | None, str]:
        """Whom it signs in (nobody known: somebody new), or how it is refused."""
        attach, owner = landed.attach, self.identified(landed.text)
        if attach is None:
            return owner or (self.whose(landed.text) if landed.proved else None), ""
        if attach.session is not None and self.lives(joined):
            return None, self.lives(joined)
        if attach.session is not None and joined is not attach.session:
            return None, NO_ATTACH
        ended = attach.session is not None and attach.session.ended
        if attach.person.gone or attach.epoch != attach.person.epoch or ended:
            return None, NO_ATTACH
        return attach.person, TAKEN if owner is not None and owner is not attach.person else ""

    def _arrive(self, landed: Landed, joined: Held | None, minutes: int | None) -> None:
        landed.tries += 1
        person, expected = self._meant(landed, joined)
        expected = expected if not landed.used and self.now < landed.landed + LIFE else NO_TOKEN
        known = person is not None and self.identified(landed.text) is person
        if not expected and person is not None and not known and KIND in person.parts:
            return  # A second identity of one person is told elsewhere.
        mismatch = joined is not None and joined.person is not person
        expected = expected or self.lives(joined) or ("user_id_mismatch" if mismatch else "")
        outcome = self.step(
            lambda side: side.call(
                side.auth.oauth.authenticate(
                    token=side.held[landed.name],
                    session_duration_minutes=minutes,
                    session_token=side.held[joined.name] if joined else None,
                )
            ),
            expected,
        )
        if expected or not outcome.stood:
            return
        landed.used = True
        if person is None or not known:
            person = self._entered(landed, person)
        self.sign_in(person, (METHOD, self.identities[landed.text][1]), minutes, joined, outcome)

    def _entered(self, landed: Landed, person: Person | None) -> Person:
        """An identity becomes somebody's, with the address where it is proved and nobody else's for good."""
        name, new = self.name("identity"), person is None
        person = person or Person(self.name("person"))
        holder = self.person_at(landed.text)
        standing = holder.at(landed.text) if holder else None
        theirs = standing is not None and standing.verified and holder is not person
        address = None
        if landed.proved and not theirs:
            address = person.at(landed.text) or Address(self.name("address"), landed.text)
            self.prove_address(person, address, own=landed.attach is not None)
        person.parts.add(KIND)
        self.identities[landed.text] = (person, name)
        for side in self.sides:
            known = {side.held[one.name] for one in self.people}
            if new:
                strangers = [one.id for one in side.records(User) if one.id not in known]
                assert len(strangers) == 1
                side.held[person.name] = strangers[0]
            user = next(one for one in side.records(User) if one.id == side.held[person.name])
            if address is not None:
                proved = user.email_at(landed.text)
                assert proved is not None
                side.held[address.name] = proved.email_id
        if new:
            self.people.append(person)
        self.remember_part(name, person, KIND)
        return person

    @rule(index=PICK)
    def remove_the_own_identity(self, index: int) -> None:
        """From the browser that is signed in (ACC-02, ACC-04, SES-07)."""
        held = self.holding(index)
        if held is None or KIND not in held.person.parts:
            return
        person = held.person
        text = next(one for one, (owner, _) in self.identities.items() if owner is person)
        name = self.identities[text][1]
        expected = self.sensitive(held) or ("" if person.contacts else "cannot_delete_last_primary_factor")
        outcome = self.step(
            lambda side: side.call(
                side.auth.users.delete_oauth_registration(oauth_user_registration_id=side.held[name]),
                side.held[held.name],
            ),
            expected,
        )
        if expected or not outcome.stood:
            return
        del self.identities[text]
        person.parts.discard(KIND)
        self.goes_on(held, outcome, name)
