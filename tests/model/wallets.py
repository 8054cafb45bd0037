"""Crypto wallets in the state machine: whoever comes first with one, adds it, signs in by it and removes it, by the wire's own operations."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import rule

from authmw.people.records import User
from authmw.testing import EthereumWallet, SolanaWallet
from tests.model.machine import SignInMachine
from tests.model.people import MINUTES, PICK, Held, Person
from tests.model.sides import Side

KIND = "crypto_wallet"
METHOD = ("crypto", "crypto_wallet")
UNABLE = "unable_to_authenticate_crypto_wallet"
WALLETS: tuple[EthereumWallet | SolanaWallet, ...] = (EthereumWallet(7), SolanaWallet(9))
LIFE, SKEW = 300, 60
WAITING = 5
"""How many texts wait for one wallet at most."""
TEXTS = 8
"""How many texts one wallet is asked for in a run: the limit of ten a minute is told elsewhere."""


@attrs.define(eq=False)
class Signing:
    """A text that a wallet signed on each side, and what it means."""

    name: str
    wallet: int
    means: Literal["signs_in", "adds", "makes"]
    person: Person | None
    issued: float
    session: Held | None = None
    epoch: int = 0


class WalletMachine(SignInMachine):
    """Everything of the machine, and two wallets that people come with."""

    real: ClassVar[frozenset[str]] = frozenset({KIND})

    def __init__(self) -> None:
        super().__init__()
        self.owners: dict[int, tuple[Person, str]] = {}
        self.signings: dict[int, list[Signing]] = {}

    def wallet_owner(self, wallet: int) -> Person | None:
        person, _ = self.owners.get(wallet, (None, ""))
        return person if person is not None and not person.gone and KIND in person.parts else None

    @rule(wallet=st.integers(0, 1), by=st.sampled_from(["session", "person", "nobody"]), index=PICK)
    def have_a_wallet_sign(self, wallet: int, by: str, index: int) -> None:
        """A text that names the project, for the session, for somebody a backend names, or for whoever it will be (CW-01)."""
        if not self.has_room(f"texts of {wallet}", TEXTS):
            return
        session = self.holding(index) if by == "session" else None
        named: Person | None = session.person if session else self.pick(self.people, index) if by == "person" else None
        self._have_signed(wallet, session, named)

    def _have_signed(self, wallet: int, session: Held | None, named: Person | None) -> None:
        owner = self.wallet_owner(wallet)
        expected = self.lives(session) or ("user_not_found" if named and named.gone and not session else "")
        if not expected and named is not None and owner is not named:
            expected = "duplicate_wallet_address" if owner else "" if named.groups() else "email_verification_required"

        def asked(side: Side) -> Any:
            return side.call(
                side.auth.crypto_wallets.authenticate_start(
                    crypto_wallet_type=WALLETS[wallet].wallet_type,
                    crypto_wallet_address=WALLETS[wallet].address,
                    session_token=side.held[session.name] if session else None,
                    user_id=side.held[named.name] if named and not session else None,
                )
            )

        outcome = self.step(asked, expected)
        if expected or not outcome.stood:
            return
        person = named or owner
        means: Literal["signs_in", "adds", "makes"] = "signs_in" if owner else "adds" if named else "makes"
        signing = Signing(self.name("text"), wallet, means, person, self.now, session, person.epoch if person else 0)
        waiting = [one for one in self.signings.get(wallet, []) if self.now < one.issued + LIFE]
        self.signings[wallet] = [*waiting[-(WAITING - 1) :], signing]
        for side, (answer, _) in zip(self.sides, outcome.answers or (), strict=False):
            side.held[signing.name] = WALLETS[wallet].sign(answer.challenge)

    @rule(index=PICK, join=st.none() | PICK, minutes=MINUTES, again=st.booleans())
    def present_a_signature(self, index: int, join: int | None, minutes: int | None, again: bool) -> None:
        """CW-04 to CW-08: once, within five minutes, where it was asked for, and for what it was meant."""
        known = [one for group in self.signings.values() for one in group if one.name in self.sides[0].held]
        signing: Signing | None = self.pick(known, index)
        if signing is not None:
            self._present(signing, self.holding(join) if join is not None else None, minutes, again=again)

    def _refused(self, signing: Signing, joined: Held | None) -> str:
        if self.now + SKEW < signing.issued:
            return "siwe_message_not_valid_yet"
        if self.now >= signing.issued + LIFE:
            return "siwe_message_expired"
        if self.lives(joined):
            return self.lives(joined)
        if signing.session is not None and joined is not signing.session:
            return UNABLE
        owner, asked_for = self.wallet_owner(signing.wallet), signing.person
        there = asked_for if asked_for and not asked_for.gone else None
        if owner is None:
            adds = signing.means == "adds" and there is not None and there.epoch == signing.epoch
            if not adds and not (signing.means == "makes" and there is None):
                return UNABLE
        target = joined.person if joined else there
        if target is None or target is owner:
            return ""
        return "duplicate_wallet_address" if owner else "" if target.groups() else "email_verification_required"

    def _present(self, signing: Signing, joined: Held | None, minutes: int | None, *, again: bool) -> None:
        wallet, expected = signing.wallet, self._refused(signing, joined)
        owner = self.wallet_owner(wallet)
        target = joined.person if joined else signing.person

        def presented(side: Side) -> Any:
            return side.call(
                side.auth.crypto_wallets.authenticate(
                    crypto_wallet_type=WALLETS[wallet].wallet_type,
                    crypto_wallet_address=WALLETS[wallet].address,
                    signature=side.held[signing.name],
                    session_duration_minutes=minutes,
                    session_token=side.held[joined.name] if joined else None,
                )
            )

        outcome = self.step(presented, expected)
        if expected or not outcome.stood:
            return
        del self.signings[wallet]
        person = owner or target or self._new_owner(wallet)
        if owner is None:
            person.gain_part(KIND)
            name = self.name("wallet")
            self.owners[wallet] = (person, name)
            self.remember_part(name, person, KIND)
        self.sign_in(person, (METHOD, self.owners[wallet][1]), minutes, joined, outcome)
        if again and (joined is None or joined.held):
            self.step(presented, UNABLE)

    def _new_owner(self, wallet: int) -> Person:
        person = Person(self.name("person"))
        self.people.append(person)
        address = WALLETS[wallet].address
        for side in self.sides:
            owners = (one for one in side.records(User) if any(_shows(part, address) for part in one.parts_of(KIND)))
            side.held[person.name] = next(owners).id
        return person

    @rule(index=PICK, which=st.integers(0, 1))
    def remove_an_own_wallet(self, index: int, which: int) -> None:
        """From the browser that is signed in (ACC-02, SES-07); the last way in stays (X-26)."""
        held = self.holding(index)
        if held is None:
            return
        person = held.person
        wallet: int | None = self.pick([one for one, (owner, _) in self.owners.items() if owner is person], which)
        if wallet is None:
            return
        name = self.owners[wallet][1]
        last = not person.reached() and not person.more[KIND]
        expected = self.sensitive(held) or ("cannot_delete_last_primary_factor" if last else "")
        outcome = self.step(
            lambda side: side.call(
                side.auth.users.delete_crypto_wallet(crypto_wallet_id=side.held[name]), side.held[held.name]
            ),
            expected,
        )
        if expected or not outcome.stood:
            return
        del self.owners[wallet]
        person.lose_part(KIND)
        self.goes_on(held, outcome, name)


def _shows(part: Any, address: str) -> bool:
    return bool(part.details["address"] == address)
