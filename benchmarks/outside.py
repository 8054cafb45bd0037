"""Peers that live in an environment of their own: SuperTokens, whose pins are not ours, and better-auth, on Node. Each is a program that prints what it costs over a bare
application of its own runtime, as JSON. One whose environment is not there is left out, and said."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = ROOT / ".venv"
PROGRAMS: dict[str, tuple[str, ...]] = {
    "SuperTokens": (str(BIN / "supertokens" / "bin" / "python"), "-m", "benchmarks.supertokens"),
    "better-auth": (str(BIN / "bin" / "node"), str(ROOT / "benchmarks" / "js" / "better_auth.mjs")),
}
SECONDS = 600


def over_bare(*, times: int, rounds: int) -> dict[str, dict[str, float]]:
    """By peer: microseconds of its bare request, and what a request with a session costs more."""
    figures: dict[str, dict[str, float]] = {}
    for name, (program, *arguments) in PROGRAMS.items():
        command = [program, *arguments, str(times), str(rounds)]
        try:
            told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=True)
        except (OSError, subprocess.SubprocessError) as problem:
            print(f"{name} is left out: {type(problem).__name__}", file=sys.stderr)
            continue
        figures |= json.loads(told.stdout)
    return figures
