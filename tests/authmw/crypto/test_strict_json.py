"""What somebody signed is read in one way, or not at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.crypto.strict_json import strict_object

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=6)


@given(st.dictionaries(st.text(), VALUES), st.booleans())
def test_an_object_is_read_as_it_was_written(members: dict[str, Any], escaped: bool) -> None:
    text = json.dumps(members, ensure_ascii=escaped)
    assert strict_object(text) == strict_object(text.encode()) == members


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '"text"',
        "{",
        "{}x",
        '{"a": 1, "a": 1}',
        '{"a": 1, "\\u0061": 2}',
        '{"deep": [{"a": 1, "a": 2}]}',
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": 1e999}',
        '{"a": -1e999}',
        '{"a": 18446744073709551616}',
        '{"a": -9223372036854775809}',
        '{"a": 1' + "0" * 400 + "}",
        '{"a": 1' + "0" * 5000 + "}",
        '{"a": "\\ud800"}',
        '{"\\udc00": 1}',
        '{"a": "\x00"}',
        "{'a': 1}",
        '{"a": 01}',
        "\ufeff{}",
    ],
    ids=lambda text: ascii(text)[:40],
)
def test_what_two_parsers_could_read_differently_is_refused(text: str) -> None:
    """TOK-06, RFC 8725 section 2.4."""
    with pytest.raises(ValueError):
        strict_object(text)
    with pytest.raises(ValueError):
        strict_object(text.encode())


@pytest.mark.parametrize(
    "data", [b"\xff", b'{"a": "\xed\xa0\x80"}', '{"a": "é"}'.encode("latin-1"), '{"a": 1}'.encode("utf-16")]
)
def test_bytes_that_are_not_utf8_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        strict_object(data)


def test_an_object_that_is_too_deep_is_refused() -> None:
    with pytest.raises((ValueError, RecursionError)):
        strict_object('{"a":' * 100_000 + "1" + "}" * 100_000)
