"""Runs an operation: one call, its body repeated while storage says Conflict, its event, and what follows the commit.

Law: a body is repeated only while nothing was committed, at most 8 times inside 2 seconds; after that, or when an outcome is unknown, it fails closed. The seconds that a call
waits for its turn behind others of its process do not count among the two: nobody fails because many came before, unless that takes 8 (2 where the wait holds a thread).
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import attrs

from authmw import drive
from authmw.clock import ticks
from authmw.crypto import tokens
from authmw.declarations import Operation
from authmw.errors import AuthError, Conflict, Duplicate, Refused, StorageError
from authmw.ledger.commits import event_of, follow
from authmw.ledger.lanes import Lanes
from authmw.ledger.notes import Notes
from authmw.ledger.outbox import deliver_all
from authmw.ledger.reading import Remembering
from authmw.ledger.records import Delivery, Outgoing
from authmw.ledger.telling import tell_all
from authmw.operations import PROJECT, Answer, Call, Core, Product, begin, end, joined, visit
from authmw.storage import Insert, Update

REPEATS = 8
PATIENCE = 2.0
"""Seconds within which a body may be repeated."""
IN_LINE = 8.0
"""Seconds that a call may wait for its turns on a loop, where waiting costs nothing. Where it holds one of few threads, its patience is all."""
SWEPT = 200
"""Records that one sweep drops at most: a transaction of a moment, that keeps nobody waiting."""
SWEPT_EVERY = 256
SWEPT_ON = 8
"""One commit in so many drops what is over; one in so many as long as there is more."""


class Performer:
    """Runs the operations of one `Auth`."""

    def __init__(self, notes: Notes, refusals: dict[tuple[str, str], str]) -> None:
        self._notes = notes
        self._refusals = refusals
        self._until_swept = SWEPT_EVERY
        self._lanes = Lanes()

    async def __call__(self, operation: Operation, product: Product, arguments: dict[str, Any]) -> Answer:
        """The answer, complete; every failure becomes a Refused that knows the request's id, and every end leaves one event (AUD-01)."""
        core = product.core
        try:
            if not core.beginning.over:
                await core.beginning.serve()
            await core.project.now()
        except StorageError:
            refused = Refused("server_unavailable")
            self.refuse(operation, product, refused)
            raise refused from None
        call = _call(operation, product)
        self._notes.began(call)
        token = begin(call)
        try:
            answer = await self._answer(call, product, arguments)
        except Refused as refused:
            refused.request_id = call.id
            self._note(call, refused)
            raise
        except Exception as fault:
            met = call.joined is not None and isinstance(fault, Conflict)
            self._note(call, Refused("server_unavailable" if met else "internal_server_error"))
            raise
        except BaseException:
            # Cancelled, or the process is ending. A commit that is under way comes to its end; the event's key sees to it that only one of the two is kept.
            if not call.committed:
                self._note(call, Refused("client_closed_request"))
            raise
        finally:
            end(token)
            self._notes.ended(call)
            self._sweep_at_times(call)
        if not call.committed:
            self._notes.note(Insert(event_of(call, status=answer.status_code)))
        answer.request_id = call.id
        return answer

    def refuse(self, operation: Operation, product: Product, refused: Refused) -> None:
        """Log a call that was refused before its body, and give the refusal its request id."""
        call = _call(operation, product)
        refused.request_id = call.id
        self._notes.note(Insert(event_of(call, refusal=refused)))

    def failed_behind(self) -> None:
        """Count what failed behind a commit that stands."""
        self._notes.failed += 1

    async def _answer(self, call: Call, product: Product, arguments: dict[str, Any]) -> Answer:
        if call.joined is not None:
            return await self._join(call, product, arguments)
        try:
            answer = await self._repeat(call, product, arguments)
        except BaseException as fault:
            # A refusal may follow a commit, and what the commit asks for is done all the same.
            if call.committed:
                await follow(call)
                _tell_behind(call)
                _send_behind(call, _messages(call))
            if isinstance(fault, StorageError):
                raise Refused("server_unavailable") from None
            raise
        if call.committed:
            await follow(call)
            _tell_behind(call)
            await _send(call)
        return answer

    async def _join(self, call: Call, product: Product, arguments: dict[str, Any]) -> Answer:
        """Once, as part of the host's transaction: a Conflict is the host's to see, for all of it must be tried again, and what is to be sent waits for the worker."""
        try:
            answer = await self._attempt(call, product, arguments)
        except Conflict:
            raise
        except StorageError:
            raise Refused("server_unavailable") from None
        await follow(call)
        return answer

    def _note(self, call: Call, refused: Refused) -> None:
        """The event of a call that failed: written, or, if its commit said success, corrected."""
        if not call.committed:
            self._notes.note(Insert(event_of(call, refusal=refused)))
        elif call.event is not None and call.event.status == "success":
            told = attrs.evolve(
                call.event, version=1, status="error", http_status=refused.status, error_type=refused.error_type
            )
            self._notes.note(Update(told))

    def _sweep_at_times(self, call: Call) -> None:
        """One commit in 256 drops what is over, behind its reply, so that a project without a worker does not grow for ever.

        As long as there is more than one sweep drops, one commit in eight does: more goes than eight commits can bring.
        """
        if not call.committed:
            return
        self._until_swept -= 1
        if self._until_swept <= 0:
            self._until_swept = SWEPT_EVERY
            drive.later(call.core.storage.io, self._sweep(call.core))

    async def _sweep(self, core: Core) -> None:
        with suppress(AuthError):  # What is over stays a little longer.
            if await core.storage.sweep(core.clock.now(), SWEPT) >= SWEPT:
                self._until_swept = min(self._until_swept, SWEPT_ON)

    async def _repeat(self, call: Call, product: Product, arguments: dict[str, Any]) -> Answer:
        began, in_line = ticks(), 0.0
        most_in_line = IN_LINE if drive.on_loop() else PATIENCE
        duplicates: set[tuple[str, str]] = set()
        for repeat in range(REPEATS + 1):
            if call.met:
                came = ticks()
                turn = await self._lanes.enter(call.met, most_in_line - in_line)
                in_line += ticks() - came
                call.turn_over = partial(self._lanes.leave, turn)
            started = ticks()
            try:
                return await self._attempt(call, product, arguments)
            except Conflict as conflict:
                if call.committed:
                    raise
                if isinstance(conflict, Duplicate):
                    self._refuse_second(conflict, duplicates)
            finally:
                call.turn_over()
            now = ticks()
            left = began + in_line + PATIENCE - now
            if left <= 0:
                break
            if repeat:
                # It was this call's turn, so whom it met is of another process or new: random within a window that doubles, so that those who met part; the last
                # wait ends in time for one more try.
                await drive.pause(tokens.jitter() * min((now - started) * 2**repeat, left))
        raise Refused("server_unavailable")

    async def _attempt(self, call: Call, product: Product, arguments: dict[str, Any]) -> Answer:
        call.storage = Remembering(call.store)
        call.outgoing.clear()
        call.after.clear()
        answer: Answer = await call.operation.function(product, **arguments)
        return answer

    def _refuse_second(self, duplicate: Duplicate, met: set[tuple[str, str]]) -> None:
        """A duplicate is read again once, so that the rule can decide; met twice on one index it is the refusal declared there."""
        place = (duplicate.kind, duplicate.index)
        if place in met and place in self._refusals:
            raise Refused(self._refusals[place]) from None
        met.add(place)


