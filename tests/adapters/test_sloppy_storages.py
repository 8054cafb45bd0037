"""The contract is worth something: each sloppy adapter is caught by the tests that are named for its fault, and an adapter without a fault by none."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.adapters import sloppy_answers
from tests.adapters.sloppy_storages import Sloppy

HERE = Path(sloppy_answers.__file__).parent
EVERY = tuple(Sloppy.__subclasses__())
MACHINE = "test_whatever_happens_it_gives_what_memory_gives"


@attrs.define(eq=False)
class Outcome:
    """What became of each test of a run."""

    passed: set[str] = attrs.field(factory=set[str])
    failed: dict[str, str] = attrs.field(factory=dict[str, str])
    broken: set[str] = attrs.field(factory=set[str])

    def pytest_runtest_logreport(self, report: Any) -> None:
        name = report.nodeid.rpartition("::")[2]
        if report.when == "call" and report.passed:
            self.passed.add(name)
        elif report.when == "call" and report.failed:
            self.failed[name] = str(report.longrepr)
        elif report.failed:
            self.broken.add(name)


def ran(sloppy: type[Sloppy], monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """The contract, whole, run by pytest within this process over one sloppy class."""
    name, file = sloppy.__name__, HERE / f"{sloppy.__module__.rpartition('.')[2]}.py"
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    outcome = Outcome()
    plain = [
        "-q",
        "--tb=short",
        "--import-mode=importlib",
        "--noconftest",
        "--capture=no",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:faulthandler",
        "-p",
        "no:logging",
    ]
    pytest.main(
        ["-c", os.devnull, f"--rootdir={HERE.parents[1]}", *plain, "-o", f"python_classes={name}", f"{file}::{name}"],
        plugins=[outcome],
    )
    assert len(outcome.passed) + len(outcome.failed) + len(outcome.broken) > 100, "the contract did not run"
    return outcome


@pytest.mark.parametrize("sloppy", EVERY, ids=lambda sloppy: sloppy.__name__)
def test_a_sloppy_adapter_is_caught_by_the_tests_of_its_fault(
    sloppy: type[Sloppy], monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = ran(sloppy, monkeypatch)
    assert not outcome.passed & set(sloppy.caught_by)
    assert set(sloppy.caught_by) <= set(outcome.failed)
    assert re.search(sloppy.says, outcome.failed[sloppy.caught_by[0]])
    if sloppy.nothing_else:
        assert set(outcome.failed) <= {*sloppy.caught_by, MACHINE}
        assert not outcome.broken
