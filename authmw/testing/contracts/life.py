"""The contract on the life of a storage: expiry, namespaces, how it waits, loops, forks, closing."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import types
import warnings
from collections.abc import Coroutine, Generator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from authmw.storage import Delete, Equals, Insert, Storage
from authmw.testing.contracts.base import Contract, Open
from authmw.testing.contracts.driven import Driven
from authmw.testing.contracts.records import KINDS, NOW, Other, Thing

T = TypeVar("T")
_REACHES_OUT = frozenset({"open", "os.open", "sqlite3.connect", "socket.connect", "subprocess.Popen"})
_watched = threading.local()
TRIES = 500
"""Reads within which a commit that nobody waits for has come to its end."""


class LifeContract(Contract):
    """Expiry, namespaces, `io`, loops, forks."""

    def test_what_is_over_is_still_given_until_it_is_swept_a_day_later(self, store: Driven) -> None:
        store.commit(Insert(Thing(id="a", expires_at=NOW, tags=("t",))), Insert(Thing(id="b")))
        long_ago = Thing(id="c", expires_at=NOW - timedelta(days=4000))
        store.commit(Insert(long_ago))
        assert store.ids() == ["a", "b", "c"]
        assert store.get(Thing, "c") is not None
        assert store.find(Thing, "tag", ("t",)) == store.have("a")
        store.commit(Delete(store.have("c")))
        assert store.sweep(NOW + timedelta(hours=23)) == 0
        assert store.have("a").id == "a"
        assert store.sweep(NOW + timedelta(hours=25)) == 1
        assert store.get(Thing, "a") is None
        assert store.have("b").id == "b"

    def test_what_was_swept_leaves_no_value_behind(self, store: Driven) -> None:
        store.commit(Insert(Thing(id="a", expires_at=NOW, tags=("t",), nick="n")))
        assert store.sweep(NOW + timedelta(days=2)) == 1
        assert store.find(Thing, "tag", ("t",)) is None
        assert store.ids(Equals("pair", ("ada", "t"))) == []
        assert store.count(Thing) == 0
        store.commit(Insert(Thing(id="b", tags=("t",), nick="n")))
        assert store.have("b").version == 1

    def test_a_sweep_drops_no_more_than_it_was_told(self, store: Driven) -> None:
        for number in range(7):
            store.commit(Insert(Thing(id=f"k{number}", expires_at=NOW)))
        swept = [store.sweep(NOW + timedelta(days=2), 3) for _ in range(4)]
        assert swept == [3, 3, 1, 0]

    def test_two_namespaces_never_see_each_other(self, opened: Open) -> None:
        one, two = opened("one"), opened("two")
        for store in (one, two):
            store.commit(Insert(Thing(id="a", tags=("t",), nick="n", expires_at=NOW)))
        one.commit(Insert(Thing(id="b", tags=("u",))))
        assert two.get(Thing, "b") is None
        assert two.find(Thing, "tag", ("u",)) is None
        assert (one.count(Thing), two.count(Thing)) == (2, 1)
        assert one.sweep(NOW + timedelta(days=2)) == 1
        assert two.ids(Equals("pair", ("ada", "t"))) == ["a"]

    @pytest.mark.parametrize("pair", [("", "one"), ("a", "a_b"), ("a_b", "a"), ("thing", "things")])
    def test_namespaces_that_begin_alike_do_not_meet(self, opened: Open, pair: tuple[str, str]) -> None:
        one, two = map(opened, pair)
        one.commit(Insert(Thing(id="a", nick="n")))
        assert two.count(Thing) == 0
        two.commit(Insert(Thing(id="a", nick="n")))
        one.commit(Delete(one.have("a")))
        assert two.have("a").version == 1

    # How it waits

    def test_it_waits_only_as_it_declares(self, tmp_path: Path) -> None:
        storage = self.make_storage(tmp_path)
        if storage.io == "async":
            store = Driven(storage)
            counted = [store.run(_counting(call)) for call in _calls(storage)]
            store.close()
            assert sum(counted) > 0, "it never suspends: it is instant, or it blocks the loop"
            return
        with warnings.catch_warnings(), _Watching() as reached:
            warnings.simplefilter("ignore", RuntimeWarning)
            suspended = [name for name, call in zip(_NAMES, _calls(storage), strict=True) if _suspends(call)]
        assert not suspended, f"declared {storage.io}, but waits on a loop in {suspended}"
        if storage.io == "instant":
            assert not reached, f"declared instant, but reaches out: {sorted(reached)}"

    def test_calls_that_are_cancelled_leave_it_whole_and_usable(self, store: Driven) -> None:
        """Who asked is gone: what the call held is let go, and a commit happened or did not."""
        if store.storage.io != "async":
            return  # What runs on the caller's thread is not cancelled.
        for number in range(60):
            key = f"k{number}"
            calls = _calls(store.storage, key)
            store.run(_cancelled(calls[1 + number % 5], number // 5))
            for unused in calls:
                unused.close()
            # It may still be happening: what is read first was there first, or both came at once.
            assert store.get(Other, key) is None or store.get(Thing, key) is not None
        store.commit(Insert(Thing(id="after")), Insert(Other(id="after")))
        for _ in range(TRIES):
            others, things = store.all(Other), store.ids()
            if [other.id for other in others] == things:
                return
        raise AssertionError("a commit that was cancelled happened by half")

    def test_it_is_used_on_two_loops_in_succession(self, opened: Open) -> None:
        first = opened()
        first.commit(Insert(Thing(id="a")))
        second = Driven(first.storage)
        second.prepare()
        held = second.have("a")
        second.commit(Delete(held), Insert(Thing(id="b")))
        assert first.ids() == ["b"]
        second.close()
        assert first.ids() == ["b"]

    def test_it_opens_again_after_it_was_closed(self, store: Driven) -> None:
        store.commit(Insert(Thing(id="a")))
        store.run(store.storage.close())
        store.run(store.storage.close())
        assert store.have("a").version == 1
        store.commit(Delete(store.have("a")))

    def test_it_is_prepared_twice_without_loss(self, store: Driven) -> None:
        store.commit(Insert(Thing(id="a", tags=("t",))))
        store.prepare()
        assert store.find(Thing, "tag", ("t",)) == store.have("a")

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
    def test_it_is_used_on_both_sides_of_a_fork(self, store: Driven) -> None:
        store.commit(Insert(Thing(id="before")))
        child = _forked(store.storage)
        for number in range(20):
            store.commit(Insert(Thing(id=f"parent-{number}")))
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert store.count(Thing) == (41 if self.shared and self.across_processes else 21)
        store.commit(Delete(store.have("before")))


def _forked(storage: Storage) -> int:
    with warnings.catch_warnings():
        # The runner of the tests has threads; the child touches nothing of theirs and leaves by `_exit`.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child:
        return child
    code = 1
    try:
        store = Driven(storage)
        assert store.have("before").version == 1
        for number in range(20):
            store.commit(Insert(Thing(id=f"child-{number}")))
        code = 0
    finally:
        os._exit(code)


_NAMES = ("prepare", "commit", "get", "find", "page", "count", "sweep", "close")


async def _cancelled(call: Coroutine[Any, Any, object], turns: int) -> None:
    """Begin a call and cancel it after the loop has turned so often."""
    task = asyncio.ensure_future(call)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _calls(storage: Storage, key: str = "a") -> list[Coroutine[Any, Any, object]]:
    """One call of each method, in the order of `_NAMES`."""
    return [
        storage.prepare(KINDS),
        storage.commit(Insert(Thing(id=key, tags=(key,))), Insert(Other(id=key))),
        storage.get(Thing, key),
        storage.find(Thing, "tag", ("t",)),
        storage.page(Thing, Equals("tag", ("t",)), limit=10),
        storage.count(Thing, Equals("tag", ("t",)), at_most=10),
        storage.sweep(NOW, 10),
        storage.close(),
    ]


def _suspends(call: Coroutine[Any, Any, object]) -> bool:
    try:
        call.send(None)
    except StopIteration:
        return False
    except RuntimeError as fault:
        # What an asynchronous client says where no loop runs.
        if "event loop" in str(fault):
            return True
        raise
    call.close()
    return True


async def _counting(call: Coroutine[Any, Any, object]) -> int:
    """Run a call and tell how often it suspended."""
    return await _counted(call)


@types.coroutine
def _counted(call: Coroutine[Any, Any, object]) -> Generator[Any, Any, int]:
    times = 0
    sent: Any = None
    while True:
        try:
            waits = call.send(sent)
        except StopIteration:
            return times
        times += 1
        sent = yield waits


class _Watching:
    """Notes what this thread reaches for: files, sockets, databases, processes."""

    def __enter__(self) -> set[str]:
        global _hooked
        if not _hooked:
            # A hook cannot be taken away again; outside of this block it looks at one attribute and is done.
            sys.addaudithook(_note)
            _hooked = True
        _watched.reached = set[str]()
        reached: set[str] = _watched.reached
        return reached

    def __exit__(self, *_: object) -> None:
        _watched.reached = None


_hooked = False


def _note(event: str, _: object) -> None:
    reached: set[str] | None = getattr(_watched, "reached", None)
    if reached is not None and event in _REACHES_OUT:
        reached.add(event)
