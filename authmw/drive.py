"""Where the core runs; this module and `single_flight` alone know loops and threads.

The core is spelled `async def` and suspends only inside an adapter. Storage decides where an operation runs; every other port is brought to it by `using`.
Law: a coroutine is awaited on a loop or stepped to its end in one go, never both, and never waits for a thread of somebody else's limiter.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import functools
import os
import sys
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, Literal, TypeAlias, TypeVar

import anyio
import anyio.to_thread

from authmw.errors import AuthError, StorageError

T = TypeVar("T")
IO: TypeAlias = Literal["instant", "blocking", "async"]


Lane: TypeAlias = Literal["requests", "behind", "host"]
"""Whose turn a thread is: requests, our work behind replies, or the host's own code behind them, which may take as long as it likes and keeps nobody else waiting."""
_THREADS: dict[Lane, int] = {"requests": 40, "behind": 10, "host": 10}
_lane: contextvars.ContextVar[Lane] = contextvars.ContextVar("authmw_lane", default="requests")


@functools.cache
def threads(lane: Lane) -> anyio.CapacityLimiter:
    """Our own threads: the shared limiter deadlocks when 40 synchronous endpoints each wait for a sender that needs one of them."""
    return anyio.CapacityLimiter(_THREADS[lane])


async def like_requests(work: Coroutine[Any, Any, T]) -> T:
    """Await the host's code as if a request ran it: what it awaits in turn needs threads other than the one that may be waiting for it."""
    token = _lane.set("requests")
    try:
        return await work
    finally:
        _lane.reset(token)


LIVENESS = 1.0
"""Seconds after which whoever waits for another loop looks whether it still runs."""


def on_loop() -> bool:
    """Whether this thread runs an event loop right now."""
    return asyncio._get_running_loop() is not None


