"""The SQLAlchemy adapter keeps the contract on real servers, with blocking and asyncio drivers, and under an isolation that only reports conflicts at commit."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import settings

from authmw.limits import RateLimiter
from authmw.storage import Storage
from authmw.testing.contracts import LimiterContract, StorageContract
from authmw.testing.contracts.machine import MachineContract
from authmw.testing.contracts.races import RacesContract
from authmw.testing.contracts.writes import WritesContract
from authmw_adapters.sqlalchemy import (
    AsyncSQLAlchemyLimiter,
    AsyncSQLAlchemyStorage,
    SQLAlchemyLimiter,
    SQLAlchemyStorage,
)
from tests.adapters.own_databases import OnMariaDB, OnPostgreSQL

FEWER = settings(MachineContract.machine, max_examples=5)
"""Each history is many round trips."""


class Blocking:
    """Storages and limiters on a blocking driver."""

    machine = FEWER
    address: str
    options: ClassVar[dict[str, Any]]

    def make_storage(self, folder: Path, namespace: str = "") -> Storage:
        return SQLAlchemyStorage(self.address, namespace, **self.options)

    def make_limiter(self, folder: Path) -> RateLimiter:
        return SQLAlchemyLimiter(self.address, **self.options)


class Asynchronous:
    """Storages and limiters on an asyncio driver."""

    machine = FEWER
    address: str
    options: ClassVar[dict[str, Any]]

    def make_storage(self, folder: Path, namespace: str = "") -> Storage:
        return AsyncSQLAlchemyStorage(self.address, namespace, **self.options)

    def make_limiter(self, folder: Path) -> RateLimiter:
        return AsyncSQLAlchemyLimiter(self.address, **self.options)


class Asyncpg(OnPostgreSQL):
    """How asyncpg is told the schema."""

    driver = "postgresql+asyncpg"

    def connecting(self, schema: str) -> dict[str, Any]:
        return {"server_settings": {"search_path": schema}}


@pytest.mark.server("postgresql")
class TestPostgreSQL(Blocking, OnPostgreSQL, StorageContract):
    pass


@pytest.mark.server("postgresql")
class TestPostgreSQLAsync(Asynchronous, Asyncpg, StorageContract):
    pass


@pytest.mark.server("postgresql")
class TestPostgreSQLSerializable(Blocking, OnPostgreSQL, WritesContract, RacesContract):
    """As the distributed relatives of PostgreSQL isolate: each transaction as if it were alone, and conflicts that may show at its commit only."""

    def connecting(self, schema: str) -> dict[str, Any]:
        return {"options": f"-csearch_path={schema} -cdefault_transaction_isolation=serializable"}


@pytest.mark.server("mariadb")
class TestMariaDB(Blocking, OnMariaDB, StorageContract):
    pass


@pytest.mark.server("mariadb")
class TestMariaDBAsync(Asynchronous, OnMariaDB, StorageContract):
    driver = "mariadb+aiomysql"


class TestSQLite(StorageContract):
    machine = FEWER

    def make_storage(self, folder: Path, namespace: str = "") -> Storage:
        return SQLAlchemyStorage(f"sqlite:///{folder / 'data.sqlite3'}", namespace)


@pytest.mark.server("postgresql")
class TestPostgreSQLLimiter(Blocking, OnPostgreSQL, LimiterContract):
    pass


@pytest.mark.server("postgresql")
class TestPostgreSQLLimiterAsync(Asynchronous, Asyncpg, LimiterContract):
    pass


@pytest.mark.server("mariadb")
class TestMariaDBLimiter(Blocking, OnMariaDB, LimiterContract):
    pass


@pytest.mark.server("mariadb")
class TestMariaDBLimiterAsync(Asynchronous, OnMariaDB, LimiterContract):
    driver = "mariadb+aiomysql"
