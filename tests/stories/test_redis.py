"""A project that lives in Redis altogether, records and counts, behind ASGI (asyncio) and behind WSGI (blocking)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from authmw.health import Inspected
from authmw_adapters.redis import AsyncRedisLimiter, AsyncRedisStorage, RedisLimiter, RedisStorage
from tests.redis_cluster import OwnServer, own_server
from tests.world import World, asgi_client, make_world

USERS = "/v1/users"


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    with own_server("--appendonly", "yes", "--maxmemory", "100mb") as one:
        yield one


@pytest.fixture(params=["asgi", "wsgi"])
def world(request: pytest.FixtureRequest, tmp_path: Path, server: OwnServer) -> Iterator[World]:
    name = f"n{uuid4().hex[:12]}"
    if request.param == "wsgi":
        storage, limiter = RedisStorage(server.address, name), RedisLimiter(server.address, name)
        world = make_world(tmp_path, "wsgi", storage=storage, limiter=limiter)
        yield world
        world.auth.close()
        return
    limits = AsyncRedisLimiter(server.address, name)
    world = make_world(tmp_path, "asgi", storage=AsyncRedisStorage(server.address, name), limiter=limits)
    with asgi_client(world.auth) as world.client:
        yield world
        world.auth.close()  # Writes what is noted first, on the loop of the host.


def test_a_person_signs_in_is_let_in_is_found_and_signs_out(world: World) -> None:
    """ARCH-01, ARCH-05, ARCH-06."""
    body = world.sign_in("ada@example.org")
    token, user_id = body["session_token"], body["user_id"]
    assert world.visit("/who", f"authmw_session={token}").json == {"user_id": user_id}
    for number in range(12):
        world.sign_in(f"user{number}@example.org")
    query = {"operator": "OR", "operands": [{"filter_name": "email_address_fuzzy", "filter_value": "user1"}]}
    found = world.backend("POST", f"{USERS}/search", {"query": query}).json
    assert found["results_metadata"]["total"] == 3
    assert {one["emails"][0]["email"] for one in found["results"]} == {
        "user1@example.org",
        "user10@example.org",
        "user11@example.org",
    }
    pages, cursor = list[str](), None
    for _ in range(9):
        page = world.backend("POST", f"{USERS}/search", {"limit": 5, "cursor": cursor}).json
        pages += [one["user_id"] for one in page["results"]]
        cursor = page["results_metadata"]["next_cursor"]
        if cursor is None:
            break
    assert len(pages) == len(set(pages)) == 13
    assert world.backend("POST", "/v1/sessions/revoke", {"session_token": token}).status == 200
    assert world.visit("/who", f"authmw_session={token}").status == 401
    assert world.backend("DELETE", f"{USERS}/{user_id}").status == 200
    assert world.backend("GET", f"{USERS}/{user_id}").status == 404


def test_a_link_signs_in_once_and_guesses_are_counted(world: World) -> None:
    world.backend("POST", "/v1/magic_links/email/login_or_create", {"email": "ada@example.org"})
    body = {"token": world.token()}
    answers = [world.backend("POST", "/v1/magic_links/authenticate", body).status for _ in range(2)]
    assert answers == [200, 401]


def test_the_service_is_well_and_its_operator_is_told_what_a_crash_would_forget(world: World) -> None:
    assert world.auth.run(world.auth.health()).healthy
    assert isinstance(world.auth.storage, Inspected)
    assert "a crash may forget the last second" in " ".join(finding.message for finding in world.auth.setup())


def test_where_lifespan_ends_the_limits_let_go_of_their_connections_too(tmp_path: Path, server: OwnServer) -> None:
    name = f"n{uuid4().hex[:12]}"
    limits = AsyncRedisLimiter(server.address, name)
    world = make_world(tmp_path, "asgi", storage=AsyncRedisStorage(server.address, name), limiter=limits)
    with asgi_client(world.auth) as world.client:
        world.sign_in()
        assert list(limits._clients._by_loop.values())
    assert not list(limits._clients._by_loop.values())
