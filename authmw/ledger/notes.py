"""Events of calls that ended without a commit: noted in a bounded buffer, written within a second by one daemon thread of the process."""

from __future__ import annotations

import atexit
import threading
import weakref
from collections import deque

from authmw import drive
from authmw.errors import Conflict, StorageError
from authmw.ledger.records import Event
from authmw.storage import MAX_WRITES, Insert, Storage


class Notes:
    """The buffer of one `Auth`. Holds at most 1,000 events; what is over that is counted, not kept."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._forget()
        self.lost = 0
        drive.in_child(self._forget)
        atexit.register(_flush_at_exit, weakref.ref(self))

    def _forget(self) -> None:
        self._events: deque[Event] = deque()
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, event: Event) -> None:
        """Have an event written soon."""
        with self._lock:
            if len(self._events) >= 1000:
                self.lost += 1
                return
            self._events.append(event)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=_write_behind, args=(weakref.ref(self),), name="authmw-notes", daemon=True
                )
                self._thread.start()

    def flush(self) -> None:
        """Write what is noted, now. Not on a thread that runs an event loop."""
        drive.run(self._storage.io, self.write())

    async def write(self) -> None:
        """Write what is noted in commits of its own; a Duplicate is dropped, and a store that cannot take it loses it."""
        while True:
            with self._lock:
                batch = [self._events.popleft() for _ in range(min(MAX_WRITES // 2, len(self._events)))]
            if not batch:
                return
            for event in batch:
                try:
                    await self._storage.commit(Insert(event))
                except Conflict:
                    continue
                except StorageError:
                    self.lost += 1


def _write_behind(held: weakref.ref[Notes]) -> None:
    while True:
        notes = held()
        if notes is None:
            return
        woken = notes._woken
        del notes
        woken.wait(0.5)
        notes = held()
        if notes is not None:
            notes.flush()


def _flush_at_exit(held: weakref.ref[Notes]) -> None:
    notes = held()
    if notes is not None:
        notes.flush()
