"""A plugin: every branch of what decides is run by the tests that are about it.

Law: where `AUTHMW_COVERAGE` is set, the run fails unless the tests of `tests/authmw` and `tests/stories` take every line and branch of the rules, of `signin/`, `crypto/`
and `guard/`. Other tests are not measured: what only a browser or a client happens to pass through is not tested, and tracing them costs the most.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from _pytest.reports import CollectReport
from coverage import Coverage

ROOT = Path(__file__).parents[1]
MEASURED = (ROOT / "tests" / "authmw", ROOT / "tests" / "stories")
WHOLE = ("authmw/**/rules.py", "authmw/signin/*", "authmw/crypto/*", "authmw/guard/*")
"""What must be covered whole."""
_FOLDER = "AUTHMW_COVERAGE_FOLDER"


class Gate:
    """Measures in each process that runs tests, and judges in the one that began them, whose environment the others have."""

    def __init__(self) -> None:
        self.begins = _FOLDER not in os.environ
        if self.begins:
            self._temporary = tempfile.TemporaryDirectory(prefix="authmw-coverage-")
            os.environ[_FOLDER] = self._temporary.name
        self.folder = Path(os.environ[_FOLDER])
        self.said = self.table = self.gaps = ""
        self.coverage = self._new()
        self.coverage.start()

    def _new(self) -> Coverage:
        measured = Coverage(
            data_file=self.folder / "run",
            data_suffix=True,
            branch=True,
            config_file=False,
            source=[str(ROOT / "authmw"), str(ROOT / "adapters" / "authmw_adapters")],
        )
        measured.set_option("run:disable_warnings", ["no-data-collected", "module-not-imported"])
        return measured

    def pytest_collection_finish(self) -> None:
        """What modules do when they are imported has been measured."""
        self.coverage.stop()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Measure one test, if it is one of those."""
        if not any(item.path.is_relative_to(folder) for folder in MEASURED):
            return (yield)
        self.coverage.start()
        try:
            return (yield)
        finally:
            self.coverage.stop()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Keep what was measured; the first process puts it together, and a gap is one more error of a run that passed else."""
        self.coverage.stop()
        self.coverage.save()
        if not self.begins:
            return
        together = self._new()
        together.combine([str(self.folder)])
        gaps, table = io.StringIO(), io.StringIO()
        whole = [str(ROOT / pattern) for pattern in WHOLE]
        covered = together.report(include=whole, show_missing=True, skip_covered=True, file=gaps)
        of_all = together.report(skip_covered=True, file=table)
        self.said = f"{covered:.2f} % of what must be covered whole, {of_all:.1f} % of everything"
        self.table, self.gaps = table.getvalue(), gaps.getvalue() if covered < 100 else ""
        self._temporary.cleanup()
        if exitstatus == pytest.ExitCode.OK and covered < 100:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            reporter = session.config.pluginmanager.getplugin("terminalreporter")
            found = "Lines or branches that no test of theirs runs are listed below."
            reporter.stats.setdefault("error", []).append(CollectReport("coverage", "failed", found, []))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show how much is covered; every file that is not, if the variable says `report`."""
        if self.said:
            terminalreporter.section("branches covered by tests/authmw and tests/stories")
            if os.environ["AUTHMW_COVERAGE"] == "report":
                terminalreporter.write_line(self.table)
            if self.gaps:
                terminalreporter.write_line(self.gaps)
            terminalreporter.write_line(self.said)


# Made as soon as this is read: other conftest modules import what is measured.
_gate = Gate() if os.environ.get("AUTHMW_COVERAGE") else None


def pytest_configure(config: pytest.Config) -> None:
    """Judge this run, if it is to be judged."""
    if _gate is not None:
        config.pluginmanager.register(_gate)
