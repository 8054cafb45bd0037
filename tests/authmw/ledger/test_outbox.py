"""What an adapter of somebody else's may answer to a message: whatever it is, the message waits its turn and no other waits for it."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from authmw.auth import Auth
from authmw.drive import step
from authmw.errors import SendingFailed
from authmw.ledger.outbox import LONGEST_WAIT
from authmw.ledger.records import Outgoing
from authmw.operations import CLAIMED
from authmw.ports import IO, EmailMessage
from authmw.storage import And
from tests.world import World, make_world


class Odd:
    """A sender that raises what it is told to for whoever is called odd."""

    io: IO = "instant"

    def __init__(self, failure: Callable[[], BaseException]) -> None:
        self.failure = failure
        self.sent: list[str] = []
        self.tried: list[str] = []

    async def send(self, message: EmailMessage) -> None:
        self.tried.append(message.to)
        if message.to.startswith("odd"):
            raise self.failure()
        self.sent.append(message.to)


def odd_world(folder: Path, failure: Callable[[], BaseException]) -> tuple[World, Odd]:
    world, sender = make_world(folder, "asgi"), Odd(failure)
    core = world.auth.core
    auth = Auth(core.settings, storage=core.storage, limiter=core.limiter, clock=world.clock, email=sender)
    return attrs.evolve(world, auth=auth), sender


def waiting(world: World) -> list[Outgoing]:
    return list(step(world.auth.storage.page(Outgoing, And(), limit=10)).records)


def ask(world: World, address: str) -> Any:
    return world.backend("POST", "/v1/otps/email/login_or_create", {"email": address})


@pytest.mark.parametrize("wait", [math.inf, math.nan, -math.inf, -7.0, 1e300, 10.0**9], ids=str)
def test_a_carrier_that_asks_for_an_impossible_wait_is_asked_again_and_holds_up_nobody(
    wait: float, tmp_path: Path
) -> None:
    world, sender = odd_world(tmp_path, lambda: SendingFailed("Busy.", retryable=True, retry_after=wait))
    assert ask(world, "odd@example.org").status == 503
    (message,) = waiting(world)
    assert timedelta(seconds=30) <= message.due_at - world.clock.now() <= timedelta(seconds=LONGEST_WAIT)
    ask(world, "ada@example.org")
    world.clock.advance(hours=1)
    world.auth.run(world.auth.work())
    assert sender.tried.count("odd@example.org") == 2
    assert sender.sent == ["ada@example.org"]


def test_a_message_that_a_process_took_and_did_not_live_to_send_is_sent_by_another(tmp_path: Path) -> None:
    """STO-02: nothing is lost between the claim and the carrier."""

    class Killed(BaseException):
        pass

    world, sender = odd_world(tmp_path, Killed)
    with suppress(Killed):
        ask(world, "odd@example.org")
    assert [message.attempts for message in waiting(world)] == [0]
    world.clock.advance(seconds=CLAIMED.total_seconds() - 1)
    world.auth.run(world.auth.work())
    assert sender.tried == ["odd@example.org"]
    sender.failure = lambda: SendingFailed("Down.", retryable=True)
    world.clock.advance(seconds=2)
    world.auth.run(world.auth.work())
    assert sender.tried == ["odd@example.org"] * 2
    (message,) = waiting(world)
    assert message.attempts == 1


def test_a_message_that_cannot_be_sent_is_tried_ever_later_and_given_up_after_a_day(tmp_path: Path) -> None:
    world, _ = odd_world(tmp_path, lambda: SendingFailed("Down.", retryable=True))
    ask(world, "odd@example.org")
    waits = list[timedelta]()
    while left := waiting(world):
        waits.append(left[0].due_at - world.clock.now())
        world.clock.advance(seconds=waits[-1].total_seconds())
        world.auth.run(world.auth.work())
        assert len(waits) < 50
    assert waits[:4] == [timedelta(seconds=30 * 2**power) for power in range(4)]
    assert timedelta(days=1) <= sum(waits, timedelta()) < timedelta(days=2)


def test_what_a_carrier_will_never_take_is_tried_once(tmp_path: Path) -> None:
    world, sender = odd_world(tmp_path, lambda: SendingFailed("No.", retryable=False))
    assert ask(world, "odd@example.org").json["error_type"] == "downstream_carrier_error"
    assert (waiting(world), sender.tried) == ([], ["odd@example.org"])


def test_two_workers_that_saw_the_same_message_send_it_once(tmp_path: Path) -> None:
    world, sender = odd_world(tmp_path, lambda: SendingFailed("Down.", retryable=True))
    ask(world, "odd@example.org")
    world.clock.advance(minutes=1)
    other = Auth(
        world.auth.settings,
        storage=world.auth.storage,
        limiter=world.auth.core.limiter,
        clock=world.clock,
        email=sender,
    )
    taken = list[int]()

    def failure() -> SendingFailed:
        # While one has it in hands, the other comes round.
        sender.failure = lambda: SendingFailed("Down.", retryable=True)
        taken.append(other.run(other.work()))
        return SendingFailed("Down.", retryable=True)

    sender.failure = failure
    world.auth.run(world.auth.work())
    assert sender.tried == ["odd@example.org"] * 2
