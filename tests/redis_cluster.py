"""Redis servers of a test's own on loopback, ended with it: one that can be killed and started again, and a cluster of three nodes."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis

from tests import handshakes
from tests.servers import START_SECONDS, program

HIGHEST = 55_000
"""A node also listens 10,000 ports higher."""


def _free_port() -> int:
    while True:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]
        if port <= HIGHEST:
            return port


def _served(process: subprocess.Popen[bytes], where: str) -> None:
    latest = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < latest:
        if handshakes.serves("redis", where):
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
    raise AssertionError("a node of the cluster did not start")


def _agrees(process: subprocess.Popen[bytes], where: str) -> None:
    """Wait until a node has heard of the others: whoever made the cluster asked one of them alone."""
    latest = time.monotonic() + START_SECONDS
    with Redis.from_url(f"redis://{where}") as client:
        while time.monotonic() < latest:
            if str(client.cluster("INFO").get("cluster_state")) == "ok":
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
    raise AssertionError("a node did not join the cluster")


@contextmanager
def cluster_of_three() -> Iterator[list[str]]:
    """`host:port` of each node, once all slots are served."""
    server, client = program("redis-server"), program("redis-cli")
    assert server is not None, "redis-server is not installed"
    assert client is not None, "redis-cli is not installed"
    folder = Path(tempfile.mkdtemp(prefix="authmw-test-", dir="/tmp"))
    nodes: list[subprocess.Popen[bytes]] = []
    addresses: list[str] = []
    try:
        for number in range(3):
            place = folder / str(number)
            place.mkdir()
            port = _free_port()
            options = f"--port {port} --bind 127.0.0.1 --cluster-enabled yes --appendonly no --dir {place}".split()
            with (place / "log").open("wb") as log:
                nodes.append(subprocess.Popen([server, *options, "--save", ""], stdout=log, stderr=log))
            addresses.append(f"127.0.0.1:{port}")
            _served(nodes[-1], addresses[-1])
        create = [client, "--cluster", "create", *addresses, "--cluster-yes"]
        subprocess.run(create, check=True, capture_output=True, timeout=START_SECONDS * 2)
        for node, address in zip(nodes, addresses, strict=True):
            _agrees(node, address)
        yield addresses
    finally:
        for node in nodes:
            node.terminate()
        for node in nodes:
            node.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


class OwnServer:
    """One server in a folder of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = _free_port()
        self.address = f"redis://127.0.0.1:{self.port}"
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, over what lies in its folder, and wait until it answers."""
        server = program("redis-server")
        assert server is not None, "redis-server is not installed"
        options = f"--port {self.port} --bind 127.0.0.1 --dir {self._folder}".split()
        with (self._folder / "log").open("ab") as log:
            command = [server, *options, "--save", "", *self._options]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        _served(self._process, f"127.0.0.1:{self.port}")

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)


@contextmanager
def own_server(*options: str) -> Iterator[OwnServer]:
    """A server that runs with these options."""
    folder = Path(tempfile.mkdtemp(prefix="authmw-test-", dir="/tmp"))
    server = OwnServer(folder, *options)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)