def step(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends to its end on this thread. RuntimeError if it does suspend."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    message = "An adapter that declares itself instant or blocking suspended; it must declare io = 'async'."
    raise RuntimeError(message)


def after_fork(forget: Callable[[], None]) -> None:
    """Have a function called in the child after every fork, where the system forks at all."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=forget)


def in_child(forget: Callable[[], None]) -> None:
    """Have a bound method called in the child after every fork, for as long as its object lives: no lock, thread or task survives one."""
    held = weakref.WeakMethod(forget)

    def forked() -> None:
        method = held()
        if method is not None:
            method()

    after_fork(forked)


class Lock:
    """A lock of this process: a child that was forked while a thread held it begins with one that nobody holds, for that thread is not there to let it go."""

    def __init__(self) -> None:
        self._forget()
        in_child(self._forget)

    def _forget(self) -> None:
        self._held = threading.Lock()

    def __enter__(self) -> None:
        self._held.acquire()

    def __exit__(self, *_: object) -> None:
        self._held.release()


class Home:
    """The loop that asynchronous adapters live on: the host's once it is known, else a private one in a thread of its own."""

    def __init__(self) -> None:
        self._forget()
        after_fork(self._forget)

    def _forget(self) -> None:
        # Neither threads nor locks held by them survive a fork.
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._own: asyncio.AbstractEventLoop | None = None

    def adopt(self) -> None:
        """Make the running loop the home of asynchronous adapters."""
        self._loop = asyncio.get_running_loop()

    def loop(self) -> asyncio.AbstractEventLoop:
        """The home loop: the adopted one while it runs, else our own, started on first use. A host may stop its loop without closing it."""
        with self._lock:
            if self._loop is not None and self._loop.is_running():
                return self._loop
            if self._own is None:
                self._own = asyncio.new_event_loop()
                threading.Thread(target=self._own.run_forever, name="authmw", daemon=True).start()
            return self._own

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run on the home loop and wait for the result from this thread. StorageError if the host stops its loop meanwhile: the work may or may not be done."""
        loop = self.loop()
        promised = asyncio.run_coroutine_threadsafe(work, loop)
        while not concurrent.futures.wait((promised,), timeout=LIVENESS).done:
            if loop is not self._own and not loop.is_running():
                promised.cancel()
                message = "The loop that this ran on was stopped."
                raise StorageError(message)
        return promised.result()


home = Home()


async def operate(io: IO, work: Coroutine[Any, Any, T]) -> T:
    """Run core work for a host that runs a loop: inline, or in one thread for the whole of it where storage blocks."""
    if io != "blocking":
        return await work
    begun = False

    def begin() -> T:
        nonlocal begun
        begun = True
        return step(work)

    try:
        return await anyio.to_thread.run_sync(begin, limiter=threads(_lane.get()))
    finally:
        if not begun:
            work.close()  # it was cancelled while it waited for a thread; what has begun goes on to its end there


async def brought(io: IO, work: Coroutine[Any, Any, T]) -> T:
    """Await core work from anywhere. On a loop it runs in one thread for the whole of it where storage blocks, so that a view may simply await an operation; work
    that was brought to a thread already goes on there.
    """
    if io == "blocking" and on_loop():
        return await operate(io, work)
    return await work


def run(io: IO, work: Coroutine[Any, Any, T]) -> T:
    """Run core work for a synchronous caller. RuntimeError on a thread that runs an event loop."""
    if on_loop():
        work.close()
        message = "This thread runs an event loop: await the operation instead of auth.run(...)."
        raise RuntimeError(message)
    return home.run(work) if io == "async" else step(work)


async def using(io: IO, call: Callable[..., Coroutine[Any, Any, T]], *args: Any, **kwargs: Any) -> T:
    """Call a port other than storage from inside the core, wherever the core runs."""
    if io == "blocking" and on_loop():
        # Made in the thread: a call that is cancelled while it waits for one is never begun.
        return await anyio.to_thread.run_sync(lambda: step(call(*args, **kwargs)), limiter=threads(_lane.get()))
    if io == "async" and not on_loop():
        return home.run(call(*args, **kwargs))
    return await call(*args, **kwargs)


class Crowded(AuthError):
    """More heavy work waits than the machine should take; nothing of it was done."""


class Heavy:
    """Work that holds a core (password hashes, strength of hostile passwords): never on a loop, and never more of it at once than there are cores (PWD-08).

    It runs in as many threads as there are cores, which on Linux give way to others. Behind them a few may wait, about a third of a second for one hash each; whoever comes then is refused at once with
    Crowded. Work is weighed by the memory it takes: one unit is 32 MiB, so that a few large hashes fill the room as many small ones do.
    """

    UNIT = 32 * 1024

    def __init__(self, cores: int | None = None, waiting: int = 16) -> None:
        self.cores = cores or _cores()
        self.room = self.cores * waiting
        self._forget()
        in_child(self._forget)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._taken = 0
        self._pool: concurrent.futures.ThreadPoolExecutor | None = None

    async def run(self, work: Callable[..., T], *args: Any, memory_kib: int = 0) -> T:
        """What `work(*args)` gives; it must be a plain function of its arguments. Raises Crowded at once if there is no room, and what the work raises."""
        weight = min(self.room, max(1, memory_kib // self.UNIT))
        submitted = self._submit(weight, work, *args)
        if on_loop():
            return await asyncio.wrap_future(submitted)
        return submitted.result()

    def has_room(self) -> bool:
        """Whether the least work would be taken now; a moment later it may be otherwise."""
        return self._taken < self.room

    def _submit(self, weight: int, work: Callable[..., T], *args: Any) -> concurrent.futures.Future[T]:
        with self._lock:
            if self._taken + weight > self.room:
                message = "There is no room for more heavy work."
                raise Crowded(message)
            if self._pool is None:
                self._pool = concurrent.futures.ThreadPoolExecutor(
                    self.cores, thread_name_prefix="authmw-heavy", initializer=_give_way
                )
            submitted = self._pool.submit(work, *args)
            self._taken += weight
        submitted.add_done_callback(lambda _: self._leave(weight))
        return submitted

    def _leave(self, weight: int) -> None:
        with self._lock:
            self._taken -= weight


NICE = 5
"""By how much threads of heavy work give way: where both want the same core all the time, one has about a third of what another thread has."""


def _give_way() -> None:
    """Let other threads of the machine go first from now on, so that a page need not wait until a hash's turn on the core is over. Where that is refused, nothing changes.

    Linux alone knows a priority of one thread; elsewhere the number of a thread names another process, or none.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICE)


