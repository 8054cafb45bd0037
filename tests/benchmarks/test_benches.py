"""The benches run, and their figures that do not depend on the machine are what they should be. No time is judged here."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.flows import FLOWS, count
from benchmarks.giveups import give_ups
from benchmarks.growth import WORKS

ROOT = Path(__file__).parents[2]


ROWS = {
    # Other sessions end and the addresses are told, in the same commit.
    "recovery code": 6,
    # The grant, the app, the agreement and the person are all checked.
    "access token of an own app": 7,
}
"""Sign-ins that are more than one."""


@pytest.mark.parametrize("flow", FLOWS)
def test_a_sign_in_of_a_known_user_is_one_commit_of_at_most_five_rows(flow: str) -> None:
    counts = asyncio.run(count(FLOWS[flow]))
    assert counts.commits == 1
    assert counts.written + counts.checked <= ROWS.get(flow, 5)


def test_nobody_gives_up_because_others_want_the_same_record() -> None:
    given_up = asyncio.run(give_ups(0.001, share=0.15))
    assert set(given_up.values()) == {0}, given_up


def test_the_benches_run_and_write_what_they_print(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--quick", "--results", str(tmp_path)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert told.returncode == 0, told.stderr[-2000:]
    figures = json.loads((tmp_path / "latest.json").read_text())["figures"]
    assert set(figures["a request over its bare application, microseconds"]) == {"Starlette", "FastAPI", "Flask"}
    assert {"Starlette SessionMiddleware"} <= set(figures["the same with peers"])
    assert set(figures["a renewal over a live session, microseconds"]) == {"memory", "SQLite"}
    grown = figures["growth over SQLite, microseconds"]
    assert set(grown) == set(WORKS)
    for columns in grown.values():
        assert set(columns) == {"20 people", "100 people", "largest over smallest"}
    assert figures["memory, MiB"]["100,000 live sessions"]["stored in memory, with their people"] > 0
    root = ET.fromstring((tmp_path / "latest.svg").read_text())
    texts = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"authmw, Starlette", "authmw, FastAPI", "authmw, Flask", "Starlette SessionMiddleware"} <= texts
    assert str(tmp_path / "latest.json") in told.stdout.replace("\n", "")
