"""The event log: what was called, by whom, and how it ended."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from authmw.ledger.commits import KEPT
from authmw.ledger.records import Event
from authmw.operations import Call, Product, Response, current_call, operation
from authmw.paging import read_cursor, sign_cursor
from authmw.parameters import Id, Text
from authmw.platform.events.rules import Asked, Status, filter_of, read
from authmw.storage import Equals, Order

Limit1000 = Annotated[int, Meta(ge=1, le=1000)]
Time = Annotated[datetime, Meta(tz=True)]


class EventEntry(msgspec.Struct, kw_only=True):
    """One line of the log. What is only known at the end of a call is empty, or 0, in its `start`."""

    request_id: str
    action: str
    status: Status
    occurred_at: datetime
    http_status: int
    error_type: str
    source: str
    audience: str
    actor: str
    subject_id: str
    factor: str
    remark: str
    ip_address: str


class ListResponse(Response, kw_only=True):
    """Some entries, the newest calls first, and where the next page begins."""

    events: list[EventEntry]
    next_cursor: str | None


class Events(Product):
    """The event log of the project, kept for 30 days."""

    @operation("GET", "/v1/project/events", action="ListEvents")
    async def list(
        self,
        *,
        status: Status | None = None,
        action: Text | None = None,
        subject_id: Id | None = None,
        request_id: Id | None = None,
        started_from: Time | None = None,
        started_to: Time | None = None,
        cursor: Text | None = None,
        limit: Limit1000 = 100,
    ) -> ListResponse:
        """The log, newest calls first, up to `limit` (1 to 1000) calls a page.

        Each call reads as `start` and exactly one of `success` and `error`, under one request id; one that a process left unfinished reads as `interrupted` ten
        minutes after it began. A call is in the log a second after its answer at the latest. `started_from` and `started_to` (RFC 3339, both included) bound when
        it began. A page may be short and still have a cursor. Refused: `invalid_argument`.
        """
        call = current_call()
        oldest = call.now - KEPT
        asked = Asked(
            status=status,
            action=action,
            subject_id=subject_id,
            request_id=request_id,
            begin=max(started_from or oldest, oldest),
            end=started_to or call.now,
        )
        keys = call.core.roots.every("paging cursor")
        page = await call.storage.page(
            Event,
            filter_of(asked),
            order=Order("started", descending=True),
            after=read_cursor(cursor, keys, "invalid_argument"),
            limit=limit,
        )
        entries = [
            _entry(event, said, at)
            for event in page.records
            if event.status != "started" or not await _has_ended(call, event.request_id)
            for said, at in read(event, call.now)
            if status is None or said == status
        ]
        return ListResponse(events=entries, next_cursor=sign_cursor(page.cursor, keys))


async def _has_ended(call: Call, request_id: str) -> bool:
    rows = await call.storage.page(Event, Equals("request", (request_id,)), limit=10)
    return any(row.status != "started" for row in rows.records)


def _entry(event: Event, status: Status, at: datetime) -> EventEntry:
    over = status in {"success", "error"}
    return EventEntry(
        request_id=event.request_id,
        action=event.action,
        status=status,
        occurred_at=at,
        http_status=event.http_status if over else 0,
        error_type=event.error_type if over else "",
        source=event.source,
        audience=event.audience,
        actor=event.actor,
        subject_id=event.subject_id if over else "",
        factor=event.factor if over else "",
        remark=event.remark if over else "",
        ip_address=event.ip_address,
    )
