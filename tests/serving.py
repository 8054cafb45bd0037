"""An application on a real port for the length of a `with`: in a thread of the test, or as `authmw dev` in a process of its own.

Law: a socket listens before its server starts, so the first request waits in its queue, and no test waits for a port.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from authmw.cli.demo import demo_app
from authmw.cli.dev import dev_auth
from authmw_adapters.inbox import Inbox


def listening() -> socket.socket:
    """A socket that listens on a free port of loopback."""
    made = socket.create_server(("127.0.0.1", 0), backlog=64)
    made.settimeout(None)
    return made


def address(at: socket.socket, host: str = "localhost") -> str:
    """Where a socket listens, as the origin of a URL."""
    return f"http://{host}:{at.getsockname()[1]}"


@contextmanager
def serving(app: Any, at: socket.socket) -> Iterator[None]:
    """An ASGI application behind a socket that listens already."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, args=([at],))
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def demo(folder: Path) -> Iterator[str]:
    """The demo in this process; its address."""
    at, inbox = listening(), Inbox()
    auth = dev_auth(folder / "dev.sqlite3", address(at), inbox)
    with serving(demo_app(auth, inbox), at):
        yield address(at)
    auth.close()


@contextmanager
def dev_server(folder: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """`authmw dev` as a process, and what it writes once it listens. It is told to stop at the end, if it runs."""
    ready = folder / "ready.json"
    command = [sys.executable, "-m", "authmw.cli", "dev", "--port", "0", "--database", str(folder / "dev.sqlite3")]
    with subprocess.Popen([*command, "--ready-file", str(ready)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "python -c" in line:
                break
        while not ready.exists() and process.poll() is None:
            continue
        try:
            yield process, json.loads(ready.read_text())
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)
