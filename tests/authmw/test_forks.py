"""What a process held at the moment of a fork is not held for ever in its child."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from authmw import drive
from authmw.guard.remembered import Remembered
from authmw.revoked import Denied
from tests.world import make_world

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def ends_in_a_child(work: Callable[[], object]) -> bool:
    """Whether this comes to its end in a child; one that waits for ever is ended after ten seconds."""
    child = os.fork()
    if child == 0:  # pragma: no cover -- another process
        signal.alarm(10)
        work()
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def while_held(lock: drive.Lock, work: Callable[[], object]) -> bool:
    """The same where another thread holds a lock at the moment of the fork."""
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            over.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        return ends_in_a_child(work)
    finally:
        over.set()
        thread.join()


def test_a_session_can_be_ended_in_a_child_that_was_forked_while_a_notice_was_taken_in() -> None:
    """A server that forks its workers from a process that hears notices already."""
    denied = Denied()
    assert while_held(denied._lock, lambda: denied.add("session-1", NOW))


def test_what_is_remembered_can_be_forgotten_in_a_child_that_was_forked_meanwhile() -> None:
    remembered: Remembered[int] = Remembered()
    assert while_held(remembered._lock, remembered.clear)


def test_a_child_that_was_forked_in_any_moment_serves(tmp_path: Path) -> None:
    world = make_world(tmp_path, "wsgi")
    world.sign_in()
    auth: Any = world.auth

    def serve() -> None:
        auth.run(auth.keys.load(force=True))
        auth.incidents.tell("use_https", "192.0.2.1", "192.0.2.1")

    assert while_held(auth.keys._lock, serve)
    assert while_held(auth.incidents._lock, serve)


def test_a_lock_is_held_within_and_let_go_behind_also_where_that_ends_in_a_failure() -> None:
    lock = drive.Lock()
    with lock:
        assert lock._held.locked()
    with pytest.raises(ZeroDivisionError), lock:
        raise ZeroDivisionError
    assert not lock._held.locked()