def _call(operation: Operation, product: Product) -> Call:
    core, here, transaction = product.core, visit.get(), joined.get()
    return Call(
        id=f"request-id-{core.settings.environment}-{tokens.uuid4()}",
        now=core.clock.now(),
        caller=here.who() if here else PROJECT,
        operation=operation,
        storage=transaction or core.storage,
        joined=transaction,
        core=core,
        project=core.project.current,
    )


def _messages(call: Call) -> list[Outgoing]:
    return [record for record in call.outgoing if isinstance(record, Outgoing)]


async def _send(call: Call) -> None:
    """The first attempt at the call's messages: awaited and reported for trusted callers, behind the reply for the public."""
    behind = [one for one in _messages(call) if call.caller.audience == "browser" or not one.reported]
    _send_behind(call, behind)
    failure = await deliver_all(call.core, [one for one in _messages(call) if one not in behind])
    if failure is not None:
        raise Refused(
            "server_unavailable" if failure.retryable else "downstream_carrier_error", "The message could not be sent."
        )


def _send_behind(call: Call, messages: list[Outgoing]) -> None:
    if messages:
        drive.later(call.core.storage.io, _send_quietly(call.core, messages))


def _tell_behind(call: Call) -> None:
    if call.deliveries:
        drive.later(call.core.storage.io, _tell_quietly(call.core, call.deliveries), "host")


async def _tell_quietly(core: Core, deliveries: list[Delivery]) -> None:
    try:
        await tell_all(core, deliveries)
    except AuthError:
        return  # They are stored, and due soon.


async def _send_quietly(core: Core, messages: list[Outgoing]) -> None:
    try:
        await deliver_all(core, messages)
    except AuthError:
        return  # It is stored and due again; the person can ask again too.
