"""Starts `tests.processes.host` under real servers with several workers, and speaks to one worker or to all.

Law: which worker answers is no luck. While one takes a connection, the others are stopped (SIGSTOP), so that nobody else can.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs

from tests.world import PROJECT_ID, PUBLIC_TOKEN, SECRET, Answer

WORKERS = 4
LONGEST = 240.0
"""Seconds after which a server that does not do what it should has failed the test."""
BACKEND = {"authorization": "Basic " + base64.b64encode(f"{PROJECT_ID}:{SECRET}".encode()).decode()}
BROWSER = {"authorization": "Basic " + base64.b64encode(f"{PUBLIC_TOKEN}:{PUBLIC_TOKEN}".encode()).decode()}
ROOT = Path(__file__).parents[2]

_GUNICORN = "-m gunicorn --workers {workers} --bind 127.0.0.1:{port} --log-level warning --timeout 120 --graceful-timeout 60 --worker-tmp-dir /dev/shm"
COMMANDS = {
    "uvicorn": "-m uvicorn tests.processes.host:asgi --workers {workers} --port {port} --log-level warning --timeout-worker-healthcheck 60",
    "gunicorn-asgi": f"{_GUNICORN} --preload --worker-class asgi tests.processes.host:asgi",
    "gunicorn-sync": f"{_GUNICORN} --worker-class sync tests.processes.host:wsgi",
    "gunicorn-gthread": f"{_GUNICORN} --preload --worker-class gthread --threads 4 tests.processes.host:wsgi",
}
"""How each server is started; all but one of gunicorn load the host once, before they fork."""


def until(holds: Callable[[], Any], what: str) -> Any:
    """What `holds` gives once it is true; fails after `LONGEST` seconds."""
    latest = time.monotonic() + LONGEST
    while not (held := holds()):
        assert time.monotonic() < latest, f"{what} did not come to be"
        time.sleep(0.005)
    return held


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


@attrs.define
class Home:
    """A folder by which a test and the processes of its hosts speak to each other."""

    folder: Path
    database: str
    _ahead: float = 0

    def __attrs_post_init__(self) -> None:
        (self.folder / "workers").mkdir(exist_ok=True)
        (self.folder / "moment").write_text(datetime.now(UTC).isoformat())
        self.later(0)

    def later(self, seconds: float) -> None:
        """Move the time of every process."""
        self._ahead += seconds
        written = self.folder / "ahead.part"
        written.write_text(str(self._ahead))
        written.replace(self.folder / "ahead")

    def said(self, file: str) -> list[dict[str, Any]]:
        """What processes have said."""
        path = self.folder / file
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def code(self, address: str) -> str:
        """The newest code for an address."""
        return str(until(lambda: [one["code"] for one in self.said("sent") if one["to"] == address], "a code")[-1])

    @contextmanager
    def gate(self, name: str) -> Iterator[Callable[[], None]]:
        """A gate that is shut until the given function opens it, or the test ends."""
        path = self.folder / name
        os.mkfifo(path)
        writer = os.open(path, os.O_RDWR)

        def release() -> None:
            nonlocal writer
            if writer is not None:
                path.unlink()
                os.close(writer)
                writer = None

        try:
            yield release
        finally:
            release()

    def environment(self, server: str = "", **chosen: Any) -> dict[str, str]:
        """The environment of a process of the host."""
        return {
            **os.environ,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'adapters'}",
            "PYTHONUNBUFFERED": "1",
            "AUTHMW_TEST_SERVER": server,
            "AUTHMW_TEST_HOME": str(self.folder),
            "AUTHMW_TEST_DATABASE": self.database,
            "AUTHMW_TEST_CHOSEN": json.dumps(chosen),
            "AUTHMW_APP": "tests.processes.host:auth",
        }


@attrs.define(eq=False)
class Host:
    """A server with its workers."""

    home: Home
    process: subprocess.Popen[bytes]
    port: int
    log: Path
    _before: frozenset[str]

    def workers(self) -> list[int]:
        """The processes that answer requests."""
        names = {one.name for one in (self.home.folder / "workers").iterdir()} - self._before
        return sorted(int(name) for name in names if _parent(int(name)) == self.process.pid)

    def ask(self, method: str, path: str, body: Any = None, *, of: int | None = None, **headers: str) -> Answer:
        """One request on a connection of its own, to one worker or to whoever takes it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONGEST)
        if of is not None:
            self._connect(connection, of)
        return asked(connection, method, path, body, **headers)

    def _connect(self, connection: http.client.HTTPConnection, to: int) -> None:
        """Have a connection taken by this worker. The others stand still for just that: one that held a lock of the database for longer would hold up everybody."""
        others = [worker for worker in self.workers() if worker != to]
        try:
            for other in others:
                os.kill(other, signal.SIGSTOP)
            for other in others:
                until(lambda other=other: _states(other) <= {"T", "Z", "X"}, "a stop")
            connection.connect()
            until(lambda: _taken(self.port, connection.sock.getsockname()[1]), "a connection")
        finally:
            for other in others:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(other, signal.SIGCONT)

    def backend(self, path: str, body: Any, *, of: int | None = None) -> Answer:
        """A call of the backend API."""
        return self.ask("POST", path, body, of=of, **BACKEND)

    def browser(self, path: str, body: Any, *, of: int | None = None, **headers: str) -> Answer:
        """A call of the browser API."""
        return self.ask("POST", path, body, of=of, **BROWSER, **headers)

    def sign_in(self, address: str, *, of: int | None = None) -> Any:
        """The answer to a sign-in by code, at one worker. Time must move between two of one address."""
        sent = self.backend("/v1/otps/email/login_or_create", {"email": address}, of=of)
        assert sent.status == 200, sent.json
        known = {"method_id": sent.json["email_id"], "code": self.home.code(address), "session_duration_minutes": 60}
        answer = self.backend("/v1/otps/authenticate", known, of=of)
        assert answer.status == 200, answer.json
        return answer.json

    def stop(self) -> tuple[int, str]:
        """End it as a supervisor does; how it ended, and what it complained of."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def ended(self) -> tuple[int, str]:
        """How it ended, and what it said."""
        code = self.process.wait(LONGEST)
        return code, self.log.read_text()


def asked(connection: http.client.HTTPConnection, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    """One request on a connection, which is closed after it."""
    try:
        content = None if body is None else json.dumps(body)
        if content is not None:
            headers = {"content-type": "application/json", **headers}
        connection.request(method, path, content, headers)
        answer = connection.getresponse()
        data = answer.read()
        return Answer(answer.status, json.loads(data) if data.startswith(b"{") else None, answer.getheaders())
    finally:
        connection.close()


@contextmanager
def hosted(home: Home, server: str, *more: str, workers: int = WORKERS, **chosen: Any) -> Generator[Host]:
    """The host under a server, once all its workers are there and one answers."""
    port = free_port()
    command = [sys.executable, *COMMANDS[server].format(workers=workers, port=port).split(), *more]
    before = frozenset(one.name for one in (home.folder / "workers").iterdir())
    log = home.folder / f"{server}-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=home.environment(server, **chosen),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    host = Host(home, process, port, log, before)

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        if len(host.workers()) < workers:
            return False
        with contextlib.suppress(OSError, http.client.HTTPException):
            return host.ask("GET", "/pid").status == 200
        return False

    try:
        until(answers, "a server")
        yield host
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(LONGEST / 2)
            except subprocess.TimeoutExpired:
                for pid in host.workers():
                    os.kill(pid, signal.SIGKILL)
                process.kill()
                process.wait()


def _parent(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def _taken(port: int, client: int) -> bool:
    """Whether the server's end of a connection belongs to a process: as long as nobody has accepted it, it has no inode."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(f":{port:04X}") and fields[2].endswith(f":{client:04X}"):
            return fields[9] != "0"
    return False


def _states(pid: int) -> set[str]:
    """The states of a process's threads."""
    found = set[str]()
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        with contextlib.suppress(OSError):
            found.add(stat.read_text().rpartition(")")[2].split()[0])
    return found
