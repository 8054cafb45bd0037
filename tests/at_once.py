"""Many threads that do one thing at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from typing import TypeVar

from authmw.clock import standing_still

T = TypeVar("T")


def at_once(count: int, act: Callable[[], T]) -> list[T]:
    """What each of so many threads is given. No time passes for them, so that nobody's patience ends on a busy machine: the outcome is a matter of order alone."""
    return each_at_once([act] * count)


def each_at_once(acts: list[Callable[[], T]]) -> list[T]:
    """What each of several is given, all at once, in their order."""
    ready = threading.Barrier(len(acts))

    def use(context: Context, act: Callable[[], T]) -> T:
        ready.wait(120)
        return context.run(act)

    with standing_still():
        contexts = [copy_context() for _ in acts]
    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(use, contexts, acts))
