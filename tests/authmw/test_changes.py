"""Listeners: who wants what, and what a change says of itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw import Change, Misconfigured
from authmw.changes import Listeners, Shown
from authmw.people.records import User

SOURCES, ACTIONS = ("direct", "dashboard", "scim"), ("create", "update", "delete")


def listeners() -> Listeners:
    return Listeners({User: Shown("user", lambda user, now: {})})


def listen(change: Change) -> None:
    """A listener."""


def change(**said: Any) -> Change:
    values: dict[str, Any] = {
        "event_id": "webhook-event-test-1",
        "project_id": "project-test-1",
        "action": "UPDATE",
        "object_type": "user",
        "source": "DIRECT",
        "id": "user-test-1",
        "timestamp": datetime(2026, 3, 1, 12, 0, 0, 7, UTC),
        "version": 3,
        "object": {"user_id": "user-test-1"},
    }
    return Change(**{**values, **said})


@given(
    st.tuples(*(st.sampled_from((*words, "*")) for words in (SOURCES, ("user",), ACTIONS))),
    st.sampled_from(SOURCES),
    st.sampled_from(ACTIONS),
)
def test_a_pattern_fits_what_each_of_its_parts_fits(pattern: tuple[str, ...], source: str, action: str) -> None:
    held = listeners()
    held.add((".".join(pattern),), listen, None)
    (one,) = held
    fits = pattern[0] in ("*", source) and pattern[2] in ("*", action)
    assert one.wants(source.upper(), "user", action.upper()) is fits


@pytest.mark.parametrize(
    "pattern", ["", "user", "direct.user", "direct.user.create.now", "direct.robot.create", "DIRECT.user.create", "**"]
)
def test_a_type_that_does_not_exist_is_refused_and_the_ones_that_do_are_named(pattern: str) -> None:
    with pytest.raises(Misconfigured, match=r"dashboard, direct, scim; user; create, delete, update"):
        listeners().add((pattern,), listen, None)


def test_two_listeners_of_one_name_are_refused() -> None:
    held = listeners()
    held.add(("*.user.*",), listen, None)
    with pytest.raises(Misconfigured, match="name="):
        held.add(("*.user.*",), listen, None)
    held.add(("*.user.*",), listen, "another")
    assert [one.name for one in held] == [f"{__name__}.listen", "another"]


def test_there_is_room_for_three_listeners_and_the_fourth_is_told_so() -> None:
    held = listeners()
    for number in range(3):
        held.add(("*.user.*",), listen, f"listener {number}")
    with pytest.raises(Misconfigured, match="3 listeners"):
        held.add(("*.user.*",), listen, "one more")
    assert len(list(held)) == 3


@pytest.mark.parametrize("name", ["", "x" * 101, "two\nlines"])
def test_a_name_that_cannot_be_kept_is_refused(name: str) -> None:
    def nameless(change: Change) -> None:
        """A listener."""

    nameless.__module__ = nameless.__qualname__ = ""
    with pytest.raises(Misconfigured):
        listeners().add(("*.user.*",), nameless, name or None) if name else listeners().add(
            ("*.user.*",), nameless, "\x00"
        )


def test_the_body_is_spelled_as_webhooks_spell_it() -> None:
    """WH-03, WH-06, WH-07, X-23."""
    zone = timezone(timedelta(hours=2))
    one = change(timestamp=datetime(2026, 3, 1, 14, 0, 0, 7, zone))
    assert one.type == "direct.user.update"
    assert one.as_dict() == {
        "project_id": "project-test-1",
        "event_id": "webhook-event-test-1",
        "action": "UPDATE",
        "object_type": "user",
        "source": "DIRECT",
        "id": "user-test-1",
        "timestamp": "2026-03-01T12:00:00.000007000Z",
        "vertical": "CONSUMER",
        "user": {"user_id": "user-test-1"},
    }


def test_a_deletion_holds_no_object_and_no_repr_shows_one() -> None:
    assert "user" not in change(action="DELETE", object=None).as_dict()
    assert "canary" not in repr(change(object={"name": "canary"}))
