"""Whose an address is, and what dies when its owner proves it."""

from __future__ import annotations

from pathlib import Path

import pytest

from authmw.drive import step
from authmw.ledger.records import Event
from authmw.storage import And
from tests.world import Answer, World, make_world

LOGIN = "/v1/magic_links/email/login_or_create"
AUTHENTICATE = "/v1/magic_links/authenticate"
PROVE = "/v1/sessions/authenticate"


def embedded_session(world: World, user_id: str, minutes: int = 60) -> dict:
    """A session that proves nothing of an address."""
    token = world.backend("POST", "/v1/magic_links", {"user_id": user_id}).json["token"]
    answer = world.backend("POST", AUTHENTICATE, {"token": token, "session_duration_minutes": minutes})
    assert answer.status == 200
    return answer.json


def prove(world: World, session: dict) -> Answer:
    return world.backend("POST", PROVE, {"session_token": session["session_token"]})


def cookies(session: dict) -> tuple[str, str]:
    return f"authmw_session={session['session_token']}", f"authmw_session_jwt={session['session_jwt']}"


def test_the_same_verified_address_through_two_products_is_one_user(world: World) -> None:
    """USR-11."""
    signed_in = world.sign_in("Ada@Example.org")
    world.clock.advance(seconds=2)
    sent = world.backend("POST", "/v1/otps/email/login_or_create", {"email": "ada@example.org"}).json
    assert sent["user_created"] is False
    body = {"method_id": sent["email_id"], "code": world.code(), "session_duration_minutes": 60}
    assert world.backend("POST", "/v1/otps/authenticate", body).json["user_id"] == signed_in["user_id"]


@pytest.mark.parametrize("more", [{}, {"phone_number": "+14155552671"}], ids=["alone", "with a phone"])
def test_a_session_from_before_the_first_proof_dies_with_it(world: World, more: dict[str, str]) -> None:
    """A210, ACC-06."""
    user = world.backend("POST", "/v1/users", {"email": "victim@example.org", **more}).json["user_id"]
    before = embedded_session(world, user)
    world.sign_in("victim@example.org")
    assert prove(world, before).status == 404


def test_the_jwt_of_a_session_from_before_the_first_proof_is_refused_at_once(world: World) -> None:
    """A210, SES-06: the guard does not wait for the JWT's five minutes to pass."""
    body = {"email": "victim@example.org", "phone_number": "+14155552671"}
    before = embedded_session(world, world.backend("POST", "/v1/users", body).json["user_id"])
    assert world.visit("/who", *cookies(before)).status == 200
    world.sign_in("victim@example.org")
    assert world.visit("/who", *cookies(before)).status == 401


def test_who_squats_on_an_address_loses_it_and_the_sessions_to_who_proves_it(world: World) -> None:
    """A209."""
    squat = {"email": "victim@example.org", "phone_number": "+14155552671"}
    squatter = world.backend("POST", "/v1/users", squat).json["user_id"]
    held = embedded_session(world, squatter)
    assert world.visit("/who", *cookies(held)).status == 200
    owner = world.sign_in("owner@example.org")
    world.clock.advance(seconds=2)
    adding = {"email": "victim@example.org", "session_token": owner["session_token"]}
    assert world.backend("POST", "/v1/magic_links/email/send", adding).status == 200
    body = {"token": world.token(), "session_token": owner["session_token"]}
    assert world.backend("POST", AUTHENTICATE, body).status == 200
    assert world.backend("GET", f"/v1/users/{squatter}").json["emails"] == []
    assert world.backend("GET", f"/v1/users/{owner['user_id']}").json["emails"][1]["email"] == "victim@example.org"
    assert prove(world, held).status == 404
    assert world.visit("/who", *cookies(held)).status == 401


def test_a_link_sent_to_an_address_is_dead_when_the_address_has_left_the_user(world: World) -> None:
    made = world.backend("POST", "/v1/users", {"email": "a@example.org", "phone_number": "+14155552671"}).json
    assert world.backend("POST", LOGIN, {"email": "a@example.org"}).status == 200
    token = world.token()
    assert world.backend("DELETE", f"/v1/users/emails/{made['email_id']}").status == 200
    assert world.backend("POST", AUTHENTICATE, {"token": token}).status == 401


def test_a_link_that_adds_an_address_dies_with_the_session_that_asked(world: World) -> None:
    """ACC-06."""
    signed_in = world.sign_in()
    adding = {"email": "second@example.org", "session_token": signed_in["session_token"]}
    assert world.backend("POST", "/v1/magic_links/email/send", adding).status == 200
    token = world.token()
    world.backend("POST", "/v1/sessions/revoke", {"session_token": signed_in["session_token"]})
    assert world.backend("POST", AUTHENTICATE, {"token": token}).status == 401


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_a_login_and_a_signup_mail_lead_each_to_their_own_page(tmp_path: Path, host: str) -> None:
    """ML-07."""
    urls = {
        "login_magic_link_url": "http://localhost:3000/login",
        "signup_magic_link_url": "http://localhost:3000/signup",
    }
    world = make_world(tmp_path, host, redirect_urls=tuple(urls.values()))
    for expected in ("signup", "login"):
        world.clock.advance(seconds=2)
        assert world.backend("POST", LOGIN, {"email": "ada@example.org", **urls}).status == 200
        link = world.inbox.entries()[0].links[0].removeprefix("http://localhost:8000")
        assert f"/{expected}?" in world.send("GET", link).header("location")[0]


