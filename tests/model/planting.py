"""Bugs that somebody could make, put into the library one at a time: a machine that does not see them proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import pytest

from tests.model.machine import SignInMachine

M = TypeVar("M", bound=SignInMachine)
Plant: TypeAlias = tuple[Callable[[M], None], Any, str, Any]
"""In which story it shows, where it is, and what stands there instead."""


def check_seen(monkeypatch: pytest.MonkeyPatch, machine: type[M], plant: Plant[M]) -> None:
    """A story passes as the library is, and not with the bug in it. Twice over memory: what is planted is no matter of storage, and this is faster."""
    story, module, attribute, broken = plant
    monkeypatch.setattr(machine, "sqlite", False)
    _tell(machine(), story)
    monkeypatch.setattr(module, attribute, broken)
    with pytest.raises(AssertionError):
        _tell(machine(), story)


def _tell(machine: M, story: Callable[[M], None]) -> None:
    machine.begin()
    story(machine)
    machine.sessions_live_as_the_model_says()
    machine.people_are_as_the_model_says()


async def nothing(*_: Any, **__: Any) -> None:
    """A check that looks at nothing."""


async def anything(*_: Any, **__: Any) -> bool:
    """A comparison that everything passes."""
    return True
