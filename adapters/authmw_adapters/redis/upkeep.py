"""Rows that are older than the records' declarations: indexes that are new are filled. Nothing that a record holds is changed or dropped.

Beside the rows of a namespace lies what each kind was declared as when it was last made ready. Who finds another declaration fills what is missing and notes its
own: an older process that starts again is seen too, and what it wrote is filled when a newer one starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import attrs
import msgspec

from authmw.errors import Duplicate, StorageError, WrongSchema
from authmw.typed import from_json
from authmw_adapters.redis.connections import Asynchronous, Blocking, Script
from authmw_adapters.redis.rows import EXPIRY, Rows

SCHEMA = 1
"""The version of the layout."""
_FILL = Script.of("rows", "fill")
_AT_ONCE = 100
_LOOKS = 100
"""Looks at all rows of a kind, each for what was changed while the one before it looked."""
_encode = msgspec.msgpack.Encoder().encode


@attrs.frozen
class _Declared:
    """What a kind was declared as: its indexes, and the fields that no default stands for."""

    indexes: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()


async def make_ready(runner: Blocking | Asynchronous, base: str, kinds: Iterable[Rows[Any]]) -> None:
    """Fill what is missing. WrongSchema if a newer version wrote here, or stored records lack a field that has no default; Duplicate if a new unique index cannot
    hold what is stored.
    """
    place = f"{base}#schema"
    await runner.ask("HSETNX", place, "#version", SCHEMA)
    if int(await runner.ask("HGET", place, "#version")) > SCHEMA:
        raise WrongSchema("These records were written by a newer version of authmw.")
    for rows in kinds:
        told = await runner.ask("HGET", place, rows.name)
        held = from_json(told, _Declared) if told else None
        wanted = _declared(rows)
        if held == wanted:
            continue
        if await runner.ask("HLEN", f"{base}{rows.name}"):
            before = held or _Declared()
            if held and (new := sorted(set(wanted.needed) - set(before.needed))):
                message = f"Stored records of {rows.name} lack {', '.join(new)}, which no default stands for."
                raise WrongSchema(message)
            if set(wanted.indexes) - set(before.indexes):
                await _fill(runner, base, rows)
        await runner.ask("HSET", place, rows.name, msgspec.json.encode(wanted))


def _declared(rows: Rows[Any]) -> _Declared:
    described = rows.description
    indexes = sorted(index.name for index in described.indexes) + [EXPIRY] * bool(described.expires)
    needed = sorted(field.name for field in attrs.fields(rows.kind) if field.default is attrs.NOTHING)
    return _Declared(tuple(indexes), tuple(needed))


async def _fill(runner: Blocking | Asynchronous, base: str, rows: Rows[Any]) -> None:
    for _ in range(_LOOKS):
        left, cursor = 0, b"0"
        while True:
            cursor, found = await runner.ask("HSCAN", f"{base}{rows.name}", cursor, "COUNT", _AT_ONCE)
            left += await _fill_some(runner, base, rows, found)
            if cursor == b"0":
                break
        if not left:
            return
    message = f"Records of {rows.name} change faster than a new index of them is filled."
    raise StorageError(message)


async def _fill_some(runner: Blocking | Asynchronous, base: str, rows: Rows[Any], found: Sequence[bytes]) -> int:
    """Fill some rows; how many changed meanwhile."""
    told: list[tuple[str, int, dict[str, list[str]]]] = []
    written: list[bytes] = []
    for key, row in zip(found[::2], found[1::2], strict=True):
        version, held = rows.head(row)
        record = rows.read(row)
        values = rows.values(record)
        if values != held:
            told.append((key.decode(), version, values))
            written.append(rows.row(record, version, values))
    if not told:
        return 0
    why, *said = await runner.run(_FILL, base, rows.name, _encode(rows.unique), _encode(told), *written)
    if why != b"done":
        raise Duplicate(*(part.decode() for part in said))
    return int(said[0])