def _cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


heavy = Heavy()
"""The heavy work of this process, whichever `Auth` asks for it: the cores are the process's."""


async def pause(seconds: float) -> None:
    """Wait between two attempts, without holding up a loop."""
    if on_loop():
        await asyncio.sleep(seconds)
    else:
        threading.Event().wait(seconds)


async def shielded(work: Coroutine[Any, Any, T]) -> T:
    """Await work that must come to its end even if the request is cancelled meanwhile."""
    if not on_loop():
        return await work
    task = asyncio.get_running_loop().create_task(work)
    _background.add(task)
    task.add_done_callback(_background.discard)
    return await asyncio.shield(task)


async def outcome(future: concurrent.futures.Future[T], seconds: float) -> T:
    """What comes of a future that another task or thread sets; TimeoutError after so long."""
    if on_loop():
        return await asyncio.wait_for(asyncio.wrap_future(future), seconds)
    return future.result(seconds)


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """Await work for at most so long; TimeoutError after. Stepped work keeps its own deadline (a port's), since nothing can interrupt it."""
    if not on_loop():
        return await work
    return await asyncio.wait_for(work, seconds)


def later(io: IO, work: Coroutine[Any, Any, Any], lane: Lane = "behind") -> None:
    """Run work behind the reply and outside of its context: as a task of the running loop, or in a thread where there is none or the work blocks."""
    nowhere = contextvars.Context()
    nowhere.run(_lane.set, lane)
    if on_loop():
        task = asyncio.get_running_loop().create_task(operate(io, work), context=nowhere)
        _background.add(task)
        task.add_done_callback(_background.discard)
    else:
        if io == "async":
            submitted = nowhere.run(asyncio.run_coroutine_threadsafe, work, home.loop())
        else:
            submitted = _pool(lane).submit(nowhere.run, step, work)
        _submitted.add(submitted)
        submitted.add_done_callback(_submitted.discard)


def finish(seconds: float) -> bool:
    """Wait for what threads and loops do behind replies, at most so long; whether all of it is done. Not on a thread that runs an event loop."""
    loops = {task.get_loop() for task in tuple(_background)}
    elsewhere = [asyncio.run_coroutine_threadsafe(finished(seconds), loop) for loop in loops if loop.is_running()]
    done, late = concurrent.futures.wait((*_submitted, *elsewhere), timeout=seconds)
    return not late and all(future.result() for future in elsewhere if future in done)


async def finished(seconds: float) -> bool:
    """The same for what the running loop does, once no request is left on it. What it would wait for longer is cancelled with the loop."""
    loop = asyncio.get_running_loop()
    latest = loop.time() + seconds
    while mine := {task for task in _background if task.get_loop() is loop}:
        left = latest - loop.time()
        if left <= 0:
            return False
        await asyncio.wait(mine, timeout=left)
    return True


_background: set[asyncio.Task[Any]] = set()
_submitted: set[concurrent.futures.Future[Any]] = set()
_workers: dict[Lane, concurrent.futures.ThreadPoolExecutor] = {}


def _pool(lane: Lane) -> concurrent.futures.ThreadPoolExecutor:
    if lane not in _workers:
        # Two that come first together each make one; the threads of a pool that nobody uses are never started.
        _workers.setdefault(lane, concurrent.futures.ThreadPoolExecutor(4, thread_name_prefix=f"authmw-{lane}"))
    return _workers[lane]


def _forget_workers() -> None:
    _workers.clear()
    _background.clear()
    _submitted.clear()


after_fork(_forget_workers)
