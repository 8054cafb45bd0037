"""Every method of the vendor's Node client, with what must work for the Python client and with what must not."""

from __future__ import annotations

import inspect
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from authmw.cli.dev import PROJECT_ID, SECRET
from authmw.errors import ERROR_TYPES
from tests.clients.methods import VALID
from tests.clients.test_every_method import LOCAL, METHODS, NEVER, Place, place, required
from tests.servers import Machine

__all__ = ["place"]

SCRIPT = Path(__file__).parents[1] / "js" / "methods.mjs"
OTHERWISE = {"introspecttokenlocal": "introspectaccesstokenlocal"}
"""Methods that are called otherwise than in the Python client."""
OWN_WORDS = ("TypeError", "Error: token_invalid")

pytestmark = [
    pytest.mark.server("node"),
    pytest.mark.xdist_group("every method"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]


class Node:
    """The client in a process of its own, one call at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.names: dict[str, str] = {plain(name): name for name in self._read()}

    def call(self, name: str, arguments: Any) -> Any:
        assert self._process.stdin is not None
        line = json.dumps({"name": self.names[plain(name)], "args": arguments})
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "The client's process ended."
        return json.loads(line)


def plain(name: str) -> str:
    """A method's path however a language spells it."""
    *above, last = name.replace("_", "").lower().split(".")
    return ".".join((*above, OTHERWISE.get(last, last)))


@pytest.fixture(scope="module")
def node(place: Place, machine: Machine) -> Iterator[Node]:
    told = json.dumps({"url": place.url, "project_id": PROJECT_ID, "secret": SECRET})
    command = [str(machine.server("node").where), str(SCRIPT), told]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        yield Node(process)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=30)


def test_the_client_has_the_methods_of_the_other(node: Node) -> None:
    assert sorted(node.names) == sorted(plain(name) for name in VALID)


@pytest.mark.parametrize("name", sorted(VALID))
def test_what_must_work_works(place: Place, node: Node, name: str) -> None:
    arguments = VALID[name](place.facts())
    bare = name == "idp.introspect_access_token_local"
    ended = node.call(name, arguments["access_token"] if bare else arguments)
    assert ended["status"] == 200, ended


@pytest.mark.parametrize("name", sorted(VALID.keys() - LOCAL))
def test_what_must_not_work_is_refused_by_a_documented_error(place: Place, node: Node, name: str) -> None:
    good = VALID[name](place.facts())
    needed = required(METHODS[name])
    for turn, parameter in enumerate(inspect.signature(METHODS[name]).parameters):
        for value in (7, "x", {"a": []}, "x" * 600) if parameter in needed else [({"a": []}, "x" * 20_000)[turn % 2]]:
            ended = node.call(name, {**good, parameter: value})
            if ended["status"] == 200 or (ended["status"] is None and ended["words"].startswith(OWN_WORDS)):
                continue  # It may be taken, or the client says by itself that it cannot be used.
            # The token endpoints speak as RFC 6749 section 5.2 wants; their error_uri names our own row.
            error_type = str(ended.get("error_url")).rpartition("#")[2]
            assert error_type in ERROR_TYPES.keys() - NEVER, (name, parameter, ended)
