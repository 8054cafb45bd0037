"""Stories of taking sessions over from the system before this one, by its UserInfo address."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from authmw import Misconfigured
from tests.web_servers import Counter, counter, fetcher_for, reply
from tests.world import Answer, World, make_world

ADA = "ada@example.org"
THEIRS = "session-of-the-system-before"
UNEXPECTED = "migrate_from_external_unexpected_response"


def said(value: Any, status: int = 200) -> bytes:
    return reply(status, json.dumps(value).encode(), content_type="application/json")


@contextmanager
def taking_over(folder: Path, host: str, *answers: bytes) -> Iterator[tuple[World, Counter]]:
    with counter(*answers) as server:
        url = f"{server.url}/userinfo"
        yield make_world(folder, host, fetcher=fetcher_for(server.port), session_migration_url=url), server


@pytest.fixture(params=["asgi", "wsgi"])
def migrating(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[World, Counter]]:
    with taking_over(tmp_path, request.param, said({"email": "ADA@example.org"})) as both:
        yield both


def migrate(world: World, token: str = THEIRS, **more: Any) -> Answer:
    body = {"session_token": token, "session_duration_minutes": 60, **more}
    return world.backend("POST", "/v1/sessions/migrate", body)


def test_a_session_of_theirs_becomes_one_of_ours(migrating: tuple[World, Counter]) -> None:
    world, server = migrating
    user = world.backend("POST", "/v1/users", {"email": ADA}).json["user"]
    answer = migrate(world, session_custom_claims={"plan": "old"}).json
    assert answer["user_id"] == user["user_id"]
    assert answer["user"]["emails"][0]["verified"]
    assert answer["session"]["custom_claims"] == {"plan": "old"}
    (factor,) = answer["session"]["authentication_factors"]
    assert (factor["type"], factor["delivery_method"]) == ("imported", "imported_auth0")
    (asked,) = server.asked
    assert (asked.method, asked.target, asked.headers["authorization"]) == ("GET", "/userinfo", f"Bearer {THEIRS}")
    proved = world.backend("POST", "/v1/sessions/authenticate", {"session_jwt": answer["session_jwt"]})
    assert proved.json["user_id"] == user["user_id"]
    assert migrate(world).json["user_id"] == user["user_id"]


def test_somebody_unknown_is_not_made(migrating: tuple[World, Counter]) -> None:
    world, _ = migrating
    refused = migrate(world)
    assert (refused.status, refused.json["error_type"]) == (400, "migrate_from_external_email_does_not_exist")


def test_what_a_stranger_prepared_dies_and_an_account_that_only_names_the_address_is_not_taken(
    migrating: tuple[World, Counter],
) -> None:
    """A209"""
    world, _ = migrating
    mallory = world.sign_in("mallory@example.org")
    body = {"email": ADA, "user_id": mallory["user_id"]}
    assert world.backend("POST", "/v1/magic_links/email/send", body).status == 200
    assert migrate(world).json["error_type"] == "migrate_from_external_email_does_not_exist"


def test_the_phone_number_that_stood_beside_an_unproved_address_dies_with_the_proof(
    migrating: tuple[World, Counter],
) -> None:
    """A209"""
    world, _ = migrating
    world.backend("POST", "/v1/users", {"email": ADA, "phone_number": "+14155552671"})
    assert migrate(world).json["user"]["phone_numbers"] == []


@pytest.mark.parametrize(
    "answer",
    [
        said({"error": "invalid_token"}, 401),
        said({"email": ADA}, 500),
        reply(302, b"", location="https://elsewhere.example"),
        reply(200, b"<html>"),
        reply(200, b"[" * 100_000),
        said([ADA]),
        said({}),
        said({"email": 7}),
        said({"email": "not an address"}),
        said({"email": ADA, "email_verified": False}),
        said({"email": ADA, "email_verified": None}),
        said({"email": ADA, "email_verified": "yes"}),
        said({"email": ADA, "email_verified": 1}),
        b"nonsense",
    ],
)
def test_any_answer_but_a_person_is_one_refusal(tmp_path: Path, answer: bytes) -> None:
    with taking_over(tmp_path, "asgi", answer) as (world, _):
        world.backend("POST", "/v1/users", {"email": ADA})
        refused = migrate(world)
        assert (refused.status, refused.json["error_type"]) == (400, UNEXPECTED)
        assert THEIRS not in json.dumps(refused.json)


@pytest.mark.parametrize("verified", [True, "true"])
def test_a_verified_address_may_be_said_in_either_spelling(tmp_path: Path, verified: object) -> None:
    with taking_over(tmp_path, "asgi", said({"email": ADA, "email_verified": verified})) as (world, _):
        user = world.backend("POST", "/v1/users", {"email": ADA}).json["user"]
        assert migrate(world).json["user_id"] == user["user_id"]


@pytest.mark.parametrize("token", ["a b", "a\r\nx-injected: 1", "ä", "\t", "a" * 16_385])
def test_a_token_that_no_header_can_hold_does_not_leave(migrating: tuple[World, Counter], token: str) -> None:
    world, server = migrating
    assert migrate(world, token).status == 400
    assert server.asked == []


def test_a_project_without_the_address_says_so(tmp_path: Path) -> None:
    world = make_world(tmp_path, "asgi")
    assert migrate(world).json["error_type"] == "migrate_from_external_missing_userinfo"


def test_an_address_that_may_not_be_asked_is_named_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="session_migration_url must be an https address"):
        make_world(tmp_path, "asgi", session_migration_url="http://legacy.example/userinfo")
    with pytest.raises(Misconfigured, match=r"session_migration_url names services, .* fetcher"):
        make_world(tmp_path, "asgi", session_migration_url="https://legacy.example/userinfo")
