"""The deny set: holds what was ended for as long as a JWT of it could pass, and no longer (TOK-08)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from authmw.revoked import HELD, Denied

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ENDS = st.lists(
    st.tuples(st.integers(0, 400), st.sampled_from(["session", "subject"]), st.integers(0, 5)), min_size=1, max_size=40
)


def held(denied: Denied, what: str, name: int) -> bool:
    return denied.holds(f"s{name}", "nobody", 0) if what == "session" else denied.holds("none", f"u{name}", 0)


def end(denied: Denied, what: str, name: int, now: datetime) -> None:
    if what == "session":
        denied.add(f"s{name}", now)
    else:
        denied.raise_epoch(f"u{name}", 1, now)


@given(ENDS)
def test_each_end_holds_for_its_time_and_nothing_else_does(ends: list[tuple[int, str, int]]) -> None:
    """Against the plain meaning, at every step of a time that goes on."""
    denied, now = Denied(), NOW
    last: dict[Any, datetime] = {}
    for wait, what, name in ends:
        now += timedelta(seconds=wait)
        end(denied, what, name, now)
        last[what, name] = now
        for other in ("session", "subject"):
            for number in range(6):
                ended = last.get((other, number))
                assert held(denied, other, number) or ended is None or now - ended >= HELD
                assert not held(denied, other, number) or ended is not None
    denied.add("later", now + HELD)
    assert not any(held(denied, what, name) for what, name in last)


def test_a_clock_that_goes_back_lets_nothing_pass_sooner() -> None:
    denied = Denied()
    denied.add("s1", NOW)
    denied.add("s2", NOW - timedelta(hours=1))
    assert denied.holds("s1", "", 0)
    assert denied.holds("s2", "", 0)
    denied.add("s3", NOW + HELD)
    assert not denied.holds("s1", "", 0)
    assert not denied.holds("s2", "", 0)


def test_two_ends_of_everything_that_are_told_in_the_other_order_are_the_later_one() -> None:
    """What follows two commits may run the other way round."""
    denied = Denied()
    denied.raise_epoch("u1", 3, NOW)
    denied.raise_epoch("u1", 2, NOW)
    assert denied.holds("s", "u1", 2)


def test_an_epoch_ends_those_before_it_only() -> None:
    denied = Denied()
    denied.raise_epoch("u1", 3, NOW)
    assert [denied.holds("s", "u1", epoch) for epoch in (0, 2, 3, 4)] == [True, True, False, False]
    assert not denied.holds("s", "u2", 0)


@given(ENDS, st.integers(1, 4))
def test_an_end_that_left_to_make_room_is_doubted_for_its_time(ends: list[tuple[int, str, int]], most: int) -> None:
    """Either the set says it, or storage is asked; and no more are held than may be."""
    denied, now = Denied(), NOW
    denied.most = most
    last: dict[Any, datetime] = {}
    for wait, what, name in ends:
        now += timedelta(seconds=wait)
        end(denied, what, name, now)
        last[what, name] = now
        for (other, number), ended in last.items():
            assert held(denied, other, number) or now - ended >= HELD or denied.doubtful(now)
        for other in ("session", "subject"):
            assert sum(held(denied, other, number) for number in range(6)) <= most
    assert not denied.doubtful(now + HELD)


def test_as_long_as_all_are_held_nothing_is_doubted() -> None:
    denied = Denied()
    denied.most = 2
    for name in ("s1", "s2", "s1"):
        denied.add(name, NOW)
    denied.raise_epoch("u1", 1, NOW)
    denied.raise_epoch("u2", 1, NOW)
    assert not denied.doubtful(NOW)
    denied.add("s3", NOW + timedelta(seconds=60))
    assert not denied.holds("s2", "", 0)
    assert denied.doubtful(NOW + HELD - timedelta(seconds=1))
    assert not denied.doubtful(NOW + HELD)
