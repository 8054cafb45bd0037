"""Which changes a commit makes: seen from its writes and from what was read, so that no operation has to say it.

Law: a change is what the wire shows differently. What nobody listens to is not stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import msgspec

from authmw.changes import Action, Change, Listener, Shown
from authmw.crypto import tokens
from authmw.crypto.sealing import seal
from authmw.ledger.reading import Remembering
from authmw.ledger.records import Delivery, Event
from authmw.operations import Call
from authmw.storage import Delete, Insert, Record, Update, Write, key_of

LIFE = timedelta(days=7)
"""For so long a listener that fails is asked again."""
PURPOSE = "change"
"""What deliveries are sealed for."""


def deliveries_of(call: Call, writes: Sequence[Write], event: Event) -> list[Delivery]:
    """What the commit of these writes has to tell, one delivery for each listener that wants it."""
    listeners = call.core.listeners
    if not listeners:
        return []
    return [
        _delivery(call, listener, change)
        for change in _changes(call, writes, event)
        for listener in listeners
        if listener.wants(change.source, change.object_type, change.action)
    ]


def _changes(call: Call, writes: Sequence[Write], event: Event) -> Iterator[Change]:
    seen = call.storage
    for write in writes:
        record = write.record
        shown = call.core.listeners.shown.get(type(record))
        before = seen.known(type(record), key_of(record)) if isinstance(seen, Remembering) else None
        action = _action(shown, write, before, call.now) if shown is not None else None
        if shown is None or action is None:
            continue
        yield Change(
            event_id=tokens.new_id("webhook-event", call.settings.environment),
            project_id=call.settings.project_id,
            action=action,
            object_type=shown.object_type,
            source=event.source,  # type: ignore[arg-type]  # an event's source is that of its caller
            id=key_of(record),
            timestamp=event.ended_at,
            vertical=shown.vertical,
            version=record.version + 1,
            object=None if action == "DELETE" else shown.answer(record, call.now),
        )


def _action(shown: Shown, write: Write, before: Record | None, now: datetime) -> Action | None:
    """What happened to the object; None if the wire shows the same as before."""
    match write:
        case Insert():
            return "CREATE"
        case Delete():
            return "DELETE"
        case Update() if before is None or shown.answer(before, now) != shown.answer(write.record, now):
            return "UPDATE"
        case _:
            return None


def _delivery(call: Call, listener: Listener, change: Change) -> Delivery:
    delivery_id = f"{change.event_id}/{listener.name}"
    return Delivery(
        delivery_id=delivery_id,
        listener=listener.name,
        object_id=change.id,
        position=f"{change.version:019}",
        sealed=seal(call.core.roots, PURPOSE, delivery_id, msgspec.msgpack.encode(change)),
        due_at=call.now + call.due,
        expires_at=call.now + LIFE,
    )
