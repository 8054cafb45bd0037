"""`authmw worker`: works until it is told to stop, and then ends cleanly."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_worker_ends_cleanly_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-u", "-m", "authmw.cli", "worker", "--database", str(tmp_path / "worker.sqlite3")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "The worker runs.\n"
        process.send_signal(number)
        said, complained = process.communicate(timeout=60)
    assert (process.returncode, said, complained) == (0, "The worker has stopped.\n", "")
