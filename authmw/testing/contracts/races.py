"""The contract on races: of commits that rest on one version exactly one happens, from threads, processes and after a fork."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, TypeVar

import attrs
import pytest

from authmw.errors import Conflict, Duplicate
from authmw.storage import Check, Delete, Insert, Order, StartsWith, Storage, Update
from authmw.testing.contracts.base import Contract, Open
from authmw.testing.contracts.driven import Driven
from authmw.testing.contracts.records import NOW, Other, Thing

T = TypeVar("T")
Meet = Callable[[], None]
MakeStorage = Callable[[Path, str], Storage]
THREADS = 16
ROUNDS = 10
PROCESSES = 4
STARTED_WITHIN = 240
"""Seconds within which a new process has come to its work, also on a machine that has more to do."""
TRIES = 10_000
"""After so many conflicts in a row nothing moves: an adapter may say Conflict too often, but not for ever."""


def _go_on() -> None:
    """Nobody to meet."""


def spend(store: Driven, key: str, by: str, meet: Meet = _go_on) -> bool:
    """Read a record and delete it on the version that was read, which is what spending a token is; read again after a conflict."""
    for _ in range(TRIES):
        held = store.get(Thing, key)
        meet()
        if held is None:
            return False
        try:
            store.commit(Delete(held), Insert(Other(id=f"{key}-won-by-{by}", thing_id=key)))
        except Conflict:
            continue
        return True
    raise AssertionError("nothing but conflicts")


def at_once(acts: Sequence[Callable[[Meet], T]]) -> list[T]:
    """What these give, each called on a thread of its own at the same moment.

    Each is given `meet` and calls it between reading and writing: the first time it waits there for the others, so that all of them rest on what was read before any of them
    wrote, however fast the adapter is.
    """
    began, met = threading.Barrier(len(acts)), threading.Barrier(len(acts))

    def start(act: Callable[[Meet], T]) -> T:
        first = iter([met])

        def meet() -> None:
            for barrier in first:
                with suppress(threading.BrokenBarrierError):
                    barrier.wait(60)

        began.wait(60)
        try:
            return act(meet)
        finally:
            met.abort()  # Nobody waits for one who is done, or has failed before it wrote.

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(start, acts))


def spend_in_process(make_storage: MakeStorage, folder: Path, name: str, keys: list[str], gate: Any, won: Any) -> None:
    """What each of several processes does: spend every key if it can, and tell how many it could."""
    store = Driven(make_storage(folder, ""))
    store.prepare()
    gate.wait(STARTED_WITHIN)
    won.put(sum(spend(store, key, name) for key in keys))
    store.close()


def _prepare(store: Driven, meet: Meet) -> None:
    meet()
    store.prepare()


class RacesContract(Contract):
    """Threads, processes, forks."""

    def test_a_token_is_spent_by_one_of_many_threads(self, store: Driven) -> None:
        for number in range(ROUNDS):
            key = f"token-{number}"
            store.commit(Insert(Thing(id=key)))
            won = at_once([partial(spend, store, key, str(name)) for name in range(THREADS)])
            assert won.count(True) == 1
        assert store.count(Other) == ROUNDS

    def test_no_update_of_many_threads_is_lost(self, store: Driven) -> None:
        store.commit(Insert(Thing(id="a")))

        def add(meet: Meet) -> None:
            for _ in range(TRIES):
                held = store.have("a")
                meet()
                try:
                    return store.commit(Update(attrs.evolve(held, count=held.count + 1)))
                except Conflict:
                    continue
            raise AssertionError("nothing but conflicts")

        at_once([add] * THREADS)
        held = store.have("a")
        assert (held.count, held.version) == (THREADS, THREADS + 1)

    def test_one_value_is_taken_by_one_of_many_threads(self, store: Driven) -> None:
        for number in range(ROUNDS):

            def take(name: int, meet: Meet, *, nick: str = f"nick-{number}") -> bool:
                for _ in range(TRIES):
                    meet()
                    try:
                        store.commit(Insert(Thing(id=f"{nick}-{name}", nick=nick, tags=(f"{nick}-{name}",))))
                    except Duplicate:
                        return False
                    except Conflict:
                        continue
                    return True
                raise AssertionError("nothing but conflicts")

            assert at_once([partial(take, name) for name in range(THREADS)]).count(True) == 1
        assert store.count(Thing) == ROUNDS

    def test_of_two_commits_that_rest_on_each_others_record_the_second_conflicts(self, store: Driven) -> None:
        store.commit(Insert(Thing(id="left")), Insert(Thing(id="right")))
        left, right = store.have("left"), store.have("right")
        store.commit(Update(attrs.evolve(left, done=True)), Check(right))
        with pytest.raises(Conflict):
            store.commit(Update(attrs.evolve(right, done=True)), Check(left))
        assert [one.done for one in store.all(Thing)] == [True, False]

    def test_two_commits_that_check_each_others_record_do_not_both_happen(self, store: Driven) -> None:
        for number in range(ROUNDS * 2):
            left, right = f"left-{number}", f"right-{number}"
            store.commit(Insert(Thing(id=left)), Insert(Thing(id=right)))

            def leave(mine: str, theirs: str, meet: Meet) -> bool:
                # Whoever is left alone has to stay, as the last administrator has.
                for _ in range(TRIES):
                    change, check = store.have(mine), store.have(theirs)
                    meet()
                    if check.done:
                        return False
                    try:
                        store.commit(Update(attrs.evolve(change, done=True)), Check(check))
                    except Conflict:
                        continue
                    return True
                raise AssertionError("nothing but conflicts")

            gone = at_once([partial(leave, left, right), partial(leave, right, left)])
            assert gone.count(True) == 1

    def test_values_that_many_threads_swap_stay_unique(self, store: Driven) -> None:
        store.commit(Insert(Thing(id="a", nick="x")), Insert(Thing(id="b", nick="y")))

        def swap(meet: Meet) -> None:
            for _ in range(TRIES):
                one, two = store.have("a"), store.have("b")
                meet()
                if one.nick == two.nick:
                    continue  # read on both sides of another's commit
                try:
                    store.commit(Update(attrs.evolve(one, nick=two.nick)), Update(attrs.evolve(two, nick=one.nick)))
                except Duplicate:
                    raise AssertionError("a swap is no duplicate") from None
                except Conflict:
                    continue
                return
            raise AssertionError("nothing but conflicts")

        at_once([swap] * 8)
        assert {store.have("a").nick, store.have("b").nick} == {"x", "y"}
        for key in "ab":
            held = store.have(key)
            assert held.nick is not None
            assert store.find(Thing, "nick", (held.nick,)) == held

    def test_commits_that_name_the_same_records_in_another_order_go_on(self, store: Driven) -> None:
        """What a database calls a deadlock is a Conflict, and nothing is lost by it."""
        store.commit(*(Insert(Thing(id=key, tags=(key,))) for key in "abc"))

        def add(keys: str, meet: Meet) -> None:
            for _ in range(TRIES):
                held = [store.have(key) for key in keys]
                meet()
                try:
                    return store.commit(*(Update(attrs.evolve(one, count=one.count + 1)) for one in held))
                except Conflict:
                    continue
            raise AssertionError("nothing but conflicts")

        at_once([partial(add, keys) for keys in ("abc", "cba", "bac", "cab", "ab", "ba", "bc", "cb")])
        assert [store.have(key).count for key in "abc"] == [6, 8, 6]

    def test_reading_goes_on_while_others_write(self, store: Driven) -> None:
        for number in range(8):
            store.commit(Insert(Thing(id=f"k{number}", tags=(f"t{number}",), expires_at=NOW)))

        def write(meet: Meet) -> None:
            meet()
            for number in range(40):
                held = store.get(Thing, f"k{number % 8}")
                if held is not None:
                    with suppress(Conflict):
                        store.commit(Update(attrs.evolve(held, count=held.count + 1, owner="ab"[number % 2])))

        def read(meet: Meet) -> None:
            meet()
            for number in range(40):
                found = store.find(Thing, "tag", (f"t{number % 8}",))
                assert found is not None
                assert found.id == f"k{number % 8}"
                assert len(store.all(Thing, StartsWith("tag", ("t",)), order=Order("made"), limit=3)) == 8
                assert store.count(Thing) == 8
                assert store.sweep(NOW) == 0

        at_once([write, write, read, read])

    # Several storages

    def test_what_one_storage_commits_another_reads_at_once(self, opened: Open) -> None:
        one, two = opened(), opened()
        one.commit(Insert(Thing(id="a", tags=("t",))))
        if not self.shared:
            assert two.count(Thing) == 0
            return
        assert two.find(Thing, "tag", ("t",)) == one.have("a")
        two.commit(Delete(two.have("a")))
        assert one.get(Thing, "a") is None

    def test_many_storages_prepare_at_once(self, opened: Open) -> None:
        stores = [opened(prepared=False) for _ in range(4)]
        at_once([partial(_prepare, store) for store in stores])
        for number, store in enumerate(stores):
            store.prepare()
            store.commit(Insert(Thing(id=f"k{number}")))
        assert stores[0].count(Thing) == (len(stores) if self.shared else 1)

    def test_a_token_is_spent_by_one_of_several_processes(self, opened: Open, tmp_path: Path) -> None:
        if not (self.shared and self.across_processes):
            pytest.skip("storages of this adapter share nothing")
        store, keys = opened(), [f"token-{number}" for number in range(20)]
        for key in keys:
            store.commit(Insert(Thing(id=key)))
        context = multiprocessing.get_context("spawn")
        gate, won = context.Barrier(PROCESSES), context.Queue()
        workers: list[SpawnProcess] = [
            context.Process(target=spend_in_process, args=(self.make_storage, tmp_path, str(name), keys, gate, won))
            for name in range(PROCESSES)
        ]
        for worker in workers:
            worker.start()
        assert sum(won.get(timeout=STARTED_WITHIN) for _ in workers) == len(keys)
        for worker in workers:
            worker.join(STARTED_WITHIN)
        won.close()
        won.join_thread()
        assert store.count(Thing) == 0
        assert store.count(Other) == len(keys)
