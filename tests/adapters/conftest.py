"""What tests of adapters share: a database for the schemas of a worker, and an authority whose certificates a sender trusts."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest
import trustme

from tests.adapters.smtp_sending import server_context
from tests.adapters.smtp_servers import LOOPBACK, Mailroom, mail_server
from tests.databases import new_database
from tests.servers import Machine


@pytest.fixture(scope="session")
def postgresql_database(machine: Machine) -> Iterator[str]:
    """A database of PostgreSQL."""
    with new_database(machine, "postgresql") as name:
        yield name


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trust(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture(scope="module")
def certified(authority: trustme.CA) -> ssl.SSLContext:
    return server_context(authority, LOOPBACK, "localhost")


@pytest.fixture
def plain_server() -> Iterator[Mailroom]:
    with mail_server() as room:
        yield room
