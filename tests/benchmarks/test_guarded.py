"""What keeps the guarded figures: counts that repeat themselves, and a comparison that names what became worse."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from benchmarks.counted import available, sections
from benchmarks.guarded import KEPT, START, UNGUARDED, main, worse

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
FIGURES = {"ASGI: live session": 1000, "import authmw": 4000}


def told(
    capsys: pytest.CaptureFixture[str], kept_in: Path, counted: dict[str, int], *arguments: str
) -> tuple[int, str]:
    code = main(list(arguments), kept_in=kept_in, counting=lambda: counted)
    return code, capsys.readouterr().out


@pytest.mark.parametrize(("figure", "named"), [(1250, False), (1251, True), (500, False)])
def test_a_figure_that_became_more_than_a_quarter_worse_fails_by_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], figure: int, named: bool
) -> None:
    kept_in = tmp_path / "guarded.json"
    assert told(capsys, kept_in, FIGURES, "--write")[0] == 0
    code, said = told(capsys, kept_in, {**FIGURES, "ASGI: live session": figure})
    assert (code, "WORSE: ASGI: live session" in said) == (int(named), named)
    assert "WORSE: import authmw" not in said


def test_a_figure_that_nobody_kept_fails_until_it_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept_in = tmp_path / "guarded.json"
    told(capsys, kept_in, FIGURES, "--write")
    assert told(capsys, kept_in, {**FIGURES, "a new one": 1})[0] == 1
    assert told(capsys, kept_in, {**FIGURES, "a new one": 1}, "--write")[0] == 0
    assert told(capsys, kept_in, {**FIGURES, "a new one": 1})[0] == 0


def test_a_python_whose_figures_nobody_kept_passes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, tmp_path / "none.json", FIGURES)[0] == 2


def test_writing_keeps_the_figures_of_other_pythons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept_in = tmp_path / "guarded.json"
    kept_in.write_text(json.dumps({"3.0": {"import authmw": 1}}))
    told(capsys, kept_in, FIGURES, "--write")
    assert json.loads(kept_in.read_text()) == {"3.0": {"import authmw": 1}, VERSION: FIGURES}


def test_every_python_keeps_the_same_figures() -> None:
    every = json.loads(KEPT.read_text())
    assert every
    for figures in every.values():
        assert set(START) - UNGUARDED | {
            "ASGI: live session",
            "WSGI: live session",
            "ASGI: renewal from memory",
        } <= set(figures)
        assert figures.keys() == next(iter(every.values())).keys()
        assert worse(figures, figures) == {}


counted = pytest.mark.skipif(
    not available() and not os.environ.get("CI"), reason="valgrind is not installed; CI must have it"
)


@counted
def test_instructions_of_the_same_work_are_the_same_at_each_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "worked.py").write_text(
        "from benchmarks.marks import mark\n"
        "mark()\n[number * number for number in range(1000)]\nmark()\n[number * number for number in range(3000)]\nmark()\n"
        "print('done')\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[2]}")
    said, (once, thrice) = sections("worked")
    assert said == "done\n"
    assert 2.5 < thrice / once < 3.5
    again, counts = sections("worked")
    assert again == said
    assert counts == pytest.approx([once, thrice], rel=0.02)


@counted
def test_a_program_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.py").write_text("raise SystemExit('it broke')\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[2]}")
    with pytest.raises(RuntimeError, match="it broke"):
        sections("broken")
