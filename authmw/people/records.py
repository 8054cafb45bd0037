"""What is remembered of people.

A `Subject` holds what rules and answers need: ids, kinds, verified, created. What changes at use or is secret is a `Credential` under the part's id, so that a sign-in
checks the subject and writes the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import attrs

from authmw.storage import Index, Record, Value, by_field, record

MAXIMUM_PARTS = 25
MAXIMUM_ADDRESSES = 10
FOUND_WORDS = 6
FOUND_LENGTH = 500
"""Characters of a whole name that a search looks at: three parts of 128 grow when their case is folded, and an index value has 600."""
"""So many words of a name are found each by itself; a name may have many more, and a commit has bounds."""


@attrs.frozen(kw_only=True)
class Email:
    """An e-mail address of a subject, in canonical form."""

    email_id: str
    address: str = attrs.field(repr=False)
    verified: bool = False
    created_at: datetime


@attrs.frozen(kw_only=True)
class Phone:
    """A phone number of a subject, in E.164 form."""

    phone_id: str
    number: str = attrs.field(repr=False)
    verified: bool = False
    created_at: datetime


@attrs.frozen(kw_only=True)
class Part:
    """Any other factor of a subject: its id, its kind (`webauthn`, `totp`, `password`, `oauth`, `crypto_wallet`, `biometric`), and what answers show of it."""

    part_id: str
    kind: str
    verified: bool = False
    created_at: datetime
    details: dict[str, Any] = attrs.field(factory=dict[str, Any], repr=False)
    identity: tuple[str, ...] = attrs.field(default=(), repr=False)
    """What finds its owner, and belongs to one subject only: a provider's issuer and subject, a wallet's type and address, a passkey's credential id. Never an e-mail (ACC-07)."""


@attrs.frozen(kw_only=True)
class Lock:
    """Sign-in by one kind of factor is closed for a while after repeated failure; sessions and other factors go on."""

    factor: str
    created_at: datetime
    expires_at: datetime


@attrs.frozen(kw_only=True)
class Subject(Record):
    """A User or a Member: somebody with parts, who can be signed in."""

    id: str
    created_at: datetime
    status: str = "active"
    emails: tuple[Email, ...] = ()
    phones: tuple[Phone, ...] = ()
    parts: tuple[Part, ...] = ()
    locks: tuple[Lock, ...] = ()
    session_epoch: int = 0
    kept_epochs: int = 0
    """How often all but the sessions was ended (`SessionRules.end_others`)."""
    external_id: str | None = None
    roles: tuple[str, ...] = ()
    first_name: str = attrs.field(default="", repr=False)
    middle_name: str = attrs.field(default="", repr=False)
    last_name: str = attrs.field(default="", repr=False)
    trusted_metadata: dict[str, Any] = attrs.field(factory=dict[str, Any], repr=False)
    untrusted_metadata: dict[str, Any] = attrs.field(factory=dict[str, Any], repr=False)

    @property
    def asking_epoch(self) -> int:
        """What is bound to it, on its way to a person, is good until the next change of how they sign in, whether or not that ends their sessions (ACC-06)."""
        return self.session_epoch + self.kept_epochs

    def email(self, email_id: str) -> Email | None:
        """The e-mail of this id."""
        return next((email for email in self.emails if email.email_id == email_id), None)

    def email_at(self, address: str) -> Email | None:
        """The e-mail of this canonical address."""
        return next((email for email in self.emails if email.address == address), None)

    def phone(self, phone_id: str) -> Phone | None:
        """The phone of this id."""
        return next((phone for phone in self.phones if phone.phone_id == phone_id), None)

    def phone_at(self, number: str) -> Phone | None:
        """The phone of this number."""
        return next((phone for phone in self.phones if phone.number == number), None)

    def part(self, part_id: str) -> Part | None:
        """The factor of this id."""
        return next((part for part in self.parts if part.part_id == part_id), None)

    def parts_of(self, kind: str) -> tuple[Part, ...]:
        """The factors of this kind."""
        return tuple(part for part in self.parts if part.kind == kind)

    def part_count(self) -> int:
        """How many parts there are of every kind."""
        return len(self.emails) + len(self.phones) + len(self.parts)


def _emails(subject: Subject) -> Iterator[Value]:
    return ((email.address,) for email in subject.emails)


def _phones(subject: Subject) -> Iterator[Value]:
    return ((phone.number,) for phone in subject.phones)


def _parts(subject: Subject) -> Iterator[Value]:
    yield from ((email.email_id,) for email in subject.emails)
    yield from ((phone.phone_id,) for phone in subject.phones)
    yield from ((part.part_id,) for part in subject.parts)


