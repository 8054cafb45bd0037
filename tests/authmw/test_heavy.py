"""Work that holds a core: off the loop, capped, refused at once when there is no room."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from authmw.drive import NICE, Crowded, Heavy, step


class Gate:
    """Work that stays until it is let go, and counts how many are at it."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.lock = threading.Lock()
        self.entered = threading.Event()
        self.at_it = self.most = 0

    def work(self, value: int) -> int:
        with self.lock:
            self.at_it += 1
            self.most = max(self.most, self.at_it)
        self.entered.set()
        assert self.open.wait(30)
        with self.lock:
            self.at_it -= 1
        return value


def test_no_more_runs_than_there_are_cores_and_overflow_is_refused_at_once() -> None:
    """PWD-08."""
    heavy, gate = Heavy(cores=2, waiting=2), Gate()

    async def crowd() -> list[object]:
        runs = [asyncio.create_task(heavy.run(gate.work, number)) for number in range(4)]
        await asyncio.sleep(0)
        with pytest.raises(Crowded):
            await heavy.run(gate.work, 5)
        gate.open.set()
        return await asyncio.gather(*runs)

    assert asyncio.run(crowd()) == [0, 1, 2, 3]
    assert gate.most <= 2
    assert step(heavy.run(gate.work, 6)) == 6


def test_the_loop_goes_on_while_work_is_done() -> None:
    heavy, gate = Heavy(cores=1), Gate()

    async def both() -> int:
        working = asyncio.create_task(heavy.run(gate.work, 7))
        await asyncio.sleep(0)
        gate.open.set()  # only a loop that goes on gets here
        return await working

    assert asyncio.run(both()) == 7


def test_large_memory_fills_the_room_as_many_small_ones_do() -> None:
    heavy, gate = Heavy(cores=2, waiting=2), Gate()
    with ThreadPoolExecutor(1) as pool:
        large = pool.submit(lambda: step(heavy.run(gate.work, 1, memory_kib=3 * Heavy.UNIT)))
        assert gate.entered.wait(30)
        with pytest.raises(Crowded):
            step(heavy.run(gate.work, 2, memory_kib=2 * Heavy.UNIT))
        gate.open.set()
        assert large.result() == 1
    assert step(heavy.run(gate.work, 3, memory_kib=100 * Heavy.UNIT)) == 3


def test_what_work_raises_reaches_who_asked_and_leaves_room() -> None:
    heavy = Heavy(cores=1, waiting=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            step(heavy.run(lambda: 1 // 0))


def test_who_is_cancelled_leaves_room() -> None:
    heavy, gate = Heavy(cores=1, waiting=2), Gate()

    async def cancelled() -> None:
        first = asyncio.create_task(heavy.run(gate.work, 1))
        second = asyncio.create_task(heavy.run(gate.work, 2))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        third = asyncio.create_task(heavy.run(gate.work, 3))
        await asyncio.sleep(0)
        gate.open.set()
        assert await first == 1
        assert await third == 3

    asyncio.run(cancelled())


def own_priority() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone knows a priority of one thread.")
def test_heavy_work_gives_way_to_the_threads_that_serve() -> None:
    before = own_priority()
    assert step(Heavy(cores=1).run(own_priority)) == min(19, before + NICE)
    assert own_priority() == before


def test_work_is_done_where_the_system_lets_nobody_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def refuse(*arguments: object) -> None:
        asked.append(arguments)
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refuse, raising=False)
    assert step(Heavy(cores=1).run(lambda: 7)) == 7
    assert bool(asked) == (sys.platform == "linux")


def test_a_system_without_priorities_of_threads_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere the number of a thread may be that of somebody else's process."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(
        os, "setpriority", lambda *_: pytest.fail("The number of a thread named a process."), raising=False
    )
    assert step(Heavy(cores=1).run(lambda: 7)) == 7
