"""A database of its own for a test, on the real servers of the run, dropped afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import sqlalchemy as sa

from tests.servers import Machine

DRIVERS = {"postgresql": "postgresql+psycopg", "mariadb": "mariadb+pymysql"}
ASYNC_DRIVERS = {"postgresql": "postgresql+asyncpg", "mariadb": "mariadb+aiomysql"}
USERS = {"postgresql": "postgres", "mariadb": "root"}
MAINTENANCE = {"postgresql": "postgres", "mariadb": "mysql"}


def address(machine: Machine, name: str, database: str, driver: str | None = None) -> sa.URL:
    """The address of a database on a server of this run."""
    where = machine.server(name).where
    assert where is not None
    url = sa.URL.create(driver or DRIVERS[name], username=USERS[name], database=database)
    if not where.startswith("/"):
        host, _, port = where.rpartition(":")
        return url.set(host=host, port=int(port))
    if name == "postgresql":
        return url.set(query={"host": where.rpartition("/")[0]})
    return url.set(host="localhost", query={"unix_socket": where})


@contextmanager
def new_schema(machine: Machine, database: str) -> Iterator[str]:
    """The name of an empty schema in a database of PostgreSQL, which costs less than a database."""
    engine = sa.create_engine(address(machine, "postgresql", database), isolation_level="AUTOCOMMIT")
    schema = f"s{uuid4().hex[:20]}"
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
    try:
        yield schema
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP SCHEMA {schema} CASCADE")
        engine.dispose()


@contextmanager
def new_database(machine: Machine, name: str) -> Iterator[str]:
    """The name of an empty database."""
    database = f"authmw_test_{uuid4().hex[:20]}"
    engine = sa.create_engine(address(machine, name, MAINTENANCE[name]), isolation_level="AUTOCOMMIT")
    options = " CHARACTER SET utf8mb4" if name == "mariadb" else ""
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {database}{options}")
    try:
        yield database
    finally:
        force = " WITH (FORCE)" if name == "postgresql" else ""
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {database}{force}")
        engine.dispose()
