"""`authmw worker`: works until it is told to stop, and then ends cleanly."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

OWN = """
import sys
from authmw import Auth, Settings
from authmw.errors import StorageError
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage

class Away(SQLiteStorage):
    rounds = 0

    async def sweep(self, now, limit):
        self.rounds += 1
        if self.rounds == 1:
            raise StorageError("away")
        if self.rounds == 2:
            print("It answers again.", file=sys.stderr)
        return await super().sweep(now, limit)

def auth():
    return Auth(Settings(project_id="project-test-1", secret="a"), storage=Away("own.db"), limiter=SQLiteLimiter("own.db"))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_worker_ends_cleanly_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-u", "-m", "authmw.cli", "worker", "--database", str(tmp_path / "worker.sqlite3")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "The worker runs.\n"
        process.send_signal(number)
        said, complained = process.communicate(timeout=60)
    assert (process.returncode, said, complained) == (0, "The worker has stopped.\n", "")


def test_the_worker_outlives_a_database_that_is_away_for_a_while(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    command = [sys.executable, "-u", "-m", "authmw.cli", "worker", "--app", "own:auth"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        assert process.stdout.readline() == "The worker runs.\n"
        assert process.stderr.readline() == "Storage does not answer; the worker tries again.\n"
        assert process.stderr.readline() == "It answers again.\n"
        process.send_signal(signal.SIGTERM)
        said, complained = process.communicate(timeout=60)
        watchdog.cancel()
    assert (process.returncode, said, complained) == (0, "The worker has stopped.\n", "")


def test_one_round_that_fails_says_so_by_its_exit_code(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    command = [sys.executable, "-m", "authmw.cli", "worker", "--once", "--app", "own:auth"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "Storage does not answer" in done.stderr
