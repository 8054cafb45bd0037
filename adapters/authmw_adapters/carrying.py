"""What the carriers of notices share: what waits to be told, who listens, and threads that do their work on a connection until it fails, and then again on another one.

Law: a notice is taken away when it was told, so one may be told twice and none is forgotten; at most `KEPT` wait. A thread that failed waits longer each time until its
carrier is reached again, and is known to fail meanwhile. No thread outlives a fork: a child begins its own, and what waited to be told is its parent's to tell.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import ClassVar

import attrs

from authmw import drive
from authmw.ports import NoticesState

KEPT = 10_000
"""So many notices wait while their carrier cannot be reached; beyond them the oldest are let go."""
AT_ONCE = 500
"""So many are read or told in one go."""
PAUSES = (0.05, 0.2, 1.0, 2.0)
"""Seconds between attempts to reach a carrier."""
_LONGEST_END = 2.0
"""Seconds that `close` waits for a thread; it holds nothing that must be kept."""


@attrs.frozen
class Ear:
    """Who listens."""

    heard: Callable[[bytes], None]
    lost: Callable[[], None]


@attrs.define(eq=False)
class Line:
    """What one thread does on a connection. `work` makes the connection and returns when all is done and no more will come."""

    work: Callable[[], None]
    failed: int = 0
    """How often in a row it failed."""
    thread: threading.Thread | None = None

    def reached(self) -> None:
        """The carrier does what it is asked for."""
        self.failed = 0


class Carrying(ABC):
    """A `Notices` but for what is said to its carrier."""

    _faults: ClassVar[tuple[type[Exception], ...]]
    """What the work of a line fails with."""
    _ended: threading.Event
    _came: threading.Condition
    _waiting: deque[bytes]
    _telling: Line
    _hearing: Line
    _behind: bool

    def __init__(self) -> None:
        self._ear: Ear | None = None
        self._begin()
        drive.in_child(self._forked)

    def publish(self, notice: bytes) -> None:
        """Hand a notice over."""
        with self._came:
            self._waiting.append(notice)
            self._go(self._telling)
        self._wake()

    def listen(self, since: datetime, heard: Callable[[bytes], None], lost: Callable[[], None]) -> None:
        """Hear what was and will be told."""
        self._hear_since(since)
        with self._came:
            self._ear = Ear(heard, lost)
            self._go(self._hearing)
        self._wake()

    def state(self) -> NoticesState:
        """How it goes now."""
        return NoticesState(not self._hearing.failed, not self._telling.failed, len(self._waiting), self._behind)

    def close(self) -> None:
        """Tell what waits, if it can be told at once, and stop."""
        self._ended.set()
        self._wake()
        for line in (self._telling, self._hearing):
            if line.thread is not None:
                line.thread.join(_LONGEST_END)

    @abstractmethod
    def _lines(self) -> tuple[Line, Line]:
        """What tells and what hears; they may be one."""

    @abstractmethod
    def _hear_since(self, since: datetime) -> None:
        """Keep in mind from when on there is to be heard."""

    def _wake(self) -> None:
        """Let whoever waits look again."""
        with self._came:
            self._came.notify_all()

    def _begin(self) -> None:
        self._ended, self._came = threading.Event(), threading.Condition()
        self._waiting = deque(maxlen=KEPT)
        self._behind = False
        self._telling, self._hearing = self._lines()

    def _forked(self) -> None:
        """In a child no thread goes on: what the parent's were to do is the parent's, and ours hears from where the parent was."""
        self._begin()
        if self._ear is not None:
            self._go(self._hearing)

    def _go(self, line: Line) -> None:
        if line.thread is None:
            line.thread = threading.Thread(target=self._go_on, args=(line,), name="authmw-notices", daemon=True)
            line.thread.start()

    def _go_on(self, line: Line) -> None:
        while True:
            try:
                line.work()
            except self._faults:
                line.failed += 1
                if self._ended.wait(PAUSES[min(line.failed, len(PAUSES)) - 1]):
                    return
            else:
                return

    def _to_tell(self) -> Sequence[bytes]:
        """What waits, as much as is told in one go."""
        with self._came:
            return [self._waiting[place] for place in range(min(len(self._waiting), AT_ONCE))]

    def _told(self, notices: Sequence[bytes]) -> None:
        """Take away what was told. The oldest may have been let go meanwhile."""
        with self._came:
            for notice in notices:
                if self._waiting and self._waiting[0] is notice:
                    self._waiting.popleft()

    def _hear(self, notice: bytes) -> None:
        if self._ear is not None:
            self._ear.heard(notice)

    def _lose(self) -> None:
        if self._ear is not None:
            self._ear.lost()
