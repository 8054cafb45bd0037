"""The gate of coverage is one: it sees what a run leaves out, and says so in the closing line and the exit status."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(*arguments: str, coverage: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AUTHMW_", "PYTEST_"))}
    if coverage:
        environment["AUTHMW_COVERAGE"] = coverage
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments, "tests/authmw/test_urls.py"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)


def test_a_run_that_leaves_branches_out_fails_and_names_them() -> None:
    ran = run(coverage="1")
    assert ran.returncode == 1, ran.stdout
    assert "authmw/people/rules.py" in ran.stdout
    closing = ran.stdout.strip().splitlines()[-1]
    assert "passed, 1 error" in closing


def test_without_the_variable_nothing_is_measured() -> None:
    ran = run(coverage="")
    assert ran.returncode == 0, ran.stdout
    assert "branches covered" not in ran.stdout
