"""How an event row reads: as the `start` of its call and its one end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import attrs

from authmw.ledger.records import Event
from authmw.storage import And, Between, Equals, Filter, moment

Status: TypeAlias = Literal["start", "success", "error", "interrupted"]
INTERRUPTED = timedelta(minutes=10)
"""A call that began so long ago and left no end was interrupted: its process died."""


@attrs.frozen(kw_only=True)
class Asked:
    """Which calls to list."""

    status: Status | None
    action: str | None
    subject_id: str | None
    request_id: str | None
    begin: datetime
    end: datetime


def filter_of(asked: Asked) -> Filter:
    """The filter on declared indexes that holds for these calls."""
    low, high = moment(asked.begin), moment(asked.end)
    parts: list[Filter] = [Between("started", (low,), (high,))]
    if asked.request_id is not None:
        parts.append(Equals("request", (asked.request_id,)))
    for index, text in (("action", asked.action), ("subject", asked.subject_id)):
        if text is not None:
            parts.append(Between(index, (text, low), (text, high)))
    if asked.status in {"success", "error"}:
        parts.append(Between("status", (asked.status, low), (asked.status, high)))
    elif asked.status == "interrupted":
        parts.append(Between("status", ("started", low), ("started", high)))
    return And(*parts)


def read(event: Event, now: datetime) -> Iterator[tuple[Status, datetime]]:
    """The entries of one row, the newest first, each with its time. A long call that only began is at work, or, after ten minutes, was interrupted."""
    if event.status == "error":
        yield "error", event.ended_at
    elif event.status == "success":
        yield "success", event.ended_at
    elif now - event.started_at >= INTERRUPTED:
        yield "interrupted", event.started_at + INTERRUPTED
    yield "start", event.started_at
