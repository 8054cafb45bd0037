"""Runs an operation: one call, its body repeated while storage says Conflict, its event, and what follows the commit.

Law: a body is repeated only while nothing was committed, at most 8 times inside 2 seconds; after that, or when an outcome is unknown, it fails closed.
"""

from __future__ import annotations

from typing import Any

from authmw import drive
from authmw.clock import ticks
from authmw.crypto import tokens
from authmw.errors import AuthError, Conflict, Duplicate, Refused, StorageError
from authmw.ledger.commits import event_of
from authmw.ledger.notes import Notes
from authmw.ledger.outbox import deliver_all
from authmw.ledger.reading import Remembering
from authmw.ledger.records import Outgoing
from authmw.operations import PROJECT, Answer, Call, Core, Operation, Product, begin, end, visit

REPEATS = 8
PATIENCE = 2.0
"""Seconds within which a body may be repeated."""


class Performer:
    """Runs the operations of one `Auth`."""

    def __init__(self, notes: Notes, refusals: dict[tuple[str, str], str]) -> None:
        self._notes = notes
        self._refusals = refusals

    async def __call__(self, operation: Operation, product: Product, arguments: dict[str, Any]) -> Answer:
        """The answer, complete; every failure becomes a Refused that knows the request's id."""
        core = product.core
        here = visit.get()
        call = Call(
            id=f"request-id-{core.settings.environment}-{tokens.uuid4()}",
            now=core.clock.now(),
            caller=here.who() if here else PROJECT,
            operation=operation,
            storage=Remembering(core.storage),
            core=core,
        )
        try:
            answer = await self._run(call, product, arguments)
        except Refused as refused:
            refused.request_id = call.id
            if not call.committed:
                self._notes.note(event_of(call, refusal=refused))
            raise
        except Exception:
            if not call.committed:
                self._notes.note(event_of(call, refusal=Refused("internal_server_error")))
            raise
        if not call.committed:
            self._notes.note(event_of(call, status=answer.status_code))
        answer.request_id = call.id
        return answer

    async def _run(self, call: Call, product: Product, arguments: dict[str, Any]) -> Answer:
        token = begin(call)
        try:
            answer = await self._repeat(call, product, arguments)
        except StorageError:
            raise Refused("server_unavailable") from None
        finally:
            # A refusal may follow a commit, and what the commit asks for is done all the same.
            if call.committed:
                for act in call.after:
                    await act()
            end(token)
        await _send(call)
        return answer

    async def _repeat(self, call: Call, product: Product, arguments: dict[str, Any]) -> Answer:
        began = ticks()
        duplicates: set[tuple[str, str]] = set()
        for repeat in range(1, REPEATS + 2):
            started = ticks()
            call.storage = Remembering(call.core.storage)
            call.outgoing.clear()
            call.after.clear()
            try:
                answer: Answer = await call.operation.function(product, **arguments)
            except Conflict as conflict:
                if call.committed:
                    raise
                if isinstance(conflict, Duplicate):
                    self._refuse_second(conflict, duplicates)
            else:
                return answer
            now = ticks()
            left = began + PATIENCE - now
            if repeat > REPEATS or left <= 0:
                break
            # Random within a window that doubles, so that those who met part; the last wait ends in time for one more try.
            await drive.pause(tokens.jitter() * min((now - started) * 2**repeat, left))
        raise Refused("server_unavailable")

    def _refuse_second(self, duplicate: Duplicate, met: set[tuple[str, str]]) -> None:
        """A duplicate is read again once, so that the rule can decide; met twice on one index it is the refusal declared there."""
        place = (duplicate.kind, duplicate.index)
        if place in met and place in self._refusals:
            raise Refused(self._refusals[place]) from None
        met.add(place)


async def _send(call: Call) -> None:
    """The first attempt at the call's messages: awaited and reported for trusted callers, behind the reply for the public."""
    messages = [record for record in call.outgoing if isinstance(record, Outgoing)] if call.committed else []
    quiet = [message for message in messages if call.caller.audience == "browser" or not message.reported]
    if quiet:
        drive.later(call.core.storage.io, _send_quietly(call.core, quiet))
    failure = await deliver_all(call.core, [message for message in messages if message not in quiet])
    if failure is not None:
        raise Refused(
            "server_unavailable" if failure.retryable else "downstream_carrier_error", "The message could not be sent."
        )


async def _send_quietly(core: Core, messages: list[Outgoing]) -> None:
    try:
        await deliver_all(core, messages)
    except AuthError:
        return  # It is stored and due again; the person can ask again too.
