"""Peers in environments of their own: what their programs print is taken, and one that is not there or fails is left out and said."""

from __future__ import annotations

import sys

import pytest

from benchmarks import outside

PRINTS = (
    "import json, sys; print(json.dumps({'theirs': {'bare': float(sys.argv[1]), 'live session': float(sys.argv[2])}}))"
)


def test_what_a_program_prints_is_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "PROGRAMS", {"theirs": (sys.executable, "-c", PRINTS)})
    assert outside.over_bare(times=3, rounds=2) == {"theirs": {"bare": 3.0, "live session": 2.0}}


def test_a_peer_that_is_not_there_or_fails_is_left_out_and_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    programs = {
        "nowhere": ("/nowhere/python", "-c", ""),
        "failing": (sys.executable, "-c", "raise SystemExit(1)"),
        "theirs": (sys.executable, "-c", PRINTS),
    }
    monkeypatch.setattr(outside, "PROGRAMS", programs)
    assert set(outside.over_bare(times=1, rounds=1)) == {"theirs"}
    said = capsys.readouterr().err
    assert "nowhere is left out" in said
    assert "failing is left out" in said
    assert "theirs" not in said
