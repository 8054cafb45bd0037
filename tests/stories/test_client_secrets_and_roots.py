"""Secrets of clients while an operator changes root keys: each goes under the newest when it is next used, and the operator is told which have not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from authmw import Provider
from authmw.platform.authentication import Marked, marked_by_older_keys
from tests.stories.test_provider import app
from tests.world import PROJECT_ID, World, make_world

OLD, NEW, NEWEST = bytes(range(32)), bytes(range(32, 64)), bytes(range(64, 96))
Uses = Callable[[World], bool]


@pytest.fixture(params=["asgi", "wsgi"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return make_world(tmp_path, request.param, provider=Provider(), root_keys=(OLD,))


@pytest.fixture(params=["machine", "app"])
def uses(request: pytest.FixtureRequest, world: World) -> Uses:
    """Whether a client that was made under the old root key is let in by a process."""
    if request.param == "app":
        one = app(world)
        return lambda there: (
            attrs.evolve(one, world=there).form("introspect", {"token": "x", **one.credentials()}).status == 200
        )
    made = world.backend("POST", "/v1/m2m/clients", {"scopes": ["read"]}).json["m2m_client"]
    fields: dict[str, Any] = {
        "grant_type": "client_credentials",
        "client_id": made["client_id"],
        "client_secret": made["client_secret"],
    }
    return lambda there: there.backend("POST", f"/v1/public/{PROJECT_ID}/oauth2/token", fields).status == 200


def marked(there: World) -> Marked:
    return there.auth.run(marked_by_older_keys(there.auth.core))


def test_a_secret_that_is_used_under_a_new_root_key_outlives_the_old_one(world: World, uses: Uses) -> None:
    """KEY-02, TOK-02."""
    both, new = world.under(NEW, OLD), world.under(NEW)
    assert marked(both) == Marked(older={"client_secret": 1}, ended={})
    assert not uses(new)
    assert uses(both)
    assert marked(both) == Marked(older={}, ended={})
    assert uses(new)
    assert uses(world.under(NEWEST, NEW))
    assert uses(world.under(NEWEST))
    assert not uses(world.under(OLD))


def test_a_secret_that_was_not_used_in_time_ends_and_is_counted(world: World, uses: Uses) -> None:
    new = world.under(NEW)
    assert not uses(new)
    assert marked(new) == Marked(older={}, ended={"client_secret": 1})
    assert uses(world.under(NEW, OLD)), "the old key put back mends it"


def test_processes_that_are_restarted_in_turn_all_let_a_client_in(world: World, uses: Uses) -> None:
    both = world.under(NEW, OLD)
    for _ in range(2):
        assert uses(both)
        assert uses(world)
    assert marked(both) == Marked(older={}, ended={})


def test_a_wrong_secret_brings_nothing_under_the_newest_root_key(world: World) -> None:
    one = app(world)
    both = world.under(NEW, OLD)
    wrong = attrs.evolve(one, world=both, shown={**one.shown, "client_secret": "a-wrong-secret-of-an-app"})
    assert wrong.form("introspect", {"token": "x", **wrong.credentials()}).json["error"] == "invalid_client"
    assert marked(both) == Marked(older={"client_secret": 1}, ended={})


def test_the_second_secret_of_an_exchange_is_brought_along_for_itself(world: World) -> None:
    one = app(world)
    both, new = world.under(NEW, OLD), world.under(NEW)
    place = f"/v1/connected_apps/clients/{one.id}/secrets/rotate"
    following = world.backend("POST", f"{place}/start", {}).json["connected_app"]["next_client_secret"]
    second = {**one.credentials(), "client_secret": following}
    assert attrs.evolve(one, world=both).form("introspect", {"token": "x", **second}).status == 200
    assert marked(both) == Marked(older={"client_secret": 1}, ended={})
    assert attrs.evolve(one, world=new).form("introspect", {"token": "x", **second}).status == 200
    assert attrs.evolve(one, world=new).form("introspect", {"token": "x", **one.credentials()}).status == 401
    assert new.backend("POST", place, {}).status == 200


def test_refresh_tokens_that_wait_for_their_next_use_are_counted_and_those_that_are_over_are_not(world: World) -> None:
    one = app(world)
    kept, over, _ = one.tokens()["refresh_token"], one.tokens()["refresh_token"], one.tokens(scopes=["openid"])
    assert one.form("revoke", {"token": over, **one.credentials()}).status == 200
    both = world.under(NEW, OLD)
    assert marked(both).older == {"client_secret": 1, "refresh_token": 1}
    fresh = attrs.evolve(one, world=both).refreshes(kept)
    assert fresh.status == 200
    assert marked(both) == Marked(older={}, ended={})
    assert attrs.evolve(one, world=world.under(NEW)).refreshes(fresh.json["refresh_token"]).status == 200
