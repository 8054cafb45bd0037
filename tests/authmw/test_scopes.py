"""What parts the values of one OAuth parameter, and what may be one: against the grammar of RFC 6749 section 3.3."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from authmw.scopes import is_scope, parted

GRAMMAR = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+", re.ASCII)
WHITE = "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u00a0\u1680\u2000\u2003\u2028\u2029\u202f\u205f\u3000\u200b\ufeff"
letters = st.one_of(st.sampled_from(' ab"\\!~' + WHITE), st.characters())


@given(st.lists(st.text(letters.filter(lambda one: one != " "), min_size=1, max_size=6), max_size=5))
def test_what_spaces_join_they_part_and_nothing_else_does(values: list[str]) -> None:
    assert parted(" ".join(values)) == values
    assert parted("  ".join(["", *values, ""])) == values


@given(st.text(letters, max_size=12))
def test_a_scope_is_what_the_grammar_says(text: str) -> None:
    assert is_scope(text) == bool(GRAMMAR.fullmatch(text))


def test_nothing_is_no_value_and_a_long_scope_is_none() -> None:
    assert parted(None) == parted("") == parted("   ") == []
    assert is_scope("x" * 128)
    assert not is_scope("x" * 129)
    assert is_scope("x" * 129, 256)


def test_no_other_white_space_parts() -> None:
    for one in WHITE:
        assert parted(f"a{one}b") == [f"a{one}b"]
        assert not is_scope(f"a{one}b")
