"""Two administrators who demote each other at once, from threads and from processes: one of them stays, because what a decision rested on is in its commit."""

from __future__ import annotations

import multiprocessing
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from authmw import Refused
from authmw.storage import Storage
from authmw.testing.batch_store import BatchService, BatchStorage
from authmw_adapters.memory import MemoryStorage
from authmw_adapters.sqlite import SQLiteStorage
from tests.at_once import each_at_once
from tests.stories.test_interleavings import Stage, administrators_left, two_administrators

ROUNDS = 12
STORES: dict[str, Callable[[Path], Storage]] = {
    "memory": lambda folder: MemoryStorage(),
    "sqlite": lambda folder: SQLiteStorage(folder / "data.sqlite3"),
    "batches": lambda folder: BatchStorage(BatchService(overlap="mutual")),
}


def demoted(stage: Stage, actor: str, target: str) -> bool:
    try:
        stage.run(stage.trials.demote(actor=actor, target=target))
    except Refused:
        return False
    return True


@pytest.mark.parametrize("store", STORES)
def test_of_two_threads_that_demote_each_other_one_fails(store: str, tmp_path: Path) -> None:
    stage = Stage(STORES[store](tmp_path))
    for number in range(ROUNDS):
        ada, bob = people = two_administrators(stage, number)
        done = each_at_once([partial(demoted, stage, *pair) for pair in ((ada, bob), (bob, ada))])
        assert done.count(True) == 1
        assert administrators_left(stage, people) == 1
    stage.auth.close()


def _demote_all(path: Path, pairs: list[tuple[str, str]], gate: Any, done: Any) -> None:
    stage = Stage(SQLiteStorage(path))
    for pair in pairs:
        gate.wait(120)
        done.put((frozenset(pair), demoted(stage, *pair)))
    stage.auth.close()


def test_of_two_processes_that_demote_each_other_one_fails(tmp_path: Path) -> None:
    path = tmp_path / "data.sqlite3"
    stage = Stage(SQLiteStorage(path))
    people = [two_administrators(stage, number) for number in range(ROUNDS)]
    # As a server that forks its workers does it.
    context = multiprocessing.get_context("fork")
    gate, done = context.Barrier(2), context.Queue()
    turned = [[(ada, bob) for ada, bob in people], [(bob, ada) for ada, bob in people]]
    workers = [context.Process(target=_demote_all, args=(path, pairs, gate, done)) for pairs in turned]
    with warnings.catch_warnings():
        # The runner of the tests has threads; the workers touch nothing of theirs.
        warnings.simplefilter("ignore", DeprecationWarning)
        for worker in workers:
            worker.start()
    outcomes = [done.get(timeout=120) for _ in range(2 * ROUNDS)]
    for worker in workers:
        worker.join(60)
    done.close()
    done.join_thread()
    for pair in people:
        assert [outcome for named, outcome in outcomes if named == frozenset(pair)].count(True) == 1
        assert administrators_left(stage, pair) == 1
    stage.auth.close()
