"""`RedisNotices`: notices between the processes of a project, by a stream in Redis, on one node or on a cluster.

A stream and not publish/subscribe: what was told while a connection was down is read when it is up again, a process that starts reads what was told within a JWT's life, and
on a cluster a notice goes to the one node that holds the stream (plain publish/subscribe would carry it to all of them, and either kind forgets it at once).
The stream keeps the last 10,000 or so. Where it cannot be known that nothing is missing (another server, or one that was restarted, or more than it keeps) it says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.exceptions import RedisError
from redis.retry import Retry

from authmw_adapters.carrying import AT_ONCE, KEPT, Carrying, Line
from authmw_adapters.redis.clients import checked_prefix
from authmw_adapters.redis.connections import OPTIONS
from authmw_adapters.redis.server import troubles

_BLOCK = 500
"""Milliseconds of one question, well below the time an answer may take, so that a network that went silent is found out."""


class RedisNotices(Carrying):
    """`Notices` on the blocking client, on two threads of its own, for hosts of either kind.

    `address` is a URL, with `cluster=True` that of any node. `prefix` begins the stream's name; give each project its own. A notice arrives within milliseconds; while Redis cannot be
    reached, what holds without notices holds. Raises ValueError for a prefix with braces.
    """

    _faults = (RedisError, OSError)
    _last: str

    def __init__(self, address: str, prefix: str = "authmw", *, cluster: bool = False) -> None:
        checked_prefix(prefix)
        self._address = address
        self._cluster = cluster
        self._key = f"{{{prefix}}}:notices"
        self._last, self._met = "0-0", False
        self._server: str | None = None
        super().__init__()

    def inspect(self) -> Iterator[str]:
        """What an operator should mend at the server, asked on a connection of its own: a process that has just begun cannot know yet whether it reaches its carrier."""
        return troubles(self._address, "The Redis that carries notices")

    def _lines(self) -> tuple[Line, Line]:
        return Line(self._tell_on), Line(self._hear_on)

    def _hear_since(self, since: datetime) -> None:
        self._last = f"{max(0, int(since.timestamp() * 1000))}-0"

    def _made(self, kind: Any, address: str) -> Any:
        return kind.from_url(address, retry=Retry(NoBackoff(), 0), **OPTIONS)

    # Telling

    def _tell_on(self) -> None:
        if not self._comes():
            return
        client = self._made(RedisCluster if self._cluster else Redis, self._address)
        try:
            while self._comes():
                notices = self._to_tell()
                for notice in notices:
                    client.xadd(self._key, {"n": notice}, maxlen=KEPT, approximate=True)
                    self._telling.reached()
                    self._told([notice])
        finally:
            client.close()

    def _comes(self) -> bool:
        """Whether there is something to tell, once there is or it is over."""
        with self._came:
            self._came.wait_for(lambda: self._waiting or self._ended.is_set())
            return bool(self._waiting)

    # Hearing

    def _hear_on(self) -> None:
        with self._node() as client:
            self._look_whether_all_is_there(client)
            self._hearing.reached()
            while not self._ended.is_set():
                self._hear_more(client)

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

    def _hear_more(self, client: Any) -> None:
        told: Any = client.xread({self._key: self._last}, count=AT_ONCE, block=_BLOCK)
        self._behind = any(len(entries) == AT_ONCE for _, entries in told or ())
        for _, entries in told or ():
            for place, fields in entries:
                if b"n" in fields:
                    self._hear(fields[b"n"])
                self._last, self._met = place.decode(), True
            # Whoever lags may be overtaken by what is dropped from the other end.
            if len(entries) == AT_ONCE and self._is_trimmed(client):
                self._lose()


def _place(text: bytes) -> tuple[int, int]:
    moment, _, number = text.partition(b"-")
    return int(moment), int(number)
