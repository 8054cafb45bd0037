"""Whether somebody asked for the tables to be brought forward (`authmw migrate`), or only for the SQL that would do it. Storages look here when they are prepared."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

import attrs


@attrs.define
class Asked:
    """A migration that was asked for. With `plan` nothing is changed: each adapter adds to `statements` what it would do."""

    plan: bool = False
    statements: list[str] = attrs.field(factory=list[str])


asked: ContextVar[Asked | None] = ContextVar("authmw_migration", default=None)


@contextmanager
def migrating(*, plan: bool = False) -> Generator[Asked]:
    """Whatever is prepared within is brought forward, or only says how."""
    here = Asked(plan)
    token = asked.set(here)
    try:
        yield here
    finally:
        asked.reset(token)
