"""Each flow from its beginning to a session, on every server of this run. No time is judged here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.flow_rates import RENEWAL, SPARED, main
from benchmarks.flows import FLOWS
from tests.adapters.own_databases import redis_address
from tests.databases import MAINTENANCE, address
from tests.servers import Machine

PLACES = {"SQLite", "PostgreSQL", "MariaDB", "Redis"}


@pytest.mark.server("postgresql")
@pytest.mark.server("mariadb")
@pytest.mark.server("redis")
def test_every_flow_signs_somebody_in_on_every_database_and_a_session_cache_spares_renewals_its_reads(
    machine: Machine, tmp_path: Path
) -> None:
    urls = [
        f"--{one}={address(machine, one, MAINTENANCE[one]).render_as_string(hide_password=False)}"
        for one in ("postgresql", "mariadb")
    ]
    told = main(["--quick", *urls, f"--redis={redis_address(machine)}", "--results", str(tmp_path)])
    assert list(told) == [*FLOWS, RENEWAL, SPARED]
    for name, row in told.items():
        assert PLACES <= set(row), name
        assert all(row[place]["rate"] > 0 for place in PLACES), name
    for flow in FLOWS:
        # What is counted in memory holds everywhere: no database is spoken to less often than it is committed to.
        assert all(row_said(told[flow], place) >= told[flow]["commits"] >= 1 for place in PLACES), flow
    assert row_said(told["mailed link"], "PostgreSQL") < row_said(told["mailed link"], "MariaDB")
    assert json.loads((tmp_path / "flows.json").read_text())["figures"] == told


def row_said(row: dict[str, dict[str, int]], place: str) -> int:
    return row[place]["said"]
