"""Refresh tokens that we give as the provider: each is good once, and a second use ends the family."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from authmw.provider import Provider
from tests.at_once import at_once
from tests.stories.test_provider import app
from tests.stories.test_provider import world as world
from tests.world import World, make_world


def test_a_refresh_token_is_spent_and_using_it_again_ends_the_family(world: World) -> None:
    one = app(world)
    first = one.tokens()
    second = one.refreshes(first["refresh_token"]).json
    third = one.refreshes(second["refresh_token"]).json
    assert len({first["refresh_token"], second["refresh_token"], third["refresh_token"]}) == 3
    assert not one.active(first["refresh_token"])
    assert one.active(third["refresh_token"])
    assert one.refreshes(first["refresh_token"]).json["error"] == "invalid_grant"
    assert one.refreshes(third["refresh_token"]).json["error"] == "invalid_grant"
    assert not one.active(third["access_token"])


def test_an_invented_refresh_token_ends_nothing(world: World) -> None:
    """The family's id stands in every access token, so whoever sees one must not be able to end the family."""
    one = app(world)
    token = one.tokens()["refresh_token"]
    family, counter, mac = token.split(".")
    for invented in (
        f"{family}.{counter}.{'B' if mac[0] == 'A' else 'A'}{mac[1:]}",
        f"{family}.1.{mac}",
        f"{family}.00.{mac}",
        f"{family}.٠.{mac}",
        family,
    ):
        assert one.refreshes(invented).json["error"] == "invalid_grant"
    assert one.refreshes(token).status == 200


def test_of_two_clients_that_refresh_at_once_one_wins(world: World) -> None:
    one = app(world)
    token = one.tokens()["refresh_token"]
    assert sorted(at_once(2, lambda: one.refreshes(token).status)) == [200, 400]


def test_within_the_grace_a_lost_answer_is_given_again(tmp_path: Path) -> None:
    world = make_world(tmp_path, "asgi", provider=Provider(refresh_grace_seconds=10))
    one = app(world)
    token = one.tokens()["refresh_token"]
    again = [one.refreshes(token).json["refresh_token"] for _ in range(2)]
    assert again[0] == again[1]
    world.clock.advance(seconds=10)
    assert one.refreshes(token).json["error"] == "invalid_grant"
    assert one.refreshes(again[0]).json["error"] == "invalid_grant"


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_using_a_token_again_that_was_made_under_an_older_root_key_ends_the_family_too(
    tmp_path: Path, host: str
) -> None:
    """RFC 9700 section 4.14.2, KEY-02: a root key is added between the two refreshes."""
    old, new = bytes(range(32)), bytes(range(32, 64))
    before = make_world(tmp_path, host, provider=Provider(), root_keys=(old,))
    one = app(before)
    first = one.tokens()["refresh_token"]
    one = attrs.evolve(one, world=before.under(new, old))
    second = one.refreshes(first).json["refresh_token"]
    assert one.active(second)
    assert one.refreshes(first).json["error"] == "invalid_grant"
    assert one.refreshes(second).json["error"] == "invalid_grant"
    assert not one.active(second)


def test_a_process_without_the_newest_root_key_leaves_the_answer_that_was_lost_to_one_that_has_it(
    tmp_path: Path,
) -> None:
    """Processes are restarted in turn: within the grace the app tries again, and its family lives."""
    old, new = bytes(range(32)), bytes(range(32, 64))
    before = make_world(tmp_path, "wsgi", provider=Provider(refresh_grace_seconds=10), root_keys=(old,))
    one = app(before)
    first = one.tokens()["refresh_token"]
    two = attrs.evolve(one, world=before.under(new, old))
    second = two.refreshes(first).json["refresh_token"]
    assert one.refreshes(first).status == 503
    assert two.refreshes(first).json["refresh_token"] == second


def test_a_refresh_narrows_the_access_token_and_not_the_family(world: World) -> None:
    one = app(world)
    tokens = one.tokens()
    narrow = one.refreshes(tokens["refresh_token"], scope="openid").json
    assert narrow["scope"] == "openid"
    everything = one.refreshes(narrow["refresh_token"]).json
    assert everything["scope"] == "openid email offline_access"
    for white in ("openid\temail", "openid\u00a0email", "\u2028"):
        assert one.refreshes(everything["refresh_token"], scope=white).json["error"] == "invalid_scope"


def test_without_offline_access_there_is_no_refresh_token(world: World) -> None:
    tokens = app(world).tokens(scopes=["openid"])
    assert "refresh_token" not in tokens
    assert "id_token" in tokens
