"""While storage is away every route of ours says so, and none says that something went wrong on our side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from authmw.errors import StorageError
from authmw.http.api import Api
from tests.world import PROJECT_ID, World, make_world


async def away(*arguments: Any, **named: Any) -> Any:
    raise StorageError("away")


@pytest.fixture(params=[(host, managed) for host in ("asgi", "wsgi") for managed in (False, True)], ids=str)
def outage(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[World, Any]:
    """A project whose storage went away after somebody had signed in, and the session."""
    host, managed = request.param
    world = make_world(tmp_path, host, managed={"passwords"} if managed else set())
    signed_in = world.sign_in()
    for name in ("get", "find", "page", "count", "commit", "sweep"):
        monkeypatch.setattr(world.auth.storage, name, away)
    world.clock.advance(seconds=3600)
    return world, signed_in


def test_no_route_says_that_the_fault_is_ours(outage: tuple[World, Any]) -> None:
    world, signed_in = outage
    table = Api(world.auth)._table
    routes = [*table._static.items()]
    routes += [("/".join(parts), methods) for held in table._patterns.values() for parts, methods in held]
    cookie = f"authmw_session={signed_in['session_token']}"
    seen: dict[int, int] = {}
    for path, methods in routes:
        for method, entry in methods.items():
            target = path.replace("{project_id}", PROJECT_ID).replace("{", "").replace("}", "")
            send = world.backend if entry.audience == "backend" else world.browser
            answer = send(method, target, None if method == "GET" else {}, cookie=cookie)
            assert answer.status < 500 or answer.status == 503, (method, target, answer.json)
            seen[answer.status] = seen.get(answer.status, 0) + 1
    assert sum(seen.values()) > 200
    assert seen[503] > 20


def test_calls_that_need_storage_are_told_to_come_back(outage: tuple[World, Any]) -> None:
    world, signed_in = outage
    for answer in (
        world.backend("POST", "/v1/sessions/authenticate", {"session_token": signed_in["session_token"]}),
        world.backend("POST", "/v1/magic_links/email/login_or_create", {"email": "ada@example.org"}),
    ):
        assert (answer.status, answer.json["error_type"]) == (503, "server_unavailable")
    # The host's own pages go on; nobody is known there.
    assert world.visit("/who", f"authmw_session={signed_in['session_token']}").status == 401
    assert world.visit("/v1/public-of-the-host").status == 200
