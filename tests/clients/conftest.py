"""A running app, and the vendor's own Python client pointed at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import stytch

from authmw.auth import Auth
from authmw.cli.demo import demo_app
from authmw.cli.dev import PROJECT_ID, SECRET, dev_auth
from authmw_adapters.inbox import Inbox
from tests.serving import address, dev_server, listening, serving


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@contextmanager
def running(make: Callable[[str], Auth], inbox: Inbox) -> Iterator[stytch.Client]:
    """The client of a project that is made for an address and serves there."""
    at = listening()
    auth, here = make(address(at)), f"{address(at, '127.0.0.1')}/"
    with serving(demo_app(auth, inbox), at):
        client = stytch.Client(PROJECT_ID, SECRET, environment=here, fraud_environment=here)
        yield client
        client.sync_client._session.close()
    auth.close()


@pytest.fixture
def client(tmp_path: Path, inbox: Inbox) -> Iterator[stytch.Client]:
    with running(lambda url: dev_auth(tmp_path / "dev.sqlite3", url, inbox), inbox) as client:
        yield client


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """One that the whole story is told to."""
    with dev_server(tmp_path_factory.mktemp("dev")) as (_, facts):
        yield facts
