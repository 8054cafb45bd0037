"""`RedisNotices`: notices between the processes of a project, by a stream in Redis, on one node or on a cluster.

A stream and not publish/subscribe: what was told while a connection was down is read when it is up again, a process that starts reads what was told within a JWT's life, and
on a cluster a notice goes to the one node that holds the stream (plain publish/subscribe would carry it to all of them, and either kind forgets it at once).
The stream keeps the last 10,000 or so. Where it cannot be known that nothing is missing (another server, or one that was restarted, or more than it keeps) it says so.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import attrs
from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.exceptions import RedisError
from redis.retry import Retry

from authmw import drive
from authmw.ports import NoticesState
from authmw_adapters.redis.clients import checked_prefix
from authmw_adapters.redis.connections import OPTIONS

KEPT = 10_000
"""About so many notices are kept, and wait here while Redis cannot be reached."""
_AT_ONCE = 500
_LONGEST_END = 2.0
"""Seconds that `close` waits for the threads; they hold nothing that must be kept."""
_BLOCK = 500
"""Milliseconds of one question, well below the time an answer may take, so that a network that went silent is found out."""
_PAUSES = (0.05, 0.2, 1.0, 2.0)
"""Seconds between attempts to reach Redis."""


@attrs.frozen
class _Ear:
    """Who listens."""

    heard: Callable[[bytes], None]
    lost: Callable[[], None]


class RedisNotices:
    """`Notices` on the blocking client, on two threads of its own, for hosts of either kind.

    `address` is a URL, with `cluster=True` that of any node. `prefix` begins the stream's name; give each project its own. A notice arrives within milliseconds; while Redis cannot be
    reached, what holds without notices holds. Raises ValueError for a prefix with braces.
    """

    _last: str
    _ended: threading.Event
    _came: threading.Condition
    _waiting: deque[bytes]
    _telling: threading.Thread | None
    _hearing: threading.Thread | None
    _deaf: bool
    _mute: bool
    _behind: bool

    def __init__(self, address: str, prefix: str = "authmw", *, cluster: bool = False) -> None:
        checked_prefix(prefix)
        self._address = address
        self._cluster = cluster
        self._key = f"{{{prefix}}}:notices"
        self._last, self._met = "0-0", False
        self._server: str | None = None
        self._ear: _Ear | None = None
        self._begin()
        drive.in_child(self._forked)

    def publish(self, notice: bytes) -> None:
        """Hand a notice over."""
        with self._came:
            self._waiting.append(notice)
            self._came.notify()
            if self._telling is None:
                self._telling = self._started(self._tell)

    def listen(self, since: datetime, heard: Callable[[bytes], None], lost: Callable[[], None]) -> None:
        """Hear what was and will be told."""
        self._last = f"{max(0, int(since.timestamp() * 1000))}-0"
        self._ear = _Ear(heard, lost)
        self._hearing = self._started(self._hear)

    def state(self) -> NoticesState:
        """How it goes now."""
        return NoticesState(not self._deaf, not self._mute, len(self._waiting), self._behind)

    def close(self) -> None:
        """Tell what waits, if it can be told at once, and stop."""
        self._ended.set()
        with self._came:
            self._came.notify()
        for thread in (self._telling, self._hearing):
            if thread is not None:
                thread.join(_LONGEST_END)

    def _begin(self) -> None:
        self._ended, self._came = threading.Event(), threading.Condition()
        self._waiting = deque(maxlen=KEPT)
        self._telling = self._hearing = None
        self._deaf = self._mute = self._behind = False

    def _forked(self) -> None:
        """In a child no thread goes on: what the parent's were to do is the parent's, and ours hears from where the parent was."""
        self._begin()
        if self._ear is not None:
            self._hearing = self._started(self._hear)

    def _started(self, work: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=work, name="authmw-notices", daemon=True)
        thread.start()
        return thread

    def _made(self, kind: Any, address: str) -> Any:
        return kind.from_url(address, retry=Retry(NoBackoff(), 0), **OPTIONS)

    # Telling

    def _tell(self) -> None:
        failed = 0
        while True:
            with self._came:
                self._came.wait_for(lambda: self._waiting or self._ended.is_set())
                if not self._waiting:
                    return
            try:
                client = self._made(RedisCluster if self._cluster else Redis, self._address)
                try:
                    self._tell_waiting(client)
                    failed = 0
                finally:
                    client.close()
            except (RedisError, OSError):
                self._mute = True
                if self._ended.wait(_PAUSES[min(failed, len(_PAUSES) - 1)]):
                    return
                failed += 1

    def _tell_waiting(self, client: Any) -> None:
        """Tell all that waits, and what comes. A notice is taken away when it was told; told twice, it is known again."""
        while True:
            with self._came:
                self._came.wait_for(lambda: self._waiting or self._ended.is_set())
                if not self._waiting:
                    return
                notice = self._waiting[0]
            client.xadd(self._key, {"n": notice}, maxlen=KEPT, approximate=True)
            self._mute = False
            with self._came:
                if self._waiting and self._waiting[0] is notice:
                    self._waiting.popleft()

    # Hearing

    def _hear(self) -> None:
        failed = 0
        while not self._ended.is_set():
            try:
                with self._node() as client:
                    self._look_whether_all_is_there(client)
                    failed, self._deaf = 0, False
                    self._hear_on(client)
            except (RedisError, OSError):
                self._deaf = True
                self._ended.wait(_PAUSES[min(failed, len(_PAUSES) - 1)])
                failed += 1

    def _node(self) -> Any:
        """A client of the one node that holds the stream, logged in to as the address says. When the stream moves, the question fails and is asked anew."""
        if not self._cluster:
            return self._made(Redis, self._address)
        with self._made(RedisCluster, self._address) as whole:
            there = whole.get_node_from_key(self._key)
        said = urlsplit(self._address)
        login, at, _ = said.netloc.rpartition("@")
        host = f"[{there.host}]" if ":" in there.host else there.host
        return self._made(Redis, said._replace(netloc=f"{login}{at}{host}:{there.port}").geturl())

    def _look_whether_all_is_there(self, client: Any) -> None:
        """Say that notices may be missing if the server is not the one that was heard before, or keeps none as old as the last that was heard."""
        said: Any = client.info("server")
        before, self._server = self._server, str(said["run_id"])
        if before is not None and (self._server != before or self._is_trimmed(client)):
            self._lose()

    def _is_trimmed(self, client: Any) -> bool:
        """Whether the stream begins behind what was heard last; before anything was heard, whether it is full."""
        first: Any = client.xrange(self._key, count=1)
        kept: Any = KEPT if self._met else client.xlen(self._key)
        oldest: bytes = first[0][0] if first else b"0-0"
        return _place(oldest) > _place(self._last.encode()) and kept >= KEPT

    def _lose(self) -> None:
        if self._ear is not None:
            self._ear.lost()

    def _hear_on(self, client: Any) -> None:
        while not self._ended.is_set():
            told: Any = client.xread({self._key: self._last}, count=_AT_ONCE, block=_BLOCK)
            self._behind = any(len(entries) == _AT_ONCE for _, entries in told or ())
            for _, entries in told or ():
                for place, fields in entries:
                    if self._ear is not None and b"n" in fields:
                        self._ear.heard(fields[b"n"])
                    self._last, self._met = place.decode(), True
                # Whoever lags may be overtaken by what is dropped from the other end.
                if len(entries) == _AT_ONCE and self._is_trimmed(client):
                    self._lose()


def _place(text: bytes) -> tuple[int, int]:
    moment, _, number = text.partition(b"-")
    return int(moment), int(number)
