"""Work that many ask for at the same time and one does.

Law: no request's cancellation reaches the work of others, and whoever asks under a key is given what was done under it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

import attrs

from authmw import drive
from authmw.drive import IO
from authmw.errors import StorageError

T = TypeVar("T")


@attrs.frozen(eq=False)
class _Flight(Generic[T]):
    """Work under way: what comes of it, and the loop it runs on (None: a thread)."""

    outcome: concurrent.futures.Future[T]
    loop: asyncio.AbstractEventLoop | None
    task: list[asyncio.Task[T]] = attrs.field(factory=list["asyncio.Task[T]"])


class SingleFlight(Generic[T]):
    """Work that many may ask for at the same time and one does: the first to ask leads, the others wait for what comes of it.

    On a loop the leader's work is a task of its own, so that no request's cancellation reaches it; threads wait on the same future. A failure is told to all who
    wait, and who asks next begins anew. A key must name everything that the outcome rests on: whoever asks under it is given it.
    """

    def __init__(self) -> None:
        self._forget()
        drive.in_child(self._forget)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[Hashable, _Flight[T]] = {}

    async def operate(self, io: IO, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The outcome, for a host that runs a loop."""
        loop = asyncio.get_running_loop()
        flight, leads = self._board(key, loop)
        if leads:
            task = loop.create_task(drive.operate(io, work()))
            flight.task.append(task)
            task.add_done_callback(lambda done: self._land_task(key, flight, done))
        if flight.loop is loop and flight.task:
            # Not `await task`, through which the cancellation of one waiter would reach the work of all.
            await asyncio.wait(flight.task)
            return flight.outcome.result()
        return await asyncio.wrap_future(flight.outcome)

    def run(self, io: IO, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The outcome, for a synchronous caller. RuntimeError on a thread that runs an event loop."""
        if drive.on_loop():
            return drive.run(io, work())  # which refuses, and says why
        flight, leads = self._board(key, None)
        if not leads:
            return flight.outcome.result()
        try:
            outcome = drive.run(io, work())
        except BaseException as failure:
            self._land(key, flight, failure=failure)
            raise
        self._land(key, flight, outcome)
        return outcome

    def _board(self, key: Hashable, loop: asyncio.AbstractEventLoop | None) -> tuple[_Flight[T], bool]:
        with self._lock:
            flying = self._flights.get(key)
            if flying is not None and not (flying.loop is not None and flying.loop.is_closed()):
                return flying, False
            flight = _Flight[T](concurrent.futures.Future(), loop)
            flight.outcome.set_running_or_notify_cancel()  # from here on nobody who waits can cancel it
            self._flights[key] = flight
            return flight, True

    def _land_task(self, key: Hashable, flight: _Flight[T], task: asyncio.Task[T]) -> None:
        if task.cancelled():
            self._land(key, flight, failure=asyncio.CancelledError())
        elif (failure := task.exception()) is not None:
            self._land(key, flight, failure=failure)
        else:
            self._land(key, flight, task.result())

    def _land(
        self, key: Hashable, flight: _Flight[T], outcome: T | None = None, *, failure: BaseException | None = None
    ) -> None:
        with self._lock:
            if self._flights.get(key) is flight:
                del self._flights[key]
        if failure is None:
            flight.outcome.set_result(outcome)  # type: ignore[arg-type]  # None only where T holds it
        elif isinstance(failure, Exception):
            flight.outcome.set_exception(failure)
        else:
            # What ended the leader (its loop or its process going down) is not for the others to die of.
            flight.outcome.set_exception(StorageError("The work was ended before it was done."))
