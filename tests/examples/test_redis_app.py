"""The example on Redis: two processes of it, and what one ends the other refuses."""

from __future__ import annotations

import runpy
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from authmw import Auth
from tests.redis_cluster import own_server

EXAMPLE = Path(__file__).parents[2] / "examples" / "redis_app.py"


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The example twice, over one server, as two processes would have it."""
    with own_server() as server:
        monkeypatch.setenv("REDIS_URL", server.address)
        yield runpy.run_path(str(EXAMPLE)), runpy.run_path(str(EXAMPLE))


def test_what_one_process_ends_the_other_refuses(processes: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """TOK-08."""
    one, two = processes
    ending: Auth = one["auth"]
    told = threading.Event()
    two["auth"].core.denied.listeners.append(told.set)
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
            assert told.wait(30)
            assert second.get("/me", headers=cookie).status_code == 401


async def end(auth: Auth, token: str) -> None:
    """End a session on the loop that the application lives on."""
    await auth.sessions.revoke(session_token=token)
