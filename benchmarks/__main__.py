"""`python -m benchmarks`: measure everything, print a table, write the same as JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import flows, giveups, growth, imports, outside, over_http, peers, requests
from benchmarks.picture import picture

RESULTS = Path(__file__).parent / "results"
BUDGET = {
    ("Starlette", "live session"): 2.0,
    ("FastAPI", "live session"): 2.0,
    ("Flask", "live session"): 3.0,
    ("Starlette", "path that is not ours"): 0.5,
    ("FastAPI", "path that is not ours"): 0.5,
    ("Flask", "path that is not ours"): 0.5,
    ("memory", "per record read"): 10.0,
    ("SQLite", "per record read"): 10.0,
    ("HTTP", "throughput, share of bare"): 0.95,
    ("import, ms", "authmw over it"): 100.0,
    **{(work, "largest over smallest"): 1.3 for work in growth.WORKS},
}
"""What is to be reached: at most so many microseconds (milliseconds for the import), at least that share of the throughput."""


def measure(*, times: int = 150, rounds: int = 150) -> dict[str, dict[str, dict[str, float]]]:
    """Every figure, by subject, row and column. Less work gives rougher figures; counts stay what they are."""
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        in_process = requests.over_bare(loop, times=times, rounds=rounds)
        others = peers.over_bare(loop, times=max(1, times // 3), rounds=max(1, rounds // 3))
        others |= outside.over_bare(times=max(1, times // 3), rounds=max(1, rounds // 3))
        renewed = requests.renewals(loop, times=max(5, times * 2))
        full = rounds > 2
        grown = growth.grown(loop) if full else growth.grown(loop, sizes=(20, 100), times=2, rounds=1)
        share = over_http.share_of_bare(loop, times=times, rounds=rounds)
        memory = growth.memory(loop, many=5_000 if full else 50)
    loopback = over_http.beside_bare() if full else over_http.beside_bare(times=80, rounds=1)
    counted = asyncio.run(flows.figures(15 if full else 1))
    return {
        "a request over its bare application, microseconds": in_process,
        "the same with peers": others,
        "a renewal over a live session, microseconds": renewed,
        "over HTTP": {"HTTP": {**loopback, "the share without the kernel": share}},
        "a sign-in of a known user": counted,
        "calls that gave up, store of 5 ms": {
            name: {"gave up": number}
            for name, number in asyncio.run(giveups.give_ups(share=1.0 if full else 0.1)).items()
        },
        "growth over SQLite, microseconds": grown,
        "memory, MiB": memory,
        "start": {"import, ms": imports.over_starlette(5 if full else 1)},
    }


def lines(figures: dict[str, dict[str, dict[str, float]]]) -> Iterator[tuple[str, str, str, str]]:
    """The table: subject and row, column, figure with its ratio to bare, and what is to be reached."""
    for subject, rows in figures.items():
        for row, columns in rows.items():
            bare = columns.get("bare")
            for column, figure in columns.items():
                shown = f"{figure:.2f}" if isinstance(figure, float) else str(figure)
                ratio = f" ({(bare + figure) / bare:.2f} x bare)" if bare and column != "bare" else ""
                budget = BUDGET.get((row, column))
                yield f"{subject}: {row}", column, shown + ratio, "" if budget is None else f"{budget:g}"


def show(figures: dict[str, dict[str, dict[str, float]]]) -> None:
    """Print the table, by rich if it is there."""
    header = ("what", "figure", "measured", "to reach")
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        for line in (header, *lines(figures)):
            print("{:75} {:32} {:28} {}".format(*line))
        return
    table = Table(*header)
    for line in lines(figures):
        table.add_row(*line)
    Console(width=160).print(table)


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny work: shows that the benches run, measures nothing")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder that the JSON is written to")
    chosen = parser.parse_args(arguments)
    figures = measure(times=5, rounds=1) if chosen.quick else measure()
    show(figures)
    chosen.results.mkdir(parents=True, exist_ok=True)
    path = chosen.results / "latest.json"
    path.write_text(json.dumps({"python": platform.python_version(), "figures": figures}, indent=2) + "\n")
    drawn = chosen.results / "latest.svg"
    drawn.write_text(picture(figures))
    print(f"written: {path}")
    print(f"drawn: {drawn}")
    return figures


if __name__ == "__main__":
    main()
