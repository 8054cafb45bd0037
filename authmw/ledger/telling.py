"""Changes are told to whoever of the host listens: stored in the commit that made them, told after it, at least once.

Law: what nobody listens to is not stored. A listener hears the changes of one object in their order: one that failed holds up the later ones of its object for
this listener, and nothing else. A change that was heard is deleted; it rests sealed until then.
"""

from __future__ import annotations

import logging
from collections.abc import Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import attrs
import msgspec

from authmw import drive
from authmw.changes import Change, Listener
from authmw.crypto.roots import UnknownKey
from authmw.crypto.sealing import SealBroken, unseal
from authmw.errors import StorageError
from authmw.ledger.commits import settle
from authmw.ledger.deriving import PURPOSE
from authmw.ledger.records import Delivery
from authmw.operations import CLAIMED, Core
from authmw.storage import Between, Delete, Order, StartsWith, Update, moment
from authmw.typed import from_msgpack

LONGEST = 10.0
"""Seconds that an asynchronous listener may take."""
FIRST_WAIT = 5
"""Seconds until a listener that failed is asked again the first time; each time is twice as long, up to an hour and a half."""
_log = logging.getLogger("authmw")


async def tell_all(core: Core, deliveries: Sequence[Delivery]) -> None:
    """Tell the changes of a commit just made (they are stored as version 1)."""
    for delivery in deliveries:
        await _tell_mine(core, attrs.evolve(delivery, version=1))


async def tell_due(core: Core, now: datetime, limit: int = 50) -> int:
    """Tell what is due to the listeners of this process; how many were heard."""
    heard = 0
    for listener in core.listeners:
        due = Between("due", (listener.name, ""), (listener.name, moment(now)))
        page = await core.storage.page(Delivery, due, order=Order("due"), limit=limit)
        for object_id in dict.fromkeys(delivery.object_id for delivery in page.records):
            heard += await _tell_in_order(core, listener, object_id, None)
            behind = [one for one in page.records if one.object_id == object_id]
            await _wait_behind(core, listener, object_id, behind)
    return heard


async def _wait_behind(core: Core, listener: Listener, object_id: str, those: Sequence[Delivery]) -> bool:
    """Have these come up when the one before them does, or they would stand in the way of other objects; whether any waits."""
    first = await _first(core, listener, object_id)
    waits = False
    for one in those:
        if first is not None and first.position < one.position:
            waits |= await settle(core, Update(attrs.evolve(one, due_at=first.due_at, waiting=True)))
    return waits


async def _tell_mine(core: Core, mine: Delivery) -> None:
    listener = core.listeners.named(mine.listener)
    while listener is not None:
        await _tell_in_order(core, listener, mine.object_id, mine)
        first = await _first(core, listener, mine.object_id)
        if first is None or first.position > mine.position:
            return  # It was heard.
        if first.position == mine.position and first.version != mine.version:
            return  # It failed, or another process has it.
        if await _wait_behind(core, listener, mine.object_id, [mine]):
            # Whoever has the earlier one in hands goes on with this one, unless that one was done before this one was seen to wait.
            await _tell_in_order(core, listener, mine.object_id, None)
            return
        held = await core.storage.get(Delivery, mine.delivery_id)
        if held is None or held.version != mine.version:
            # Somebody else has seen it, and has it wait or has told it.
            await _tell_in_order(core, listener, mine.object_id, None)
            return
        # The earlier one was done just now, by somebody who left this one to us.


async def _first(core: Core, listener: Listener, object_id: str) -> Delivery | None:
    about = StartsWith("about", (listener.name, object_id, ""))
    page = await core.storage.page(Delivery, about, order=Order("about"), limit=1)
    return page.records[0] if page.records else None


async def _tell_in_order(core: Core, listener: Listener, object_id: str, mine: Delivery | None) -> int:
    """Tell a listener of one object from the earliest change on, while they are free to take (or `mine`, which was born claimed) and are heard; how many were."""
    heard = 0
    while (first := await _first(core, listener, object_id)) is not None:
        now = core.clock.now()
        if mine is None or (first.delivery_id, first.version) != (mine.delivery_id, mine.version):
            if first.due_at > now and not first.waiting:
                return heard
            claimed = attrs.evolve(first, due_at=now + CLAIMED, waiting=False)
            if not await settle(core, Update(claimed)):
                continue
            first = attrs.evolve(claimed, version=first.version + 1)
        if not await _told(core, listener, first):
            return heard
        heard += 1
    return heard


async def _told(core: Core, listener: Listener, delivery: Delivery) -> bool:
    """Whether the listener has heard it; settled either way."""
    try:
        opened = unseal(core.roots, PURPOSE, delivery.delivery_id, delivery.sealed)
        change = from_msgpack(opened, Change)
        await _call(listener, change)
    except (SealBroken, UnknownKey, msgspec.MsgspecError):
        # Another process may still have the key it was sealed under.
        return await _failed(core, delivery, "unreadable")
    except StorageError:
        # A listener that calls operations may meet an outage; that is no reason to log the host's own code.
        return await _failed(core, delivery, "StorageError")
    except Exception as fault:  # noqa: BLE001 -- whatever the host's code raises, others are told all the same
        return await _failed(core, delivery, type(fault).__name__)
    await settle(core, Delete(delivery))
    return True


async def _call(listener: Listener, change: Change) -> None:
    async def wait() -> None:
        # The deadline runs on the loop that the listener runs on.
        listening = cast("Coroutine[Any, Any, None]", listener.listen(change))
        await drive.within(LONGEST, drive.like_requests(listening))

    async def listen() -> None:
        listener.listen(change)

    await (drive.using("async", wait) if listener.waits else drive.using("blocking", listen))


async def _failed(core: Core, delivery: Delivery, fault: str) -> bool:
    """Have it told again, twice as late as the last time, or give it up at the end of its life; always False."""
    now = core.clock.now()
    due_at = now + timedelta(seconds=FIRST_WAIT * 2 ** min(delivery.attempts, 10))
    facts = {"listener": delivery.listener, "event_id": delivery.delivery_id.partition("/")[0], "fault": fault}
    if due_at < delivery.expires_at:
        _log.warning("listener_failed", extra={**facts, "attempts": delivery.attempts + 1})
        await settle(core, Update(attrs.evolve(delivery, due_at=due_at, attempts=delivery.attempts + 1)))
    else:
        _log.error("change_given_up", extra=facts)
        await settle(core, Delete(delivery))
    return False
