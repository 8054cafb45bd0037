"""Where the contract meets a real server: a schema of PostgreSQL, a database of MariaDB or a prefix in Redis of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from redis import Redis

from tests.databases import address, new_database, new_schema
from tests.servers import Machine


class OnPostgreSQL:
    """In a schema of its own. `driver` is a dialect of SQLAlchemy with its driver."""

    driver: ClassVar[str] = "postgresql+psycopg"
    address: str = ""
    options: dict[str, Any]

    @pytest.fixture(autouse=True)
    def own_schema(self, machine: Machine, postgresql_database: str) -> Iterator[None]:
        with new_schema(machine, postgresql_database) as name:
            there = address(machine, "postgresql", postgresql_database, self.driver)
            self.address = there.render_as_string(hide_password=False)
            self.options = {"connect_args": self.connecting(name)}
            yield

    def connecting(self, schema: str) -> dict[str, Any]:
        """How the driver is told the schema."""
        return {"options": f"-csearch_path={schema}"}


class OnMariaDB:
    """In a database of its own."""

    driver: ClassVar[str] = "mariadb+pymysql"
    address: str = ""
    options: dict[str, Any]

    @pytest.fixture(autouse=True)
    def own_database(self, machine: Machine) -> Iterator[None]:
        with new_database(machine, "mariadb") as name:
            self.address = address(machine, "mariadb", name, self.driver).render_as_string(hide_password=False)
            self.options = {}
            yield


def redis_address(machine: Machine) -> str:
    """The address of the Redis of this run."""
    where = machine.server("redis").where
    assert where is not None
    return f"unix://{where}" if where.startswith("/") else f"redis://{where}"


class OnRedis:
    """Under a prefix of its own; what lies there is dropped afterwards."""

    address = ""
    prefix = ""

    @pytest.fixture(autouse=True)
    def own_prefix(self, machine: Machine) -> Iterator[None]:
        self.address, self.prefix = redis_address(machine), f"authmw-test-{uuid4().hex}"
        yield
        with Redis.from_url(self.address) as client:
            for key in client.scan_iter(match=f"*{self.prefix}*", count=1000):
                client.delete(key)
