"""How storage is made ready: once in a process, by whoever needs it first.

Law: storage that is away is no reason not to start, and is tried again by each who needs it; what waiting does not mend (another schema, a server that cannot keep
records) stops a start.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from authmw import drive
from authmw.errors import Duplicate, Misconfigured, StorageError, WrongSchema
from authmw.single_flight import SingleFlight
from authmw.storage import Record, Storage

UNFIT = (WrongSchema, Misconfigured, Duplicate)
"""What `prepare` raises where waiting does not help."""
_log = logging.getLogger("authmw")


class Beginning:
    """Makes the storage of one `Auth` ready."""

    def __init__(self, storage: Storage, kinds: Sequence[type[Record]]) -> None:
        self._storage = storage
        self._kinds = kinds
        self._flights = SingleFlight[None]()
        self.over = False
        """Whether storage is ready."""

    def try_now(self) -> None:
        """Make ready what is called from this thread, if it is there; raises one of `UNFIT`. An asynchronous storage waits for a loop."""
        if self._storage.io == "async":
            return
        try:
            drive.step(self._prepare())
        except UNFIT:
            raise
        except StorageError:
            tell_away()

    async def make(self) -> None:
        """Make ready. StorageError while storage is away, and then the next call tries again; one of `UNFIT` where waiting does not help."""
        if not self.over:
            # Whoever leads holds a thread already where storage blocks: those who wait for it may hold all the others.
            await drive.brought(self._storage.io, self._make())

    async def serve(self) -> None:
        """The same for whoever serves already: StorageError for whatever it is. What waiting does not mend is named in the log."""
        try:
            await self.make()
        except UNFIT as unfit:
            _log.error("storage_unfit", extra={"advice": str(unfit)})
            raise StorageError("Storage cannot be served from.") from None

    async def _make(self) -> None:
        io = self._storage.io
        if drive.on_loop():
            await self._flights.operate(io, "", self._prepare)
        else:
            self._flights.run(io, "", self._prepare)

    async def _prepare(self) -> None:
        if not self.over:
            await self._storage.prepare(self._kinds)
            self.over = True


def tell_away() -> None:
    """Say in the log that a process starts without its storage: it answers 503 until there is one."""
    _log.error("storage_not_ready")
