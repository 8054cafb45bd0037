"""Notes that wait to be written: whoever asks for them to be written finds them written."""

from __future__ import annotations

import threading

from authmw.drive import step
from authmw.ledger.notes import Notes
from authmw.ledger.records import Event
from authmw.storage import And, Insert, Write
from authmw.testing import FixedClock
from authmw_adapters.memory import MemoryStorage


class Slow(MemoryStorage):
    """A storage whose commits wait until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.go_on = threading.Event(), threading.Event()

    async def commit(self, *writes: Write) -> None:
        self.entered.set()
        assert self.go_on.wait(30)
        await super().commit(*writes)


def test_who_flushes_waits_for_what_another_thread_is_writing() -> None:
    """EVT-06: nothing is on its way any more when it returns, though the daemon had taken it already."""
    storage, clock = Slow(), FixedClock()
    now = clock.now()
    notes = Notes(storage, clock)
    event = Event(
        event_id="e",
        request_id="r",
        action="GetUser",
        status="error",
        http_status=404,
        started_at=now,
        ended_at=now,
        expires_at=now,
    )
    notes.note(Insert(event))
    assert storage.entered.wait(30)
    found: list[int] = []

    def read() -> None:
        notes.flush()
        found.append(step(storage.count(Event, And(), at_most=10)))

    reader = threading.Thread(target=read)
    reader.start()
    reader.join(0.2)
    assert reader.is_alive()
    storage.go_on.set()
    reader.join(30)
    assert found == [1]
