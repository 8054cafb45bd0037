"""Whoever has a message in hands has it alone, however slow its carrier is, and however wrong another's clock within a minute and a half."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import attrs
import pytest

from authmw import Auth, Settings
from authmw.drive import step
from authmw.ledger.outbox import Payload, _sealed
from authmw.ledger.records import Outgoing
from authmw.ports import EmailMessage
from authmw.storage import And, Insert
from authmw.testing import FixedClock
from authmw_adapters.memory import MemoryLimiter, MemoryStorage
from tests.world import PROJECT_ID, SECRET


@attrs.define
class Slow:
    """A carrier that takes its time for each message, while another worker looks for work."""

    clock: FixedClock
    seconds: float
    meanwhile: Callable[[], object] = lambda: None
    sent: list[str] = attrs.field(factory=list)
    io: Any = "blocking"

    async def send(self, message: EmailMessage) -> None:
        self.clock.advance(seconds=self.seconds)
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        self.meanwhile = meanwhile
        self.sent.append(message.to)


class Ahead:
    """A clock that is ahead of another."""

    def __init__(self, clock: FixedClock, seconds: float) -> None:
        self.clock = clock
        self.ahead = seconds

    def now(self) -> datetime:
        return self.clock.now() + timedelta(seconds=self.ahead)


def two_workers(seconds: float, ahead: float) -> tuple[Auth, Slow]:
    """A worker with a slow carrier, and another over the same storage that looks for work whenever the first is sending."""
    clock, storage = FixedClock(), MemoryStorage()
    settings = Settings(project_id=PROJECT_ID, secret=SECRET)
    carrier = Slow(clock, seconds)
    first = Auth(settings, storage=storage, limiter=MemoryLimiter(), email=carrier, clock=clock)
    other = Auth(settings, storage=storage, limiter=MemoryLimiter(), email=carrier, clock=Ahead(clock, ahead))
    carrier.meanwhile = lambda: step(other._work())
    return first, carrier


def outgoing(auth: Auth, name: str, *recipients: str) -> None:
    now = auth.core.clock.now()
    sealed = _sealed(auth.core, name, Payload(recipients, text="text"))
    message = Outgoing(
        outgoing_id=name, channel="email", sealed=sealed, event_id=name, due_at=now, expires_at=now.replace(year=2100)
    )
    step(auth.storage.commit(Insert(message)))


@pytest.mark.parametrize("ahead", [0, 89])
@pytest.mark.parametrize("seconds", [0, 9])
def test_a_round_of_many_messages_or_of_many_recipients_sends_each_once(seconds: float, ahead: float) -> None:
    first, carrier = two_workers(seconds, ahead)
    everybody = [f"one-{number}@example.org" for number in range(10)]
    outgoing(first, "to-many", *everybody)
    for number in range(30):
        outgoing(first, f"alone-{number:02}", f"alone-{number}@example.org")
    while step(first._work()):
        pass
    assert Counter(carrier.sent) == Counter([*everybody, *(f"alone-{number}@example.org" for number in range(30))])
    assert step(first.storage.count(Outgoing, And(), at_most=100)) == 0
