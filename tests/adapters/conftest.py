"""What tests of adapters share: a database for the schemas of a worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.databases import new_database
from tests.servers import Machine


@pytest.fixture(scope="session")
def postgresql_database(machine: Machine) -> Iterator[str]:
    """A database of PostgreSQL."""
    with new_database(machine, "postgresql") as name:
        yield name
