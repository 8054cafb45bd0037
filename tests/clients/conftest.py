"""A running app, and the vendor's own Python client pointed at it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import stytch
import uvicorn

from authmw.cli.demo import demo_app
from authmw.cli.dev import PROJECT_ID, SECRET, dev_auth
from authmw_adapters.inbox import Inbox


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def client(tmp_path: Path, inbox: Inbox) -> Iterator[stytch.Client]:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(16)
    port = listening.getsockname()[1]
    auth = dev_auth(tmp_path / "dev.sqlite3", f"http://localhost:{port}", inbox)
    server = uvicorn.Server(uvicorn.Config(demo_app(auth, inbox), log_level="warning"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    # The socket listens already, so the client's first request waits in its queue until the server takes it.
    client = stytch.Client(PROJECT_ID, SECRET, environment=f"http://127.0.0.1:{port}/")
    yield client
    client.sync_client._session.close()
    server.should_exit = True
    thread.join()
    auth.close()
