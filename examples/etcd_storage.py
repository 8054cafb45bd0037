"""The storage port on etcd: `EtcdStorage("127.0.0.1:2379")`. docs/writing-an-adapter.md builds it step by step.

A commit is one transaction of etcd, which must take large ones: `etcd --max-txn-ops 512`.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from http.client import HTTPConnection, HTTPException
from typing import Any, TypeAlias

import attrs

from authmw import storage as port
from authmw.errors import Conflict, Duplicate, OutcomeUnknown, StorageError
from authmw.storable import check_actions, check_commit, storable_text, storable_value
from authmw.storage import KEY, Cursor, Order, Record, Value, Write, decode, description, encode, key_of, moment

Row: TypeAlias = tuple[bytes, bytes, str]
"""A key of etcd, its value, and the revision that last changed it."""


def sort_of(value: Value) -> bytes:
    """No text holds NUL, so the order of these bytes is the order of tuples and of the code points of their texts."""
    return b"\0\1".join(text.encode("utf-8", "surrogatepass") for text in value)


def following(place: bytes) -> bytes:
    """The first key behind all that begin like this. The last byte is one of UTF-8, a zero or a one, so it can be one more."""
    return place[:-1] + bytes([place[-1] + 1])


class Kind:
    """Where one kind of record lies. Each index, the key among them, is a range of etcd's ordered keys."""

    def __init__(self, kind: type[Any], namespace: str) -> None:
        self.kind, self.described, self._namespace = kind, description(kind), namespace

    def space(self, index: str) -> bytes:
        return f"{self._namespace}\0{self.described.kind}\0{index}\0".encode()

    def declared(self, index: str) -> bytes:
        """The same for what a filter names. StorageError if it is not declared."""
        return self.space(index if index == KEY else self.described.index(index).name)

    def place(self, index: str, value: Value, key: str = "") -> bytes:
        """Where a value stands: for one record alone, or with the key of its record behind it where several may have it."""
        alone = index == KEY or (index != "~expires" and self.described.index(index).unique)
        return self.space(index) + sort_of(value) + b"\0\0" + (b"" if alone else key.encode())

    def read(self, index: str, row: Row) -> tuple[Value, str]:
        """The value that stands at a place, and the key of the record that has it."""
        texts, _, _ = row[0].removeprefix(self.space(index)).partition(b"\0\0")
        value = tuple(text.decode() for text in texts.split(b"\0\1"))
        return value, value[0] if index == KEY else row[1].decode()

    def value(self, index: str, record: Record) -> Value:
        """The one value that a record has in the index of an order."""
        return (key_of(record),) if index == KEY else next(iter(self.described.index(index).of(record)))

    def places(self, record: Record | None) -> dict[bytes, port.Index | None]:
        """Every place that a record takes beside its own, and the index that it belongs to."""
        if record is None:
            return {}
        key, expires = key_of(record), getattr(record, self.described.expires or "", None)
        found = {self.place(one.name, value, key): one for one in self.described.indexes for value in one.of(record)}
        return found | ({self.place("~expires", (moment(expires),), key): None} if expires else {})


class Change:
    """What one write asks for: what must hold, which values go and which come. Conflict if the record is not as it was read."""

    def __init__(self, kind: Kind, write: Write, row: Row | None) -> None:
        record, old = write.record, decode(kind.kind, row[1]) if row else None
        if old is not None if isinstance(write, port.Insert) else old is None or old.version != record.version:
            raise Conflict("A record has changed.")
        changed = None if isinstance(write, port.Delete) else attrs.evolve(record, version=record.version + 1)
        new = old if isinstance(write, port.Check) else changed
        place, before, after = kind.place(KEY, (key_of(record),)), kind.places(old), kind.places(new)
        self.name, self.key, self.indexes = kind.described.kind, key_of(record), before | after
        self.gone, self.come = before.keys() - after.keys(), after.keys() - before.keys()
        self.unique = {one for one, index in self.indexes.items() if index is not None and index.unique}
        self.aside = sum(index.aside for one in self.gone | self.come if (index := self.indexes[one]))
        self.holds = {"key": coded(place), "target": "MOD", "modRevision": row[2] if row else "0"}
        self.acts = [] if isinstance(write, port.Check) else [put(place, encode(new)) if new else drop(place)]

    def taken(self, place: bytes) -> Duplicate:
        return Duplicate(self.name, getattr(self.indexes[place], "name", ""))


def coded(data: bytes) -> str:
    return b64encode(data).decode()


