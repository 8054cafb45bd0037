"""Servers that start before their database, and over one that another version wrote."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from tests.databases import ASYNC_DRIVERS, DRIVERS, MAINTENANCE, address
from tests.processes.homes import new_home
from tests.processes.hosting import COMMANDS, LONGEST, ROOT, Home, free_port, hosted
from tests.servers import Machine

pytestmark = [pytest.mark.server("postgresql"), pytest.mark.xdist_group("beginning")]
SERVERS = {"uvicorn": True, "gunicorn-asgi": False, "gunicorn-sync": False, "gunicorn-gthread": True}
"""Each server, and whether its storage is asynchronous."""
LINK = "/v1/magic_links/email/login_or_create"


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_that_starts_before_its_database_says_503_until_it_is_there(
    server: str, machine: Machine, tmp_path: Path
) -> None:
    name = f"authmw_test_{uuid4().hex[:20]}"
    engine = sa.create_engine(address(machine, "postgresql", MAINTENANCE["postgresql"]), isolation_level="AUTOCOMMIT")
    driver = (ASYNC_DRIVERS if SERVERS[server] else DRIVERS)["postgresql"]
    home = Home(tmp_path, address(machine, "postgresql", name, driver).render_as_string(hide_password=False))
    try:
        with hosted(home, server, workers=2) as host:
            for worker in host.workers():
                early = host.backend(LINK, {"email": "early@example.org"}, of=worker)
                assert (early.status, early.json["error_type"]) == (503, "server_unavailable")
                assert host.ask("GET", "/who", cookie="authmw_session=" + "a" * 43, of=worker).status == 401
            with engine.connect() as connection:
                connection.exec_driver_sql(f"CREATE DATABASE {name}")
            before = host.workers()
            # A page of the host's own is enough for it to be found, and so is a call of ours.
            assert host.ask("POST", "/create" if server == "gunicorn-asgi" else LINK, of=before[0]).status != 503
            signed_in = host.sign_in("ada@example.org", of=before[1])
            cookie = f"authmw_session={signed_in['session_token']}"
            for worker in before:
                assert host.ask("GET", "/who", cookie=cookie, of=worker).status == 200
            assert host.workers() == before
            code, said = host.stop()
        assert code == 0
        assert "Traceback" not in said
        # A WSGI host over an asyncio storage looks at it when it first needs it.
        assert ("storage_not_ready" in said) == (server != "gunicorn-gthread")
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        engine.dispose()


@pytest.mark.parametrize(
    ("server", "asynchronous"), [("uvicorn", True), ("gunicorn-asgi", True), ("gunicorn-sync", False)]
)
def test_a_server_does_not_start_over_a_database_that_a_newer_version_wrote(
    server: str, asynchronous: bool, machine: Machine, tmp_path: Path
) -> None:
    with new_home(machine, tmp_path, asynchronous=asynchronous) as home:
        engine = sa.create_engine(home.database.replace("+asyncpg", "+psycopg"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql("CREATE TABLE authmw_schema (version bigint NOT NULL)")
            connection.exec_driver_sql("INSERT INTO authmw_schema VALUES (99)")
        engine.dispose()
        command = COMMANDS[server].format(workers=1, port=free_port()).split()
        ended = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env=home.environment(server),
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        assert ended.returncode != 0
        assert "written by a newer version of authmw" in ended.stderr
