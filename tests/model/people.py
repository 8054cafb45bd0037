"""What the model knows of people, what was sent to them, and their sessions: written from REQUIREMENTS, and no rule of `authmw` in it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import attrs
from hypothesis import strategies as st

ADDRESSES = ("ada@example.org", "bob@example.org", "eve@example.org")
IDLE, ABSOLUTE = 600, 2880
GROUPS = {
    "account": (
        "magic_link email",
        "magic_link embedded",
        "otp email",
        "oauth oauth_github",
        "oauth oauth_google",
        "password knowledge",
        "crypto crypto_wallet",
    ),
    "phone": ("otp sms", "otp whatsapp"),
    "dedicated": (
        "webauthn webauthn_registration",
        "totp authenticator_app",
        "recovery_codes recovery_code",
        "signature_challenge biometric",
    ),
}
"""The categories, as ACC-01 words them."""
GROUP = {tuple(method.split()): group for group, methods in GROUPS.items() for method in methods}
KIND_GROUP = {
    "totp": "dedicated",
    "webauthn": "dedicated",
    "biometric": "dedicated",
    "password": "account",
    "oauth": "account",
    "crypto_wallet": "account",
}
FAKED = ("biometric", "password", "totp", "webauthn")
"""The kinds that can be put on somebody without their product, where it is not part of the machine."""
PASSWORD = ("password", "knowledge")
MINUTES = st.sampled_from([None, 5, 60, 1440])
PICK = st.integers(0, 50)


@attrs.define(eq=False)
class Address:
    """An e-mail or a number of a person; another one each time it is added."""

    name: str
    text: str
    verified: bool = False

    @property
    def is_number(self) -> bool:
        return self.text.startswith("+")


@attrs.define(eq=False)
class Person:
    """Somebody, and what they could sign in by."""

    name: str
    addresses: list[Address] = attrs.field(factory=list)
    parts: set[str] = attrs.field(factory=set)
    """The kinds of which they have one or more."""
    more: Counter[str] = attrs.field(factory=Counter)
    """How many of a kind they have beyond the first."""
    stale_password: bool = False
    """Whether it was set before the owner of the address came, and signs nobody in (A209)."""
    pending: set[str] = attrs.field(factory=set)
    """Parts that are no factor before their first proof."""
    phones: list[Address] = attrs.field(factory=list)
    epoch: int = 0
    gone: bool = False
    failures: int = 0
    locked_until: float = -1e12
    wrong_passwords: int = 0
    password_locked_until: float = -1e12

    @property
    def phone(self) -> bool:
        """Whether a number of theirs is proved."""
        return any(one.verified for one in self.phones)

    @property
    def contacts(self) -> list[Address]:
        return [*self.addresses, *self.phones]

    def at(self, text: str) -> Address | None:
        return next((one for one in self.contacts if one.text == text), None)

    def gain(self, contact: Address) -> None:
        """It stands on them."""
        (self.phones if contact.is_number else self.addresses).append(contact)

    def gain_part(self, kind: str) -> None:
        """One more of this kind."""
        if kind in self.parts:
            self.more[kind] += 1
        self.parts.add(kind)

    def lose_part(self, kind: str) -> None:
        """One less of this kind."""
        if self.more[kind]:
            self.more[kind] -= 1
        else:
            self.parts.discard(kind)

    def lose(self, text: str) -> None:
        """It stands on them no more. A password keeps nobody who has no address, and where nothing is left nobody is."""
        self.addresses = [one for one in self.addresses if one.text != text]
        self.phones = [one for one in self.phones if one.text != text]
        if not self.addresses:
            self.parts.discard("password")
            self.pending.discard("password")
        self.gone = not (self.contacts or self.parts)

    def keep_only(self, contact: Address) -> None:
        """Whatever else an unowned account holds dies when its first address is proved; a password of the address stays, and signs nobody in (A209)."""
        self.addresses = [one for one in self.addresses if one.text == contact.text]
        self.phones = [one for one in self.phones if one.text == contact.text]
        self.parts &= set() if contact.is_number else {"password"}
        self.more.clear()
        self.pending.clear()
        self.stale_password = bool(self.parts)

    def owned(self) -> bool:
        proved = self.phone or any(one.verified for one in self.addresses)
        return proved or bool(self.parts & {"oauth", "crypto_wallet"})

    def reached(self) -> bool:
        """Whether an address, a number or a provider is left by which they sign in (ACC-04)."""
        return bool(self.contacts) or "oauth" in self.parts

    def groups(self) -> set[str]:
        counting = self.parts - self.pending - ({"password"} if self.stale_password else set())
        by_address = {"account"} if any(one.verified for one in self.addresses) else set()
        return {KIND_GROUP[kind] for kind in counting} | by_address | ({"phone"} if self.phone else set())


@attrs.define(eq=False)
class Sent:
    """A link or a code on its way."""

    name: str
    person: Person
    address: Address
    expires: float
    held: bool
    adding: Held | None = None
    epoch: int = 0
    stood: bool = True
    """Whether the address stood on the person when it was asked for."""
    used: bool = False
    guesses: int = 0
    tried: float = 0
    """When somebody last tried it."""
    bound: bool = False
    """Whether it is dead once their sessions were ended, whoever asked for it."""

    def may_be_tried(self, now: float) -> bool:
        """Whether a run may try it: what was tried before the clock went back is counted in the future, and how that is refused is told elsewhere."""
        return self.held and (self.used or self.tried <= now)


@attrs.define(eq=False)
class Held:
    """A session, and whether the machine holds its newest token."""

    name: str
    person: Person
    epoch: int
    started: float
    accessed: float
    expires: float
    factors: dict[Any, float] = attrs.field(factory=dict)
    held: bool = True
    ended: bool = False
    old: bool = False
    old_until: float = 0

    def groups(self) -> set[str]:
        return {GROUP[key[0]] for key in self.factors}
