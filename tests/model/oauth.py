"""Sign-in by two providers in the state machine: with addresses that they have verified and others, new people, known ones, and identities that are added, by the wire's own operations."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import rule

from authmw.people.records import User
from authmw.testing import Person as Account
from tests.model.funnel import Outcome
from tests.model.machine import SignInMachine
from tests.model.people import ADDRESSES, MINUTES, PICK, Address, Held, Person
from tests.model.sides import Side
from tests.world import PUBLIC_TOKEN

KIND = "oauth"
GITHUB, GOOGLE = PROVIDERS = ("github", "google")
NO_TOKEN, NO_ATTACH, TAKEN = "oauth_token_not_found", "invalid_oauth_attach_token", "duplicate_oauth_registration"
LIFE = 300
STARTS = 60
"""How many sign-ins a run begins: the limit of 120 a minute is told elsewhere."""
TRIES = 8
"""How often a run presents one token: that ten tries use it up is told elsewhere."""


@attrs.frozen
class There:
    """An account at a provider: each address has one at each of them."""

    provider: str
    text: str


@attrs.define(eq=False)
class Attach:
    """What an identity is added to: a person under an epoch, and the session that asks, if one does."""

    person: Person
    epoch: int
    session: Held | None
    name: str


@attrs.define(eq=False)
class Landed:
    """Somebody came back from a provider, as who has this account there."""

    name: str
    there: There
    proved: bool
    landed: float
    attach: Attach | None
    used: bool = False
    tries: int = 0
    tried: float = 0
    """When, at last; with the clock behind it a run tries nothing, since what was tried is counted in the future."""


class OAuthMachine(SignInMachine):
    """Everything of the machine, and two providers at which each address is an account."""

    settings: ClassVar[dict[str, Any]] = {"providers": True}

    def __init__(self) -> None:
        super().__init__()
        self.identities: dict[There, tuple[Person, str]] = {}
        self.landings: list[Landed] = []

    def identified(self, there: There) -> Person | None:
        """Whose an account at a provider is, here: by the provider and its own id, never by the address (ACC-07)."""
        person, _ = self.identities.get(there, (None, ""))
        return person if person is not None and not person.gone else None

    def whose(self, text: str) -> Person | None:
        """Who a proved address makes it: not somebody on whose account it was only named."""
        person = self.person_at(text)
        address = person.at(text) if person else None
        return person if person and address and (address.verified or not person.owned()) else None

    # -- to a provider and back

    @rule(provider=st.sampled_from(PROVIDERS), text=st.sampled_from(ADDRESSES), verified=st.booleans())
    def come_back_from_a_provider(self, provider: str, text: str, verified: bool) -> None:
        """OAU-06: the address counts where the provider has verified it."""
        if self.has_room("oauth starts", STARTS):
            self._come_back(There(provider, text), None, verified=verified)

    @rule(
        provider=st.sampled_from(PROVIDERS),
        text=st.sampled_from(ADDRESSES),
        verified=st.booleans(),
        browser=st.booleans(),
        index=PICK,
        astray=st.booleans(),
    )
    def add_an_identity(
        self, provider: str, text: str, verified: bool, browser: bool, index: int, astray: bool = False
    ) -> None:
        """By a token that a session or a backend asks for: an owner, and in a browser the MFA rule (ACC-02, ACC-03). It opens one provider's door, and is not used up at another's."""
        held = self.holding(index) if browser else None
        person: Person | None = held.person if held else None if browser else self.pick(self.people, index)
        if person is None or not self.has_room("oauth starts", STARTS):
            return
        attach = self._ask_to_add(provider, person, held)
        if attach is None:
            return
        if astray and self.has_room("oauth starts", STARTS):
            other = GITHUB if provider == GOOGLE else GOOGLE
            self.step(lambda side: self._starts(side, other, attach), NO_ATTACH)
        self._come_back(There(provider, text), attach, verified=verified)

    def _ask_to_add(self, provider: str, person: Person, held: Held | None) -> Attach | None:
        if held is not None:
            expected = "" if self.alive(held) else "session_not_found"
        else:
            expected = "user_not_found" if person.gone else ""
        expected = expected or ("" if person.groups() else "email_verification_required")
        expected = expected or (self.sensitive(held) if held else "")

        def asked(side: Side) -> Any:
            if held is not None:
                return side.call(side.auth.oauth.attach(provider=provider), side.held[held.name])
            return side.call(side.auth.oauth.attach(provider=provider, user_id=side.held[person.name]))

        outcome = self.step(asked, expected)
        attach = Attach(person, person.epoch, held, self.name("attach"))
        return attach if self.keep(attach.name, outcome, lambda _, answer: answer[0].oauth_attach_token) else None

    def _starts(self, side: Side, provider: str, attach: Attach | None) -> Any:
        token = side.held[attach.name] if attach else None
        return side.call(side.auth.oauth.start(provider=provider, public_token=PUBLIC_TOKEN, oauth_attach_token=token))

    def _come_back(self, there: There, attach: Attach | None, *, verified: bool) -> None:
        started = self.step(lambda side: self._starts(side, there.provider, attach), "")
        if started.answers is None:
            return
        back: dict[str, dict[str, Any]] = {}
        for side, (answer, _) in zip(self.sides, started.answers, strict=True):
            assert side.providers is not None
            asked = dict(parse_qsl(urlsplit(answer.redirect_url).query))
            agreed = side.providers.agree(there.provider, asked, Account(email=there.text, verified=verified))
            back[side.name] = {**agreed.parameters, "binding": answer.binding}
        owner = self.identified(there)
        expected = TAKEN if attach and owner is not None and owner is not attach.person else ""
        outcome = self.step(
            lambda side: side.call(
                side.auth.oauth.callback(
                    oauth_callback_id=side.auth.oauth.callback_url(there.provider).rpartition("/")[2],
                    **back[side.name],
                )
            ),
            expected,
        )
        self.lands(there, attach, outcome, proved=verified)

    def lands(self, there: There, attach: Attach | None, outcome: Outcome, *, proved: bool) -> None:
        """A browser is led to the app with a token."""
        landed = Landed(self.name("landing"), there, proved, self.now, attach)
        if self.keep(landed.name, outcome, lambda _, answer: answer[0].redirect_url.split("token=")[-1]):
            self.landings.append(landed)

    # -- signed in

    @rule(index=PICK, join=st.none() | PICK, minutes=MINUTES)
    def sign_in_as_who_came_back(self, index: int, join: int | None, minutes: int | None) -> None:
        """OA-11, ACC-05: once, within five minutes; two users are never merged."""
        landed: Landed | None = self.pick(
            [one for one in self.landings if one.tries < TRIES and (one.used or one.tried <= self.now)], index
        )
        if landed is not None:
            self._arrive(landed, self.holding(join) if join is not None else None, minutes)

    def _meant(self, landed: Landed, joined: Held | None) -> tuple[Person | None, str]:
        """Whom it signs in (nobody known: somebody new), or how it is refused."""
        attach, owner = landed.attach, self.identified(landed.there)
        if attach is None:
            return owner or (self.whose(landed.there.text) if landed.proved else None), ""
        if attach.session is not None and self.lives(joined):
            return None, self.lives(joined)
        if attach.session is not None and joined is not attach.session:
            return None, NO_ATTACH
        ended = attach.session is not None and attach.session.ended
        if attach.person.gone or attach.epoch != attach.person.epoch or ended:
            return None, NO_ATTACH
        return attach.person, TAKEN if owner is not None and owner is not attach.person else ""

    def _arrive(self, landed: Landed, joined: Held | None, minutes: int | None) -> None:
        landed.tries, landed.tried = landed.tries + 1, self.now
        person, expected = self._meant(landed, joined)
        expected = expected if not landed.used and self.now < landed.landed + LIFE else NO_TOKEN
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
        if person is None or self.identified(landed.there) is not person:
            person = self._entered(landed, person)
        name = self.identities[landed.there][1]
        for side, (answer, _) in zip(self.sides, outcome.answers or (), strict=False):
            assert answer.oauth_user_registration_id == side.held[name]
        self.sign_in(person, (("oauth", f"oauth_{landed.there.provider}"), name), minutes, joined, outcome)

    def _entered(self, landed: Landed, person: Person | None) -> Person:
        """An identity becomes somebody's, with the address where it is proved and nobody else's for good."""
        text, name, new = landed.there.text, self.name("identity"), person is None
        person = person or Person(self.name("person"))
        holder = self.person_at(text)
        standing = holder.at(text) if holder else None
        theirs = standing is not None and standing.verified and holder is not person
        address = None
        if landed.proved and not theirs:
            address = person.at(text) or Address(self.name("address"), text)
            self.prove_address(person, address, own=landed.attach is not None)
        person.gain_part(KIND)
        self.identities[landed.there] = (person, name)
        for side in self.sides:
            known = {side.held[one.name] for one in self.people}
            if new:
                strangers = [one.id for one in side.records(User) if one.id not in known]
                assert len(strangers) == 1
                side.held[person.name] = strangers[0]
            user = next(one for one in side.records(User) if one.id == side.held[person.name])
            if address is not None:
                proved = user.email_at(text)
                assert proved is not None
                side.held[address.name] = proved.email_id
        if new:
            self.people.append(person)
        self.remember_part(name, person, KIND)
        return person

    @rule(index=PICK, which=PICK)
    def remove_an_own_identity(self, index: int, which: int) -> None:
        """From the browser that is signed in (ACC-02, ACC-04, SES-07): the other provider's stays, and one of the two can be all that somebody has."""
        held = self.holding(index)
        if held is None:
            return
        person = held.person
        theirs = [one for one, (owner, _) in self.identities.items() if owner is person]
        there: There | None = self.pick(theirs, which)
        if there is None:
            return
        name = self.identities[there][1]
        last = not person.contacts and not person.more[KIND]
        expected = self.sensitive(held) or ("cannot_delete_last_primary_factor" if last else "")
        outcome = self.step(
            lambda side: side.call(
                side.auth.users.delete_oauth_registration(oauth_user_registration_id=side.held[name]),
                side.held[held.name],
            ),
            expected,
        )
        if expected or not outcome.stood:
            return
        del self.identities[there]
        person.lose_part(KIND)
        self.goes_on(held, outcome, name)
