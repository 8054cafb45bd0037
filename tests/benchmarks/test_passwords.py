"""A page beside people who sign in with passwords: both sides are served, and somebody signs in meanwhile. No time is judged here."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest

from benchmarks.passwords import COLUMNS, SERVERS, main, one_round
from benchmarks.processes import listening_socket, spawned


def test_a_page_is_looked_at_under_each_server_beside_a_bare_one_while_people_sign_in(tmp_path: Path) -> None:
    figures = main(["--quick", "--results", str(tmp_path)])
    assert set(figures) == {f"{server}: {side}" for server in SERVERS for side in ("authmw", "bare")}
    for columns in figures.values():
        assert set(columns) == set(COLUMNS)
        assert 0 < columns["median, ms"] <= columns["p99, ms"]
        assert columns["sign-ins a second"] >= 0
    assert json.loads((tmp_path / "passwords.json").read_text())["figures"] == figures


def test_people_who_are_refused_end_the_measurement() -> None:
    """A server that lets nobody in is not quick."""
    with listening_socket() as listening, spawned(SERVERS["uvicorn"], listening, True, 1) as told:
        asked = attrs.evolve(told.recv(), sign_ins=(b"POST /nowhere HTTP/1.1\r\nhost: localhost\r\n\r\n",))
        with pytest.raises(EOFError):
            one_round(listening.getsockname()[1], asked, 1)
