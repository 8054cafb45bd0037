"""Where the core runs: a loop of the host is never held up, and a loop that went away keeps nobody waiting."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from authmw import Auth, Change, Settings
from authmw.drive import Home, brought, on_loop, step
from authmw.errors import Refused, StorageError
from authmw.operations import Visit, visit
from authmw.storage import Write
from authmw.testing import FixedClock
from authmw_adapters.memory import MemoryLimiter, MemoryStorage
from authmw_adapters.sqlite import SQLiteStorage
from tests.world import PROJECT_ID, SECRET


class Slow(SQLiteStorage):
    """A disk that is done only once somebody lets it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.go_on = threading.Event()
        self.on_loop: list[bool] = []
        self.done = threading.Event()

    async def commit(self, *writes: Write) -> None:
        self.on_loop.append(on_loop())
        assert self.go_on.wait(10), "the loop that would have let it go on is held up"
        await super().commit(*writes)
        self.done.set()


@pytest.fixture
def slow(tmp_path: Path) -> Slow:
    return Slow(tmp_path / "slow.db")


def auth_over(storage: Any) -> Auth:
    return Auth(
        Settings(project_id=PROJECT_ID, secret=SECRET), storage=storage, limiter=MemoryLimiter(), clock=FixedClock()
    )


def test_a_view_on_a_loop_awaits_an_operation_while_the_loop_goes_on(slow: Slow) -> None:
    auth = auth_over(slow)

    async def view() -> str:
        made = asyncio.ensure_future(auth.users.create(email="ada@example.org"))
        while not slow.on_loop:
            await asyncio.sleep(0)
        slow.go_on.set()  # which nobody would do if the commit held the loop
        return (await made).user_id

    assert asyncio.run(view()).startswith("user-test-")
    assert slow.on_loop == [False]
    auth.close()


def test_many_views_at_once_are_served(slow: Slow) -> None:
    auth = auth_over(slow)
    slow.go_on.set()

    async def views() -> list[str]:
        made = [asyncio.ensure_future(auth.users.create(email=f"p{number}@example.org")) for number in range(60)]
        return [(await one).user_id for one in made]

    assert len(set(asyncio.run(views()))) == 60
    auth.close()


def test_a_refusal_and_a_mistake_reach_the_view_as_they_are(slow: Slow) -> None:
    auth = auth_over(slow)
    slow.go_on.set()

    async def view() -> None:
        with pytest.raises(Refused, match="invalid_email"):
            await auth.users.create(email="not an address")
        with pytest.raises(TypeError, match="no parameter"):
            await auth.users.create(mail="ada@example.org")  # type: ignore[call-arg]

    asyncio.run(view())
    auth.close()


def test_what_a_view_keeps_is_found_by_the_middleware_though_a_thread_kept_it(slow: Slow) -> None:
    auth = auth_over(slow)
    slow.go_on.set()

    async def view() -> Visit:
        here = Visit()
        visit.set(here)

        async def work() -> None:
            assert not on_loop()
            auth.keep("an answer")

        await brought("blocking", work())
        return here

    assert asyncio.run(view()).kept == "an answer"
    auth.close()


def test_work_that_was_brought_to_a_thread_goes_on_there() -> None:
    async def work() -> int:
        async def inner() -> int:
            return threading.get_ident()

        assert await brought("blocking", inner()) == threading.get_ident()
        return threading.get_ident()

    assert step(work()) == threading.get_ident()
    assert asyncio.run(brought("blocking", work())) != threading.get_ident()
    assert asyncio.run(brought("instant", work_here())) == threading.get_ident()


async def work_here() -> int:
    return threading.get_ident()


def test_a_view_that_is_cancelled_leaves_no_work_behind_unfinished(slow: Slow) -> None:
    auth = auth_over(slow)

    async def view() -> None:
        made = asyncio.ensure_future(auth.users.create(email="ada@example.org"))
        while not slow.on_loop:
            await asyncio.sleep(0)
        made.cancel()
        slow.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await made

    asyncio.run(view())
    assert slow.done.wait(10)
    assert auth.run(auth.users.search()).results[0].emails[0].address == "ada@example.org"
    auth.close()


# The home loop


