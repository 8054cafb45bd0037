"""Where the core runs; the only module that knows loops and threads.

The core is spelled `async def` and suspends only inside an adapter. Storage decides where an operation runs; every other port is brought to it by `using`.
Law: a coroutine is awaited on a loop or stepped to its end in one go, never both, and never waits for a thread of somebody else's limiter.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Literal, TypeAlias, TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")
IO: TypeAlias = Literal["instant", "blocking", "async"]

threads = anyio.CapacityLimiter(40)
"""Our own threads: the shared limiter deadlocks when 40 synchronous endpoints each wait for a sender that needs one of them."""


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


class Home:
    """The loop that asynchronous adapters live on: the host's once it is known, else a private one in a thread of its own."""

    def __init__(self) -> None:
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        # Neither threads nor locks held by them survive a fork.
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def adopt(self) -> None:
        """Make the running loop the home of asynchronous adapters."""
        self._loop = asyncio.get_running_loop()

    def loop(self) -> asyncio.AbstractEventLoop:
        """The home loop, started on first use."""
        with self._lock:
            if self._loop is None or self._loop.is_closed():
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="authmw", daemon=True).start()
            return self._loop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run on the home loop and wait for the result from this thread."""
        return asyncio.run_coroutine_threadsafe(work, self.loop()).result()


home = Home()


async def operate(io: IO, work: Coroutine[Any, Any, T]) -> T:
    """Run core work for a host that runs a loop: inline, or in one thread for the whole of it where storage blocks."""
    if io == "blocking":
        return await anyio.to_thread.run_sync(step, work, limiter=threads)
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
        return await anyio.to_thread.run_sync(step, call(*args, **kwargs), limiter=threads)
    if io == "async" and not on_loop():
        return home.run(call(*args, **kwargs))
    return await call(*args, **kwargs)


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


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """Await work for at most so long; TimeoutError after. Stepped work keeps its own deadline (a port's), since nothing can interrupt it."""
    if not on_loop():
        return await work
    return await asyncio.wait_for(work, seconds)


def later(io: IO, work: Coroutine[Any, Any, Any]) -> None:
    """Run work behind the reply: as a task of the running loop, or in a thread where there is none or the work blocks."""
    if on_loop():
        task = asyncio.get_running_loop().create_task(operate(io, work))
        _background.add(task)
        task.add_done_callback(_background.discard)
    elif io == "async":
        asyncio.run_coroutine_threadsafe(work, home.loop())
    else:
        submitted = _pool().submit(step, work)
        _submitted.add(submitted)
        submitted.add_done_callback(_submitted.discard)


def finish(seconds: float) -> bool:
    """Wait for what threads do behind replies, at most so long; whether all of it is done. Not on a thread that runs an event loop."""
    return not concurrent.futures.wait(tuple(_submitted), timeout=seconds).not_done


_background: set[asyncio.Task[Any]] = set()
_submitted: set[concurrent.futures.Future[Any]] = set()
_workers: concurrent.futures.ThreadPoolExecutor | None = None


def _pool() -> concurrent.futures.ThreadPoolExecutor:
    global _workers
    if _workers is None:
        _workers = concurrent.futures.ThreadPoolExecutor(4, thread_name_prefix="authmw")
    return _workers


def _forget_workers() -> None:
    global _workers
    _workers = None
    _background.clear()
    _submitted.clear()


os.register_at_fork(after_in_child=_forget_workers)
