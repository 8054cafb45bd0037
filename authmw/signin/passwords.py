"""Passwords at work: judged, hashed and compared, for users and members alike.

Law: whatever holds a core runs in the capped threads of `drive.heavy`, once a call however often its body repeats, and is refused at once where there is no room
(PWD-08). Where nobody is known the same is compared, against a hash of nothing (ENU-02).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeVar

import attrs

from authmw import drive
from authmw.crypto.passwords import Cost, StoredHash, decoy, hashed, is_weaker, matches, memory_of, wrapped
from authmw.crypto.sealing import needs_resealing
from authmw.errors import BreachSourceFailed, Refused
from authmw.factors.password.breaches import Breaches, named
from authmw.factors.password.feedback import BREACHED, OTHER
from authmw.factors.password.imports import Imported
from authmw.factors.password.rules import Strength, check_length, strength_of
from authmw.operations import Call
from authmw.people.credentials import new_credential, readable_secret, secret_of, with_secret
from authmw.people.records import Credential, Part, Proved, Subject
from authmw.settings import PasswordRules
from authmw.signin.rules import category_of
from authmw.storage import Insert, Update, Write

T = TypeVar("T")
KIND = "password"
FACTOR = "password:knowledge"
CHECKED_AT = "breaches"
"""The detail of a password that says that no source could be asked when it was set."""


@attrs.frozen(kw_only=True)
class Verdict:
    """What is known of a password: its strength, and whether a source of breaches knows it."""

    strength: Strength
    breaches: Breaches

    @property
    def valid(self) -> bool:
        """Whether it would be taken."""
        return self.strength.valid and self.breaches != "found"


@attrs.frozen(kw_only=True)
class Chosen:
    """A password that was taken, as it will be kept."""

    stored: StoredHash
    breaches: Breaches


def cost_of(rules: PasswordRules) -> Cost:
    """What a new hash costs."""
    return Cost(memory_kib=rules.memory_kib, iterations=rules.iterations, parallelism=rules.parallelism)


async def judge(call: Call, password: str, about: Iterable[str], *, ask: bool = True) -> Verdict:
    """The verdict on a password in its one form (`check_length`). `about` are words that have to do with the person. With `ask` a source of breaches is asked too."""
    rules = call.settings.passwords
    strength = await _heavily(call, ("strength", password), strength_of, password, rules, tuple(about))
    breaches = await breaches_of(call, password) if ask else "not_checked"
    return Verdict(strength=strength, breaches=breaches)


async def choose(call: Call, password: str, about: Iterable[str]) -> Chosen:
    """A new password, if the project takes it, as it will be kept.

    Refused: `bad_request` for what is too long to be one, `weak_password` (also for one that was seen in a breach) with words that say why, `server_unavailable` where
    the project refuses what no source could be asked about, or is crowded.
    """
    rules = call.settings.passwords
    form = check_length(password, rules)
    strength = (await judge(call, form, about, ask=False)).strength
    if not strength.valid:
        raise Refused("weak_password", strength.told())
    breaches = await breaches_of(call, form)
    if breaches == "found":
        raise Refused("weak_password", f"{BREACHED} {OTHER}")
    if breaches == "unavailable" and rules.without_breach_source == "refuse":
        raise Refused("server_unavailable", "Whether this password was seen in a breach cannot be found out right now.")
    return Chosen(stored=await new_hash(call, form), breaches=breaches)


async def breaches_of(call: Call, password: str) -> Breaches:
    """What the project's source knows of a password in its one form; the event says which source was asked, and whether it answered."""
    source = call.core.breaches
    if source is None:
        return "not_checked"
    prefix, suffix = named(password)

    async def ask() -> Breaches:
        try:
            known = await drive.using(source.io, source.suffixes, prefix)
        except BreachSourceFailed:
            return "unavailable"
        return "found" if suffix in known else "clean"

    found: Breaches = await call.once(("breaches", prefix, suffix), ask)
    call.remark = f"breaches: {found}, {source.name}"
    return found


async def new_hash(call: Call, password: str) -> StoredHash:
    """A new hash, under the project's cost and newest pepper."""
    cost = cost_of(call.settings.passwords)
    return await _heavily(
        call, ("hash", password), hashed, password, cost, call.core.peppers, memory_kib=cost.memory_kib
    )


async def kept(call: Call, hash_: Imported) -> StoredHash:
    """An imported hash as it is kept: a fast one under argon2id, any other as it came."""
    if not hash_.digest:
        return StoredHash(text=hash_.text, as_typed=True)
    cost = cost_of(call.settings.passwords)
    laid = (hash_.digest, hash_.value, hash_.before, hash_.after, cost, call.core.peppers)
    return await _heavily(call, "import", wrapped, *laid, memory_kib=cost.memory_kib)


async def is_right(call: Call, credential: Credential | None, password: str) -> bool:
    """Whether a password is the one that is kept; for no credential, or one that cannot be read, the same work is done, and it is not."""
    stored = readable_secret(call, credential, StoredHash) if credential is not None else None
    against = stored or decoy(cost_of(call.settings.passwords), call.core.peppers)
    name = ("compare", credential.part_id, credential.sealed) if credential is not None else "compare with nothing"
    right = await _heavily(
        call, name, matches, against, password, call.core.peppers, memory_kib=memory_of(against.text)
    )
    return right and stored is not None


async def strengthened(call: Call, credential: Credential, password: str) -> tuple[Write, ...]:
    """The write that makes a hash anew whose password is known right now, if it is weaker than the project's own (PWD-01, PWD-02), or seals it under the newest root key."""
    stored = secret_of(call, credential, StoredHash, "unauthorized_credentials")
    if is_weaker(stored, cost_of(call.settings.passwords), call.core.peppers):
        try:
            stored = await new_hash(call, password)
        except Refused:
            return ()  # No room: who knows their password signs in all the same, and the next time will do.
    elif not needs_resealing(call.core.roots, credential.sealed):
        return ()
    return (Update(with_secret(call, credential, stored)),)


def stored_as(call: Call, part_id: str, subject: Subject, standing: Credential | None, hash_: StoredHash) -> Write:
    """The write that keeps a hash, in the place of the one before."""
    if standing is not None:
        return Update(with_secret(call, standing, hash_))
    return Insert(new_credential(call, part_id=part_id, subject_id=subject.id, kind=KIND, secret=hash_))


def password_of(subject: Subject) -> Part | None:
    """The password of a subject, who has one at most."""
    return next(iter(subject.parts_of(KIND)), None)


def proved(now: datetime) -> Proved:
    """What a right password proves."""
    return Proved(
        type="password",
        delivery_method="knowledge",
        last_authenticated_at=now,
        created_at=now,
        updated_at=now,
        category=category_of("password", "knowledge"),
    )


def check_room() -> None:
    """Refused with `server_unavailable` where no password could be compared right now: before a guess is counted that nobody would look at."""
    if not drive.heavy.has_room():
        raise _crowded()


def _crowded() -> Refused:
    return Refused("server_unavailable", "Too many passwords are being checked right now; try again.", retry_after=1.0)


async def _heavily(call: Call, name: object, work: Callable[..., T], *args: object, memory_kib: int = 0) -> T:
    async def run() -> T:
        try:
            return await drive.heavy.run(work, *args, memory_kib=memory_kib)
        except drive.Crowded:
            raise _crowded() from None

    result: T = await call.once(("password", name), run)
    return result
