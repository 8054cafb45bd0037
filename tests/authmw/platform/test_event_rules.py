"""How a row of the log reads, and what a question asks of storage: against a list of rows that is filtered by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.drive import step
from authmw.ledger.records import Event
from authmw.platform.events.rules import INTERRUPTED, Asked, filter_of, read
from authmw.storage import Insert, Order
from authmw_adapters.memory import MemoryStorage

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def row(number: int, **changes: object) -> Event:
    began = NOW + timedelta(seconds=number)
    event = Event(
        event_id=f"event-{number:03}",
        request_id=f"request-{number:03}",
        action="CreateUser",
        started_at=began,
        ended_at=began + timedelta(seconds=1),
        status="success",
        http_status=200,
        expires_at=began + timedelta(days=30),
    )
    return attrs.evolve(event, **changes)


@pytest.mark.parametrize("status", ["success", "error"])
def test_a_call_reads_as_its_start_and_its_one_end(status: str) -> None:
    """EVT-03, AUD-01."""
    one = row(0, status=status)
    assert list(read(one, NOW)) == [(status, one.ended_at), ("start", one.started_at)]


@given(seconds=st.integers(-3600, 3600))
def test_a_call_that_left_no_end_is_at_work_for_ten_minutes_and_then_was_interrupted(seconds: int) -> None:
    one = row(0, status="started")
    entries = list(read(one, NOW + timedelta(seconds=seconds)))
    assert entries[-1] == ("start", one.started_at)
    assert entries[:-1] == ([("interrupted", NOW + INTERRUPTED)] if seconds >= 600 else [])


STATES = ["success", "error", "started"]
ROWS = st.lists(
    st.tuples(
        st.sampled_from(STATES), st.sampled_from(["CreateUser", "DeleteUser"]), st.sampled_from(["ada", "bob", ""])
    ),
    max_size=12,
)


@given(
    rows=ROWS,
    status=st.sampled_from([None, "start", "success", "error", "interrupted"]),
    action=st.sampled_from([None, "CreateUser", "DeleteUser", "Nothing"]),
    subject=st.sampled_from([None, "ada", "bob"]),
    request=st.none() | st.integers(0, 12),
    begin=st.integers(0, 12),
    end=st.integers(0, 12),
)
def test_a_question_finds_what_a_filter_by_hand_finds(
    rows: list[tuple[str, str, str]],
    status: str | None,
    action: str | None,
    subject: str | None,
    request: int | None,
    begin: int,
    end: int,
) -> None:
    """EVT-05: by status, action, person and request, within a span of time."""
    events = [row(number, status=state, action=did, subject_id=who) for number, (state, did, who) in enumerate(rows)]
    storage = MemoryStorage()
    step(storage.prepare([Event]))
    for event in events:
        step(storage.commit(Insert(event)))
    asked = Asked(
        status=status,  # type: ignore[arg-type]  # one of the words
        action=action,
        subject_id=subject,
        request_id=None if request is None else f"request-{request:03}",
        begin=NOW + timedelta(seconds=begin),
        end=NOW + timedelta(seconds=end),
    )
    kept = {"success": "success", "error": "error", "interrupted": "started"}.get(status or "")
    wanted = [
        event.event_id
        for number, event in enumerate(events)
        if begin <= number <= end
        and (kept is None or event.status == kept)
        and (action is None or event.action == action)
        and (subject is None or event.subject_id == subject)
        and (request is None or number == request)
    ]
    found = step(storage.page(Event, filter_of(asked), order=Order("started"), limit=100)).records
    assert [event.event_id for event in found] == wanted