def test_a_removed_address_ends_the_sessions_at_once(world: World) -> None:
    """SES-06."""
    signed_in = world.sign_in()
    world.clock.advance(seconds=2)
    adding = {"email": "second@example.org", "session_token": signed_in["session_token"]}
    world.backend("POST", "/v1/magic_links/email/send", adding)
    after = world.backend("POST", AUTHENTICATE, {"token": world.token(), "session_token": signed_in["session_token"]})
    assert world.backend("DELETE", f"/v1/users/emails/{after.json['user']['emails'][0]['email_id']}").status == 200
    assert world.visit("/who", *cookies(after.json)).status == 401


def test_the_newest_of_many_sessions_are_listed(world: World) -> None:
    user = world.backend("POST", "/v1/users", {"email": "a@example.org"}).json["user_id"]
    born = []
    for _ in range(105):
        born.append(embedded_session(world, user)["session"]["session_id"])
        world.clock.advance(seconds=1)
    listed = world.backend("GET", f"/v1/sessions?user_id={user}").json["sessions"]
    assert [one["session_id"] for one in listed] == born[:4:-1]


def test_a_long_session_is_listed_however_many_short_ones_came_and_went_since(world: World) -> None:
    user = world.backend("POST", "/v1/users", {"email": "a@example.org"}).json["user_id"]
    long = embedded_session(world, user, minutes=60)["session"]["session_id"]
    for _ in range(101):
        world.clock.advance(seconds=1)
        embedded_session(world, user, minutes=5)
    world.clock.advance(minutes=10)
    listed = world.backend("GET", f"/v1/sessions?user_id={user}").json["sessions"]
    assert [one["session_id"] for one in listed] == [long]


def test_a_jwt_that_outlives_its_session_opens_nothing(world: World) -> None:
    """SS-01, SS-04: the JWT of the last minute has four minutes more than the session it speaks of."""
    signed_in = world.sign_in(minutes=5)
    world.clock.advance(minutes=4)
    renewed = prove(world, signed_in).json
    assert world.visit("/who", *cookies(renewed)).status == 200
    world.clock.advance(minutes=1)
    assert world.visit("/who", *cookies(renewed)).status == 401
    assert world.visit("/who", cookies(renewed)[1]).status == 401


@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-01T00:00:00", "2026-01-01", ""]
)
def test_a_time_that_no_calendar_in_utc_has_is_refused(world: World, time: str) -> None:
    for name in ("created_at_greater_than", "created_at_less_than"):
        query = {"operator": "AND", "operands": [{"filter_name": name, "filter_value": time}]}
        answer = world.backend("POST", "/v1/users/search", {"query": query})
        assert (answer.status, answer.json["error_type"]) == (400, "user_search_expected_timestamp")


@pytest.mark.parametrize("name", ["email_address_fuzzy", "full_name_fuzzy", "phone_number_fuzzy"])
def test_a_fuzzy_filter_of_nothing_but_signs_does_not_list_everybody(world: World, name: str) -> None:
    world.backend("POST", "/v1/users", {"email": "a@example.org", "phone_number": "+14155552671"})
    query = {"operator": "AND", "operands": [{"filter_name": name, "filter_value": "+++"}]}
    answer = world.backend("POST", "/v1/users/search", {"query": query})
    assert answer.status == 400 or answer.json["results"] == []


def test_an_empty_list_of_values_finds_nobody_and_ids_find_theirs(world: World) -> None:
    made = world.backend("POST", "/v1/users", {"email": "a@example.org"}).json
    wanted = (
        ("user_id", [], 0),
        ("user_id", [made["user_id"], "user-test-x"], 1),
        ("email_id", [made["email_id"]], 1),
    )
    for name, value, expected in wanted:
        query = {"operator": "AND", "operands": [{"filter_name": name, "filter_value": value}]}
        answer = world.backend("POST", "/v1/users/search", {"query": query})
        assert answer.json["results_metadata"]["total"] == expected


def test_events_hold_no_token_code_address_or_secret(world: World) -> None:
    """A049, A085, LOG-01."""
    signed_in = world.sign_in()
    world.clock.advance(seconds=2)
    sent = world.backend("POST", "/v1/otps/email/login_or_create", {"email": "ada@example.org"})
    code = world.code()
    assert code not in str(sent.json).replace(sent.json["request_id"], "").replace(sent.json["email_id"], "")
    world.backend("POST", "/v1/otps/authenticate", {"method_id": sent.json["email_id"], "code": code})
    world.backend("POST", PROVE, {"session_jwt": signed_in["session_jwt"]})
    world.auth.notes.flush()
    events = step(world.auth.storage.page(Event, And(), limit=100)).records
    assert {"MagicLinksAuthenticate", "OTPsAuthenticate", "SessionsAuthenticate"} <= {one.action for one in events}
    for event in events:
        fields = {getattr(event, name) for name in ("factor", "actor", "subject_id", "error_type", "ip_address")}
        assert not fields & {code, signed_in["session_token"], signed_in["session_jwt"], "ada@example.org"}
