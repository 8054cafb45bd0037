"""A running app, and the vendor's own Python client pointed at it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import stytch
import uvicorn

from authmw.auth import Auth
from authmw.cli.demo import demo_app
from authmw.cli.dev import PROJECT_ID, SECRET, dev_auth
from authmw_adapters.inbox import Inbox


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@contextmanager
def running(make: Callable[[str], Auth], inbox: Inbox) -> Iterator[stytch.Client]:
    """The client of a project that is made for an address and serves there."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(16)
    port = listening.getsockname()[1]
    auth = make(f"http://localhost:{port}")
    server = uvicorn.Server(uvicorn.Config(demo_app(auth, inbox), log_level="warning"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    # The socket listens already, so the client's first request waits in its queue until the server takes it.
    here = f"http://127.0.0.1:{port}/"
    client = stytch.Client(PROJECT_ID, SECRET, environment=here, fraud_environment=here)
    yield client
    client.sync_client._session.close()
    server.should_exit = True
    thread.join()
    auth.close()


@pytest.fixture
def client(tmp_path: Path, inbox: Inbox) -> Iterator[stytch.Client]:
    with running(lambda url: dev_auth(tmp_path / "dev.sqlite3", url, inbox), inbox) as client:
        yield client
