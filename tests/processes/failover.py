"""`make failover`: databases that are killed, promoted, made read-only or full under load. What was acknowledged stays, once; what is asked meanwhile is told to come back.

These run by a target of their own: each starts servers that it may kill.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.processes.hosting import Home, Host, hosted
from tests.processes.own_servers import Own, own_server, standby_of
from tests.processes.traffic import Traffic
from tests.servers import required

GOOD = {"lost": 0, "doubled": 0, "revived": 0, "undocumented": 0}


@contextmanager
def under_load(folder: Path, database: str, server: str, **chosen: Any) -> Iterator[tuple[Host, Traffic]]:
    """A host of two processes with four clients."""
    with hosted(Home(folder, database), server, workers=2, runs=True, **chosen) as host:
        traffic = Traffic(host)
        with traffic.running():
            traffic.goes_on()
            yield host, traffic
        report = traffic.books(chosen.get("books", database))
        print(json.dumps({**report, "answers": dict(traffic.statuses)}), traffic.odd[:3])
        assert {name: report[name] for name in GOOD} == GOOD
        code, said = host.stop()
        assert code == 0
        assert "Traceback" not in said


def back_again(traffic: Traffic, what: str) -> None:
    """Without a restart of the host, and with as many processes as before."""
    began = time.monotonic()
    workers = traffic.host.workers()
    traffic.goes_on(1)
    print(f"{what}: the first answer came {time.monotonic() - began:.2f} s after the database")
    traffic.goes_on()
    assert traffic.host.workers() == workers


@pytest.mark.parametrize(
    ("name", "driver", "server"),
    [
        ("postgresql", "postgresql-asyncpg", "uvicorn"),
        ("postgresql", "postgresql", "gunicorn-gthread"),
        ("mariadb", "mariadb", "gunicorn-gthread"),
    ],
)
def test_a_database_that_is_killed_and_comes_back_has_all_that_was_acknowledged(
    name: str, driver: str, server: str, tmp_path: Path
) -> None:
    with own_server(name) as own, under_load(tmp_path, ready(own, driver), server) as (_, traffic):
        for number in range(2):
            own.kill()
            traffic.is_refused()
            own.start()
            back_again(traffic, f"{driver}, kill {number + 1}")


def ready(own: Own, driver: str = "") -> str:
    """The address of an empty database there."""
    if own.name == "mariadb":
        engine = sa.create_engine(own.url().replace("/test?", "/mysql?"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql("CREATE DATABASE IF NOT EXISTS test CHARACTER SET utf8mb4")
        engine.dispose()
    return own.url(driver)


def test_a_redis_of_limits_that_is_killed_stops_what_it_counts_and_nothing_else(tmp_path: Path) -> None:
    with own_server("postgresql") as database, own_server("redis") as redis:
        with under_load(tmp_path, database.url(), "gunicorn-gthread", redis=redis.url()) as (host, traffic):
            code = {"email": "limited@example.org"}
            assert host.backend("/v1/otps/email/login_or_create", code).status == 200
            redis.kill()
            assert host.backend("/v1/otps/email/login_or_create", code).status == 503
            traffic.goes_on()
            redis.start()
            assert host.backend("/v1/otps/email/login_or_create", code).status in (200, 429)
            back_again(traffic, "redis")


def test_a_replica_that_is_promoted_has_all_that_was_acknowledged(tmp_path: Path) -> None:
    with own_server("postgresql") as primary, standby_of(primary) as standby:
        both = (
            f"postgresql+psycopg://postgres@/postgres?host=127.0.0.1:{primary.port}&host=127.0.0.1:{standby.port}"
            "&target_session_attrs=read-write&connect_timeout=5"
        )
        with under_load(tmp_path, both, "gunicorn-gthread", books=standby.url()) as (_, traffic):
            primary.kill()
            traffic.is_refused()
            standby.run("pg_ctl promote -D {data} -w")
            back_again(traffic, "promotion")


def test_a_database_that_is_read_only_is_read_and_takes_no_writes(tmp_path: Path) -> None:
    with own_server("postgresql") as own, under_load(tmp_path, own.url(), "gunicorn-gthread") as (host, traffic):
        token = next(token for token in traffic.sessions if token not in traffic.ended)
        engine = sa.create_engine(own.url(), isolation_level="AUTOCOMMIT")

        def read_only(switch: str) -> None:
            with engine.connect() as connection:
                connection.exec_driver_sql(f"ALTER SYSTEM SET default_transaction_read_only = {switch}")
                connection.exec_driver_sql("SELECT pg_reload_conf()")

        read_only("on")
        traffic.is_refused()
        cookie = f"authmw_session={token}"
        assert host.ask("GET", "/who", cookie=cookie).status == 200
        read_only("off")
        back_again(traffic, "read-only")
        engine.dispose()


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """A disk of its own, of this size. Skips where this user may not mount one, and fails where everything is to be reached."""
    disk = Path(tempfile.mkdtemp(prefix="authmw-disk-", dir="/tmp"))
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0777", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        disk.rmdir()
        refuse = pytest.fail if required() else pytest.skip
        refuse("this user may not mount a small disk")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
        disk.rmdir()


def test_a_database_whose_disk_is_full_takes_no_writes_until_there_is_room(tmp_path: Path) -> None:
    with small_disk(160) as disk, own_server("postgresql", disk) as own:
        with under_load(tmp_path, own.url(), "gunicorn-gthread") as (_, traffic):
            filler = disk / "filler"
            with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
                while True:
                    file.write(bytes(1 << 16))
            traffic.is_refused()
            filler.unlink()
            own.start()
            back_again(traffic, "full disk")


def test_a_sqlite_file_that_is_full_takes_no_writes_until_there_is_room(tmp_path: Path) -> None:
    with small_disk(16) as disk:
        database = f"sqlite:///{disk}/full.db"
        with under_load(tmp_path, database, "gunicorn-gthread") as (_, traffic):
            filler = disk / "filler"
            with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
                while True:
                    file.write(bytes(1 << 12))
            traffic.is_refused()
            filler.unlink()
            back_again(traffic, "full file")
