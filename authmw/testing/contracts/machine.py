"""The contract as a whole: whatever is committed and asked for, in any order, the adapter gives what memory gives.

`authmw_adapters.memory` is the meaning of the port; Hypothesis looks for a history after which an adapter differs from it, and shows the shortest it finds.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

import attrs
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from authmw.errors import Conflict, Duplicate, StorageError
from authmw.storage import (
    And,
    Between,
    Check,
    Delete,
    Equals,
    Filter,
    Insert,
    OneOf,
    Or,
    Order,
    StartsWith,
    Update,
    Value,
    Write,
)
from authmw.testing.contracts.base import Contract, Open
from authmw.testing.contracts.driven import Driven
from authmw.testing.contracts.records import KINDS, NOW, Other, Thing
from authmw_adapters.memory import MemoryStorage

_KEYS = ("a", "b", "c", "d")
_TEXTS = st.sampled_from(("", "a", "ab", "a%", "a\x01", "a\x01b", "b", "ä", "\U0001f600"))
_OWNERS = st.sampled_from(("ada", "ad", "bob", ""))
_TIMES = st.integers(-2, 2).map(lambda days: NOW + timedelta(days=days))

_THINGS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "owner": _OWNERS,
        "made_at": _TIMES,
        "expires_at": st.none() | _TIMES,
        "nick": st.none() | _TEXTS,
        "tags": st.lists(_TEXTS, max_size=3).map(tuple),
        "count": st.integers(-3, 3),
    }
)
_WRITES = st.lists(
    st.tuples(
        st.sampled_from((Insert, Update, Update, Delete, Check)),
        st.sampled_from(_KEYS),
        st.sampled_from((0, 0, 0, 0, 0, -1, 1)),
        st.none() | _THINGS,
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda write: (write[1], write[3] is None),
)


def _values(width: int) -> st.SearchStrategy[Value]:
    return st.lists(_TEXTS | _OWNERS | st.sampled_from(_KEYS), min_size=1, max_size=width).map(tuple)


def _leaves() -> st.SearchStrategy[Filter]:
    index = st.sampled_from(("tag", "pair", "nick", "owner", "made", "key"))
    value = _values(2) | _TIMES.map(lambda time: (time.isoformat(timespec="microseconds"),))
    return st.one_of(
        st.builds(Equals, index, value),
        st.builds(OneOf, index, st.lists(value, max_size=3).map(tuple)),
        st.builds(Between, index, st.none() | value, st.none() | value),
        st.builds(StartsWith, index, value),
    )


def _several(kind: Any, inner: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    return st.lists(inner, max_size=3).map(lambda parts: kind(*parts))


_FILTERS: st.SearchStrategy[Filter] = st.recursive(
    _leaves(), lambda inner: _several(And, inner) | _several(Or, inner), max_leaves=5
)
_ORDERS = st.builds(Order, st.sampled_from(("key", "made", "owner")), st.booleans())


class Machine(RuleBasedStateMachine):
    """Two storages that are told the same: the one under test, and memory."""

    store: Driven

    def __init__(self) -> None:
        super().__init__()
        self.meaning = Driven(MemoryStorage())
        self.meaning.prepare()
        for kind in KINDS:
            for one in self.store.all(kind):
                self.store.commit(Delete(one))

    @rule(asked=_WRITES)
    def commit(self, asked: list[tuple[Any, str, int, dict[str, Any] | None]]) -> None:
        """Commit the same; both do it, or both refuse for the same reason."""
        writes = [self._write(*one) for one in asked]
        expected, met = self._tried(self.meaning, writes), self._tried(self.store, writes)
        assert (met is None) == (expected is None), f"{met!r} instead of {expected!r}"
        if isinstance(expected, Duplicate):
            assert isinstance(met, Duplicate)
            assert met.kind == expected.kind
        elif expected is not None:
            assert isinstance(met, Conflict)

    @rule(where=_FILTERS, order=_ORDERS, limit=st.integers(1, 5))
    def ask(self, where: Filter, order: Order, limit: int) -> None:
        """Ask the same."""
        expected = self.meaning.all(Thing, where, order=order)
        assert self.store.all(Thing, where, order=order, limit=limit) == expected
        assert self.store.count(Thing, where) == len(expected)

    @rule(index=st.sampled_from(("tag", "nick")), value=_values(2))
    def find(self, index: str, value: Value) -> None:
        """Find by the same value."""
        assert self.store.find(Thing, index, value) == self.meaning.find(Thing, index, value)

    @rule(now=_TIMES)
    def sweep(self, now: Any) -> None:
        """Sweep at the same time."""
        assert self.store.sweep(now) == self.meaning.sweep(now)

    @invariant()
    def both_hold_the_same(self) -> None:
        """Every record, with its version."""
        for kind in KINDS:
            assert self.store.all(kind) == self.meaning.all(kind)

    def _write(self, write: Any, key: str, off: int, fields: dict[str, Any] | None) -> Write:
        kind = Other if fields is None else Thing
        held = self.meaning.get(kind, key)
        record = attrs.evolve(held, **(fields or {})) if held else kind(id=key, **(fields or {}))
        written: Write = write(attrs.evolve(record, version=max(0, record.version + off)))
        return written

    @staticmethod
    def _tried(store: Driven, writes: list[Write]) -> StorageError | None:
        try:
            store.commit(*writes)
        except StorageError as refused:
            return refused
        return None


class MachineContract(Contract):
    """The state machine as one test."""

    machine: ClassVar[settings] = settings(
        max_examples=60,
        stateful_step_count=25,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    """How histories are looked for; a long run takes more of them: `settings(MachineContract.machine, max_examples=5000)`."""

    def test_whatever_happens_it_gives_what_memory_gives(self, opened: Open) -> None:
        class Opened(Machine):
            store = opened()

        run_state_machine_as_test(Opened, settings=self.machine)
