"""Request bodies: the corpus and the rules behind it (RAT-06, CSR-02, A255, A260)."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.clock import ticks
from authmw.errors import Refused
from authmw.http.bodies import MAXIMUM_BODY, MAXIMUM_DEPTH, parse_form, parse_object

CORPUS = json.loads((Path(__file__).parents[2] / "corpus" / "json_bodies.json").read_text())
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

GENERATORS = {
    "deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "wide": b"{" + b",".join(b'"k%d":1' % number for number in range(20_000)) + b"}",
}
# What the parser hands on and a typed operation then refuses: a float for an integer, names that an audience hides.
JUDGED_BY_THE_OPERATION = {"float", "mass"}


def status_of(body: bytes, content_type: str | None = JSON) -> int:
    try:
        parse_object(body, content_type)
    except Refused as refusal:
        return refusal.status
    return 200


@pytest.mark.parametrize("case", CORPUS["cases"], ids=lambda case: case["id"])
def test_a_body_of_the_corpus_comes_out_as_marked_within_its_limit(case: dict[str, Any]) -> None:
    body = GENERATORS[case["generator"]] if case["generator"] else base64.b64decode(case["body_b64"])
    started = ticks()
    status = status_of(body, case["content_type"])
    assert (ticks() - started) * 1000 < case["limit_ms"]
    expected = case["expected"]
    if expected in ("as normal", "400 or stored inert") or case["id"] in JUDGED_BY_THE_OPERATION:
        assert status == 200
    else:
        assert str(status) in expected.split("/"), case["why"]


def test_a_float_stays_a_float_for_the_operation_to_refuse() -> None:
    value = parse_object(b'{"session_duration_minutes":60.5}', JSON)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(value["session_duration_minutes"], int)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b" ", id="blank"),
        pytest.param(b"null", id="null"),
        pytest.param(b'"text"', id="text"),
        pytest.param(b"1", id="number"),
        pytest.param(b"{}{}", id="two objects"),
        pytest.param(b"{} x", id="something behind"),
        pytest.param(b"{}\x00", id="NUL behind"),
        pytest.param(b"\x0c{}", id="form feed before"),
        pytest.param("\u00a0{}".encode(), id="no-break space before"),
        pytest.param(b'{"a":1,}', id="comma behind the last member"),
        pytest.param(b'{"a":01}', id="octal-looking number"),
        pytest.param(b'{"a":+1}', id="plus sign"),
        pytest.param(b'{"a":.5}', id="no digit before the point"),
        pytest.param(b'{"a":0x1}', id="hexadecimal"),
        pytest.param(b'{"a":Infinity}', id="Infinity"),
        pytest.param(b'{"a":-Infinity}', id="negative Infinity"),
        pytest.param(b'{"a":-1e400}', id="negative overflow"),
        pytest.param(b'{"a":{"b":[1e999]}}', id="overflow further down"),
        pytest.param(b'{"a":9223372036854775808}', id="2^63"),
        pytest.param(b'{"a":[-9223372036854775809]}', id="less than -2^63"),
        pytest.param(b'{"a":1,"a":1}', id="duplicate with an equal value"),
        pytest.param(b'{"a":1,"\\u0061":2}', id="duplicate that is escaped"),
        pytest.param(b'{"a":{"b":1,"c":2,"b":3}}', id="duplicate further down"),
        pytest.param(b'{"a":[{"b":1,"b":2}]}', id="duplicate in an array"),
        pytest.param(b'{"a:":"::","a:":"::"}', id="duplicate among colons"),
        pytest.param(b'{"a":":","a":""}', id="duplicate that loses a colon"),
        pytest.param(b'{"a":"","b":"\\u003a","a":""}', id="duplicate beside an escaped colon"),
        pytest.param(b'{"":1,"":2}', id="duplicate of the empty name"),
        pytest.param(b'{"a":{"x":1},"a":1}', id="duplicate that loses an object"),
        pytest.param(b'{"a":"\\u0000"}', id="NUL in a string"),
        pytest.param(b'{"\\u0000":1}', id="NUL in a name"),
        pytest.param(b'{"a":["\\\\\\u0000"]}', id="NUL behind an escaped backslash"),
        pytest.param(b'{"a":"\x00"}', id="raw NUL"),
        pytest.param(b'{"a":"\n"}', id="raw line feed"),
        pytest.param(b'{"a":"\\udc00"}', id="lone low surrogate"),
        pytest.param(b'{"a":"\\ud800\\ud800"}', id="two high surrogates"),
        pytest.param(b'{"a":"\\ud800\\u0041"}', id="high surrogate before a letter"),
        pytest.param(b'{"\\ud800":1}', id="lone surrogate in a name"),
        pytest.param(b'{"a":"\xed\xa0\x80"}', id="surrogate in UTF-8"),
        pytest.param(b'{"a":"\xc0\xaf"}', id="overlong UTF-8"),
        pytest.param(b'{"\xff":1}', id="bad UTF-8 in a name"),
        pytest.param(b'{"a":"\\x41"}', id="unknown escape"),
        pytest.param(b"{'a':1}", id="single quotes"),
        pytest.param(b"{a:1}", id="name without quotes"),
        pytest.param(b'{"a":' + b"[" * 32_000 + b"]" * 32_000 + b"}", id="very deep array"),
        pytest.param(b'{"a":' * 10_000, id="very deep and not closed"),
    ],
)
def test_a_body_that_two_parsers_could_read_differently_is_refused(body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        parse_object(body, JSON)
    assert refused.value.error_type == "json_invalid"


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


def test_twenty_levels_are_read() -> None:
    assert status_of(nested(MAXIMUM_DEPTH)) == 200


def test_twenty_one_levels_are_refused() -> None:
    assert status_of(nested(MAXIMUM_DEPTH + 1)) == 400


def test_arrays_count_as_levels() -> None:
    assert status_of(b'{"a":' + b"[" * 19 + b"]" * 19 + b"}") == 200
    assert status_of(b'{"a":' + b"[" * 20 + b"]" * 20 + b"}") == 400


def test_the_largest_body_is_read_and_one_byte_more_is_not() -> None:
    body = b'{"a":"' + b"x" * (MAXIMUM_BODY - 8) + b'"}'
    assert len(body) == MAXIMUM_BODY
    assert status_of(body) == 200
    assert status_of(body + b" ") == 413


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 2**53 + 1, 0])
def test_integers_within_64_bits_arrive_exactly(number: int) -> None:
    assert parse_object(b'{"n":%d}' % number, JSON) == {"n": number}


def test_colons_and_escapes_inside_strings_are_no_members() -> None:
    body = b'{"u":"https://a.example:8443/x","e":"a\\u003ab\\\\\\"","t":["::"],"c:d":{"x":":"}}'
    assert parse_object(body, JSON) == json.loads(body)


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert parse_object(b'{"a":"\\\\u0000"}', JSON) == {"a": "\\u0000"}


def test_a_refusal_says_the_kind_and_never_the_value() -> None:
    with pytest.raises(Refused, match="twice") as refused:
        parse_object(b'{"canary":"canary","canary":"canary"}', JSON)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        'application/json ; Charset="UTF-8"',
        " application/json ",
    ],
)
def test_json_in_utf_8_is_read(content_type: str) -> None:
    assert parse_object(b"{}", content_type) == {}


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/jsonp",
        "application/json;",
        "application/json; charset=utf-7",
        "application/json; charset=utf-16",
        "application/json; charset=utf-8; charset=utf-7",
        "application/json; boundary=x",
        "application/json\n",
        "application/json, application/json",
        "text/json",
        "application/problem+json",
        "applicat\u0131on/json",
    ],
)
def test_any_other_content_type_is_refused(content_type: str | None) -> None:
    assert status_of(b"{}", content_type) == 415


def test_a_body_may_be_absent_where_nothing_is_required() -> None:
    assert parse_object(b"", None, required=False) == {}


def test_a_body_that_is_there_needs_its_content_type_even_where_nothing_is_required() -> None:
    with pytest.raises(Refused, match="unsupported_media_type"):
        parse_object(b"{}", None, required=False)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('ab:\\"\u00e9', max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text('ab:\\"', max_size=3), json_values, max_size=5), st.booleans())
def test_what_a_standard_encoder_writes_is_read_back(value: dict[str, Any], ascii_only: bool) -> None:
    parsed = parse_object(json.dumps(value, ensure_ascii=ascii_only).encode(), JSON)
    assert json.dumps(parsed, sort_keys=True) == json.dumps(value, sort_keys=True)


@given(st.lists(st.tuples(st.text("a:\\", max_size=2), st.text('b:\\"', max_size=3)), max_size=5), st.booleans())
def test_a_name_that_stands_twice_is_always_noticed(pairs: list[tuple[str, str]], escape_colons: bool) -> None:
    body = "{" + ",".join(f"{json.dumps(name)}:{json.dumps(value)}" for name, value in pairs) + "}"
    if escape_colons:
        body = body.replace("b:", "b\\u003a")
    distinct = len({name for name, _ in pairs}) == len(pairs)
    assert status_of(body.encode()) == (200 if distinct else 400)


@given(st.binary(max_size=60) | st.text('{}[]":,\\u0d81e-+.nNaI1 \t', max_size=40).map(str.encode))
def test_no_bytes_break_the_parser(body: bytes) -> None:
    try:
        value = parse_object(body, JSON)
    except Refused as refusal:
        if refusal.error_type != "json_invalid":
            raise
        return
    assert json.loads(body) == value
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()


def test_numbers_that_are_read_are_finite() -> None:
    value = parse_object(b'{"n":1.7976931348623157e308}', JSON)
    assert isinstance(value["n"], float)
    assert math.isfinite(value["n"])


# --- Forms ---


def test_the_fields_of_a_form_are_decoded() -> None:
    assert parse_form(b"a=1&b=x+y%26z&c=%C3%A9&d=", FORM) == {"a": "1", "b": "x y&z", "c": "\u00e9", "d": ""}


def test_an_empty_form_has_no_fields() -> None:
    assert parse_form(b"", FORM + "; charset=UTF-8") == {}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"a=1&a=1", id="field twice"),
        pytest.param(b"a=1&%61=2", id="field twice, once encoded"),
        pytest.param(b"a", id="no equals sign"),
        pytest.param(b"=1", id="no name"),
        pytest.param(b"a=1&", id="empty field"),
        pytest.param(b"a=%", id="lone percent"),
        pytest.param(b"a=%2", id="half an escape"),
        pytest.param(b"a=%zz", id="escape of no digits"),
        pytest.param(b"a=%ff", id="encoded bad UTF-8"),
        pytest.param(b"a=\xff", id="raw bad UTF-8"),
        pytest.param(b"a=%00", id="encoded NUL"),
        pytest.param(b"a=\x00", id="raw NUL"),
        pytest.param(b"a=1\r\n", id="raw line break"),
        pytest.param(b"a=x y", id="raw space"),
        pytest.param(b"&".join(b"f%d=1" % number for number in range(101)), id="too many fields"),
    ],
)
def test_a_form_that_could_be_read_differently_is_refused(body: bytes) -> None:
    with pytest.raises(Refused, match="bad_request"):
        parse_form(body, FORM)


@pytest.mark.parametrize(
    "content_type", [None, "", JSON, "multipart/form-data; boundary=x", "text/plain", FORM + ";charset=utf-7"]
)
def test_a_form_needs_its_content_type(content_type: str | None) -> None:
    with pytest.raises(Refused, match="unsupported_media_type"):
        parse_form(b"a=1", content_type)


def test_a_form_has_a_limit_that_its_reader_may_move() -> None:
    body = b"a=" + b"x" * MAXIMUM_BODY
    with pytest.raises(Refused, match="body_too_large"):
        parse_form(body, FORM)
    assert parse_form(body, FORM, maximum=len(body)) == {"a": "x" * MAXIMUM_BODY}


@given(
    st.dictionaries(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1),
        st.text("a\u00e9 &=+%", max_size=5),
    )
)
def test_what_a_standard_encoder_writes_is_a_form(fields: dict[str, str]) -> None:
    assert parse_form(urlencode(fields).encode(), FORM) == fields
