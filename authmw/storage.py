"""The storage port: what is remembered, and one atomic act that changes it.

Law: a commit happens whole or not at all, and each of its writes is conditional on the version that was read. An adapter never reads a clock,
never hides what has expired, never repeats anything by itself and never decides anything: it compares versions, keeps unique values unique, and says
`Conflict`, `Duplicate`, `OutcomeUnknown` or `StorageError`.

A record is a frozen attrs class described by `@record(...)`. An index value is a tuple of text, compared by code points, the first text first; an index
may hold several values of one record. Times in an index are spelled by `moment`, so that their order is the order of text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeAlias, TypeVar

import attrs
import msgspec

from authmw.errors import StorageError
from authmw.typed import from_msgpack

Value: TypeAlias = tuple[str, ...]
IO: TypeAlias = Literal["instant", "blocking", "async"]

MAX_WRITES = 20
"""The most records that one commit may name (written or checked)."""
MAX_ACTIONS = 100
"""The most actions of one commit: one for each record it names, and one for each value of an index that is `aside` and gets or loses it."""
KEY = "key"
"""The name under which a record's key can be filtered and ordered by, in every kind."""


@attrs.frozen(kw_only=True)
class Index:
    """One declared way to find records.

    `values` gives the values of a record, at most one per value of the index. A `unique` index holds each value once in the whole kind. `refusal` is the error
    type of a request that meets a duplicate twice. An index whose every record has exactly one value is `single` and may order a page.
    """

    name: str
    values: Callable[[Any], Iterable[Value]]
    unique: bool = False
    single: bool = False
    refusal: str | None = None

    @property
    def aside(self) -> bool:
        """Whether its values stand beside the record, as items or rows of their own: those that are unique, or that a record may have several of.

        The others are fields of the record, which a store indexes as it writes it.
        """
        return self.unique or self.fields is None

    @property
    def fields(self) -> tuple[str, ...] | None:
        """The fields that it stands on; None if its values are worked out."""
        return self.values.fields if isinstance(self.values, _FieldValues) else None

    def of(self, record: Record) -> frozenset[Value]:
        """The values this index holds of a record. Raises StorageError for one without a text."""
        values = frozenset(self.values(record))
        if () in values:
            message = f"The index {self.name} was given a value without a text."
            raise StorageError(message)
        return values


def by_field(name: str, *fields: str, unique: bool = False, refusal: str | None = None) -> Index:
    """An index over one or several fields of text, time or None; a record with None in one of them has no value in it.

    Such an index is `single` only if none of its fields can be None; `record` finds that out from the annotations.
    """
    return Index(name=name, values=_FieldValues(fields), unique=unique, refusal=refusal)


@attrs.frozen
class _FieldValues:
    fields: tuple[str, ...]

    def __call__(self, record: Record) -> Iterator[Value]:
        texts = [_text(getattr(record, field)) for field in self.fields]
        if None not in texts:
            yield tuple(text for text in texts if text is not None)


def _text(value: object) -> str | None:
    match value:
        case None | str():
            return value
        case datetime():
            return moment(value)
        case bool():
            return "true" if value else "false"
        case _:
            message = f"A field of {type(value).__name__} cannot be indexed."
            raise TypeError(message)


def moment(time: datetime) -> str:
    """A time as text whose order is the order of time: UTC, always six fractional digits. Raises ValueError for a naive time."""
    if time.tzinfo is None:
        message = "A time without a time zone cannot be stored."
        raise ValueError(message)
    return time.astimezone(UTC).isoformat(timespec="microseconds")


@attrs.frozen(kw_only=True)
class Description:
    """How a kind of record is stored: its name, its key, its indexes, and the field that says when it may be dropped."""

    kind: str
    key: str
    indexes: tuple[Index, ...] = ()
    expires: str | None = None

    def index(self, name: str) -> Index:
        """The declared index of that name. Raises StorageError: a filter on anything else would be a scan."""
        for index in self.indexes:
            if index.name == name:
                return index
        message = f"{self.kind} has no index {name}."
        raise StorageError(message)


@attrs.frozen(kw_only=True)
class Record:
    """What every record has: the version that was read (0: not stored yet). The store writes version + 1."""

    version: int = 0

    __description__: ClassVar[Description]


R = TypeVar("R", bound=Record)
R_co = TypeVar("R_co", bound=Record, covariant=True)


def record(
    kind: str, *, key: str, indexes: Sequence[Index] = (), expires: str | None = None
) -> Callable[[type[R]], type[R]]:
    """Describe a frozen attrs class as a kind of record. Fields must not begin with an underscore (the codec would drop them)."""

    def describe(cls: type[R]) -> type[R]:
        optional = {a.name for a in attrs.fields(cls) if a.type is None or "None" in str(a.type)}
        for attribute in attrs.fields(cls):
            if attribute.name.startswith("_"):
                message = f"{cls.__name__}.{attribute.name}: a record has no private fields."
                raise TypeError(message)
        whole = tuple(
            attrs.evolve(index, single=optional.isdisjoint(index.values.fields))
            if isinstance(index.values, _FieldValues)
            else index
            for index in indexes
        )
        cls.__description__ = Description(kind=kind, key=key, indexes=whole, expires=expires)
        return cls

    return describe


