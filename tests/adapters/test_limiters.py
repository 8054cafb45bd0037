"""The limiters keep the contract, and what is particular to each; a sloppy one is caught."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from authmw.drive import step
from authmw.limits import Limit, LimitReached, nanoseconds, take_all
from authmw.testing.contracts import LimiterContract
from authmw.testing.contracts.limits import DrivenLimiter
from authmw.testing.contracts.records import NOW
from authmw_adapters.memory import MemoryLimiter
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage

MINUTE = timedelta(minutes=1)


class TestMemory(LimiterContract):
    shared = False

    def make_limiter(self, folder: Path) -> MemoryLimiter:
        return MemoryLimiter()


class TestSQLite(LimiterContract):
    def make_limiter(self, folder: Path) -> SQLiteLimiter:
        return SQLiteLimiter(folder / "limits.sqlite3")


def test_a_flood_of_others_does_not_make_room_for_the_victim() -> None:
    """A memory limiter that is full lets go what is nearest to full again, never a count that still holds somebody back."""
    limiter = DrivenLimiter(MemoryLimiter(maximum=100))
    victim = Limit("guesses", ("victim",), 5, None)
    slow = Limit("slow", ("victim",), 5, timedelta(days=1))
    while limiter.takes(victim, slow):
        pass
    for number in range(1000):
        limiter.take(Limit("visits", (str(number),), 60, MINUTE), now=NOW + timedelta(seconds=number))
    assert not limiter.takes(victim, now=NOW + timedelta(seconds=1000))
    assert limiter.peek(slow, NOW + timedelta(seconds=1000)) == 0


def test_a_limiter_that_may_count_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        MemoryLimiter(maximum=0)


def test_counts_that_are_full_again_are_dropped_from_the_file_and_others_stay(tmp_path: Path) -> None:
    limiter = SQLiteLimiter(tmp_path / "limits.sqlite3")
    driven = DrivenLimiter(limiter)
    ever = Limit("ever", (), 1, None)
    driven.take(ever)
    for number in range(200):
        driven.take(Limit("visits", (str(number),), 1, MINUTE), now=NOW + timedelta(minutes=2 * number))
    with limiter._connections.one() as connection:
        held = connection.execute("SELECT count(*) FROM authmw_counts").fetchone()[0]
    assert held < 60
    assert not driven.takes(ever)
    driven.close()


def test_what_is_counted_is_not_in_the_file_in_clear(tmp_path: Path) -> None:
    """PRV: whose guesses are counted is nobody's business who reads the file."""
    driven = DrivenLimiter(SQLiteLimiter(tmp_path / "limits.sqlite3"))
    driven.take(Limit("guesses", ("ada@example.org", "192.0.2.7"), 1, None))
    driven.close()
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"guesses" not in written
    assert b"ada@" not in written
    assert b"192.0.2" not in written


def test_a_limiter_and_a_storage_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "data.sqlite3"
    storage, driven = SQLiteStorage(path), DrivenLimiter(SQLiteLimiter(path))
    step(storage.prepare([]))
    driven.take(Limit("ever", (), 1, None))
    step(storage.prepare([]))
    assert not driven.takes(Limit("ever", (), 1, None))
    driven.close()
    step(storage.close())


# A sloppy limiter


class _ReadThenWrite(MemoryLimiter):
    async def take(self, *limits: Limit, now: datetime) -> None:
        held = {limit: self._counts.get(limit.digest, (0, False))[0] for limit in limits}
        after = take_all(held, nanoseconds(now))
        threading.Event().wait(0.0005)
        self._counts.update((limit.digest, (count, limit.per is None)) for limit, count in after.items())


class _OneByOne(MemoryLimiter):
    async def take(self, *limits: Limit, now: datetime) -> None:
        for limit in dict.fromkeys(limits):
            await super().take(limit, now=now)


class _TrustsTheClock(MemoryLimiter):
    async def take(self, *limits: Limit, now: datetime) -> None:
        try:
            await super().take(*limits, now=now)
        except LimitReached as full:
            if any(self._counts.get(limit.digest, (0, True))[0] > nanoseconds(now + MINUTE) for limit in limits):
                return
            raise full


def caught(limiter: MemoryLimiter, test: Any, *arguments: Any) -> bool:
    """Whether a test of the contract fails over a limiter."""
    try:
        test(TestMemory(), DrivenLimiter(limiter), *arguments)
    except (AssertionError, pytest.fail.Exception):
        return True
    return False


@pytest.mark.parametrize(
    ("sloppy", "name", "arguments"),
    [
        (_ReadThenWrite, "test_many_threads_take_no_more_than_there_is", ()),
        (_OneByOne, "test_all_limits_are_charged_or_none", ()),
        (_TrustsTheClock, "test_a_clock_that_goes_back_gains_nobody_anything", (timedelta(days=4000),)),
    ],
)
def test_a_sloppy_limiter_is_caught_by_the_test_of_its_fault(
    sloppy: type[MemoryLimiter], name: str, arguments: tuple[Any, ...]
) -> None:
    test = getattr(LimiterContract, name)
    assert caught(sloppy(), test, *arguments)
    assert not caught(MemoryLimiter(), test, *arguments)
    # No other fault of it hides this one: what counts for a single visitor is right.
    assert not caught(sloppy(), LimiterContract.test_the_wait_that_is_told_is_the_wait)
    assert not caught(sloppy(), LimiterContract.test_a_burst_is_taken_at_once_and_not_one_more, 7)
