"""Events of calls that ended without a commit: noted in a bounded buffer, written within a second by one daemon thread of the process.

Law: noting never waits for storage and never fails a call. What is over the bound, or what storage will not take, is counted and lost. An event has one key, given when
its call began: where a commit whose outcome nobody learned did happen, the noted event meets it, and the Duplicate is dropped (AUD-01).
"""

from __future__ import annotations

import atexit
import logging
import threading
import weakref
from collections import deque
from datetime import timedelta

from authmw import drive
from authmw.clock import Clock
from authmw.errors import Conflict, StorageError
from authmw.ledger.commits import started_of
from authmw.operations import Call
from authmw.storage import Insert, Storage, Write

HELD = 1000
"""The most events that wait to be written."""
LONG = timedelta(seconds=1)
"""A call that has run so long leaves a record that it began, in case its process does not live to see its end."""
LAST = 10.0
"""Seconds that a process that is told to end waits for what it does behind replies."""
_BATCH = 10
_PERIOD = 0.5
_log = logging.getLogger("authmw")


class Notes:
    """The buffer of one `Auth`. `lost` counts events that could not be kept, `failed` what failed behind commits that stand."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self.lost = 0
        self.failed = 0
        self.forget()

    def forget(self) -> None:
        """Begin anew, in a child process: what was noted before the fork is the parent's to write."""
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._waiting: deque[Write] = deque()
        self._running: dict[str, Call] = {}

    def began(self, call: Call) -> None:
        """A call begins."""
        self._running[call.id] = call
        _writer.serve(self)

    def ended(self, call: Call) -> None:
        """A call is over, however."""
        self._running.pop(call.id, None)

    def note(self, write: Write) -> None:
        """Have an event written soon: inserted, or corrected after its commit."""
        with self._lock:
            if len(self._waiting) >= HELD:
                self.lost += 1
                return
            self._waiting.append(write)
        _writer.serve(self)

    def flush(self) -> None:
        """Write what is noted, now; what another thread is just writing is written too when this returns. Not on a thread that runs an event loop."""
        self._note_long_calls()
        with self._flushing:
            if self._waiting:
                drive.run(self._storage.io, self.write())

    async def write(self) -> None:
        """Write what is noted, in commits of its own."""
        self._note_long_calls()
        while batch := self._batch():
            if not await self._take(*batch):
                # One of them is stored already, or changed since; the others are none the worse for it.
                for write in batch:
                    await self._take(write)

    async def _take(self, *writes: Write) -> bool:
        try:
            await self._storage.commit(*writes)
        except Conflict:
            return False
        except StorageError:
            self.lost += len(writes)
        return True

    def _batch(self) -> list[Write]:
        with self._lock:
            return [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]

    def _note_long_calls(self) -> None:
        now = self._clock.now()
        for call in list(self._running.values()):
            if now - call.now >= LONG and self._running.pop(call.id, None) is not None:
                self.note(Insert(started_of(call)))


class _Writer:
    """The one thread of this process that writes notes; it ends when there is no `Auth` left."""

    def __init__(self) -> None:
        self._served: weakref.WeakSet[Notes] = weakref.WeakSet()
        self._forget()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def serve(self, notes: Notes) -> None:
        """Write what these notes hold, from now on."""
        if self._thread is not None and notes in self._served:
            return
        with self._lock:
            self._served.add(notes)
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_behind, name="authmw-notes", daemon=True)
                self._thread.start()

    def _write_behind(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(_PERIOD)
            self.flush_all()
            with self._lock:
                if not self._served:
                    self._thread = None
                    return

    def flush_all(self) -> None:
        """Write what every `Auth` of this process has noted."""
        for notes in list(self._served):
            try:
                notes.flush()
            except Exception:  # noqa: BLE001 -- the thread must outlive a storage that breaks its promise
                notes.lost += 1
                _log.error("notes_failed")

    def at_exit(self) -> None:
        """Let what runs behind replies come to its end: a message that has left must be known to have left."""
        drive.finish(LAST)
        self.flush_all()

    def after_fork(self) -> None:
        """Neither the thread nor its locks came along into the child."""
        self._forget()
        for notes in list(self._served):
            notes.forget()


_writer = _Writer()
drive.after_fork(_writer.after_fork)
atexit.register(_writer.at_exit)
