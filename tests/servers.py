"""A plugin: the real servers that tests use, sought or started once per run, and said in the summary.

Law: sought in this order, and the first that takes our log-in wins: the address in `AUTHMW_TEST_POSTGRESQL`, `_MARIADB`, `_REDIS` (`host:port` or the path
of a Unix socket); this machine's standard port; the programs on this machine, started in a temporary folder on a Unix socket. A test marked `server(name)`
skips with the reason where its server was not reached, and fails where `CI` or `AUTHMW_TEST_REQUIRE=all` is set.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests import handshakes, network

START_SECONDS = 30.0
NODE_PACKAGES = Path(__file__).parent / "js" / "node_modules"
PORTS = {"postgresql": 5432, "mariadb": 3306, "redis": 6379}
PACKAGES = {
    "postgresql": "postgresql",
    "mariadb": "mariadb-server",
    "redis": "redis-server",
    "chromium": "chromium",
    "etcd": "etcd-server",
}


@attrs.frozen
class Server:
    """A server, or why there is none."""

    name: str
    where: str | None
    """`host:port`, the path of a Unix socket or of a program; None: not reached."""
    how: str
    """A line for the summary."""


def variable(name: str) -> str:
    """The environment's variable that names this server."""
    return f"AUTHMW_TEST_{name.upper()}"


def required() -> bool:
    """Whether a server that is not reached is a failure."""
    return bool(os.environ.get("CI")) or os.environ.get("AUTHMW_TEST_REQUIRE") == "all"


def program(name: str) -> str | None:
    """The path of a program: on PATH, or where Debian keeps PostgreSQL's."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return shutil.which(name) or (str(debian[0]) if debian else None)


class Machine:
    """The servers of one run, and the processes among them that are ours to end."""

    def __init__(self) -> None:
        self.found: dict[str, Server] = {}
        self._started: list[subprocess.Popen[bytes]] = []
        self._folders: list[Path] = []

    def server(self, name: str) -> Server:
        """The server of this name, sought when first asked for."""
        if name not in self.found:
            self.found[name] = PROGRAMS[name]() if name in PROGRAMS else self._seek(name)
        return self.found[name]

    def _seek(self, name: str) -> Server:
        if named := os.environ.get(variable(name)):
            network.allow(named.rpartition(":")[0])
            if handshakes.serves(name, named):
                return Server(name, named, f"named by {variable(name)}")
            return Server(name, None, f"{variable(name)} names one that takes no log-in")
        local = f"127.0.0.1:{PORTS[name]}"
        if handshakes.serves(name, local):
            return Server(name, local, f"runs at {local}")
        return self._start(name)

    def _start(self, name: str) -> Server:
        folder = Path(tempfile.mkdtemp(prefix="authmw-test-", dir="/tmp"))  # a socket's path must be short
        self._folders.append(folder)
        commands = commands_for(name, folder)
        if commands is None:
            return Server(
                name, None, f"not installed; apt-get install {PACKAGES[name]}, or name one in {variable(name)}"
            )
        *preparations, serving = commands
        with (folder / "log").open("wb") as log:
            for command in preparations:
                if subprocess.run(command, stdout=log, stderr=log, check=False, **_as_nobody(folder)).returncode:
                    return Server(name, None, f"{Path(command[0]).name} failed")
            process = subprocess.Popen(serving, stdout=log, stderr=log, **_as_nobody(folder))
        self._started.append(process)
        where = str(folder / SOCKETS[name])
        latest = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < latest:
            if handshakes.serves(name, where):
                return Server(name, where, "started from the machine's programs")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        return Server(name, None, f"{Path(serving[0]).name} started and took no log-in")

    def end(self) -> None:
        """End what this run started and drop its folders."""
        for process in self._started:
            process.terminate()
        for process in self._started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)


SOCKETS = {"postgresql": ".s.PGSQL.5432", "mariadb": "s", "redis": "s"}


def commands_for(name: str, folder: Path) -> list[list[str]] | None:
    """The commands that prepare and, last, serve in this folder; None if a program is missing."""
    data = str(folder / "data")
    at = str(folder / SOCKETS[name])
    lines = {
        "postgresql": (
            f"initdb -D {data} -A trust -U postgres --no-sync --no-locale -E UTF8",
            f"postgres -D {data} -k {folder} -c listen_addresses= -c fsync=off",
        ),
        "mariadb": (
            f"mariadb-install-db --no-defaults --datadir={data} --auth-root-authentication-method=normal --skip-test-db",
            f"mariadbd --no-defaults --datadir={data} --skip-networking --socket={at} --pid-file={folder}/pid",
        ),
        "redis": (f"redis-server --port 0 --unixsocket {at} --save '' --appendonly no --dir {folder}",),
    }[name]
    commands = [shlex.split(line) for line in lines]
    programs = [program(command[0]) for command in commands]
    if None in programs:
        return None
    return [[str(path), *command[1:]] for path, command in zip(programs, commands, strict=True)]


def _as_nobody(folder: Path) -> dict[str, Any]:
    """What makes a child of root run as `nobody` in this folder, for databases refuse to be root; nothing for anybody else."""
    if os.getuid():
        return {"cwd": folder}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"cwd": folder, "user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def find_chromium() -> Server:
    """The browser on this machine."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return Server("chromium", path, f"is {path}")
    return Server("chromium", None, f"not installed; apt-get install {PACKAGES['chromium']}")


