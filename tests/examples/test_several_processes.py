"""The examples of several processes, on Redis and on PostgreSQL: two of each, and what one ends the other refuses."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from authmw import Auth
from tests.adapters.noticing import until
from tests.databases import ASYNC_DRIVERS, address, new_database
from tests.redis_cluster import own_server
from tests.servers import Machine

EXAMPLES = Path(__file__).parents[2] / "examples"
ON = [pytest.param(name, marks=pytest.mark.server(name)) for name in ("redis", "postgresql")]


@pytest.fixture(params=ON)
def processes(
    request: pytest.FixtureRequest, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """An example twice, over one server, as two processes would have it."""
    with ExitStack() as stack:
        if request.param == "redis":
            monkeypatch.setenv("REDIS_URL", stack.enter_context(own_server()).address)
        else:
            name = stack.enter_context(new_database(machine, "postgresql"))
            there = address(machine, "postgresql", name, ASYNC_DRIVERS["postgresql"])
            monkeypatch.setenv("DATABASE_URL", there.render_as_string(hide_password=False))
        example = str(EXAMPLES / f"{request.param}_app.py")
        yield runpy.run_path(example), runpy.run_path(example)


def test_what_one_process_ends_the_other_refuses(processes: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """TOK-08."""
    one, two = processes
    ending: Auth = one["auth"]
    with TestClient(one["app"]) as first:
        user = ending.run(ending.users.create(email="ada@example.org"))
        token = ending.run(ending.magic_links.create(user_id=user.user_id)).token
        signed_in = ending.run(ending.magic_links.authenticate(token=token, session_duration_minutes=60))
        cookie = {"cookie": f"authmw_session_jwt={signed_in.session_jwt}"}
        assert first.get("/me", headers=cookie).json() == {"user": user.user_id}
        with TestClient(two["app"]) as second:
            assert second.get("/me", headers=cookie).status_code == 200
            assert first.portal is not None
            first.portal.call(end, ending, signed_in.session_token)
            # Well before the JWT's own end.
            until(lambda: second.get("/me", headers=cookie).status_code == 401)


async def end(auth: Auth, token: str) -> None:
    """End a session on the loop that the application lives on."""
    await auth.sessions.revoke(session_token=token)
