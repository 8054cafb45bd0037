"""`python -m benchmarks.guarded`: no guarded figure becomes a quarter worse unseen.

Each figure is a number of instructions over fixed work, so that a busy machine cannot fail it. They stand in `guarded.json`, by the minor version of Python;
`--write` renews them, which is a change that a reader of the history sees.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.counted import available, sections

KEPT = Path(__file__).parent / "guarded.json"
WORSE = 1.25
"""So much more than what is kept fails."""
START = ("starlette", "import authmw", "the benches", "build the first Auth", "build an Auth", "mount it, by operation")
UNGUARDED = {"starlette", "the benches"}


def count() -> dict[str, int]:
    """Instructions by figure."""
    told, found = sections("benchmarks.guarded_work")
    operations, *works = told.splitlines()
    figures = {name: figure for name, figure in zip(START, found, strict=False) if name not in UNGUARDED}
    # A project that grows takes longer to load, which is no reason to fail.
    figures["mount it, by operation"] //= int(operations)
    rest = iter(found[len(START) :])
    for line in works:
        name, times = line.split("\t")
        _, once, thrice = next(rest), next(rest), next(rest)
        figures[name] = (thrice - once) // (2 * int(times))
    return figures


def worse(kept: Mapping[str, int], counted: Mapping[str, int]) -> dict[str, float]:
    """The figures that became a quarter worse, with how often what is kept they are; a figure that is not kept is as bad."""
    ratios = {name: figure / kept[name] if name in kept else float("inf") for name, figure in counted.items()}
    return {name: ratio for name, ratio in ratios.items() if ratio > WORSE}


def main(
    arguments: list[str] | None = None, *, kept_in: Path = KEPT, counting: Callable[[], dict[str, int]] = count
) -> int:
    """Count, compare, tell; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guarded", description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep what is counted now")
    chosen = parser.parse_args(arguments)
    if counting is count and not available():
        print("guarded figures are counted by valgrind, which is not installed: apt-get install valgrind")
        return 2
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    every: dict[str, dict[str, int]] = json.loads(kept_in.read_text()) if kept_in.exists() else {}
    counted = counting()
    if chosen.write:
        kept_in.write_text(json.dumps({**every, version: counted}, indent=2) + "\n")
        print(f"written: {kept_in}")
        return 0
    kept = every.get(version)
    if kept is None:
        print(f"no figures are kept for Python {version}: python -m benchmarks.guarded --write")
        return 2
    for name, figure in counted.items():
        print(f"{name:40} {figure:>14,} instructions, {figure / kept.get(name, figure):6.2f} of what is kept")
    failed = worse(kept, counted)
    for name, ratio in failed.items():
        print(f"WORSE: {name}: {ratio:.2f} times what is kept (at most {WORSE} is let pass)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
