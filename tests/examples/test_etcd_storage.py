"""The adapter of the tutorial: it passes the contract on a real etcd, and the tutorial is its code, whole and in order."""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import re
import subprocess
import sys
import time
import tokenize
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from authmw.drive import step
from authmw.errors import OutcomeUnknown, StorageError
from authmw.storage import Insert, Storage
from authmw.testing.contracts import StorageContract
from authmw.testing.contracts.records import Thing
from tests.servers import START_SECONDS, Machine
from tests.web_servers import listening, read_request, reply

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "etcd_storage.py"
TUTORIAL = ROOT / "docs" / "writing-an-adapter.md"


def example() -> ModuleType:
    if str(EXAMPLE.parent) not in sys.path:
        sys.path.append(str(EXAMPLE.parent))
    return importlib.import_module("etcd_storage")


def two_ports() -> list[int]:
    with listening(lambda client: None) as one, listening(lambda client: None) as other:
        return [one, other]


@pytest.fixture(scope="module")
def etcd(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an etcd of this module."""
    clients, peers = (f"http://127.0.0.1:{port}" for port in two_ports())
    folder = tmp_path_factory.mktemp("etcd")
    command = [
        *(str(machine.server("etcd").where), "--data-dir", str(folder / "data"), "--max-txn-ops", "512"),
        *("--listen-client-urls", clients, "--advertise-client-urls", clients, "--log-level", "error"),
        *("--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", f"default={peers}"),
    ]
    where, latest = clients.removeprefix("http://"), time.monotonic() + START_SECONDS
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        while process.poll() is None and time.monotonic() < latest:
            with contextlib.suppress(StorageError):
                step(example().EtcdStorage(where).get(Thing, "a"))
                break
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        yield where
        process.terminate()


@pytest.mark.server("etcd")
class TestEtcd(StorageContract):
    """On one node."""

    where: str = ""

    @pytest.fixture(autouse=True)
    def own(self, etcd: str) -> None:
        self.where = etcd

    def make_storage(self, folder: Path, namespace: str = "") -> Storage:
        made: Storage = example().EtcdStorage(self.where, f"{folder}|{namespace}")
        return made


def test_the_tutorial_is_the_adapter_whole_and_in_order() -> None:
    blocks = re.findall(r"```python\n(.*?)```", TUTORIAL.read_text("utf-8"), re.DOTALL)
    pieces = [block for block in blocks if not block.startswith("# ")]
    told = [line for piece in pieces for line in piece.splitlines() if line.strip()]
    assert told == [line for line in EXAMPLE.read_text("utf-8").splitlines() if line.strip()]


def test_the_adapter_has_less_than_200_lines_of_code() -> None:
    source = EXAMPLE.read_text("utf-8")
    blank = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    tokens = [one for one in tokenize.generate_tokens(io.StringIO(source).readline) if one.type not in blank]
    code = {line for one in tokens for line in range(one.start[0], one.end[0] + 1)}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            code -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    assert len(code) < 200


def test_an_etcd_that_is_not_there_is_a_storage_error() -> None:
    port, _ = two_ports()
    with pytest.raises(StorageError, match="cannot be reached"):
        step(example().EtcdStorage(f"127.0.0.1:{port}").get(Thing, "a"))


@pytest.mark.parametrize("answer", [b"", reply(503, b'{"code": 14}'), reply(200, b"{")], ids=["none", "late", "half"])
def test_a_commit_that_is_not_acknowledged_has_an_unknown_outcome(answer: bytes) -> None:
    """The read before it is answered."""
    empty = reply(200, b'{"responses": [{"response_range": {}}]}')
    answers = iter([empty, answer, answer])

    def talk(connection: object) -> None:
        if read_request(connection) is not None:  # type: ignore[arg-type]
            connection.sendall(next(answers))  # type: ignore[attr-defined]

    with listening(talk) as port:
        storage = example().EtcdStorage(f"127.0.0.1:{port}")
        with pytest.raises(OutcomeUnknown):
            step(storage.commit(Insert(Thing(id="a"))))
        with pytest.raises(StorageError) as refused:
            step(storage.get(Thing, "a"))
        assert not isinstance(refused.value, OutcomeUnknown)
