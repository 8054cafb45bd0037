"""The keys that sign tokens: next, active, retired; sealed at rest, cached in the process, rotated by command.

Law: a key is published before it is used and for 30 days after, so that a JWT is readable for as long as `sessions.authenticate` accepts it.

Each kind of token (`signing.Purpose`) has keys of its own, made when the first such token is signed or the keys are first published, and all of them stand in one JWKS. The vendor's
clients verify sessions, M2M tokens and access tokens against that one document and insist on `typ: JWT` for all three, so neither the document nor the header
can keep them apart; the key does. Nothing else than its own kind verifies under a key here, whatever a token's claims say (TOK-07, RFC 8725 section 3.12).

A key that cannot be opened (its root key is not listed any more, or its row was changed) counts for nothing: it is not published, what it signed is refused, and where it
was the active one a new key takes over at the next signature. It is left as it is, since another process may still open it, until it is withdrawn or rotated away.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, cast

import attrs

from authmw import drive
from authmw.clock import ticks
from authmw.crypto import signing
from authmw.crypto.jwts import VerifyingKey
from authmw.crypto.sealing import SealBroken
from authmw.crypto.signing import PURPOSES, Purpose, SigningKey
from authmw.errors import StorageError
from authmw.ledger.commits import settle
from authmw.operations import Core
from authmw.storage import And, Cursor, Delete, Insert, Record, Update, Write, by_field, record

RETIRED = timedelta(days=30)
_CACHED = 60.0
_STEPS = 8
_log = logging.getLogger("authmw")


@record("signing_keys", key="kid", expires="expires_at", indexes=(by_field("state", "state"),))
@attrs.frozen(kw_only=True)
class StoredKey(Record):
    """A signing key at rest."""

    kid: str
    state: str
    algorithm: str
    purpose: str = "session"
    sealed: bytes = attrs.field(repr=False)
    certificate: bytes = attrs.field(repr=False)
    created_at: datetime
    expires_at: datetime | None = None


class KeyRing:
    """The signing keys of one project."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._lock = drive.Lock()
        self._keys: dict[str, SigningKey] = {}
        self._active: dict[str, str] = {}
        self._unreadable: frozenset[str] = frozenset()
        self._loaded = -_CACHED

    async def active(self, purpose: Purpose = "session") -> SigningKey:
        """The key that signs tokens of this kind now; made at first use, and anew where none can be opened. StorageError if others made keys each time that we cannot open."""
        await self.load()
        for _ in range(_STEPS):
            if purpose in self._active:
                return self._keys[self._active[purpose]]
            # Read before the keys: who made one in between is seen among them, and who makes one after that changes this.
            marker = await self._core.storage.get(FirstKey, _marker(purpose))
            await self.load(force=True)
            if purpose not in self._active:
                made = await _made(self._core, "active", purpose)
                await settle(self._core, Insert(made), _marked(marker, purpose, made.kid))
                await self.load(force=True)
        raise StorageError("No signing key could be made.")

    async def standing(self, purpose: Purpose = "session") -> SigningKey | None:
        """The active key if there is one yet. Making the first takes long, which is no work for a body that others wait for or that may be repeated."""
        await self.load()
        return self._keys[self._active[purpose]] if purpose in self._active else None

    async def verifying(self, kid_hint: str | None = None) -> Mapping[str, VerifyingKey]:
        """Every published key by its id; read again when an unknown one is asked for, at most once a second."""
        await self.load()
        if kid_hint is not None and kid_hint not in self._keys:
            await self._be_current()
        return self.cached()

    async def _be_current(self) -> None:
        """Read the keys again, at most once a second, whoever asks how often."""
        if ticks() - self._loaded > 1:
            await self.load(force=True)

    def cached(self) -> Mapping[str, VerifyingKey]:
        """The keys this process knows, without reading storage."""
        return cast("Mapping[str, VerifyingKey]", self._keys)

    async def published(self) -> list[dict[str, Any]]:
        """The JWKS, with the keys that other processes made or withdrew: who asks for it has met a key that it does not know.

        It has a key for each kind of token from the first time on, since a client that has just read it may not read it again for a while: half a minute in the vendor's.
        Where storage takes none now, what stands is published.
        """
        await self._be_current()
        try:
            for purpose in PURPOSES:
                await self.active(purpose)
        except StorageError:
            if not self._keys:
                raise
        return [key.public_jwk() for key in self._keys.values()]

    async def load(self, *, force: bool = False) -> None:
        """Read the keys, unless they were read within the last minute."""
        if not force and ticks() - self._loaded < _CACHED:
            return
        now = self._core.clock.now()
        stored = [one for one in await self.stored() if one.expires_at is None or one.expires_at > now]
        with self._lock:
            opened = {one.kid: self._keys.get(one.kid) or opened_key(self._core, one) for one in stored}
            self._keys = {kid: key for kid, key in opened.items() if key is not None}
            # Of several the newest: one that took over stands beside the one that cannot be opened here.
            self._active = {one.purpose: one.kid for one in reversed(stored) if _signs(one) and one.kid in self._keys}
            known, self._unreadable = self._unreadable, frozenset(opened.keys() - self._keys.keys())
            self._loaded = ticks()
        for kid in sorted(self._unreadable - known):
            _log.error("signing_key_unreadable", extra={"kid": kid})

    @property
    def unreadable(self) -> frozenset[str]:
        """The ids of the keys that could not be opened when they were last read: their root key is not listed, or they were changed."""
        return self._unreadable

    async def rotate(self) -> None:
        """For each kind of token: retire the active key, make the next one active, and publish a new next one (KEY-01)."""
        for purpose in ("session", *sorted(self._active.keys() - {"session"})):
            await rotate_keys(self._core, cast("Purpose", purpose))
        await self.load(force=True)

    async def stored(self) -> list[StoredKey]:
        """Every key as it rests, newest first."""
        return sorted(await _all(self._core), key=lambda key: key.created_at, reverse=True)

    async def withdraw(self, kid: str) -> bool:
        """Publish a key no more, from now on: somebody else may have it. What it signed is worth nothing; sessions go on by their opaque tokens. False if there is none.

        An active key is replaced first. Other processes believe the key for a minute, and what they have verified by it for the five minutes of a JWT.
        """
        for _ in range(_STEPS):
            stored = next((key for key in await _all(self._core) if key.kid == kid), None)
            if stored is None:
                return False
            if stored.state == "active":
                # The first step may only make the key that the second puts in this one's place.
                await rotate_keys(self._core, cast("Purpose", stored.purpose))
            elif await settle(self._core, Delete(stored)):
                await self.load(force=True)
                self._core.denied.forget()
                return True
        raise StorageError("The key was changed by others each time.")