def find_node() -> Server:
    """The environment's own Node, with the packages of `tests/js`."""
    path = Path(sys.executable).with_name("node")
    if not path.exists():
        return Server("node", None, "the environment has no Node; make .venv/ready")
    if not NODE_PACKAGES.is_dir():
        return Server("node", None, "the packages of tests/js are not installed; make .venv/js-ready")
    return Server("node", str(path), "is the environment's, with the packages of tests/js")


def find_etcd() -> Server:
    """The program, which the tests that need it start by themselves."""
    path = program("etcd")
    return Server("etcd", path, f"is {path}" if path else f"not installed; apt-get install {PACKAGES['etcd']}")


PROGRAMS: dict[str, Callable[[], Server]] = {"chromium": find_chromium, "node": find_node, "etcd": find_etcd}
NAMES = (*PORTS, *PROGRAMS)
MACHINE = pytest.StashKey[Machine]()


def pytest_configure(config: pytest.Config) -> None:
    """With workers the controller seeks all servers, once; without, each is sought when a test first needs it."""
    machine = config.stash.setdefault(MACHINE, Machine())
    handed = getattr(config, "workerinput", {}).get("servers")
    if handed is not None:
        machine.found.update({row[0]: Server(*row) for row in handed})
    elif config.getoption("numprocesses", default=None):
        for name in NAMES:
            machine.server(name)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # xdist gives its nodes no public type
    """Hand what was found to a worker."""
    found = node.config.stash[MACHINE].found
    node.workerinput["servers"] = [attrs.astuple(server) for server in found.values()]


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what was started here; a worker started nothing."""
    config.stash[MACHINE].end()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what the run stood on."""
    found = config.stash[MACHINE].found
    if not found:
        return
    terminalreporter.section("real servers")
    for server in found.values():
        terminalreporter.line(f"{server.name:<12} {'' if server.where else 'NOT REACHED: '}{server.how}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip or fail a test whose server was not reached."""
    for mark in item.iter_markers("server"):
        server = item.config.stash[MACHINE].server(mark.args[0])
        if server.where is None:
            message = f"{server.name} was not reached: {server.how}"
            pytest.fail(message, pytrace=False) if required() else pytest.skip(message)


@pytest.fixture(scope="session")
def machine(pytestconfig: pytest.Config) -> Machine:
    """Where the servers of this run stand: `machine.server("redis").where`."""
    return pytestconfig.stash[MACHINE]
