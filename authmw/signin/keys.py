"""The keys that sign sessions: next, active, retired; sealed at rest, cached in the process, rotated by command.

Law: a key is published before it is used and for 30 days after, so that a JWT is readable for as long as `sessions.authenticate` accepts it.
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
from authmw.crypto.signing import SigningKey
from authmw.ledger.commits import settle
from authmw.operations import Core
from authmw.storage import And, Insert, Record, Update, by_field, record

RETIRED = timedelta(days=30)
_CACHED = 60.0


@record("signing_keys", key="kid", expires="expires_at", indexes=(by_field("state", "state"),))
@attrs.frozen(kw_only=True)
class StoredKey(Record):
    """A signing key at rest."""

    kid: str
    state: str
    algorithm: str
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
        self._states: dict[str, str] = {}
        self._loaded = -_CACHED

    async def active(self) -> SigningKey:
        """The key that signs now; made at first use."""
        await self.load()
        for kid, state in self._states.items():
            if state == "active":
                return self._keys[kid]
        await self.make("active", only_first=True)
        await self.load(force=True)
        return next(self._keys[kid] for kid, state in self._states.items() if state == "active")

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
        page = await self._core.storage.page(StoredKey, And(), limit=100)
        now = self._core.clock.now()
        stored = [one for one in page.records if one.expires_at is None or one.expires_at > now]
        with self._lock:
            self._keys = {one.kid: self._keys.get(one.kid) or self._open(one) for one in stored}
            self._states = {one.kid: one.state for one in stored}
            self._loaded = ticks()

    async def make(self, state: str, *, only_first: bool = False) -> None:
        """Generate a key and store it in a commit of its own."""
        await make_key(self._core, state, only_first=only_first)

    async def rotate(self) -> None:
        """Retire the active key, make the next one active, and publish a new next one (KEY-01)."""
        await rotate_keys(self._core)
        await self.load(force=True)

    def _open(self, stored: StoredKey) -> SigningKey:
        return SigningKey.from_sealed(
            self._core.roots,
            self._core.settings.project_id,
            kid=stored.kid,
            sealed=stored.sealed,
            certificate=stored.certificate,
            algorithm=stored.algorithm,
        )


async def make_key(core: Core, state: str, *, only_first: bool = False) -> None:
    """Store a new key. With `only_first` several processes that start at once end up with one."""
    now = core.clock.now()
    key = await drive.using("blocking", _generate, core.settings.environment, now)
    stored = StoredKey(
        kid=key.kid,
        state=state,
        algorithm=key.algorithm,
        sealed=key.to_sealed(core.roots, core.settings.project_id),
        certificate=key.certificate,
        created_at=now,
    )
    writes: list[Any] = [Insert(stored)]
    if only_first:
        writes.append(Insert(FirstKey(name="first", kid=key.kid)))
    await settle(core.storage, *writes)


async def rotate_keys(core: Core) -> None:
    """One step of rotation, in one commit."""
    now = core.clock.now()
    page = await core.storage.page(StoredKey, And(), limit=100)
    active = [key for key in page.records if key.state == "active"]
    following = [key for key in page.records if key.state == "next"]
    if following:
        retired = [Update(attrs.evolve(key, state="retired", expires_at=now + RETIRED)) for key in active]
        await settle(core.storage, *retired, Update(attrs.evolve(following[0], state="active")))
    await make_key(core, "next")


@record("first_keys", key="name")
@attrs.frozen(kw_only=True)
class FirstKey(Record):
    """Marks that a project has its first signing key, so that it gets only one."""

    name: str
    kid: str


async def _generate(environment: str, now: datetime) -> SigningKey:
    return signing.generate(environment, now)
