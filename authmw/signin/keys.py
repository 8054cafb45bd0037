"""The keys that sign tokens: next, active, retired; sealed at rest, cached in the process, rotated by command.

Law: a key is published before it is used and for 30 days after, so that a JWT is readable for as long as `sessions.authenticate` accepts it.

Each kind of token (`signing.Purpose`) has keys of its own, made when the first such token is signed, and all of them stand in one JWKS. The vendor's
clients verify sessions, M2M tokens and access tokens against that one document and insist on `typ: JWT` for all three, so neither the document nor the header
can keep them apart; the key does. Nothing else than its own kind verifies under a key here, whatever a token's claims say (TOK-07, RFC 8725 section 3.12).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, cast

import attrs

from authmw import drive
from authmw.clock import ticks
from authmw.crypto import signing
from authmw.crypto.jwts import VerifyingKey
from authmw.crypto.signing import Purpose, SigningKey
from authmw.errors import StorageError
from authmw.ledger.commits import settle
from authmw.operations import Core
from authmw.storage import And, Cursor, Delete, Insert, Record, Update, by_field, record

RETIRED = timedelta(days=30)
_CACHED = 60.0
_STEPS = 8


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
        self._lock = threading.Lock()
        self._keys: dict[str, SigningKey] = {}
        self._active: dict[str, str] = {}
        self._loaded = -_CACHED

    async def active(self, purpose: Purpose = "session") -> SigningKey:
        """The key that signs tokens of this kind now; made at first use."""
        await self.load()
        if purpose not in self._active:
            await make_key(self._core, "active", purpose, only_first=True)
            await self.load(force=True)
        return self._keys[self._active[purpose]]

    async def standing(self, purpose: Purpose = "session") -> SigningKey | None:
        """The active key if there is one yet. Making the first takes long, which is no work for a body that others wait for or that may be repeated."""
        await self.load()
        return self._keys[self._active[purpose]] if purpose in self._active else None

    async def verifying(self, kid_hint: str | None = None) -> Mapping[str, VerifyingKey]:
        """Every published key by its id; read again when an unknown one is asked for, at most once a second."""
        await self.load()
        if kid_hint is not None and kid_hint not in self._keys and ticks() - self._loaded > 1:
            await self.load(force=True)
        return self.cached()

    def cached(self) -> Mapping[str, VerifyingKey]:
        """The keys this process knows, without reading storage."""
        return cast("Mapping[str, VerifyingKey]", self._keys)

    async def published(self) -> list[dict[str, Any]]:
        """The JWKS."""
        if not await self.verifying():
            await self.active()
        return [key.public_jwk() for key in self._keys.values()]

    async def load(self, *, force: bool = False) -> None:
        """Read the keys, unless they were read within the last minute."""
        if not force and ticks() - self._loaded < _CACHED:
            return
        now = self._core.clock.now()
        stored = [one for one in await _all(self._core) if one.expires_at is None or one.expires_at > now]
        with self._lock:
            self._keys = {one.kid: self._keys.get(one.kid) or self._open(one) for one in stored}
            self._active = {one.purpose: one.kid for one in stored if one.state == "active"}
            self._loaded = ticks()

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
            elif await settle(self._core.storage, Delete(stored)):
                await self.load(force=True)
                self._core.denied.forget()
                return True
        raise StorageError("The key was changed by others each time.")

    def _open(self, stored: StoredKey) -> SigningKey:
        return SigningKey.from_sealed(
            self._core.roots,
            self._core.settings.project_id,
            kid=stored.kid,
            sealed=stored.sealed,
            certificate=stored.certificate,
            algorithm=stored.algorithm,
            purpose=stored.purpose,
        )


async def _all(core: Core) -> list[StoredKey]:
    found: list[StoredKey] = []
    after: Cursor | None = None
    while True:
        page = await core.storage.page(StoredKey, And(), after=after, limit=100)
        found += page.records
        if page.cursor is None:
            return found
        after = page.cursor


async def make_key(core: Core, state: str, purpose: Purpose = "session", *, only_first: bool = False) -> None:
    """Store a new key. With `only_first` several processes that start at once end up with one."""
    now = core.clock.now()
    key = await drive.using("blocking", _generate, core.settings.environment, now, purpose)
    stored = StoredKey(
        kid=key.kid,
        state=state,
        algorithm=key.algorithm,
        purpose=purpose,
        sealed=key.to_sealed(core.roots, core.settings.project_id),
        certificate=key.certificate,
        created_at=now,
    )
    writes: list[Any] = [Insert(stored)]
    if only_first:
        writes.append(Insert(FirstKey(name="first" if purpose == "session" else f"first {purpose}", kid=key.kid)))
    await settle(core.storage, *writes)


async def rotate_keys(core: Core, purpose: Purpose = "session") -> None:
    """One step of rotation for one kind of token, in one commit."""
    now = core.clock.now()
    stored = await _all(core)
    active = [key for key in stored if key.state == "active" and key.purpose == purpose]
    following = [key for key in stored if key.state == "next" and key.purpose == purpose]
    if following:
        retired = [Update(attrs.evolve(key, state="retired", expires_at=now + RETIRED)) for key in active]
        await settle(core.storage, *retired, Update(attrs.evolve(following[0], state="active")))
    await make_key(core, "next", purpose)


@record("first_keys", key="name")
@attrs.frozen(kw_only=True)
class FirstKey(Record):
    """Marks that a project has its first signing key of a kind, so that it gets only one."""

    name: str
    kid: str


async def _generate(environment: str, now: datetime, purpose: Purpose) -> SigningKey:
    return signing.generate(environment, now, purpose=purpose)
