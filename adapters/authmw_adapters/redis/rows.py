"""A kind of record as rows of Redis: the record in MessagePack, and before it a head that says its version and the values of its indexes."""

from __future__ import annotations

from typing import Generic, TypeVar

import attrs
import msgspec

from authmw.errors import StorageError
from authmw.storage import (
    KEY,
    Check,
    Delete,
    Description,
    Insert,
    Order,
    Record,
    Update,
    Write,
    decode,
    description,
    encode,
    expiry_of,
    moment,
)
from authmw_adapters.layout import joined

R = TypeVar("R", bound=Record)
EXPIRY = "#expiry"
"""The index of the moments at which records expire."""
Values = dict[str, list[str]]
_SORTS = {Insert: 1, Update: 2, Delete: 3, Check: 4}
_encoder = msgspec.msgpack.Encoder()
_head = msgspec.msgpack.Decoder(tuple[int, Values])


class Rows(Generic[R]):
    """How one kind is written and read."""

    def __init__(self, kind: type[R]) -> None:
        self.kind = kind
        self.description: Description = description(kind)
        self.name = self.description.kind
        self.aside = {index.name: 2 if index.unique else 1 for index in self.description.indexes if index.aside}
        self.unique = {index.name: 2 for index in self.description.indexes if index.unique}

    def check_order(self, order: Order) -> None:
        """StorageError for an index that cannot order."""
        if order.index != KEY and not self.description.index(order.index).single:
            message = f"{order.index} cannot order {self.name}."
            raise StorageError(message)

    def values(self, record: Record) -> Values:
        """The values that each index holds of a record, as members spell them."""
        held = {index.name: sorted(map(joined, index.of(record))) for index in self.description.indexes}
        if expires := expiry_of(record):
            held[EXPIRY] = [moment(expires)]
        return {name: values for name, values in held.items() if values}

    def row(self, record: Record, version: int, values: Values) -> bytes:
        """A record as it is stored under a version."""
        head = _encoder.encode((version, values))
        return len(head).to_bytes(4) + head + encode(attrs.evolve(record, version=version))

    def read(self, row: bytes) -> R:
        """A record from its row. StorageError for one that this version of the kind cannot be read from."""
        try:
            return decode(self.kind, row[4 + int.from_bytes(row[:4]) :])
        except msgspec.ValidationError:
            message = f"A stored record of {self.name} lacks what this version needs."
            raise StorageError(message) from None

    def head(self, row: bytes) -> tuple[int, Values]:
        """The version of a row, and the values that its indexes hold."""
        return _head.decode(row[4 : 4 + int.from_bytes(row[:4])])

    def write(self, write: Write) -> tuple[tuple[int, str, str, int, Values], bytes]:
        """A write as the script takes it, and the row it leaves."""
        record, key = write.record, getattr(write.record, self.description.key)
        if not isinstance(write, Insert | Update):
            return (_SORTS[type(write)], self.name, key, record.version, {}), b""
        values = self.values(record)
        return (_SORTS[type(write)], self.name, key, record.version, values), self.row(
            record, record.version + 1, values
        )
