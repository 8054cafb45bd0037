"""Randomness and comparison: TOK-01, TOK-09, A028."""

from __future__ import annotations

import ast
import base64
import random
import re
import time
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.crypto import tokens

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MANY = 10_000
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
ID = re.compile(r"user-test-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
ORDERED = re.compile(r"event-live-[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")

MAKERS: list[tuple[Callable[[], str], re.Pattern[str]]] = [
    (tokens.token, TOKEN),
    (lambda: tokens.new_id("user", "test"), ID),
    (lambda: tokens.ordered_id("event", "live", NOW), ORDERED),
    (lambda: tokens.random_bytes(16).hex(), re.compile(r"[0-9a-f]{32}")),
    (lambda: tokens.digits(30), re.compile(r"[0-9]{30}")),
]


@pytest.mark.parametrize(("make", "shape"), MAKERS)
def test_every_kind_of_random_text_keeps_its_shape_and_never_repeats(
    make: Callable[[], str], shape: re.Pattern[str]
) -> None:
    made = [make() for _ in range(MANY)]
    assert len(set(made)) == MANY
    assert all(shape.fullmatch(one) for one in made)


@pytest.mark.parametrize(("make", "_shape"), MAKERS)
def test_nothing_random_depends_on_the_generators_that_can_be_guessed(
    make: Callable[[], str], _shape: re.Pattern[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed = uuid.UUID(int=0)
    monkeypatch.setattr(uuid, "uuid4", lambda: fixed)
    monkeypatch.setattr(uuid, "uuid1", lambda: fixed)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    before = random.getstate()
    made = set()
    try:
        for _ in range(100):
            random.seed(1)
            made.add(make())
    finally:
        random.setstate(before)
    assert len(made) == 100


def test_randomness_comes_from_this_one_module() -> None:
    root = Path(tokens.__file__).parents[1]
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names.append(node.module)
            if {"secrets", "random"} & set(names):
                assert path == Path(tokens.__file__)


def test_a_token_carries_256_bits() -> None:
    assert len(base64.urlsafe_b64decode(tokens.token() + "=")) == 32


@given(st.binary(max_size=80))
def test_base64url_is_read_as_it_was_written(data: bytes) -> None:
    assert tokens.from_base64url(tokens.base64url(data)) == data


@given(st.text("AQgwEZaz09-_", max_size=9) | st.text("Aa9-_+/= \n\u00e9\u0661", max_size=6) | st.text(max_size=9))
def test_bytes_have_one_spelling_in_base64url(text: str) -> None:
    try:
        data = tokens.from_base64url(text)
    except ValueError:
        padded = text + "=" * (-len(text) % 4)
        plain = re.fullmatch(r"[A-Za-z0-9_-]*", text) and len(text) % 4 != 1
        assert not plain or tokens.base64url(base64.urlsafe_b64decode(padded)) != text
    else:
        assert tokens.base64url(data) == text


def test_random_bytes_are_as_many_as_asked() -> None:
    assert [len(tokens.random_bytes(count)) for count in (1, 12, 32)] == [1, 12, 32]


@pytest.mark.parametrize("draw", [tokens.random_bytes, tokens.digits])
@pytest.mark.parametrize("count", [0, -1])
def test_nothing_random_is_shorter_than_one(draw: Callable[[int], object], count: int) -> None:
    with pytest.raises(ValueError, match="shorter than one"):
        draw(count)


def test_every_digit_is_equally_likely() -> None:
    seen = Counter(tokens.digits(1) for _ in range(20_000))
    assert set(seen) == set("0123456789")
    # Each count is binomial with mean 2000 and deviation 42: eight deviations are never met by chance.
    assert all(abs(count - 2000) < 8 * 42 for count in seen.values())


def test_leading_zeros_are_kept() -> None:
    codes = [tokens.digits(2) for _ in range(2_000)]
    assert {len(code) for code in codes} == {2}
    assert any(code.startswith("0") for code in codes)


def test_jitter_lies_between_nought_and_one() -> None:
    drawn = [tokens.jitter() for _ in range(1_000)]
    assert all(0 <= one < 1 for one in drawn)
    assert min(drawn) < 0.1
    assert max(drawn) > 0.9


@pytest.mark.parametrize("environment", ["", "Test", "prod", "test-live"])
def test_an_id_of_another_environment_is_not_made(environment: str) -> None:
    with pytest.raises(ValueError, match="test or live"):
        tokens.new_id("user", environment)
    with pytest.raises(ValueError, match="test or live"):
        tokens.ordered_id("event", environment, NOW)


def test_an_ordered_id_carries_its_millisecond() -> None:
    now = NOW + timedelta(milliseconds=7, microseconds=999)
    made = uuid.UUID(tokens.ordered_id("event", "test", now).removeprefix("event-test-"))
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert made.int >> 80 == int(NOW.timestamp()) * 1000 + 7


@given(
    st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)),
    st.integers(1, 10**9),
)
def test_later_ordered_ids_sort_later(early: datetime, milliseconds: int) -> None:
    late = min(early + timedelta(milliseconds=milliseconds), datetime(9999, 12, 31, 1, tzinfo=UTC))
    assert tokens.ordered_id("event", "test", early) < tokens.ordered_id("event", "test", late)


def test_an_ordered_id_means_the_same_moment_in_every_time_zone() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=9)))
    assert tokens.ordered_id("event", "test", NOW)[:23] == tokens.ordered_id("event", "test", there)[:23]


@pytest.mark.parametrize("now", [NOW.replace(tzinfo=None), datetime(1969, 12, 31, tzinfo=UTC)])
def test_an_ordered_id_needs_a_time_it_can_hold(now: datetime) -> None:
    with pytest.raises(ValueError, match="aware time"):
        tokens.ordered_id("event", "test", now)


@given(st.text() | st.binary(), st.text() | st.binary())
def test_same_means_equal_octets(one: str | bytes, other: str | bytes) -> None:
    assert tokens.same(one, one)
    assert tokens.same(one, other) == (tokens.octets(one) == tokens.octets(other))


def test_text_and_its_utf8_are_the_same_secret() -> None:
    assert tokens.same("größer", "größer".encode())
    assert not tokens.same("größer", "groesser")


def test_half_a_surrogate_pair_is_compared_and_not_an_error() -> None:
    assert tokens.same("\ud800", "\ud800")
    assert not tokens.same("\ud800", "\ud801")
    assert tokens.digest("\ud800") != tokens.digest("\ud801")


def test_a_digest_is_sha256_in_hexadecimal() -> None:
    secret = tokens.token()
    assert tokens.digest(secret) == sha256(secret.encode()).hexdigest()


def test_base64url_is_unpadded() -> None:
    assert tokens.base64url(b"\xfb\xff") == "-_8"


def test_consonants_are_read_off_and_spell_no_words() -> None:
    """RFC 8628 section 6.1."""
    letters = {letter for _ in range(300) for letter in tokens.consonants(8)}
    assert letters == set("BCDFGHJKLMNPQRSTVWXZ")
    assert len(tokens.consonants(8)) == 8
    with pytest.raises(ValueError):
        tokens.consonants(0)
