"""The three doors to a changed store: `commit` for operations, `touch` for what may be lost, `settle` for background work.

Law: an operation commits once, and its event is in that commit. What a refusal must remember is committed before refusing.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import NoReturn, overload

import attrs

from authmw import drive
from authmw.crypto import tokens
from authmw.errors import Conflict, Refused, StorageError
from authmw.ledger.deriving import deliveries_of
from authmw.ledger.lanes import places_of
from authmw.ledger.reading import Remembering
from authmw.ledger.records import Event
from authmw.operations import Call, Core, current_call
from authmw.storage import Insert, Write

_log = logging.getLogger("authmw")
KEPT = timedelta(days=30)
"""How long events are kept."""


def event_of(
    call: Call, *, refusal: Refused | None = None, subject_id: str = "", factor: str = "", status: int = 200
) -> Event:
    """The event row of a call as it ends now."""
    now = call.core.clock.now()
    call.event_id = call.event_id or tokens.ordered_id("event", call.settings.environment, call.now)
    return Event(
        event_id=call.event_id,
        request_id=call.id,
        action=call.operation.action,
        status="error" if refusal else "success",
        http_status=refusal.status if refusal else status,
        error_type=refusal.error_type if refusal else "",
        source=call.operation.source or call.caller.source,
        audience=call.caller.audience,
        actor=call.caller.actor,
        subject_id=subject_id,
        factor=factor,
        remark=call.remark,
        ip_address=call.caller.ip_address,
        started_at=call.now,
        ended_at=max(now, call.now),
        expires_at=call.now + KEPT,
    )


def started_of(call: Call) -> Event:
    """The row that says a long call began; its key is its own, so that the call's event can come to stand beside it."""
    return attrs.evolve(
        event_of(call),
        event_id=tokens.ordered_id("started", call.settings.environment, call.now),
        status="started",
        http_status=0,
    )


@overload
async def commit(*writes: Write, subject_id: str = "", factor: str = "", refusal: None = None) -> None: ...
@overload
async def commit(*writes: Write, subject_id: str = "", factor: str = "", refusal: Refused) -> NoReturn: ...
async def commit(*writes: Write, subject_id: str = "", factor: str = "", refusal: Refused | None = None) -> None:
    """Commit the one change of the running operation, its event, what listeners are to hear of it and a check of all it read; then raise the refusal, if there is one.

    Raises Conflict or Duplicate (the body is repeated by whoever runs it) and StorageError.
    """
    call = current_call()
    if call.committed:
        raise StorageError("An operation commits once.")
    event = event_of(call, refusal=refusal, subject_id=subject_id, factor=factor)
    call.deliveries = deliveries_of(call, writes, event)
    following: list[Write] = [Insert(record) for record in (*call.outgoing, *call.deliveries)]
    seen = call.storage
    checks = seen.checks(writes) if isinstance(seen, Remembering) else []
    await drive.shielded(_commit_once(call, (*writes, *checks, *following, Insert(event)), event))
    if refusal is not None:
        raise refusal


async def _commit_once(call: Call, writes: tuple[Write, ...], event: Event) -> None:
    try:
        await _outdate(call.core, writes)
        await call.store.commit(*writes)
    except Conflict:
        call.met = places_of(writes)
        raise
    finally:
        call.turn_over()
    call.committed, call.event = True, event
    await follow(call)


async def follow(call: Call) -> None:
    """Do what the call's commit asks for, each thing once. What fails here is logged and counted: the commit stands, and so does the answer to it."""
    while call.after:
        act = call.after.pop(0)
        try:
            await act()
        except Exception as fault:  # noqa: BLE001 -- whatever it is, it cannot undo a commit
            call.core.perform.failed_behind()
            _log.error("failed_after_commit", extra={"action": call.operation.action, "fault": type(fault).__name__})


async def touch(core: Core, write: Write) -> None:
    """Commit what may as well be lost, such as when a session was last seen."""
    try:
        await _outdate(core, (write,))
        await core.storage.commit(write)
    except Conflict:
        return


async def settle(core: Core, *writes: Write) -> bool:
    """Commit background work; False if another has settled it."""
    try:
        await _outdate(core, writes)
        await core.storage.commit(*writes)
    except Conflict:
        return False
    return True


async def _outdate(core: Core, writes: tuple[Write, ...]) -> None:
    """Before a commit, so that from then on no process is given a copy of what was, also if this one does not live to tell."""
    if core.copies is not None:
        await core.copies.outdate(writes)
