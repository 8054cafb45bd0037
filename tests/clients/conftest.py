"""A running app, and the vendor's own Python client pointed at it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
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


@contextmanager
def served(folder: Path) -> Iterator[dict[str, str]]:
    """What `authmw dev` writes once it listens."""
    ready = folder / "ready.json"
    command = [sys.executable, "-m", "authmw.cli", "dev", "--port", "0", "--database", str(folder / "dev.sqlite3")]
    with subprocess.Popen([*command, "--ready-file", str(ready)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "python -c" in line:
                break
        while not ready.exists() and process.poll() is None:
            continue
        yield json.loads(ready.read_text())
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """One that the whole story is told to."""
    with served(tmp_path_factory.mktemp("dev")) as facts:
        yield facts
