"""Whatever may be used once is used once: from 32 threads, and from 4 processes that share a file, through the public operation. One row of `tests.spends` for each product."""

from __future__ import annotations

import multiprocessing
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from authmw.testing import FixedClock
from tests.spends import ROWS, OneUse
from tests.world import World, make_world

THREADS = 32
PROCESSES = 4
BY_NAME = {row.name: row for row in ROWS}


def together(world: World, row: OneUse, held: dict[str, Any], threads: int, gate: Any = None) -> list[str]:
    """What each of so many threads hears that spends it at the same moment."""
    barrier = threading.Barrier(threads, action=None if gate is None else lambda: gate.wait(120))

    def spend(_: int) -> str:
        barrier.wait(120)
        return row.spend(world, held)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(spend, range(threads)))


def check(row: OneUse, heard: list[str]) -> None:
    assert heard.count("") == 1, (row.name, heard)
    # On a machine that is busy enough a call gives up within its two seconds, and says that it did.
    assert set(heard) - {""} <= row.late | {"server_unavailable", "temporarily_unavailable"}, (row.name, set(heard))


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_of_many_threads_one_spends_it_and_the_others_hear_so(row: OneUse, host: str, tmp_path: Path) -> None:
    """A075, A097, A104, A185, A287: over memory and over a file."""
    world = make_world(tmp_path, host, **row.settings)
    held = row.held(world)
    check(row, together(world, row, held, 4 if row.slow else THREADS))
    assert row.spend(world, held) in row.late
    world.auth.close()


def _spend_all(folder: Path, held: dict[str, dict[str, Any]], now: dict[str, datetime], gate: Any, heard: Any) -> None:
    """What each process does: one row after the other, each with the others at the same moment."""
    for number, (name, things) in enumerate(held.items()):
        row = BY_NAME[name]
        world = make_world(folder / str(number), "wsgi", clock=FixedClock(now[name]), **row.settings)
        heard.put((name, together(world, row, things, 1 if row.slow else 4, gate)))
        world.auth.close()


def test_of_many_processes_one_spends_each(tmp_path: Path) -> None:
    held: dict[str, dict[str, Any]] = {}
    now: dict[str, datetime] = {}
    for number, row in enumerate(ROWS):
        (tmp_path / str(number)).mkdir()
        world = make_world(tmp_path / str(number), "wsgi", **row.settings)
        held[row.name], now[row.name] = row.held(world), world.clock.now()
        world.auth.close()
    # As a server that forks its workers does it.
    context = multiprocessing.get_context("fork")
    gate, heard = context.Barrier(PROCESSES), context.Queue()
    workers = [context.Process(target=_spend_all, args=(tmp_path, held, now, gate, heard)) for _ in range(PROCESSES)]
    with warnings.catch_warnings():
        # The runner of the tests has threads; the workers touch nothing of theirs.
        warnings.simplefilter("ignore", DeprecationWarning)
        for worker in workers:
            worker.start()
    told: dict[str, list[str]] = {row.name: [] for row in ROWS}
    for _ in range(PROCESSES * len(ROWS)):
        name, answers = heard.get(timeout=120)
        told[name] += answers
    for worker in workers:
        worker.join(60)
    heard.close()
    heard.join_thread()
    for row in ROWS:
        check(row, told[row.name])
