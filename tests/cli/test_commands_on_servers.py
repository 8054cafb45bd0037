"""The commands on a host's own `Auth` over an asynchronous storage on a database server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import ASYNC_DRIVERS, address, new_database
from tests.servers import Machine

OWN = """
import os
from authmw import Auth, Settings
from authmw_adapters.console import ConsoleEmailSender
from authmw_adapters.postgresql_notices import PostgreSQLNotices
from authmw_adapters.sqlalchemy import AsyncSQLAlchemyLimiter, AsyncSQLAlchemyStorage

def auth():
    where = os.environ["OWN_DATABASE"]
    settings = Settings(project_id="project-test-1", secret="a-secret-of-a-test")
    storage, limiter = AsyncSQLAlchemyStorage(where), AsyncSQLAlchemyLimiter(where)
    notices = PostgreSQLNotices(os.environ.get("OWN_NOTICES", where)) if where.startswith("postgresql") else None
    return Auth(settings, storage=storage, limiter=limiter, notices=notices, email=ConsoleEmailSender())
"""


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.server(name), id=name) for name in ASYNC_DRIVERS])
def where(request: pytest.FixtureRequest, machine: Machine, tmp_path: Path) -> Iterator[str]:
    (tmp_path / "own.py").write_text(OWN)
    with new_database(machine, request.param) as name:
        yield address(machine, request.param, name, ASYNC_DRIVERS[request.param]).render_as_string(hide_password=False)


def authmw(folder: Path, where: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error::RuntimeWarning", "-m", "authmw.cli", *arguments, "--app", "own:auth"]
    env = {**os.environ, "OWN_DATABASE": where}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120, env=env)


def test_tables_are_made_keys_rotated_and_all_is_said_to_be_well(where: str, tmp_path: Path) -> None:
    migrated = authmw(tmp_path, where, "migrate")
    assert (migrated.returncode, migrated.stdout, migrated.stderr) == (0, "own:auth is up to date.\n", "")
    assert authmw(tmp_path, where, "keys", "rotate").returncode == 0
    worked = authmw(tmp_path, where, "worker", "--once")
    assert (worked.returncode, worked.stderr) == (0, "")
    done = authmw(tmp_path, where, "doctor", "--json", "--strict")
    said = json.loads(done.stdout)
    assert (done.returncode, said["healthy"], done.stderr) == (0, True, "")
    facts = {one["part"]: one["facts"] for one in said["findings"]}
    assert facts["storage"]["io"] == "async"
    assert facts["keys"]["published"] == 2
    if where.startswith("postgresql"):
        assert facts["notices"]["adapter"] == "PostgreSQLNotices"


def test_the_plan_of_a_migration_is_printed_and_nothing_is_made(where: str, tmp_path: Path) -> None:
    planned = authmw(tmp_path, where, "migrate", "--sql")
    assert (planned.returncode, planned.stderr) == (0, "")
    for made in ("CREATE TABLE users", "CREATE TABLE authmw_counts", "INSERT INTO authmw_schema"):
        assert made in planned.stdout
    assert ('CREATE TABLE IF NOT EXISTS "authmw_notices"' in planned.stdout) == where.startswith("postgresql")
    again = authmw(tmp_path, where, "migrate", "--sql").stdout
    assert sorted(again.split(";\n")) == sorted(planned.stdout.split(";\n"))
    assert authmw(tmp_path, where, "migrate").returncode == 0
    assert authmw(tmp_path, where, "migrate", "--sql").stdout == ""


def test_a_host_that_may_not_change_tables_starts_once_they_were_migrated(where: str, tmp_path: Path) -> None:
    own = (
        (tmp_path / "own.py")
        .read_text()
        .replace("AsyncSQLAlchemyStorage(where)", "AsyncSQLAlchemyStorage(where, migrates=False)")
    )
    (tmp_path / "own.py").write_text(own)
    early = authmw(tmp_path, where, "worker", "--once")
    assert early.returncode != 0
    assert "run `authmw migrate`" in early.stderr
    assert authmw(tmp_path, where, "migrate").returncode == 0
    assert authmw(tmp_path, where, "worker", "--once").returncode == 0


def test_a_server_that_is_not_there_is_a_fault_and_no_trace(where: str, tmp_path: Path) -> None:
    nowhere = where.replace("/authmw_test", "/not_there_at_all")
    done = authmw(tmp_path, nowhere, "doctor", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["findings"][0]["part"] == "storage"
    assert "Traceback" not in done.stderr
    assert "not_there_at_all" not in done.stdout


@pytest.mark.server("postgresql")
def test_notices_that_nobody_carries_are_named_and_the_service_is_well(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.py").write_text(OWN)
    monkeypatch.setenv("OWN_NOTICES", "postgresql://app:canary@127.0.0.1:1/app")
    with new_database(machine, "postgresql") as name:
        where = address(machine, "postgresql", name, ASYNC_DRIVERS["postgresql"]).render_as_string(hide_password=False)
        done = authmw(tmp_path, where, "doctor", "--json")
    said = json.loads(done.stdout)
    notices = [one["message"] for one in said["findings"] if one["part"] == "notices"]
    assert (done.returncode, said["healthy"], "canary" in done.stdout + done.stderr) == (0, True, False)
    assert "does not answer" in notices[0]
