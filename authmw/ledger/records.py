"""What the ledger remembers: one event for each call, messages on their way out, and changes that somebody waits to hear of."""

from __future__ import annotations

from datetime import datetime

import attrs

from authmw.storage import Record, by_field, record


@record(
    "events",
    key="event_id",
    expires="expires_at",
    indexes=(
        by_field("started", "started_at"),
        by_field("request", "request_id"),
        by_field("status", "status", "started_at"),
        by_field("action", "action", "started_at"),
        by_field("subject", "subject_id", "started_at"),
    ),
)
@attrs.frozen(kw_only=True)
class Event(Record):
    """One call of an operation: who did what, when, from where, and how it ended. Holds no secret and no full address. What belongs to no operation (the client's bootstrap and
    telemetry, pages that only show) leaves none.

    `status` is `success` or `error`; a row with `started` only says that a long call began, and stands beside the row of its end under a key of its own.
    """

    event_id: str
    request_id: str
    action: str
    status: str
    http_status: int
    error_type: str = ""
    source: str = "DIRECT"
    audience: str = "python"
    actor: str = "project"
    subject_id: str = ""
    factor: str = ""
    remark: str = ""
    ip_address: str = ""
    started_at: datetime
    ended_at: datetime
    expires_at: datetime


@record("outgoing", key="outgoing_id", expires="expires_at", indexes=(by_field("due", "due_at"),))
@attrs.frozen(kw_only=True)
class Outgoing(Record):
    """A message that must leave: its sealed payload and when it may be tried (again). One to nobody has an empty payload."""

    outgoing_id: str
    channel: str
    sealed: bytes = attrs.field(repr=False)
    event_id: str
    due_at: datetime
    attempts: int = 0
    reported: bool = True
    """Whether the call that asked for it has failed if it cannot be sent; a notice only accompanies a change that stands."""
    expires_at: datetime


@record(
    "deliveries",
    key="delivery_id",
    expires="expires_at",
    indexes=(by_field("due", "listener", "due_at"), by_field("about", "listener", "object_id", "position")),
)
@attrs.frozen(kw_only=True)
class Delivery(Record):
    """A change that one listener has not heard yet. `position` orders the changes of one object; `waiting` says that an earlier one is in somebody's hands."""

    delivery_id: str
    listener: str
    object_id: str
    position: str
    sealed: bytes = attrs.field(repr=False)
    due_at: datetime
    attempts: int = 0
    waiting: bool = False
    expires_at: datetime


@record("purges", key="purge_id", indexes=(by_field("due", "due_at"),))
@attrs.frozen(kw_only=True)
class Purge(Record):
    """Work left behind a deletion: what belonged to a subject that is gone, or with an epoch only the sessions that were born under an
    earlier one, and the secrets of factors that the subject has no more.
    """

    purge_id: str
    subject_id: str
    epoch: int | None = None
    due_at: datetime
