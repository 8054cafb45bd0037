"""What the templates of an app's tokens say of a person."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.errors import Refused
from authmw.people.records import User
from authmw.platform.connected_apps.templates import MAXIMUM_BYTES, checked_template, claims_of
from authmw.signin.access_tokens import CLOSED_CLAIMS

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
USER = User(
    id="user-test-1",
    created_at=NOW,
    first_name="Ada",
    trusted_metadata={"team": "blue", "levels": [1, 2]},
)


@pytest.mark.parametrize(
    ("template", "claims"),
    [
        ({"team": "{{ user.trusted_metadata.team }}"}, {"team": "blue"}),
        ({"levels": "{{ user.trusted_metadata.levels }}"}, {"levels": [1, 2]}),
        ({"hello": "Hello {{ user.name.first_name }}!"}, {"hello": "Hello Ada!"}),
        ({"none": "{{ user.external_id }}", "text": "<{{ user.external_id }}>"}, {"none": None, "text": "<>"}),
        ({"deep": [{"x": "{{ user.user_id }}"}], "fixed": 7}, {"deep": [{"x": "user-test-1"}], "fixed": 7}),
    ],
)
def test_a_template_says_what_it_was_written_to_say(template: dict[str, Any], claims: dict[str, Any]) -> None:
    content = json.dumps(template)
    assert claims_of(checked_template(content, "refused"), USER) == claims


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "7",
        "{",
        '{"a": "{{ user.password }}"}',
        '{"a": "{{ team }}"}',
        '{"a": "{{ user.name.first_name"}',
        '{"a": "' + "x" * MAXIMUM_BYTES + '"}',
        *('{"a": ' + "[" * depth + "]" * depth + "}" for depth in (20, 500, 1000, 2000)),
        *(json.dumps({name: 1}) for name in sorted(CLOSED_CLAIMS)),
    ],
)
def test_a_template_that_says_more_than_it_may_is_refused(content: str) -> None:
    """TOK-10."""
    with pytest.raises(Refused):
        checked_template(content, "bad_request")


@given(st.text(max_size=200))
def test_no_template_makes_another_failure_than_a_refusal(content: str) -> None:
    try:
        kept = checked_template(content, "bad_request")
    except Refused:
        return
    assert not CLOSED_CLAIMS & claims_of(kept, USER).keys()


@given(st.integers(1, 400))
def test_what_would_be_too_large_to_carry_is_left_out(times: int) -> None:
    content = json.dumps({"a": "{{ user.trusted_metadata }}" * (times % 140)})
    claims = claims_of(content, User(id="u", created_at=NOW, trusted_metadata={"x": "y" * times}))
    assert len(json.dumps(claims, separators=(",", ":"))) <= MAXIMUM_BYTES
