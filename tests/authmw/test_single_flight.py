"""Work that many ask for at the same time is done once, on loops and threads, and its failure is told to all."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from authmw.errors import StorageError
from authmw.single_flight import SingleFlight

IOS = ("instant", "blocking", "async")


class Work:
    """Counts how often it is done; fails while told to; holds a thread until let go."""

    def __init__(self, *, failing: bool = False) -> None:
        self.done = 0
        self.failing = failing
        self.begun, self.gate = threading.Event(), threading.Event()
        self.gate.set()

    async def __call__(self) -> int:
        self.done += 1
        self.begun.set()
        self.gate.wait(10)
        if self.failing:
            raise StorageError("away")
        return self.done


@pytest.mark.parametrize("io", IOS)
def test_on_a_loop_fifty_who_ask_get_the_outcome_of_one(io: str) -> None:
    async def story() -> None:
        flight, work = SingleFlight[int](), Work()
        assert await asyncio.gather(*(flight.operate(io, "key", work) for _ in range(50))) == [1] * 50
        assert await flight.operate(io, "key", work) == 2

    asyncio.run(story())


@pytest.mark.parametrize("io", IOS)
def test_threads_wait_for_the_one_that_leads(io: str) -> None:
    flight, work = SingleFlight[int](), Work()
    work.gate.clear()
    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(flight.run, io, "key", work) for _ in range(20)]
        assert work.begun.wait(10)
        while pool._work_queue.qsize():  # everybody has a thread, and so asks before the leader is let go
            threading.Event().wait(0.001)
        threading.Event().wait(0.05)
        work.gate.set()
        assert [one.result(10) for one in asked] == [1] * 20


def test_different_keys_are_different_work() -> None:
    async def story() -> None:
        flight, work = SingleFlight[int](), Work()
        assert await asyncio.gather(*(flight.operate("async", key, work) for key in "ab")) == [1, 2]

    asyncio.run(story())


@pytest.mark.parametrize("io", IOS)
def test_a_cancelled_leader_does_not_fail_the_others(io: str) -> None:
    async def story() -> None:
        flight, work = SingleFlight[int](), Work()
        leader = asyncio.create_task(flight.operate(io, "key", work))
        others = [asyncio.create_task(flight.operate(io, "key", work)) for _ in range(10)]
        await asyncio.sleep(0)
        leader.cancel()
        others[0].cancel()
        assert await asyncio.gather(*others[1:]) == [1] * 9
        assert leader.cancelled() or leader.cancelling()

    asyncio.run(story())


@pytest.mark.parametrize("io", IOS)
def test_a_failure_is_told_to_all_and_who_asks_next_begins_anew(io: str) -> None:
    async def story() -> None:
        flight, work = SingleFlight[int](), Work(failing=True)
        told = await asyncio.gather(*(flight.operate(io, "key", work) for _ in range(10)), return_exceptions=True)
        assert [type(one) for one in told] == [StorageError] * 10
        assert work.done == 1
        work.failing = False
        assert await flight.operate(io, "key", work) == 2

    asyncio.run(story())
    flight, work = SingleFlight[int](), Work(failing=True)
    with pytest.raises(StorageError):
        flight.run(io, "key", work)
    work.failing = False
    assert flight.run(io, "key", work) == 2


def test_a_loop_may_wait_for_a_thread_and_a_thread_for_a_loop() -> None:
    flight, work = SingleFlight[int](), Work()
    work.gate.clear()
    with ThreadPoolExecutor(2) as pool:
        leader = pool.submit(flight.run, "blocking", "key", work)
        assert work.begun.wait(10)

        async def follow() -> int:
            asyncio.get_running_loop().call_later(0.02, work.gate.set)
            return await flight.operate("blocking", "key", work)

        assert asyncio.run(follow()) == leader.result(10) == 1
        work.begun.clear()
        work.gate.clear()

        async def lead() -> int:
            mine = asyncio.create_task(flight.operate("blocking", "key", work))
            while not work.begun.is_set():
                await asyncio.sleep(0.001)
            theirs = pool.submit(flight.run, "blocking", "key", work)
            asyncio.get_running_loop().call_later(0.05, work.gate.set)
            assert await asyncio.wrap_future(theirs) == 2
            return await mine

        assert asyncio.run(lead()) == 2


def test_a_leader_whose_loop_ends_leaves_nobody_waiting() -> None:
    flight = SingleFlight[int]()

    async def never() -> int:
        await asyncio.Event().wait()
        return 0

    async def leave() -> None:
        asyncio.create_task(flight.operate("async", "key", never))  # noqa: RUF006  # left on purpose
        await asyncio.sleep(0)

    asyncio.run(leave())
    assert asyncio.run(flight.operate("async", "key", Work())) == 1
    loop = asyncio.new_event_loop()
    task = loop.create_task(flight.operate("async", "other", never))
    loop.run_until_complete(asyncio.sleep(0))
    pending = asyncio.all_tasks(loop)
    loop.close()  # without asking its tasks, as a crash of the host would
    assert flight.run("async", "other", Work()) == 1
    for one in (task, *pending):
        one._log_destroy_pending = False


def test_a_thread_that_is_ended_tells_the_others_a_failure_of_ours() -> None:
    flight = SingleFlight[int]()
    ended = threading.Event()

    async def end() -> int:
        waiting.wait(10)
        raise SystemExit

    waiting = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        leader = pool.submit(flight.run, "blocking", "key", end)
        while not flight._flights:
            ended.wait(0.001)
        follower = pool.submit(flight.run, "blocking", "key", end)
        ended.wait(0.02)
        waiting.set()
        assert isinstance(follower.exception(10), StorageError)
        assert isinstance(leader.exception(10), SystemExit)


def test_on_a_loop_a_synchronous_caller_is_told_to_await() -> None:
    async def story() -> None:
        with pytest.raises(RuntimeError, match="await"):
            SingleFlight[int]().run("instant", "key", Work())

    asyncio.run(story())


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_does_not_wait_for_a_leader_of_its_parent() -> None:
    flight, work = SingleFlight[int](), Work()
    flight._board("key", None)  # a leader that the child does not have
    child = os.fork()
    if child == 0:  # pragma: no cover  # in another process
        os._exit(0 if flight.run("instant", "key", work) == 1 else 1)
    assert os.waitpid(child, 0)[1] == 0
