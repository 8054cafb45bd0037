"""Values are held to the annotations of their class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import attrs
import pytest

from authmw.declared import is_of, wrong_types


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (1, int, True),
        (True, int, False),
        (1.0, int, False),
        (1, float, True),
        (True, float, False),
        ("1", int, False),
        (None, int | None, True),
        (None, int, False),
        ("a", Literal["a", "b"], True),
        ("c", Literal["a", "b"], False),
        (1, Literal[True], False),
        (("a", "b"), tuple[str, ...], True),
        (["a"], tuple[str, ...], False),
        (("a", 1), tuple[str, ...], False),
        ((), tuple[str, ...], True),
        (("a", 1), tuple[str, int], True),
        (("a",), tuple[str, int], False),
        ("ab", Sequence[str], False),
        (["a"], Sequence[str], True),
        (frozenset({"a"}), frozenset[Literal["a"]], True),
        (frozenset({"b"}), frozenset[Literal["a"]], False),
        ({"a": 1}, Mapping[str, int], True),
        ({"a": "1"}, Mapping[str, int], False),
        ({1: 1}, Mapping[str, int], False),
        ([], Mapping[str, int], False),
        (object(), Any, True),
        (object(), object, True),
        (None, None, True),
    ],
)
def test_a_value_is_told_from_one_of_another_type(value: object, hint: Any, *, expected: bool) -> None:
    assert is_of(value, hint) is expected


@attrs.frozen
class Inner:
    count: int = 1

    def faults(self) -> list[str]:
        return []


@attrs.frozen
class Outer:
    one: Inner
    several: tuple[Inner, ...] = ()
    computed: int = attrs.field(init=False, default="no number")


def test_faults_are_named_by_their_place_and_what_is_computed_is_not_judged() -> None:
    wrong = Inner("1")  # type: ignore[arg-type]
    assert list(wrong_types(Outer(Inner()))) == []
    named = [fault.partition(" ")[0] for fault in wrong_types(Outer(wrong, (Inner(), wrong)))]
    assert named == ["one.count", "several.count"]