async def answer() -> int:
    await asyncio.sleep(0)
    return 7


@pytest.fixture
def stopped() -> asyncio.AbstractEventLoop:
    """A host's loop that was adopted and then stopped without being closed."""
    return asyncio.new_event_loop()


def test_a_loop_that_was_adopted_and_stopped_keeps_nobody_waiting(stopped: asyncio.AbstractEventLoop) -> None:
    home = Home()

    async def adopt() -> None:
        home.adopt()

    stopped.run_until_complete(adopt())
    try:
        assert in_thread(home, answer()) == 7
        assert home.loop() is not stopped
    finally:
        stopped.close()


def test_work_that_a_stopping_loop_leaves_behind_is_an_error_and_not_a_wait(
    stopped: asyncio.AbstractEventLoop,
) -> None:
    home = Home()
    began = asyncio.Event()

    async def never() -> None:
        began.set()
        await asyncio.Event().wait()

    async def host() -> threading.Thread:
        home.adopt()
        thread = threading.Thread(target=wait)
        thread.start()
        await began.wait()
        return thread

    failures: list[BaseException] = []

    def wait() -> None:
        try:
            home.run(never())
        except StorageError as failure:
            failures.append(failure)

    thread = stopped.run_until_complete(host())
    thread.join(10)
    assert not thread.is_alive()
    assert len(failures) == 1
    stopped.run_until_complete(asyncio.sleep(0))
    for task in asyncio.all_tasks(stopped):
        task.cancel()
    stopped.run_until_complete(asyncio.sleep(0))
    stopped.close()


def test_an_adopted_loop_that_runs_is_the_home(stopped: asyncio.AbstractEventLoop) -> None:
    home = Home()

    async def host() -> None:
        home.adopt()
        loop = await asyncio.to_thread(home.loop)
        assert loop is asyncio.get_running_loop()
        assert await asyncio.to_thread(home.run, answer()) == 7

    stopped.run_until_complete(host())
    stopped.close()


def test_our_own_loop_is_started_once() -> None:
    home = Home()
    first = home.loop()
    assert home.loop() is first
    assert in_thread(home, answer()) == 7


def in_thread(home: Home, work: Coroutine[Any, Any, int]) -> int:
    """What a thread of the host is given, within ten seconds."""
    results: list[int] = []
    thread = threading.Thread(target=lambda: results.append(home.run(work)), daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive(), "it waits for a loop that does not run"
    return results[0]


def test_memory_is_awaited_on_the_loop_itself() -> None:
    auth = auth_over(MemoryStorage())

    async def view() -> str:
        return (await auth.users.create(email="ada@example.org")).user_id

    assert asyncio.run(view())


# Work behind replies


def test_listeners_that_never_return_hold_up_no_request(tmp_path: Path) -> None:
    """Sixty of them: more than there are threads for requests."""
    auth = auth_over(SQLiteStorage(tmp_path / "busy.db"))
    go_on, began = threading.Event(), threading.Event()

    @auth.on("direct.user.create")
    def stuck(change: Change) -> None:
        began.set()
        go_on.wait(30)

    async def views() -> str:
        made = [(await auth.users.create(email=f"p{number}@example.org")).user_id for number in range(60)]
        assert await asyncio.to_thread(began.wait, 10)
        try:
            return (await asyncio.wait_for(auth.users.get(user_id=made[0]), 15)).user_id
        finally:
            go_on.set()

    assert asyncio.run(views()).startswith("user-test-")
    auth.close()


def test_many_listeners_that_await_operations_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """More of them than the host's code has threads behind replies, each waiting for an operation that needs one."""
    auth = auth_over(SQLiteStorage(tmp_path / "busy.db"))
    done: list[str] = []
    all_done = threading.Event()

    @auth.on("direct.user.create", name="tag")
    async def tag(change: Change) -> None:
        await auth.users.update(user_id=change.id, trusted_metadata={"seen": True})
        done.append(change.id)
        if len(done) == 30:
            all_done.set()

    async def views() -> None:
        for number in range(30):
            await auth.users.create(email=f"p{number}@example.org")
        assert await asyncio.to_thread(all_done.wait, 20)

    asyncio.run(views())
    assert len(set(done)) == 30
    auth.close()
