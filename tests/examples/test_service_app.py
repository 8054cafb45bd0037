"""The example of a service: its own table follows, its probe answers, its worker works."""

from __future__ import annotations

import runpy
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from authmw import Change
from authmw.errors import StorageError
from authmw.limits import Limit
from authmw_adapters.memory import MemoryLimiter

EXAMPLE = Path(__file__).parents[2] / "examples" / "service_app.py"
PAIR = ("project-test-1", "a-secret-of-your-own")


class Heard:
    """A second listener, told behind the example's own."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self._came = threading.Condition()

    def listen(self, change: Change) -> None:
        with self._came:
            self.changes.append(change)
            self._came.notify_all()

    def wait(self, many: int) -> None:
        with self._came:
            assert self._came.wait_for(lambda: len(self.changes) >= many, timeout=20)


class Away(MemoryLimiter):
    """A limiter whose server is away."""

    async def peek(self, limit: Limit, now: datetime) -> int:
        raise StorageError("away")


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    return runpy.run_path(str(EXAMPLE))


@pytest.fixture
def client(example: dict[str, Any]) -> Iterator[TestClient]:
    with TestClient(example["app"]) as client:
        yield client
    example["auth"].close()


def test_the_hosts_own_table_follows_each_change(example: dict[str, Any], client: TestClient) -> None:
    """WH-12."""
    heard = Heard()
    example["auth"].on("*.user.*", name="heard")(heard.listen)
    made = client.post("/v1/users", json={"email": "ada@example.org", "name": {"first_name": "Ada"}}, auth=PAIR).json()
    heard.wait(1)
    assert client.get("/people").json() == ["Ada"]
    client.put(f"/v1/users/{made['user_id']}", json={"name": {"first_name": "Grace"}}, auth=PAIR)
    heard.wait(2)
    assert client.get("/people").json() == ["Grace"]
    for change in heard.changes:
        example["follow"](change)  # told again, as may happen
    assert client.get("/people").json() == ["Grace"]
    client.delete(f"/v1/users/{made['user_id']}", auth=PAIR)
    heard.wait(3)
    assert client.get("/people").json() == []


def test_the_probe_says_that_all_is_well_and_when_it_is_not(example: dict[str, Any], client: TestClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"healthy": True})
    example["auth"].core.limiter = Away()
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (503, {"healthy": False})
