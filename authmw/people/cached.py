"""Copies of sessions and their users in a cache that all processes share (`ports.SessionCache`), so that most renewals ask storage for nothing.

Law: a copy is believed only for `kept` from the moment before its record was read, which is sealed into it, whatever the cache loses, keeps too long or is told by others; a JWT made from
it ends by then. Before a commit changes a record, the cache is told that nothing before the new version counts, for longer than any copy read before lives: so from the commit on
no process is given what was, and a reader that was slow cannot bring it back. A copy refuses nobody: where one would, storage is asked. Sealed under a root key and
kept under a digest, it is of no use to whoever reads the cache.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec

from authmw import drive
from authmw.crypto import tokens
from authmw.crypto.roots import RootKeys, UnknownKey
from authmw.crypto.sealing import SealBroken, seal, unseal
from authmw.errors import StorageError
from authmw.operations import SKEW
from authmw.people.records import Session, User
from authmw.ports import SessionCache
from authmw.storage import Delete, Record, Storage, Update, Value, Write, decode, description, encode, key_of

R = TypeVar("R", bound=Record)
LEAST = timedelta(minutes=1)
"""A copy that is believed for less is not given out: a JWT made from it would be over at once."""
SILENT = timedelta(seconds=1)
"""A cache that failed is not asked for so long, so that a network that went silent does not hold up every renewal."""
_PURPOSE = "cached record"
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME_BYTES = 8
_log = logging.getLogger("authmw")


class Copies:
    """The copies of one `Auth`."""

    def __init__(self, cache: SessionCache, roots: RootKeys, project_id: str) -> None:
        self.cache = cache
        self._roots = roots
        self._project_id = project_id
        self._silent_until: datetime | None = None
        self._failing = False

    async def outdate(self, writes: Iterable[Write]) -> None:
        """Have no copy count of what a commit is about to change. A cache that cannot be told delays nothing else: then the bound holds."""
        for write in writes:
            if isinstance(write, Update | Delete):
                for name in _names(write.record):
                    key = self._key(type(write.record), name)
                    await self._put(key, write.record.version + 1, b"", self.cache.kept + 2 * SKEW)

    async def read(self, kind: type[R], name: str, now: datetime) -> tuple[R, datetime] | None:
        """A copy, and when its record was read; None if there is none to be believed."""
        if self._silent_until is not None and now < self._silent_until:
            return None
        key = self._key(kind, name)
        try:
            sealed = await drive.using(self.cache.io, self.cache.get, key)
        except StorageError:
            self._failed()
            self._silent_until = now + SILENT
            return None
        self._failing, self._silent_until = False, None
        if sealed is None:
            return None
        try:
            opened = unseal(self._roots, _PURPOSE, key, sealed)
            record = decode(kind, opened[_TIME_BYTES:])
        except (SealBroken, UnknownKey, msgspec.MsgspecError):
            return None  # of a process that has other root keys, or another version of authmw
        read_at = _EPOCH + int.from_bytes(opened[:_TIME_BYTES]) * _MILLISECOND
        believed = read_at - SKEW <= now < read_at + self.cache.kept - LEAST
        return (record, read_at) if believed else None

    async def keep(self, record: Record, name: str, read_at: datetime, now: datetime) -> None:
        """Keep a copy of what storage held a moment after `read_at`."""
        if self._silent_until is not None and now < self._silent_until:
            return
        key = self._key(type(record), name)
        moment = (read_at - _EPOCH) // _MILLISECOND
        sealed = seal(self._roots, _PURPOSE, key, moment.to_bytes(_TIME_BYTES) + encode(record))
        await self._put(key, record.version, sealed, read_at + self.cache.kept - now)

    async def _put(self, key: str, version: int, copy: bytes, lives: timedelta) -> None:
        try:
            await drive.using(self.cache.io, self.cache.put, key, version, copy, lives)
        except StorageError:
            self._failed()

    def _failed(self) -> None:
        """Once until it works again: a cache that is down shall not fill the log."""
        if not self._failing:
            self._failing = True
            _log.warning("session_cache_failed")

    def _key(self, kind: type[Record], name: str) -> str:
        """A digest of what is copied. Of no root key: processes that have not the same newest one must mean the same copy."""
        return tokens.digest("\0".join((_PURPOSE, self._project_id, description(kind).kind, name)))


class CopiedReads:
    """One renewal's view of storage: sessions by their digest and users by their id from the copies, else from storage, and then copied."""

    def __init__(self, copies: Copies, storage: Storage, now: Callable[[], datetime], *, fresh: bool = False) -> None:
        self._copies = copies
        self._storage = storage
        self._now = now
        self._fresh = fresh
        self.as_of = now()
        """What was given is at least as new."""
        self.copied = False
        """Whether anything that was given is a copy."""

    @property
    def until(self) -> datetime:
        """How long all that was given is believed."""
        return self.as_of + self._copies.cache.kept

    async def get(self, kind: type[R], key: str) -> R | None:
        """The record of this key."""
        if kind is not User:
            return await self._storage.get(kind, key)
        return await self._given(kind, key, lambda: self._storage.get(kind, key))

    async def find(self, kind: type[R], index: str, value: Value) -> R | None:
        """The record that holds this value in a unique index."""
        if kind is not Session or index != "digest":
            return await self._storage.find(kind, index, value)
        return await self._given(kind, value[0], lambda: self._storage.find(kind, index, value))

    async def _given(self, kind: type[R], name: str, ask: Callable[[], Awaitable[R | None]]) -> R | None:
        now = self._now()
        if not self._fresh and (known := await self._copies.read(kind, name, now)) is not None:
            record, read_at = known
            self.copied = True
            self.as_of = min(self.as_of, read_at)
            return record
        record_now = await ask()
        # A session that is found by its previous digest alone is not what this digest opens.
        if record_now is not None and name == next(_names(record_now)):
            await self._copies.keep(record_now, name, now, self._now())
        return record_now


def _names(record: Record) -> Iterator[str]:
    """What a record is looked up by here; of a session the digest of its token first, then the one before, whose copy is outdated too."""
    if isinstance(record, Session):
        yield record.digest
        if record.previous_digest is not None:
            yield record.previous_digest
    elif isinstance(record, User):
        yield key_of(record)
