"""The storage port on one Redis node: a commit is one script, which judges everything before it writes anything.

Law: only scripts write. A script runs alone and whole, so what it judged still holds when it writes; a server without memory refuses its first write, and then
nothing was written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, NoReturn, TypeVar, cast

import msgspec

from authmw.errors import Conflict, Duplicate, StorageError
from authmw.storable import check_actions, check_commit, storable_text, storable_value
from authmw.storage import (
    IO,
    MAX_ACTIONS,
    Cursor,
    Filter,
    Order,
    Page,
    Record,
    Value,
    Write,
    moment,
)
from authmw_adapters.layout import checked_namespace, joined
from authmw_adapters.redis.connections import Asynchronous, Blocking, Script
from authmw_adapters.redis.filters import behind_cursor, compiled, cursor_on, narrowed, single_valued
from authmw_adapters.redis.rows import Rows
from authmw_adapters.redis.server import advice, check_server
from authmw_adapters.redis.upkeep import make_ready

R = TypeVar("R", bound=Record)
_KEPT_AFTER_EXPIRY = timedelta(days=1)
_encode = msgspec.msgpack.Encoder().encode
_COMMIT = Script.of("rows", "commit")
_FIND = Script.of("rows", "find")
_PAGE = Script.of("rows", "filters", "page")
_COUNT = Script.of("rows", "filters", "count")
_SWEEP = Script.of("rows", "sweep")


class _Storage:
    """What both storages do; they differ in how commands are sent."""

    io: IO
    looked_up: ClassVar[int] = 10_000
    """So many records, at most, one question has looked up and ordered; a question about more walks an index."""
    walked: ClassVar[int] = 2_000
    """So many records, at most, one question looks at while it walks: a page is short then, and has a cursor. The server answers nobody else meanwhile."""

    def __init__(self, runner: Blocking | Asynchronous, address: str, namespace: str, prefix: str) -> None:
        checked_namespace(namespace)
        if not prefix:
            raise ValueError("A prefix is a text that is not empty.")
        self._runner = runner
        self._address = address
        self._base = f"{prefix}:{namespace}:"
        self._kinds: dict[type[Record], Rows[Any]] = {}

    async def prepare(self, kinds: Sequence[type[Record]]) -> None:
        """Look at the server and fill indexes that are new.

        Raises Misconfigured for a server that is part of a cluster or that drops keys when its memory is full, WrongSchema if a newer version wrote here or a record lacks a
        field that is new, and Duplicate if a new unique index cannot hold what is stored.
        """
        check_server(await self._runner.ask("INFO", "everything"))
        await make_ready(self._runner, self._base, [self._rows(kind) for kind in dict.fromkeys(kinds)])

    def inspect(self) -> Iterator[str]:
        """What an operator should mend at the server."""
        return advice(self._address)

    async def get(self, kind: type[R], key: str) -> R | None:
        """The record of this key."""
        rows = self._rows(kind)
        if not storable_text(key):
            return None
        row = await self._runner.ask("HGET", f"{self._base}{rows.name}", key)
        return rows.read(row) if row else None

    async def find(self, kind: type[R], index: str, value: Value) -> R | None:
        """The record that holds this value in a unique index."""
        rows = self._rows(kind)
        if index not in rows.unique:
            message = f"{rows.name} has no unique index {index}."
            raise StorageError(message)
        if not storable_value(value):
            return None
        row = await self._runner.run(_FIND, self._base, rows.name, index, joined(value))
        return rows.read(row) if row else None

    async def page(
        self, kind: type[R], where: Filter, *, order: Order = Order(), after: Cursor | None = None, limit: int
    ) -> Page[R]:
        """Some records in order. Where a filter holds for more than a few thousand and yet for few of those the order begins with, a page is short and has a cursor."""
        if not 1 <= limit <= 1000:
            raise StorageError("A page holds 1 to 1000 records.")
        rows = self._rows(kind)
        rows.check_order(order)
        among = narrowed(where, order)
        places = *among, *behind_cursor(among, order, after)
        asked = (compiled(rows.description, where), order.index, *places, order.descending, limit, *self._bounds)
        end, *found = await self._runner.run(_PAGE, self._base, rows.name, _encode(asked))
        cursor = cursor_on(end.decode(), order) if end else None
        return Page(tuple(rows.read(row) for row in found), cursor)

    async def count(self, kind: type[R], where: Filter, *, at_most: int) -> int:
        """How many records the filter holds for, up to `at_most`. Where more than 10,000 have to be looked at, commits may come between."""
        rows = self._rows(kind)
        asked = compiled(rows.description, where), single_valued(rows.description, where)
        counted, low = 0, "-"
        while counted < at_most:
            question = _encode((*asked, at_most - counted, low, *self._bounds))
            found, more = await self._runner.run(_COUNT, self._base, rows.name, question)
            counted += found
            if not more:
                break
            low = f"({more.decode()}"
        return min(counted, at_most)

    async def commit(self, *writes: Write) -> None:
        """All of the writes or none."""
        check_commit(writes)
        if not writes:
            return
        tables = [self._rows(type(write.record)) for write in writes]
        told = [rows.write(write) for rows, write in zip(tables, writes, strict=True)]
        answer = await self._runner.run(
            _COMMIT,
            self._base,
            MAX_ACTIONS,
            _encode({rows.name: rows.aside for rows in tables}),
            _encode([write for write, _ in told]),
            *(row for _, row in told),
            changes=True,
        )
        if answer != [b"done"]:
            _refuse(writes, *(part.decode() for part in answer))

    async def sweep(self, now: datetime, limit: int) -> int:
        """Drop what expired more than a day ago."""
        over = moment(now.astimezone(UTC) - _KEPT_AFTER_EXPIRY)
        swept = 0
        for rows in list(self._kinds.values()):
            if rows.description.expires and swept < limit:
                swept += await self._runner.run(_SWEEP, self._base, rows.name, over, limit - swept)
        return swept

    async def close(self) -> None:
        """Close the connections that are not in use."""
        await self._runner.close()

    @property
    def _bounds(self) -> tuple[int, int]:
        return self.looked_up, self.walked

    def _rows(self, kind: type[R]) -> Rows[R]:
        rows = self._kinds.get(kind)
        if rows is None:
            rows = self._kinds[kind] = Rows(kind)
        return cast("Rows[R]", rows)


class RedisStorage(_Storage):
    """A `Storage` on one Redis node, on the blocking client: WSGI hosts, and ASGI hosts whose limiter or sender blocks too.

    `address` is a URL (`redis://`, `rediss://`, `unix://`). `namespace` and `prefix` begin the name of every key; two namespaces never see each other. A commit is as durable
    as the server makes it: with `appendonly yes` and `appendfsync always` it has reached the disk when it is acknowledged, with `everysec` (the server's default) a
    crash may forget the last second, without `appendonly` much more. `authmw doctor` tells. A replica that is promoted may lack what was acknowledged last.
    There is no cluster: a commit lives on one node. Everything lies in memory, a session takes 1.8 KB with its indexes.

    Raises ValueError for a namespace that is not a plain lower-case name, an empty prefix, and an address that is none.
    """

    io: IO = "blocking"

    def __init__(self, address: str, namespace: str = "", *, prefix: str = "authmw") -> None:
        super().__init__(Blocking(address), address, namespace, prefix)


class AsyncRedisStorage(_Storage):
    """A `Storage` on one Redis node, on the asyncio client, with connections of its own for each loop; otherwise as `RedisStorage`."""

    io: IO = "async"

    def __init__(self, address: str, namespace: str = "", *, prefix: str = "authmw") -> None:
        super().__init__(Asynchronous(address), address, namespace, prefix)


def _refuse(writes: Sequence[Write], why: str, kind: str, detail: str = "") -> NoReturn:
    """Raise what the script found."""
    if why == "duplicate":
        raise Duplicate(kind, detail)
    if why == "conflict":
        raise Conflict(f"A record of {kind} has this key." if detail else f"A record of {kind} has changed.")
    check_actions(writes, int(kind) - len(writes))
    raise StorageError("The actions of a commit were counted in two ways.")