def opened_key(core: Core, stored: StoredKey) -> SigningKey | None:
    """A stored key with its private part, or None if it cannot be opened."""
    try:
        return _opened(core, stored)
    except SealBroken:
        return None


def resealed_key(core: Core, stored: StoredKey) -> StoredKey:
    """The stored key under the newest root key. SealBroken if it cannot be opened."""
    return attrs.evolve(stored, sealed=_opened(core, stored).to_sealed(core.roots, core.settings.project_id))


def _opened(core: Core, stored: StoredKey) -> SigningKey:
    return SigningKey.from_sealed(
        core.roots,
        core.settings.project_id,
        kid=stored.kid,
        sealed=stored.sealed,
        certificate=stored.certificate,
        algorithm=stored.algorithm,
        purpose=stored.purpose,
    )


def _signs(stored: StoredKey) -> bool:
    return stored.state == "active"


async def _all(core: Core) -> list[StoredKey]:
    found: list[StoredKey] = []
    after: Cursor | None = None
    while True:
        page = await core.storage.page(StoredKey, And(), after=after, limit=100)
        found += page.records
        if page.cursor is None:
            return found
        after = page.cursor


async def _made(core: Core, state: str, purpose: Purpose) -> StoredKey:
    """A new key, not stored yet."""
    now = core.clock.now()
    key = await drive.using("blocking", _generate, core.settings.environment, now, purpose)
    return StoredKey(
        kid=key.kid,
        state=state,
        algorithm=key.algorithm,
        purpose=purpose,
        sealed=key.to_sealed(core.roots, core.settings.project_id),
        certificate=key.certificate,
        created_at=now,
    )


def _marker(purpose: str) -> str:
    return "first" if purpose == "session" else f"first {purpose}"


def _marked(standing: FirstKey | None, purpose: str, kid: str) -> Write:
    """What makes one of several processes the one whose key stands, if the marker is written as it was read before."""
    return Update(attrs.evolve(standing, kid=kid)) if standing else Insert(FirstKey(name=_marker(purpose), kid=kid))


async def rotate_keys(core: Core, purpose: Purpose = "session") -> None:
    """One step of rotation for one kind of token, in one commit. A key that cannot be opened becomes active no more."""
    now = core.clock.now()
    stored = [key for key in await _all(core) if key.purpose == purpose]
    following = [key for key in stored if key.state == "next"]
    readable = [key for key in following if opened_key(core, key) is not None]
    if readable:
        over = [key for key in stored if key.state == "active"] + [key for key in following if key not in readable]
        retired = [Update(attrs.evolve(key, state="retired", expires_at=now + RETIRED)) for key in over]
        await settle(core, *retired, Update(attrs.evolve(readable[0], state="active")))
    await settle(core, Insert(await _made(core, "next", purpose)))


@record("first_keys", key="name")
@attrs.frozen(kw_only=True)
class FirstKey(Record):
    """Marks which key of a kind was made last for want of one, so that processes that want one at once get only one."""

    name: str
    kid: str


async def _generate(environment: str, now: datetime, purpose: Purpose) -> SigningKey:
    return signing.generate(environment, now, purpose=purpose)
