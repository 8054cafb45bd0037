"""Database servers of a test's own, which it may kill: each on a port of loopback, in a folder of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from tests import handshakes
from tests.processes.hosting import LONGEST, free_port, until
from tests.servers import _as_nobody, program

URLS = {
    "postgresql": "postgresql+psycopg://postgres@127.0.0.1:{port}/postgres",
    "postgresql-asyncpg": "postgresql+asyncpg://postgres@127.0.0.1:{port}/postgres",
    "mariadb": "mariadb+pymysql://root@127.0.0.1:{port}/test?charset=utf8mb4",
    "redis": "redis://127.0.0.1:{port}/0",
}
_SERVE = {
    "postgresql": "postgres -D {data} -k {folder} -p {port} -c listen_addresses=127.0.0.1 -c wal_level=replica -c max_connections=60 -c shared_buffers=16MB",
    "mariadb": "mariadbd --no-defaults --datadir={data} --bind-address=127.0.0.1 --port={port} --socket={folder}/s --pid-file={folder}/pid",
    "redis": "redis-server --port {port} --bind 127.0.0.1 --appendonly yes --appendfsync always --dir {folder}",
}
_PREPARE = {
    "postgresql": "initdb -D {data} -A trust -U postgres --no-sync --no-locale -E UTF8 --wal-segsize=1",
    "mariadb": "mariadb-install-db --no-defaults --datadir={data} --auth-root-authentication-method=normal",
}


@attrs.define(eq=False)
class Own:
    """A server that can be killed and started again on what it left."""

    name: str
    folder: Path
    port: int = attrs.field(factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, driver: str = "") -> str:
        """How it is reached."""
        return URLS[driver or self.name].format(port=self.port)

    def run(self, line: str) -> None:
        """Run one of the server's programs to its end."""
        name, *rest = line.format(data=self.data, folder=self.folder, port=self.port).split()
        with (self.folder / "log").open("ab") as log:
            subprocess.run(
                [str(program(name)), *rest],
                stdout=log,
                stderr=log,
                check=True,
                timeout=LONGEST,
                **_as_nobody(self.folder),
            )

    def start(self) -> None:
        """Serve; it is there when this returns. What a killed server has not let go of yet may take a moment."""
        until(self._started, f"a server of {self.name}")

    def _started(self) -> bool:
        name, *rest = _SERVE[self.name].format(data=self.data, folder=self.folder, port=self.port).split()
        if self.process is None or self.process.poll() is not None:
            with (self.folder / "log").open("ab") as log:
                command = [str(program(name)), *rest]
                self.process = subprocess.Popen(command, stdout=log, stderr=log, **_as_nobody(self.folder))
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(0.1)
        return handshakes.serves(self.name, f"127.0.0.1:{self.port}")

    def kill(self) -> None:
        """The process is gone from one moment to the next, as when its machine fails."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self) -> None:
        """End it for good."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT if self.name == "postgresql" else signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@contextmanager
def own_server(name: str, folder: Path | None = None) -> Iterator[Own]:
    """A server that serves, on an empty database."""
    place = Path(tempfile.mkdtemp(prefix="authmw-own-", dir=folder or "/tmp"))
    place.chmod(0o755)
    own = Own(name, place)
    try:
        if name in _PREPARE:
            own.run(_PREPARE[name])
        own.start()
        yield own
    finally:
        own.end()
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def standby_of(primary: Own) -> Iterator[Own]:
    """A streaming replica, of which the primary waits for each commit until it is on the replica's disk too."""
    place = Path(tempfile.mkdtemp(prefix="authmw-own-", dir="/tmp"))
    standby = Own("postgresql", place)
    try:
        standby.run(
            f"pg_basebackup -h 127.0.0.1 -p {primary.port} -U postgres -D {{data}} -R -X stream --checkpoint=fast"
        )
        standby.data.chmod(0o700)
        standby.start()
        primary.run(f"psql -h 127.0.0.1 -p {primary.port} -U postgres -f {_written(primary)}")
        yield standby
    finally:
        standby.end()
        shutil.rmtree(place, ignore_errors=True)


def _written(primary: Own) -> Path:
    script = primary.folder / "synchronous.sql"
    script.write_text("ALTER SYSTEM SET synchronous_standby_names = '*';\nSELECT pg_reload_conf();\n")
    os.chmod(script, 0o644)
    return script
