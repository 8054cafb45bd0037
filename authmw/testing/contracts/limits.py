"""The contract on limiters: exact counts at every boundary, all or none, from threads, processes and after a fork, and a clock that goes back gains nobody anything."""

from __future__ import annotations

import multiprocessing
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from functools import partial
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authmw.limits import Count, Limit, LimitReached, RateLimiter, nanoseconds, remaining, take_all
from authmw.testing.contracts.driven import DrivenLimiter
from authmw.testing.contracts.races import STARTED_WITHIN, Meet, at_once
from authmw.testing.contracts.records import NOW

MakeLimiter = Callable[[Path], RateLimiter]
MICROSECOND = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
TEN = Limit("ten", ("ada",), 10, MINUTE)
FIVE_EVER = Limit("five ever", ("ada",), 5, None)
THREADS = 16
PROCESSES = 4


class OpenLimiter(Protocol):
    """Opens one more limiter over the folder of the test."""

    def __call__(self) -> DrivenLimiter:
        """One more limiter."""
        ...


def take_in_process(make_limiter: MakeLimiter, folder: Path, tries: int, gate: Any, taken: Any) -> None:
    """What each of several processes does: take as often as it can, and tell how often it could."""
    limiter = DrivenLimiter(make_limiter(folder))
    limiter.prepare()
    gate.wait(STARTED_WITHIN)
    taken.put(sum(limiter.takes(FIVE_EVER, TEN) for _ in range(tries)))
    limiter.close()