def _identities(subject: Subject) -> Iterator[Value]:
    return ((part.kind, *part.identity) for part in subject.parts if part.identity)


ABSENT = "absent"
"""Stands for the password of who has none: no filter says what a record lacks."""


def _kinds(subject: Subject) -> Iterator[Value]:
    """What a search can ask of the factors: each kind with its verified flag, and whether there is no password."""
    if not subject.parts_of("password"):
        yield ("password", ABSENT)
    yield from (("email", "true" if email.verified else "false") for email in subject.emails)
    yield from (("phone", "true" if phone.verified else "false") for phone in subject.phones)
    yield from ((part.kind, "true" if part.verified else "false") for part in subject.parts)


def _terms(subject: Subject) -> Iterator[Value]:
    """What a fuzzy search finds a name by: its beginning, and the beginnings of its first words, case-folded. Addresses, domains and numbers are found by their own indexes."""
    names = " ".join((subject.first_name, subject.middle_name, subject.last_name)).casefold().split()
    yield from (("name", word) for word in names[:FOUND_WORDS])
    if len(names) > 1:
        yield ("name", " ".join(names)[:FOUND_LENGTH])


def _domains(subject: Subject) -> Iterator[Value]:
    return iter({(email.address.rpartition("@")[2],) for email in subject.emails})


SUBJECT_INDEXES = (
    Index(name="email", values=_emails, unique=True, refusal="duplicate_email"),
    Index(name="phone", values=_phones, unique=True, refusal="duplicate_phone_number"),
    Index(name="part", values=_parts, unique=True),
    Index(name="identity", values=_identities, unique=True),
    by_field("external_id", "external_id", unique=True, refusal="duplicate_user_external_id"),
    by_field("created", "created_at"),
    by_field("status", "status"),
    Index(name="factor", values=_kinds),
    Index(name="domain", values=_domains),
    Index(name="terms", values=_terms),
)


@record("users", key="id", indexes=SUBJECT_INDEXES)
@attrs.frozen(kw_only=True)
class User(Subject):
    """A person of a consumer project."""


@record("credentials", key="part_id", indexes=(by_field("subject", "subject_id"),))
@attrs.frozen(kw_only=True)
class Credential(Record):
    """What changes at use or is secret of a part (hash, seed, counter, provider tokens), sealed or hashed by its factor."""

    part_id: str
    subject_id: str
    kind: str
    sealed: bytes = attrs.field(repr=False)
    counter: int = 0
    changed_at: datetime


@record(
    "organizations",
    key="id",
    indexes=(by_field("slug", "slug", unique=True, refusal="organization_slug_already_used"),),
)
@attrs.frozen(kw_only=True)
class Organization(Record):
    """A tenant that groups members. Its epoch ends the sessions of all of them at once."""

    id: str
    slug: str
    name: str
    session_epoch: int = 0
    created_at: datetime


@attrs.frozen(kw_only=True)
class Proved:
    """One proof within a session: which factor, of which kind and channel, and when it was last proved."""

    type: str
    delivery_method: str
    last_authenticated_at: datetime
    created_at: datetime
    updated_at: datetime
    details: dict[str, Any] = attrs.field(factory=dict[str, Any], repr=False)
    category: str = ""
    user_verified: bool = False

    def same_factor(self, other: Proved) -> bool:
        """Whether both are proofs of one and the same factor. Trusted tokens differ each time, and are one factor."""
        if (self.type, self.delivery_method) != (other.type, other.delivery_method):
            return False
        return self.details == other.details or self.type == "trusted_auth_token"


def _digests(session: Session) -> Iterator[Value]:
    yield (session.digest,)
    if session.previous_digest:
        yield (session.previous_digest,)


@record(
    "sessions",
    key="session_id",
    expires="expires_at",
    indexes=(Index(name="digest", values=_digests, unique=True), by_field("subject", "subject_id", "started_at")),
)
@attrs.frozen(kw_only=True)
class Session(Record):
    """A signed-in subject. The row holds the bytes its token is derived from, useless without the root key, and the token's digest."""

    session_id: str
    subject_id: str
    subject_kind: str = "user"
    random: bytes = attrs.field(repr=False)
    key_version: int
    digest: str = attrs.field(repr=False)
    previous_digest: str | None = attrs.field(default=None, repr=False)
    previous_until: datetime | None = None
    started_at: datetime
    last_accessed_at: datetime
    expires_at: datetime
    ip_address: str = ""
    user_agent: str = attrs.field(default="", repr=False)
    factors: tuple[Proved, ...] = ()
    custom_claims: dict[str, Any] = attrs.field(factory=dict[str, Any], repr=False)
    roles: tuple[str, ...] = ()
    subject_epoch: int = 0
    organization_id: str | None = None
    organization_epoch: int = 0