def put(place: bytes, data: bytes) -> dict[str, Any]:
    return {"requestPut": {"key": coded(place), "value": coded(data)}}


def drop(place: bytes) -> dict[str, Any]:
    return {"requestDeleteRange": {"key": coded(place)}}


def look(place: bytes, revision: str = "0") -> dict[str, Any]:
    return {"requestRange": {"key": coded(place), "revision": revision}}


def rows_of(said: dict[str, Any]) -> list[Row]:
    return [(b64decode(kv["key"]), b64decode(kv.get("value", "")), kv["mod_revision"]) for kv in said.get("kvs", ())]


class EtcdStorage:
    """A `Storage` on one etcd cluster. Two namespaces never see each other."""

    io: port.IO = "blocking"

    def __init__(self, address: str, namespace: str = "") -> None:
        self._address, self._namespace, self._kinds = address, namespace, dict[type, Kind]()

    def _kind(self, kind: type[Any]) -> Kind:
        return self._kinds.setdefault(kind, Kind(kind, self._namespace))

    async def prepare(self, kinds: Sequence[type[Any]]) -> None:
        self._kinds.update({kind: Kind(kind, self._namespace) for kind in kinds})

    async def close(self) -> None:
        """Each call has a connection of its own, so there is none to close, and none that a fork could share."""

    def _ask(self, what: str, body: dict[str, Any], *, writing: bool = False) -> dict[str, Any]:
        connection = HTTPConnection(self._address, timeout=10)
        try:
            connection.connect()
        except OSError:
            raise StorageError("etcd cannot be reached.") from None
        unknown = OutcomeUnknown("etcd did not acknowledge a commit.") if writing else StorageError("No answer.")
        try:
            connection.request("POST", f"/v3/kv/{what}", json.dumps(body))
            answer = connection.getresponse()
            said: dict[str, Any] = json.loads(answer.read())
        except (OSError, HTTPException, ValueError):
            raise unknown from None
        finally:
            connection.close()
        if answer.status != 200:  # 4 and 14: too late, or no leader, by which time it may have been done
            raise unknown if said.get("code") in (4, 14) else StorageError("etcd cannot do this now.")
        return said

    def _get(self, places: Sequence[bytes], revision: str = "0") -> list[Row | None]:
        found: list[Row | None] = []
        for first in range(0, len(places), 100):
            said = self._ask("txn", {"success": [look(one, revision) for one in places[first : first + 100]]})
            found += [next(iter(rows_of(one["response_range"])), None) for one in said["responses"]]
        return found

    def _range(self, begin: bytes, end: bytes, **more: Any) -> list[Row]:
        asked = {"key": coded(begin), "rangeEnd": coded(end), **more}
        return rows_of(self._ask("range", asked)) if begin < end else []

    def _records(self, kind: Kind, keys: Sequence[str], revision: str = "0") -> list[Any]:
        rows = self._get([kind.place(KEY, (key,)) for key in keys], revision)
        return [decode(kind.kind, row[1]) for row in rows if row]

    async def get(self, kind: type[Any], key: str) -> Any:
        return next(iter(self._records(self._kind(kind), [key] if storable_text(key) else [])), None)

    async def find(self, kind: type[Any], index: str, value: Value) -> Any:
        here = self._kind(kind)
        if not here.described.index(index).unique:
            raise StorageError("This index is not unique.")
        if not storable_value(value):
            return None
        said = self._ask("range", look(here.place(index, value))["requestRange"])
        keys = [row[1].decode() for row in rows_of(said)]
        # As of the same revision: a value that moves between the two reads is not missed.
        return next(iter(self._records(here, keys, said["header"]["revision"])), None)

    async def commit(self, *writes: Write) -> None:
        check_commit(writes)
        kinds = [self._kind(type(write.record)) for write in writes]
        places = [kind.place(KEY, (key_of(write.record),)) for kind, write in zip(kinds, writes, strict=True)]
        changes = [Change(*one) for one in zip(kinds, writes, self._get(places), strict=True)]
        check_actions(writes, sum(change.aside for change in changes))
        going, coming = {place for change in changes for place in change.gone}, dict[bytes, Change]()
        for change in changes:
            for place in change.come:
                if place in coming:
                    raise coming[place].taken(place)
                coming[place] = change
        # A value that a record of this commit gives up needs no look: that this record is unchanged says that it has it.
        free = [one for one, change in coming.items() if one in change.unique - going]
        holds = [change.holds for change in changes]
        holds += [{"key": coded(one), "target": "CREATE", "createRevision": "0"} for one in free]
        acts = [act for change in changes for act in change.acts] + [drop(one) for one in going - coming.keys()]
        acts += [put(one, change.key.encode()) for one, change in coming.items()]
        looks = [look(one) for one in [*places, *free]]
        done = self._ask("txn", {"compare": holds, "success": acts, "failure": looks}, writing=True)
        if not done.get("succeeded"):
            now = [next(iter(rows_of(one["response_range"])), None) for one in done["responses"]]
            same = all((row[2] if row else "0") == c.holds["modRevision"] for row, c in zip(now, changes, strict=False))
            holders = [one for one, row in zip(free, now[len(places) :], strict=True) if row]
            raise coming[holders[0]].taken(holders[0]) if same and holders else Conflict("A record has changed.")

    def _matching(self, kind: Kind, where: port.Filter) -> set[str] | None:
        """The keys of the records that a filter holds for; None: of all."""
        match where:
            case port.And(parts):
                some = [keys for part in parts if (keys := self._matching(kind, part)) is not None]
                return set[str].intersection(*some) if some else None
            case port.Or(parts):
                each = [self._matching(kind, part) for part in parts]
                return None if None in each else set[str]().union(*(keys for keys in each if keys))
            case port.Equals(index, value):
                return self._matching(kind, port.OneOf(index, (value,)))
            case port.OneOf(index, values):
                kind.declared(index)
                return set[str]().union(*(self._keys(kind, index, one, one) for one in values if storable_value(one)))
            case port.Between(index, low, high):
                return self._keys(kind, index, low, high)
            case port.StartsWith(index, prefix):
                begin = kind.declared(index) + sort_of(prefix)
                rows = self._range(begin, following(begin)) if storable_value(prefix) else []
                return {key for value, key in (kind.read(index, row) for row in rows) if len(value) == len(prefix)}

    def _keys(self, kind: Kind, index: str, low: Value | None, high: Value | None) -> set[str]:
        begin = end = kind.declared(index)
        if low:
            begin += sort_of(low) + b"\0\0"
        # Behind the value itself comes what is longer: it goes on with a one where the value ends with a zero.
        end = following(end) if high is None else end + sort_of(high) + b"\0\1" if high else end
        return {kind.read(index, row)[1] for row in self._range(begin, end, keysOnly=index == KEY)}

    async def page(
        self, kind: type[Any], where: port.Filter, *, order: Order = Order(), after: Cursor | None = None, limit: int
    ) -> port.Page[Any]:
        here, index = self._kind(kind), order.index
        begin, end = here.declared(index), following(here.declared(index))
        if not 1 <= limit <= 1000 or (index != KEY and not here.described.index(index).single):
            raise StorageError("A page holds 1 to 1000 records, by the key or a single index.")
        if after is not None:
            place = here.place(index, after.value, after.key)
            begin, end = (begin, place) if order.descending else (place + b"\0", end)
        keys, direction = self._matching(here, where), "DESCEND" if order.descending else "ASCEND"
        if keys is None:
            rows = self._range(begin, end, limit=limit + 1, sortOrder=direction)
            entries = [here.read(index, row) for row in rows]
        else:  # what was found is put in the order in which it stands in the index
            found = [(here.value(index, one), key_of(one)) for one in self._records(here, sorted(keys))]
            within = [(at, one) for one in found if begin <= (at := here.place(index, *one)) < end]
            entries = [one for _, one in sorted(within, reverse=order.descending)[: limit + 1]]
        records = self._records(here, [key for _, key in entries[:limit]])
        return port.Page(tuple(records), Cursor(*entries[limit - 1]) if len(entries) > limit else None)

    async def count(self, kind: type[Any], where: port.Filter, *, at_most: int) -> int:
        keys, begin = self._matching(self._kind(kind), where), self._kind(kind).space(KEY)
        everything = {"key": coded(begin), "rangeEnd": coded(following(begin)), "countOnly": True}
        return min(at_most, int(self._ask("range", everything).get("count", "0")) if keys is None else len(keys))

    async def sweep(self, now: datetime, limit: int) -> int:
        swept, over = 0, moment(now - timedelta(days=1))
        for kind in [one for one in self._kinds.values() if one.described.expires]:
            begin = kind.space("~expires")
            rows = self._range(begin, begin + sort_of((over,)), limit=limit - swept) if swept < limit else []
            found = [(row, record) for row in rows for record in self._records(kind, [row[1].decode()])]
            for record in [record for row, record in found if row[0] in kind.places(record)]:
                with suppress(Conflict):  # somebody prolonged it meanwhile
                    await self.commit(port.Delete(record))
                    swept += 1
        return swept
