"""Turns of calls that met: who changes a record is alone at it, who checks it is not, and nobody waits for what cannot come."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from datetime import UTC, datetime

import hypothesis.strategies as st
import pytest
from hypothesis import given

from authmw.ledger.lanes import Lanes, Place, Turn, places_of
from authmw.people.records import User
from authmw.storage import Check, Delete, Insert, Update, Write
from benchmarks.giveups import sign_ins_during_updates
from benchmarks.site import Slow

USER, OTHER = ("users", "user-1"), ("users", "user-2")
CHANGES, CHECKS = {USER: True}, {USER: False}
LONG = 10.0


async def entered(lanes: Lanes, places: Mapping[Place, bool]) -> tuple[asyncio.Task[Turn | None], bool]:
    """A call that wants a turn, and whether it had it at once."""
    task = asyncio.create_task(lanes.enter(places, LONG))
    await asyncio.sleep(0)
    return task, task.done()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_who_changes_a_record_is_alone_at_it() -> None:
    async def tried() -> None:
        lanes = Lanes()
        first, at_once = await entered(lanes, CHANGES)
        assert at_once
        others = [await entered(lanes, places) for places in (CHANGES, CHECKS)]
        assert [had for _, had in others] == [False, False]
        assert (await entered(lanes, {OTHER: True}))[1]
        lanes.leave(await first)
        await settled()
        assert [task.done() for task, _ in others] == [True, False]
        lanes.leave(await others[0][0])
        await settled()
        assert others[1][0].done()

    asyncio.run(tried())


def test_those_who_only_check_a_record_pass_together_and_before_those_who_wait_to_change_it() -> None:
    async def tried() -> None:
        lanes = Lanes()
        first, _ = await entered(lanes, CHECKS)
        change, had = await entered(lanes, CHANGES)
        assert not had
        second, had = await entered(lanes, CHECKS)
        assert had
        lanes.leave(await first)
        await settled()
        assert not change.done()
        lanes.leave(await second)
        await settled()
        assert change.done()

    asyncio.run(tried())


def test_who_waits_in_vain_or_is_cancelled_goes_without_and_is_in_nobodys_way() -> None:
    async def tried() -> None:
        lanes = Lanes()
        first, _ = await entered(lanes, CHANGES)
        assert await lanes.enter(CHANGES, 0.0) is None
        cancelled, _ = await entered(lanes, CHANGES)
        cancelled.cancel()
        await settled()
        assert cancelled.cancelled()
        turn = await first
        lanes.leave(turn)
        lanes.leave(turn)
        assert (await entered(lanes, CHANGES))[1]

    asyncio.run(tried())


def test_a_thread_waits_for_another_thread_and_never_for_itself() -> None:
    lanes = Lanes()
    began, ended = threading.Event(), threading.Event()

    def step() -> Turn | None:
        work = lanes.enter(CHANGES, LONG)
        with pytest.raises(StopIteration) as done:
            work.send(None)
        turn: Turn | None = done.value.value
        return turn

    mine = [step(), step()]
    assert None not in mine

    def other() -> None:
        began.set()
        lanes.leave(step())
        ended.set()

    thread = threading.Thread(target=other)
    thread.start()
    assert began.wait(LONG)
    lanes.leave(mine[0])
    assert not ended.is_set()
    lanes.leave(mine[1])
    assert ended.wait(LONG)
    thread.join()


@given(
    wanted=st.lists(st.dictionaries(st.sampled_from([USER, OTHER]), st.booleans(), min_size=1), max_size=12),
    order=st.randoms(use_true_random=False),
)
def test_nobody_is_beside_a_change_and_everybody_has_a_turn_at_last(
    wanted: list[dict[Place, bool]], order: object
) -> None:
    async def tried() -> None:
        lanes = Lanes()
        tasks = [asyncio.create_task(lanes.enter(places, LONG)) for places in wanted]
        over = 0
        while over < len(tasks):
            await settled()
            inside = [turn for task in tasks if task.done() and (turn := task.result()) in in_lanes(lanes)]
            assert inside
            for one in inside:
                assert one is not None
                for other in inside:
                    assert other is not None
                    shared = one.places.keys() & other.places.keys()
                    assert one is other or not any(one.places[place] or other.places[place] for place in shared)
            lanes.leave(order.choice(inside))  # type: ignore[attr-defined]
            over += 1
        assert in_lanes(lanes) == []
        assert lanes._waiting == {}

    asyncio.run(tried())


def in_lanes(lanes: Lanes) -> list[Turn | None]:
    return [turn for turns in lanes._inside.values() for turn in turns]


def test_a_commit_rests_on_what_it_writes_and_checks_and_not_on_what_it_makes() -> None:
    def user(name: str) -> User:
        return User(id=name, created_at=datetime(2026, 1, 1, tzinfo=UTC))

    writes = (Insert(user("new")), Update(user("a")), Delete(user("b")), Check(user("c")))
    assert places_of(writes) == {("users", "a"): True, ("users", "b"): True, ("users", "c"): False}


class CountedSlow(Slow):
    """Counts the commits that are tried once it is slow."""

    tried = 0

    async def commit(self, *writes: Write) -> None:
        CountedSlow.tried += self.half > 0
        await super().commit(*writes)


def test_calls_of_one_process_that_meet_at_a_record_try_three_times_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by luck: each has its turn. The first tries all meet, the second are of those whose turn it is."""
    monkeypatch.setattr("benchmarks.giveups.Slow", CountedSlow)
    monkeypatch.setattr(CountedSlow, "tried", 0)
    assert asyncio.run(sign_ins_during_updates(0.001, 20, 10)) == 0
    assert 20 + 10 < CountedSlow.tried <= 3 * (20 + 10)
