"""A home folder with a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.databases import ASYNC_DRIVERS, DRIVERS, address, new_database
from tests.processes.hosting import Home
from tests.servers import Machine


@contextmanager
def new_home(machine: Machine, folder: Path, *, asynchronous: bool = False, name: str = "postgresql") -> Iterator[Home]:
    """A home on a new database, which goes with it."""
    driver = (ASYNC_DRIVERS if asynchronous else DRIVERS)[name]
    with new_database(machine, name) as database:
        url = address(machine, name, database, driver)
        yield Home(folder, url.render_as_string(hide_password=False))
