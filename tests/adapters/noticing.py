"""What tests of notices share: processes that tell and hear, and a wait for what other threads do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from authmw.ports import Notices

PATIENCE = 120
"""Seconds after which what does not come has failed its test; nothing is true because they pass."""
SINCE = datetime.now(UTC) - timedelta(minutes=6)


class Process:
    """One that tells and hears. A notice that comes again is known again."""

    def __init__(self, notices: Notices) -> None:
        self.notices = notices
        self.heard: list[bytes] = []
        self.lost = threading.Event()
        self.came = threading.Condition()
        notices.listen(SINCE, self._hear, self.lost.set)

    def hears(self, *notices: bytes) -> bool:
        """Whether it heard exactly these, once they are so many."""
        with self.came:
            self.came.wait_for(lambda: len(self.heard) >= len(notices), PATIENCE)
            return self.heard == list(notices)

    def hears_all(self, *notices: bytes) -> bool:
        """Whether it heard these, in whichever order."""
        with self.came:
            self.came.wait_for(lambda: len(self.heard) >= len(notices), PATIENCE)
            return sorted(self.heard) == sorted(notices)

    def _hear(self, notice: bytes) -> None:
        with self.came:
            if notice not in self.heard:
                self.heard.append(notice)
            self.came.notify_all()


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds that others do."""
    latest, pause = time.monotonic() + PATIENCE, threading.Event()
    while not holds():
        assert time.monotonic() < latest
        pause.wait(0.01)


def end_connections(admin: psycopg.Connection[Any]) -> None:
    """Have PostgreSQL end those that carry notices in this database, as it does when a network breaks."""
    admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'authmw notices' AND datname = current_database()"
    )