class LimiterContract:
    """The whole contract of `authmw.limits.RateLimiter`; a subclass provides `make_limiter`."""

    shared: ClassVar[bool] = True
    """Whether limiters made over one folder count together, also from other processes and after a fork."""

    def make_limiter(self, folder: Path) -> RateLimiter:
        """A new limiter over what lies in `folder`; another folder is other counts. Picklable, as it may be called in another process."""
        message = f"A subclass of LimiterContract provides make_limiter({folder})."
        raise AssertionError(message)

    @pytest.fixture
    def opened(self, tmp_path: Path) -> Iterator[OpenLimiter]:
        """Opens limiters over one folder."""
        made: list[DrivenLimiter] = []

        def opened() -> DrivenLimiter:
            limiter = DrivenLimiter(self.make_limiter(tmp_path))
            made.append(limiter)
            return limiter

        yield opened
        for limiter in made:
            limiter.close()

    @pytest.fixture
    def limiter(self, opened: OpenLimiter) -> DrivenLimiter:
        """A limiter that is ready and has counted nothing."""
        limiter = opened()
        limiter.prepare()
        return limiter

    # Boundaries

    @pytest.mark.parametrize("burst", [1, 2, 3, 7, 60])
    def test_a_burst_is_taken_at_once_and_not_one_more(self, limiter: DrivenLimiter, burst: int) -> None:
        limit = Limit("burst", (str(burst),), burst, MINUTE)
        assert [limiter.takes(limit) for _ in range(burst + 1)] == [True] * burst + [False]

    @pytest.mark.parametrize("burst", [1, 2, 3, 7, 60])
    def test_room_comes_back_evenly_to_the_microsecond(self, limiter: DrivenLimiter, burst: int) -> None:
        limit = Limit("even", (str(burst),), burst, MINUTE)
        for _ in range(burst):
            limiter.take(limit)
        interval = MINUTE // burst
        for number in range(1, 2 * burst + 1):
            moment = NOW + interval * number
            assert not limiter.takes(limit, now=moment - MICROSECOND)
            # An interval that no whole number of microseconds is comes up to one later.
            assert limiter.takes(limit, now=moment) or limiter.takes(limit, now=moment + MICROSECOND * number)
            assert not limiter.takes(limit, now=moment)

    def test_the_wait_that_is_told_is_the_wait(self, limiter: DrivenLimiter) -> None:
        for _ in range(10):
            limiter.take(TEN)
        assert limiter.wait(TEN) == pytest.approx(6)
        assert limiter.wait(TEN, now=NOW + timedelta(seconds=2)) == pytest.approx(4)
        assert limiter.takes(TEN, now=NOW + timedelta(seconds=6))

    def test_a_long_rest_gains_no_more_than_the_burst(self, limiter: DrivenLimiter) -> None:
        limiter.take(TEN)
        later = NOW + timedelta(days=4000)
        assert [limiter.takes(TEN, now=later) for _ in range(11)].count(True) == 10

    def test_what_never_refills_is_used_up_for_ever(self, limiter: DrivenLimiter) -> None:
        for _ in range(5):
            limiter.take(FIVE_EVER)
        assert limiter.wait(FIVE_EVER) is None
        assert limiter.wait(FIVE_EVER, now=NOW + timedelta(days=4000)) is None

    @pytest.mark.parametrize("back", [MICROSECOND, MINUTE, timedelta(days=4000)])
    def test_a_clock_that_goes_back_gains_nobody_anything(self, limiter: DrivenLimiter, back: timedelta) -> None:
        for _ in range(10):
            limiter.take(TEN)
        assert not any(limiter.takes(TEN, now=NOW - back) for _ in range(3))
        assert limiter.wait(TEN, now=NOW - back) == pytest.approx(6 + back.total_seconds())
        assert not limiter.takes(TEN)
        assert limiter.takes(TEN, now=NOW + timedelta(seconds=6))

    def test_a_take_while_the_clock_stands_behind_counts_from_where_it_stood(self, limiter: DrivenLimiter) -> None:
        for _ in range(9):
            limiter.take(TEN)
        assert not limiter.takes(TEN, now=NOW - MINUTE)
        assert limiter.takes(TEN)
        assert not limiter.takes(TEN)

    def test_a_moment_is_the_same_in_every_zone(self, limiter: DrivenLimiter) -> None:
        there = NOW.astimezone(timezone(timedelta(hours=-9)))
        assert [limiter.takes(TEN, now=there if odd else NOW) for odd in (0, 1) * 6].count(True) == 10
        with pytest.raises(TypeError):
            limiter.take(TEN, now=NOW.replace(tzinfo=None))

    # Several limits

    def test_all_limits_are_charged_or_none(self, limiter: DrivenLimiter) -> None:
        for _ in range(5):
            limiter.take(FIVE_EVER, TEN)
        for _ in range(20):
            assert not limiter.takes(TEN, FIVE_EVER)
        assert (limiter.peek(TEN), limiter.peek(FIVE_EVER)) == (5, 0)

    def test_the_longest_wait_is_told(self, limiter: DrivenLimiter) -> None:
        slow = Limit("slow", ("ada",), 1, timedelta(hours=1))
        limiter.take(slow)
        for _ in range(10):
            limiter.take(TEN)
        assert limiter.wait(TEN, slow) == pytest.approx(3600)
        assert limiter.wait(slow, TEN) == pytest.approx(3600)
        for _ in range(5):
            limiter.take(FIVE_EVER)
        assert limiter.wait(slow, FIVE_EVER, TEN) is None

    def test_a_limit_that_is_named_twice_is_charged_once(self, limiter: DrivenLimiter) -> None:
        limiter.take(FIVE_EVER, FIVE_EVER)
        assert limiter.peek(FIVE_EVER) == 4

    def test_nothing_is_taken_of_no_limit(self, limiter: DrivenLimiter) -> None:
        limiter.take()
        limiter.reset()

    def test_limits_are_told_apart_by_name_and_by_each_part_of_the_key(self, limiter: DrivenLimiter) -> None:
        keys = [("a", "b"), ("ab",), ("a", "b", ""), ("", "ab"), ("a:b",), ("1:a", "b"), ("A", "B"), ("ä",), ()]
        limits = [Limit(name, key, 1, None) for name in ("one", "two", "") for key in keys]
        assert all(limiter.takes(limit) for limit in limits)
        assert not any(limiter.takes(limit) for limit in limits)

    # Peek and reset

    def test_a_peek_says_what_can_be_taken_and_takes_nothing(self, limiter: DrivenLimiter) -> None:
        for taken in range(10):
            assert [limiter.peek(TEN) for _ in range(3)] == [10 - taken] * 3
            limiter.take(TEN)
        assert limiter.peek(TEN) == 0
        assert limiter.peek(TEN, NOW + timedelta(seconds=17)) == 2
        assert limiter.peek(TEN, NOW + timedelta(days=1)) == 10
        assert limiter.peek(FIVE_EVER) == 5

    @pytest.mark.parametrize("limit", [TEN, FIVE_EVER], ids=lambda limit: limit.name)
    def test_a_reset_forgets_what_was_counted_and_nothing_else(self, limiter: DrivenLimiter, limit: Limit) -> None:
        other = Limit(limit.name, ("bob",), 1, limit.per)
        limiter.take(other)
        while limiter.takes(limit):
            pass
        limiter.reset(limit, Limit("never counted", (), 1, None))
        assert limiter.peek(limit) == limit.burst
        assert not limiter.takes(other)

    # Any history

    def test_whatever_is_taken_and_whenever_the_counts_are_those_of_the_rule(self, limiter: DrivenLimiter) -> None:
        limits = [
            Limit("one", ("x",), 1, timedelta(seconds=3)),
            Limit("three", ("x",), 3, timedelta(seconds=10)),
            FIVE_EVER,
        ]
        seconds = st.integers(0, 40_000_000).map(lambda micro: NOW + timedelta(microseconds=micro))
        step = st.tuples(st.sampled_from("tttttpr"), st.lists(st.sampled_from(limits), min_size=1, max_size=3), seconds)

        @settings(
            max_examples=60,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        )
        @given(history=st.lists(step, max_size=20))
        def holds(history: list[tuple[str, list[Limit], datetime]]) -> None:
            limiter.reset(*limits)
            counts: dict[Limit, Count] = dict.fromkeys(limits, 0)
            for act, named, now in history:
                moment = nanoseconds(now)
                if act == "r":
                    limiter.reset(*named)
                    counts.update(dict.fromkeys(named, 0))
                elif act == "p":
                    assert limiter.peek(named[0], now) == remaining(named[0], counts[named[0]], moment)
                else:
                    after: dict[Limit, Count] | None = None
                    with suppress(LimitReached):
                        after = take_all({limit: counts[limit] for limit in named}, moment)
                    assert limiter.takes(*named, now=now) == (after is not None)
                    counts.update(after or {})

        holds()

    # At once

    def test_many_threads_take_no_more_than_there_is(self, limiter: DrivenLimiter) -> None:
        for number in range(5):
            ever = Limit("ever", (str(number),), 20, None)
            wide = Limit("wide", (str(number),), 1000, timedelta(days=1))

            def take(meet: Meet, ever: Limit = ever, wide: Limit = wide) -> int:
                meet()
                return sum(limiter.takes(wide, ever) for _ in range(4))

            assert sum(at_once([take] * THREADS)) == 20
            assert limiter.peek(wide) == 980

    def test_a_reset_amid_takes_forgets_once(self, limiter: DrivenLimiter) -> None:
        def take(meet: Meet) -> int:
            meet()
            return sum(limiter.takes(FIVE_EVER) for _ in range(10))

        def forget(meet: Meet) -> int:
            meet()
            limiter.reset(FIVE_EVER)
            return 0

        taken = sum(at_once([*[take] * 7, forget]))
        assert 5 <= taken <= 10

    def test_limiters_over_one_folder_count_together(self, opened: OpenLimiter) -> None:
        one, two = opened(), opened()
        one.prepare()
        two.prepare()
        taken = [limiter.takes(FIVE_EVER) for limiter in (one, two) * 4]
        assert taken.count(True) == (5 if self.shared else 8)

    def test_it_counts_on_after_it_was_closed(self, limiter: DrivenLimiter) -> None:
        for _ in range(5):
            limiter.take(FIVE_EVER)
        limiter.let_go()
        limiter.let_go()
        assert not limiter.takes(FIVE_EVER)

    def test_it_makes_itself_ready_and_is_made_ready_twice_without_loss(self, opened: OpenLimiter) -> None:
        limiter = opened()
        limiter.take(FIVE_EVER)
        limiter.prepare()
        limiter.prepare()
        assert limiter.peek(FIVE_EVER) == 4

    def test_several_processes_take_no_more_than_there_is(self, opened: OpenLimiter, tmp_path: Path) -> None:
        limiter = opened()
        limiter.prepare()
        if not self.shared:
            pytest.skip("limiters of this adapter share nothing")
        context = multiprocessing.get_context("spawn")
        gate, taken = context.Barrier(PROCESSES), context.Queue()
        workers: list[SpawnProcess] = [
            context.Process(target=take_in_process, args=(self.make_limiter, tmp_path, 20, gate, taken))
            for _ in range(PROCESSES)
        ]
        for worker in workers:
            worker.start()
        assert sum(taken.get(timeout=STARTED_WITHIN) for _ in workers) == 5
        for worker in workers:
            worker.join(STARTED_WITHIN)
        taken.close()
        taken.join_thread()
        assert (limiter.peek(FIVE_EVER), limiter.peek(TEN)) == (0, 5)

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
    def test_it_counts_on_both_sides_of_a_fork(self, limiter: DrivenLimiter) -> None:
        limiter.take(FIVE_EVER)
        child = _forked(partial(_took_three, limiter.limiter))
        assert limiter.takes(FIVE_EVER)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert limiter.peek(FIVE_EVER) == (0 if self.shared else 3)


def _took_three(limiter: RateLimiter) -> bool:
    driven = DrivenLimiter(limiter)
    return all(driven.takes(FIVE_EVER) for _ in range(3))


def _forked(act: Callable[[], bool]) -> int:
    with warnings.catch_warnings():
        # The runner of the tests has threads; the child touches nothing of theirs and leaves by `_exit`.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child:
        return child
    code = 1
    try:
        code = 0 if act() else 1
    finally:
        os._exit(code)
