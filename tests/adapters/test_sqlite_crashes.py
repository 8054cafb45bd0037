"""Whenever a process dies and wherever the power goes, a SQLite file holds what was before a commit or what is after it, and every commit that was acknowledged."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import warnings
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from authmw.drive import step
from authmw.storage import And, Check, Delete, Equals, Insert, Order, Update, Write
from authmw.testing.contracts.records import KINDS, NOW, Other, Thing
from authmw_adapters.sqlite import SQLiteStorage

State = tuple[object, ...]


def ready(path: Path) -> SQLiteStorage:
    storage = SQLiteStorage(path)
    step(storage.prepare(KINDS))
    return storage


def filled(path: Path) -> SQLiteStorage:
    """A file with three things and an other, whole in the main file: closing moves everything there."""
    storage = ready(path)
    step(
        storage.commit(
            *(Insert(Thing(id=key, tags=(key, f"{key}2"), nick=f"n{key}")) for key in "abc"), Insert(Other(id="o"))
        )
    )
    step(storage.close())
    assert not path.with_name(f"{path.name}-wal").exists()
    return storage


def wide(storage: SQLiteStorage) -> list[Write]:
    """A commit of everything a commit can hold: values that swap, rows that come, go and are checked, in two kinds."""
    a, b, c = (step(storage.get(Thing, key)) for key in "abc")
    other = step(storage.get(Other, "o"))
    assert a and b and c and other
    return [
        Update(attrs.evolve(a, nick=b.nick, tags=b.tags, free={"long": "x" * 9000})),
        Update(attrs.evolve(b, nick=a.nick, tags=a.tags, expires_at=NOW)),
        Delete(c),
        Insert(Thing(id="d", tags=c.tags, nick=c.nick)),
        Insert(Other(id="p", thing_id="d")),
        Check(other),
    ]


def state(storage: SQLiteStorage) -> State:
    """Everything that can be read: rows, unique values, listings."""
    rows = [step(storage.page(kind, And(), order=Order(), limit=100)).records for kind in KINDS]
    found = [step(storage.find(Thing, "nick", (f"n{key}",))) for key in "abcd"]
    tagged = [step(storage.find(Thing, "tag", (tag,))) for tag in ("a", "a2", "b", "b2", "c", "c2")]
    listed = step(storage.page(Thing, Equals("pair", ("ada", "c")), order=Order(), limit=100)).records
    return (*rows, *found, *tagged, listed)


def both(folder: Path) -> tuple[State, State]:
    """What is before the wide commit and what is after it."""
    storage = filled(folder / "model.sqlite3")
    before = state(storage)
    step(storage.commit(*wide(storage)))
    after = state(storage)
    step(storage.close())
    assert before != after
    return before, after


def sound(path: Path) -> State:
    """What a file holds that is opened after a crash: whole, and ready for the next commit."""
    storage = ready(path)
    held = state(storage)
    step(storage.commit(Insert(Other(id="next"))))
    step(storage.close())
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
    return held


# The power goes


def test_a_log_that_is_cut_at_any_frame_or_amid_one_leaves_before_or_after(tmp_path: Path) -> None:
    """Every write call of a commit appends to the log, so each beginning of the log is what a crash can leave; a torn or blank sector is what a disk can."""
    before, after = both(tmp_path)
    path = tmp_path / "data.sqlite3"
    storage = filled(path)
    step(storage.commit(*wide(storage)))
    log = path.with_name(f"{path.name}-wal").read_bytes()
    main = path.read_bytes()
    page = int.from_bytes(log[8:12])
    frames = (len(log) - 32) // (page + 24)
    assert frames >= 5, "the commit is too small to be cut"
    assert 32 + frames * (page + 24) == len(log)
    ends = [32 + number * (page + 24) for number in range(frames + 1)]
    left: list[bytes] = [b"", log[:16], *(log[:end] for end in ends)]
    for end in ends[:-1]:
        left += [log[: end + 12], log[: end + 24], log[: end + 24 + page // 2], log[: end + page + 23]]
        left.append(log[:end] + bytes(page + 24))
        left.append(log[: end + page + 24 - 512] + bytes(512))
    seen = {"before": 0, "after": 0}
    for number, written in enumerate(left):
        crashed = tmp_path / f"crash-{number}" / "data.sqlite3"
        crashed.parent.mkdir()
        crashed.write_bytes(main)
        crashed.with_name("data.sqlite3-wal").write_bytes(written)
        held = sound(crashed)
        assert held in (before, after), number
        seen["before" if held == before else "after"] += 1
        # A commit is there once its last frame is, and not a byte sooner.
        assert (held == after) == (written == log), number
        shutil.rmtree(crashed.parent)
    assert seen["after"] == 1
    assert seen["before"] > frames
    step(storage.close())


# The process dies


def dying(act: Callable[[], None]) -> int:
    """Run something in a child that is not expected to live; the signal that ended it, 0 if it ended by itself."""
    with warnings.catch_warnings():
        # The runner of the tests has threads; the child touches nothing of theirs and leaves by `_exit`.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            act()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def test_a_process_that_is_killed_at_any_step_of_a_commit_leaves_before_or_after(tmp_path: Path) -> None:
    """Another process, which has the file open, sees it so at once; and so does whoever opens it later."""
    before, after = both(tmp_path)
    blank = tmp_path / "blank.sqlite3"
    filled(blank)
    # Every 11 steps of SQLite's machine, so that all kinds of statements are hit; behind the last one comes the commit itself.
    ended = behind = 0
    for number in range(2000):
        path = tmp_path / f"{number}.sqlite3"
        shutil.copyfile(blank, path)
        witness = SQLiteStorage(path)
        step(witness.prepare(KINDS))

        def commit(path: Path = path, last: int = 1 + 11 * number) -> None:
            storage = SQLiteStorage(path)
            steps = 0

            def count() -> int:
                nonlocal steps
                steps += 1
                if steps == last:
                    os.kill(os.getpid(), signal.SIGKILL)
                return 0

            writes = wide(storage)
            with storage._connections.one() as connection:
                connection.set_progress_handler(count, 1)
            step(storage.commit(*writes))

        killed = dying(commit)
        held = state(witness)
        step(witness.close())
        assert held == sound(path) or killed == 0
        # The last step of all is behind the commit, of which nobody was told then.
        assert held in (before, after) if killed else held == after
        behind += bool(killed) and held == after
        for leftover in tmp_path.glob(f"{number}.sqlite3*"):
            leftover.unlink()
        if not killed:
            ended = number
            break
    assert ended > 10, "nothing was killed"
    assert behind <= 1, "a commit was seen before it was over"


@pytest.mark.parametrize("acknowledged", [1, 2, 3, 5, 8, 13])
def test_every_commit_that_was_acknowledged_outlives_the_kill(tmp_path: Path, acknowledged: int) -> None:
    """A process commits on and on, telling each acknowledgement, and is killed somewhere in the next commit."""
    path = tmp_path / "data.sqlite3"
    step(ready(path).close())
    told, tell = os.pipe()

    def commit_on() -> None:
        storage = SQLiteStorage(path)
        for number in range(10_000):
            things = [Thing(id=f"{number}-{side}", tags=(f"{number}-{side}",)) for side in "ab"]
            step(storage.commit(*map(Insert, things)))
            os.write(tell, b".")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            commit_on()
        finally:
            os._exit(1)
    heard = 0
    while heard < acknowledged:
        heard += len(os.read(told, 1))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(tell)
    heard += len(os.read(told, 100_000))
    os.close(told)
    storage = ready(path)
    things = step(storage.page(Thing, And(), order=Order(), limit=1000)).records
    pairs = {thing.id.partition("-")[0] for thing in things}
    assert len(things) == 2 * len(pairs)
    assert {str(number) for number in range(heard)} <= pairs
    assert len(pairs) in (heard, heard + 1)
    assert all(step(storage.find(Thing, "tag", (thing.id,))) == thing for thing in things)
