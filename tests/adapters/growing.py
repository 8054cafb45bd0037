"""A kind of record as it was, and as it may have become: what an adapter has to bring what is stored to."""

from __future__ import annotations

from datetime import datetime

import attrs

from authmw.storage import Index, Record, by_field, record
from authmw.testing.contracts.records import NOW


@record("growing", key="id")
@attrs.frozen(kw_only=True)
class Before(Record):
    """A kind as it was."""

    id: str
    owner: str = "ada"


@record("growing", key="id", indexes=(by_field("owner", "owner", "made_at"), by_field("nick", "nick", unique=True)))
@attrs.frozen(kw_only=True)
class After(Record):
    """The same kind, with fields and indexes that are new."""

    id: str
    owner: str = "ada"
    nick: str | None = None
    made_at: datetime = NOW
    note: str = "it's \\ :new"
    count: int = 7
    done: bool = True
    raw: bytes = b"\x00'"
    tags: tuple[str, ...] = ()


@record("growing", key="id", indexes=(Index(name="owner", values=lambda one: ((one.owner,),), unique=True),))
@attrs.frozen(kw_only=True)
class Unique(Record):
    """The same kind, with an owner that may be there once."""

    id: str
    owner: str = "ada"


@record("growing", key="id")
@attrs.frozen(kw_only=True)
class Demanding(Record):
    """The same kind, with a field that older rows cannot have."""

    id: str
    owner: str = "ada"
    needed: str
