"""How long `import authmw` takes over `import starlette`, in fresh processes."""

from __future__ import annotations

import subprocess
import sys

_TIMED = "import time; began = time.process_time(); {}; print((time.process_time() - began) * 1000)"


def _milliseconds(statement: str, rounds: int) -> float:
    def once() -> float:
        told = subprocess.run(
            [sys.executable, "-c", _TIMED.format(statement)], capture_output=True, text=True, check=True
        )
        return float(told.stdout)

    return min(once() for _ in range(rounds))


def over_starlette(rounds: int = 5) -> dict[str, float]:
    """Milliseconds, the best of some rounds each."""
    starlette = "import starlette.applications"
    bare = _milliseconds(starlette, rounds)
    return {"starlette": bare, "authmw over it": _milliseconds(f"{starlette}, authmw", rounds) - bare}