def description(kind: type[Record]) -> Description:
    """How this kind is stored. Raises TypeError for a class that was not described."""
    try:
        return kind.__description__
    except AttributeError:
        message = f"{kind.__name__} is not described by @record."
        raise TypeError(message) from None


def key_of(one: Record) -> str:
    """The key of a record."""
    key: str = getattr(one, description(type(one)).key)
    return key


def expiry_of(one: Record) -> datetime | None:
    """When a record may be dropped, or None: never."""
    field = description(type(one)).expires
    expires: datetime | None = getattr(one, field) if field else None
    return expires


# What can be done


@attrs.frozen
class Insert(Generic[R_co]):
    """Store a record whose key is new. Conflict if it exists."""

    record: R_co


@attrs.frozen
class Update(Generic[R_co]):
    """Replace the record of this key if it still has `record.version`; it is stored with version + 1."""

    record: R_co


@attrs.frozen
class Delete(Generic[R_co]):
    """Remove the record of this key if it still has `record.version`."""

    record: R_co


@attrs.frozen
class Check(Generic[R_co]):
    """Change nothing, but only if the record of this key still has `record.version`."""

    record: R_co


Write: TypeAlias = Insert[Record] | Update[Record] | Delete[Record] | Check[Record]


# What can be asked


@attrs.frozen
class Equals:
    """Records with this value in the index."""

    index: str
    value: Value


@attrs.frozen
class OneOf:
    """Records with one of these values in the index."""

    index: str
    values: tuple[Value, ...]


@attrs.frozen
class Between:
    """Records with a value from `low` to `high`, both included; None leaves an end open."""

    index: str
    low: Value | None = None
    high: Value | None = None


@attrs.frozen
class StartsWith:
    """Records with a value of the same length whose last text begins with the last text of `prefix`, the other texts being equal."""

    index: str
    prefix: Value


@attrs.frozen(init=False)
class And:
    """Records that all of the parts hold for; without parts: every record."""

    parts: tuple[Filter, ...]

    def __init__(self, *parts: Filter) -> None:
        object.__setattr__(self, "parts", parts)


@attrs.frozen(init=False)
class Or:
    """Records that at least one of the parts holds for; without parts: none."""

    parts: tuple[Filter, ...]

    def __init__(self, *parts: Filter) -> None:
        object.__setattr__(self, "parts", parts)


Filter: TypeAlias = Equals | OneOf | Between | StartsWith | And | Or
EVERYTHING = And()


@attrs.frozen
class Order:
    """By the value of a `single` index (or the key), ties by key in the same direction."""

    index: str = KEY
    descending: bool = False


@attrs.frozen
class Cursor:
    """Where a page ended: the next begins behind this value and key."""

    value: Value
    key: str


@attrs.frozen
class Page(Generic[R]):
    """Some records in order. Only a missing cursor says that there are no more: a page may be short, even empty, and have one."""

    records: tuple[R, ...]
    cursor: Cursor | None


class Storage(Protocol):
    """What an adapter provides. Every method is spelled `async def`; it suspends only if `io` is "async".

    "instant" never waits for anything; "blocking" may hold its thread; "async" awaits on a running loop.
    """

    @property
    def io(self) -> IO:
        """How the methods wait."""
        ...

    async def prepare(self, kinds: Sequence[type[Record]]) -> None:
        """Make ready to hold these kinds: create or migrate what is needed. Called once per process before anything else; idempotent."""
        ...

    async def get(self, kind: type[R], key: str) -> R | None:
        """The record of this key, expired or not."""
        ...

    async def find(self, kind: type[R], index: str, value: Value) -> R | None:
        """The record that holds this value in a unique index. StorageError if the index is not declared or not unique."""
        ...

    async def page(
        self, kind: type[R], where: Filter, *, order: Order = Order(), after: Cursor | None = None, limit: int
    ) -> Page[R]:
        """Up to `limit` (1 to 1000) records behind the cursor. StorageError for an index that is not declared or cannot order."""
        ...

    async def count(self, kind: type[R], where: Filter, *, at_most: int) -> int:
        """How many records the filter holds for; counting may stop at `at_most`."""
        ...

    async def commit(self, *writes: Write) -> None:
        """All of the writes or none.

        Uniqueness is judged on the state after all of them, so a value may move between two records. Each key is named at most once. Raises Conflict, Duplicate,
        OutcomeUnknown, or StorageError (also for more than MAX_WRITES writes or MAX_ACTIONS actions, and for what `authmw.storable` refuses: a key, an index value or a text
        in an index that is too long, and what not every store can hold).
        """
        ...

    async def sweep(self, now: datetime, limit: int) -> int:
        """Drop up to `limit` records that expired more than a day before `now`; answers how many."""
        ...

    async def close(self) -> None:
        """Let go of connections; the next call opens them again."""
        ...


def encode(one: Record) -> bytes:
    """A record as bytes (MessagePack)."""
    return _encoder.encode(one)


def decode(kind: type[R], data: bytes) -> R:
    """A record from the bytes of `encode`."""
    return from_msgpack(data, kind)


_encoder = msgspec.msgpack.Encoder()
