"""What makes a password strong enough, and what a person is told."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authmw import Misconfigured, Refused, Settings
from authmw.factors.password import feedback
from authmw.factors.password.common import is_common, listed
from authmw.factors.password.rules import (
    POINTS_THEN,
    check_length,
    context_words,
    is_own_word,
    looked_at,
    luds_of,
    strength_of,
)
from authmw.settings import PasswordRules

CORPUS = json.loads((Path(__file__).parents[3] / "corpus" / "passwords.json").read_text())
ZXCVBN, LUDS = PasswordRules(), PasswordRules(policy="luds", luds_complexity=3, minimum_length=10)
ADA = context_words("ada.lovelace@example.org", "Ada", "Analytical Engine")


@pytest.mark.parametrize("limit", CORPUS["limits"], ids=lambda limit: f"{limit['len']} {limit['unit']}")
def test_a_password_is_as_long_as_the_corpus_says(limit: dict[str, Any]) -> None:
    """A062, PWD-04: of lengths only; the estimator gives no eight characters more than 2 of 4, however random."""
    try:
        form = check_length("x" * limit["len"], ZXCVBN)
        accepted = luds_of(form, ZXCVBN).missing_characters == 0
    except Refused as refused:
        assert refused.error_type == "bad_request"
        accepted = False
    assert accepted == (limit["expected"] == "accept")


@pytest.mark.parametrize("length", [129, 1024])
def test_a_password_over_the_projects_own_limit_cannot_be_set_but_can_be_checked(length: int) -> None:
    with pytest.raises(Refused):
        check_length("x" * length, ZXCVBN)
    assert check_length("x" * length) == "x" * length


@pytest.mark.parametrize("text", ["x" * 1025, "\ud800 half a letter", "\U0001d160" * 400])
def test_what_cannot_be_a_password_is_refused_before_any_work(text: str) -> None:
    """A056; the last one grows over the limit when it is normalised."""
    with pytest.raises(Refused) as refused:
        check_length(text)
    assert refused.value.error_type == "bad_request"
    assert text[:5] not in str(refused.value)


@pytest.mark.parametrize("count", [7, 8])
def test_emoji_count_one_each(count: int) -> None:
    """A061."""
    faces = "😀🦊🌵🎻🧊🪁🥨🛶"[:count]
    assert luds_of(check_length(faces, ZXCVBN), ZXCVBN).missing_characters == 8 - count


@pytest.mark.parametrize(
    "password",
    [
        "Password1!",
        "analytical engine",
        "Ada.Lovelace@example.org",
        "lovelace1815!",
        "qwertyuiop",
        "ada.lovelace",
        "engine engine",
    ],
)
@pytest.mark.parametrize("rules", [ZXCVBN, LUDS], ids=["zxcvbn", "luds"])
def test_common_passwords_and_own_words_are_weak_with_the_reason(password: str, rules: PasswordRules) -> None:
    """A063, PWD-05."""
    found = strength_of(password, rules, ADA)
    assert not found.valid
    assert found.warning
    assert password not in found.told()


def test_a_passphrase_without_digits_is_strong() -> None:
    """A063."""
    assert strength_of("lovely purple submarine kettle", ZXCVBN, ADA).valid


@pytest.mark.parametrize("password", ["Tr0ubadour-9", "kL9!kL9!kL9!"])
def test_luds_counts_kinds_and_characters(password: str) -> None:
    assert strength_of(password, LUDS).valid
    short = strength_of(password[:9], LUDS)
    assert not short.valid
    assert short.luds is not None
    assert short.luds.missing_characters == 1


@given(st.text(max_size=30), st.integers(1, 4), st.integers(8, 64))
def test_luds_says_exactly_what_is_missing(password: str, complexity: int, minimum: int) -> None:
    found = luds_of(password, PasswordRules(policy="luds", luds_complexity=complexity, minimum_length=minimum))
    kinds = found.has_lower_case + found.has_upper_case + found.has_digit + found.has_symbol
    assert found.missing_complexity == max(0, complexity - kinds)
    assert found.missing_characters == max(0, minimum - len(password))
    assert found.has_symbol == any(not (one.isascii() and one.isalnum()) for one in password)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_verdict_says_why_whenever_it_is_no(password: str, luds: bool) -> None:
    found = strength_of(password, LUDS if luds else ZXCVBN, ADA)
    assert 0 <= found.score <= 4
    assert found.valid or found.told()
    assert not found.valid or len(password) >= 8
    assert (found.luds is not None) == luds


@given(st.text("4@8({[<369!1|0$5+7%2abcXYZ", max_size=120))
def test_only_a_password_full_of_letterlike_symbols_is_cut_for_the_estimator(password: str) -> None:
    symbols = set(password) & set("4@8({[<369!1|0$5+7%2")
    assert looked_at(password) == (password[:POINTS_THEN] if len(symbols) > 8 else password)


def test_the_list_of_common_passwords_is_long_enough() -> None:
    """PWD-05."""
    assert listed() >= 3000
    assert is_common("PASSWORD")
    assert is_common("123456")
    assert not is_common("lovely purple submarine kettle")
    assert not is_common("\ud800")


@given(st.text(max_size=120), st.text(max_size=120))
def test_context_words_are_few_and_short(one: str, other: str) -> None:
    words = context_words(one, other)
    assert len(words) <= 10
    assert all(3 <= len(word) for word in words)
    assert all(is_own_word(word.upper().casefold() + "99!", words) for word in words if word[-1:].isalpha())


def test_every_word_of_the_estimator_has_words_of_ours() -> None:
    import zxcvbn_rs_py

    for said, ours in ((zxcvbn_rs_py.Warning, feedback.WARNINGS), (zxcvbn_rs_py.Suggestion, feedback.SUGGESTIONS)):
        assert {name for name in dir(said) if name[0].isupper()} == set(ours)


def test_without_the_estimator_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zxcvbn_rs_py", None)
    with pytest.raises(Misconfigured, match=r"authmw\[passwords\]"):
        strength_of("lovely purple submarine kettle", ZXCVBN)


@pytest.mark.parametrize(
    "fault",
    [
        {"minimum_length": 7},
        {"minimum_length": 65},
        {"maximum_length": 63},
        {"maximum_length": 1025},
        {"luds_complexity": 5},
    ],
)
def test_a_policy_out_of_bounds_names_its_fault(fault: dict[str, int]) -> None:
    assert [words.partition(" ")[0] for words in PasswordRules(**fault).faults()] == [f"passwords.{next(iter(fault))}"]
    assert not list(ZXCVBN.faults())


def test_a_long_password_of_too_few_kinds_is_told_to_mix_them() -> None:
    weak = strength_of("qvzkwxjrtmpl", LUDS)
    assert (weak.valid, weak.warning, weak.suggestions) == (False, feedback.EASY, (feedback.MORE_KINDS,))


@pytest.mark.parametrize(
    "fault",
    [
        {"peppers": (b"short",)},
        {"peppers": (b"p" * 32, b"p" * 32)},
        {"memory_kib": 7},
        {"memory_kib": 2**20, "iterations": 20},
        {"parallelism": 17},
    ],
)
def test_a_cost_or_pepper_that_cannot_work_is_refused_when_it_is_set(fault: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured, match=r"passwords\."):
        Settings(project_id="project-test-1", secret="x" * 40, passwords=PasswordRules(**fault))


@pytest.mark.parametrize("weak", [{"memory_kib": 19_455}, {"iterations": 1}])
def test_live_takes_no_cheaper_hash_than_the_standard_one(weak: dict[str, int]) -> None:
    """A052, PWD-01."""
    live: dict[str, Any] = {
        "project_id": "project-live-1",
        "secret": "0123456789abcdefghijklmnopqrstuvwxyz0123",
        "root_keys": (bytes(range(32)),),
        "public_url": "https://auth.example.org",
    }
    assert Settings(**live).live
    with pytest.raises(Misconfigured, match=r"passwords\.memory_kib must be at least 19456"):
        Settings(**live, passwords=PasswordRules(**weak))
    with pytest.raises(Misconfigured, match=r"passwords\.peppers must be bytes of chance"):
        Settings(**live, passwords=PasswordRules(peppers=(b"p" * 32,)))
    assert "p" * 32 not in repr(PasswordRules(peppers=(b"p" * 32,)))
