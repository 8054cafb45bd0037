"""How long `import authmw` takes over `import starlette`, and a mounted `Auth` over both, in fresh processes that find every module compiled."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

_TIMED = "import time; began = time.process_time(); {}; print((time.process_time() - began) * 1000)"
_STARLETTE = "import starlette.applications"
_MOUNTED = "from authmw import AuthMiddleware; from benchmarks.site import Site; AuthMiddleware(lambda *asked: None, Site().auth)"


def over_starlette(rounds: int = 5) -> dict[str, float]:
    """Milliseconds of processor, the best of some rounds each: of starlette, and what the others take more."""
    programs = {
        "starlette": _STARLETTE,
        "authmw over it": f"{_STARLETTE}, authmw",
        "a mounted Auth over it": f"{_STARLETTE}; {_MOUNTED}",
    }
    best = dict.fromkeys(programs, float("inf"))
    with tempfile.TemporaryDirectory(prefix="authmw-compiled-") as compiled:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for round_ in range(rounds + 1):  # the first compiles
            for name, program in programs.items():
                told = subprocess.run(
                    [sys.executable, "-c", _TIMED.format(program)],
                    capture_output=True,
                    text=True,
                    check=True,
                    env=environment,
                )
                best[name] = min(best[name], float(told.stdout)) if round_ else best[name]
    return {name: took - (0 if name == "starlette" else best["starlette"]) for name, took in best.items()}
