"""Instructions that sections of a program take, counted by valgrind's callgrind: a figure that neither other programs nor the weather change.

A program marks where a section ends by `benchmarks.marks.mark`; whoever counts it is told the sections in order.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

_TOTAL = re.compile(rb"^totals: (\d+)$", re.MULTILINE)
_SECTION = re.compile(r"\.(\d+)\Z")


def available() -> bool:
    """Whether valgrind is installed."""
    return shutil.which("valgrind") is not None


def sections(module: str, arguments: Sequence[str] = ()) -> tuple[str, list[int]]:
    """Run a module; what it printed, and the instructions between its marks in order: what stood before the first mark is left out. RuntimeError if it fails."""
    with tempfile.TemporaryDirectory(prefix="authmw-counted-") as folder:
        out = Path(folder) / "out"
        command = [
            "valgrind",
            "--tool=callgrind",
            f"--callgrind-out-file={out}",
            "--dump-before=getpgid",
            "--dump-before=__getpgid",
            sys.executable,
            "-m",
            module,
            *arguments,
        ]
        # The order of sets and the place of compiled modules are the same at each run.
        environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPYCACHEPREFIX": str(Path(folder) / "compiled")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        # The first run leaves every module compiled, as it is after the first start of a host.
        for run in ([sys.executable, "-m", module, *arguments], command):
            told = subprocess.run(run, env=environment, check=False, capture_output=True, text=True)
            if told.returncode != 0:
                raise RuntimeError(told.stderr[-4000:])
        found = sorted(
            (int(number[1]), path) for path in Path(folder).iterdir() if (number := _SECTION.search(path.name))
        )
        counts = [int(total[1]) for _, path in found[1:] if (total := _TOTAL.search(path.read_bytes()))]
        return told.stdout, counts
