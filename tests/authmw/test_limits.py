"""The rule of limits against a bucket that is told in fractions, and the bounds that hold whatever is asked."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.limits import Limit, LimitReached, nanoseconds, remaining, take_all, take_one
from authmw.testing.contracts.records import NOW

SECOND = 10**9
BURSTS = st.integers(1, 12)
PERIODS = st.integers(1, 100).map(lambda seconds: timedelta(seconds=seconds))
MOMENTS = st.lists(st.integers(0, 200 * SECOND), max_size=60)


class Bucket:
    """Leaks evenly and takes one more only if it does not run over: the same limit, told without a clock cell."""

    def __init__(self, burst: int, per: int) -> None:
        self.burst, self.per = burst, per
        self.level, self.at = Fraction(0), 0

    def take(self, now: int) -> bool:
        leaked = Fraction(self.burst * max(0, now - self.at), self.per)
        behind = Fraction(self.burst * max(0, self.at - now), self.per)
        level = max(Fraction(0), self.level - leaked)
        if level + behind + 1 > self.burst and level + behind > 0:
            return False
        self.level, self.at = level + 1, max(now, self.at)
        return True


@given(burst=BURSTS, seconds=st.integers(1, 20), moments=MOMENTS)
def test_takes_in_time_are_those_of_a_leaking_bucket(burst: int, seconds: int, moments: list[int]) -> None:
    # A period that the burst divides, so that the integers of the rule lose nothing.
    per = timedelta(seconds=seconds * burst)
    limit, bucket, count = Limit("x", (), burst, per), Bucket(burst, seconds * burst * SECOND), 0
    for now in sorted(moments):
        allowed = False
        with suppress(LimitReached):
            count = take_one(limit, count, now)
            allowed = True
        assert allowed == bucket.take(now)


@given(burst=BURSTS, per=PERIODS, moments=MOMENTS)
def test_no_window_of_any_order_of_times_holds_more_than_a_burst_and_what_refilled(
    burst: int, per: timedelta, moments: list[int]
) -> None:
    limit, count = Limit("x", (), burst, per), 0
    whole = per // timedelta(microseconds=1) * 1000
    taken: list[int] = []
    for now in moments:
        with suppress(LimitReached):
            count = take_one(limit, count, now)
            taken.append(now)
    # However the clock went, real time has come no further than its latest reading.
    assert len(taken) <= burst + (max(moments, default=0) - min(moments, default=0)) // (whole // burst)


@given(burst=BURSTS, per=PERIODS, moments=MOMENTS)
def test_a_refusal_changes_nothing_and_its_wait_is_the_first_moment_with_room(
    burst: int, per: timedelta, moments: list[int]
) -> None:
    limit, count = Limit("x", (), burst, per), 0
    for now in sorted(moments):
        room = remaining(limit, count, now)
        try:
            after = take_one(limit, count, now)
        except LimitReached as full:
            assert room == 0
            assert full.retry_after is not None
            until = now + round(full.retry_after * 1e9)
            take_one(limit, count, until + 1000)
            with pytest.raises(LimitReached):
                take_one(limit, count, until - 1000)
        else:
            assert room >= 1
            assert remaining(limit, after, now) in {room - 1, room}
            count = after


@given(burst=BURSTS, taken=st.integers(0, 20), now=st.integers(0, 10**18))
def test_what_never_refills_counts_to_its_burst(burst: int, taken: int, now: int) -> None:
    limit = Limit("x", (), burst, None)
    if taken < burst:
        assert take_one(limit, taken, now) == taken + 1
    else:
        with pytest.raises(LimitReached) as met:
            take_one(limit, taken, now)
        assert met.value.retry_after is None
    assert remaining(limit, taken, now) == max(0, burst - taken)


@given(counts=st.lists(st.integers(0, 3), min_size=1, max_size=5))
def test_all_are_charged_or_none(counts: list[int]) -> None:
    held = {Limit("x", (str(number),), 2, None): count for number, count in enumerate(counts)}
    if max(counts) < 2:
        assert take_all(held, 0) == {limit: count + 1 for limit, count in held.items()}
    else:
        with pytest.raises(LimitReached):
            take_all(held, 0)


@pytest.mark.parametrize(("burst", "per"), [(0, None), (-1, timedelta(1)), (10**6, timedelta(milliseconds=1))])
def test_a_limit_that_cannot_be_counted_exactly_is_refused(burst: int, per: timedelta | None) -> None:
    with pytest.raises(ValueError, match="cannot be counted"):
        Limit("x", (), burst, per)


@given(st.lists(st.text(max_size=3), max_size=3), st.lists(st.text(max_size=3), max_size=3))
def test_two_limits_have_one_digest_only_if_they_have_one_key(one: list[str], two: list[str]) -> None:
    same = Limit("x", tuple(one), 1, None).digest == Limit("x", tuple(two), 1, None).digest
    assert same == (one == two)


def test_a_limit_does_not_show_its_key() -> None:
    assert "ada" not in repr(Limit("x", ("ada@example.org",), 1, None))


def test_a_moment_is_counted_in_whole_nanoseconds() -> None:
    assert nanoseconds(NOW + timedelta(microseconds=1)) - nanoseconds(NOW) == 1000
