"""The records that the contract stores: a kind with a field and an index of every sort, and a second kind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import attrs

from authmw.storage import Index, Record, Value, by_field, record

NOW = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class Inner:
    """A value within a record."""

    name: str
    at: datetime
    raw: bytes = b""


def _tags(thing: Thing) -> Iterator[Value]:
    return ((tag,) for tag in thing.tags)


def _pairs(thing: Thing) -> Iterator[Value]:
    return ((thing.owner, tag) for tag in thing.tags)


@record(
    "things",
    key="id",
    expires="expires_at",
    indexes=(
        Index(name="tag", values=_tags, unique=True, refusal="bad_request"),
        Index(name="pair", values=_pairs),
        by_field("nick", "nick", unique=True),
        by_field("owner", "owner", "made_at"),
        by_field("made", "made_at"),
    ),
)
@attrs.frozen(kw_only=True)
class Thing(Record):
    """A record with a field of every sort."""

    id: str
    owner: str = "ada"
    made_at: datetime = NOW
    expires_at: datetime | None = None
    nick: str | None = None
    count: int = 0
    done: bool = False
    raw: bytes = b""
    tags: tuple[str, ...] = ()
    inner: tuple[Inner, ...] = ()
    free: dict[str, Any] = attrs.field(factory=dict[str, Any])


@record("others", key="id", indexes=(by_field("thing", "thing_id"),))
@attrs.frozen(kw_only=True)
class Other(Record):
    """A second kind."""

    id: str
    thing_id: str = ""


KINDS: tuple[type[Record], ...] = (Thing, Other)
