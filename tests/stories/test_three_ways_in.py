"""One sign-in, three ways in: the typed Python call, the backend API and the browser API; and what each takes of a mailed link or code."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from authmw import Auth, RedirectURL
from authmw.consumer.answers import AuthenticateResponse
from authmw.redirects import RedirectType
from tests.world import PUBLIC_TOKEN, URL, World, make_world

LINK, AUTHENTICATE = "/v1/magic_links/email/login_or_create", "/v1/magic_links/authenticate"
CHECK, ME = "/v1/sessions/authenticate", "/sdk/v1/users/me"
LOGIN, SIGNUP = "https://app.example.org/in", "https://app.example.org/welcome"
WAYS = ("python", "backend", "browser")


def sign_in(world: World, way: str, address: str = "ada@example.org") -> dict[str, Any]:
    """Sign in by a mailed link, all of it by one way in; what is answered."""
    world.clock.advance(seconds=2)
    many = len(world.inbox.entries())
    if way == "python":
        auth: Auth = world.auth
        auth.run(auth.magic_links.email.login_or_create(email=address))
        signed_in: AuthenticateResponse = auth.run(
            auth.magic_links.authenticate(token=world.token(), session_duration_minutes=60)
        )
        return dict(msgspec.json.decode(msgspec.json.encode(signed_in)))
    if way == "backend":
        assert world.backend("POST", LINK, {"email": address}).status == 200
        body = {"token": world.token(), "session_duration_minutes": 60}
        return dict(world.backend("POST", AUTHENTICATE, body).json)
    assert world.browser("POST", f"/sdk{LINK}", {"email": address}).status == 200
    world.inbox.arrived(many + 1)
    body = {"token": world.token(), "session_duration_minutes": 60}
    return dict(world.browser("POST", f"/sdk{AUTHENTICATE}", body).json["data"])


def shape(value: Any) -> Any:
    """What is left of an answer when each value is only its type."""
    if isinstance(value, dict):
        return {name.strip("_"): shape(one) for name, one in value.items()}
    if isinstance(value, list):
        return [shape(one) for one in value]
    return type(value).__name__


def test_every_way_in_leaves_the_same_user_and_a_session_of_the_same_kind(world: World) -> None:
    """ARCH-01, ARCH-05: session, user and status in one reply."""
    answers = {way: sign_in(world, way) for way in WAYS}
    assert len({answer["user_id"] for answer in answers.values()}) == 1
    for way, answer in answers.items():
        assert answer["status_code"] == 200, way
        user = answer.get("user") or answer["__user"]
        assert user["emails"][0] == {**user["emails"][0], "email": "ada@example.org", "verified": True}
        (factor,) = answer["session"]["authentication_factors"]
        assert (factor["type"], factor["delivery_method"]) == ("magic_link", "email")
        assert answer["session"]["user_id"] == answer["user_id"]
    assert shape(answers["python"]["user"]) == shape(answers["backend"]["user"])
    assert shape(answers["python"]["session"]) == shape(answers["backend"]["session"])


@pytest.mark.parametrize("way", WAYS)
def test_a_session_of_one_way_in_holds_in_the_others(world: World, way: str) -> None:
    """ARCH-06, SS-06."""
    answer = sign_in(world, way)
    token = answer["session_token"]
    checked = world.backend("POST", CHECK, {"session_token": token})
    assert (checked.status, checked.json["session"]["session_id"]) == (200, answer["session"]["session_id"])
    mine = world.browser("GET", ME, token=token)
    assert (mine.status, mine.json["data"]["user_id"]) == (200, answer["user_id"])
    by_python = world.auth.run(world.auth.sessions.authenticate(session_token=token))
    assert by_python.session.session_id == answer["session"]["session_id"]
    world.auth.run(world.auth.sessions.revoke(session_token=token))
    assert world.backend("POST", CHECK, {"session_token": token}).status == 404
    assert world.browser("GET", ME, token=token).status == 404


@pytest.mark.parametrize("way", ["backend", "browser"])
def test_nobody_chooses_the_id_of_a_user(world: World, way: str) -> None:
    """USR-17."""
    chosen = "user-test-00000000-0000-4000-8000-00000000beef"
    body = {"email": "ada@example.org", "user_id": chosen}
    if way == "backend":
        answer = world.backend("POST", "/v1/users", body)
        assert answer.json["user_id"] != chosen
    else:
        world.browser("POST", f"/sdk{LINK}", body)
    assert world.backend("GET", f"/v1/users/{chosen}").json["error_type"] == "user_not_found"


# Where a mailed link leads


@pytest.fixture
def landing(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    consumer = frozenset({RedirectType.LOGIN, RedirectType.SIGNUP})
    urls = (
        RedirectURL(LOGIN, consumer, frozenset({RedirectType.LOGIN})),
        RedirectURL(SIGNUP, consumer, frozenset({RedirectType.SIGNUP})),
    )
    return make_world(tmp_path, "wsgi", redirect_urls=urls)


def landed(world: World) -> str:
    """Where the newest link leads a browser."""
    answer = world.send("GET", world.inbox.entries()[0].links[0].removeprefix(URL))
    assert answer.status == 303
    (place,) = answer.header("location")
    return place


def test_a_known_address_is_mailed_a_link_to_the_default_for_signing_in(landing: World) -> None:
    """ML-04, ML-08, ML-09."""
    landing.sign_in()
    landing.clock.advance(seconds=2)
    asked = landing.backend("POST", LINK, {"email": "ada@example.org"}).json
    assert asked["user_created"] is False
    place = landed(landing)
    assert place.startswith(f"{LOGIN}?")
    token = parse_qs(urlsplit(place).query)["token"][0]
    assert landing.backend("POST", AUTHENTICATE, {"token": token}).json["user_id"] == asked["user_id"]


def test_an_unknown_address_is_mailed_a_link_to_the_default_for_signing_up(landing: World) -> None:
    """ML-11."""
    assert landing.backend("POST", LINK, {"email": "new@example.org"}).json["user_created"] is True
    assert landed(landing).startswith(f"{SIGNUP}?")


@pytest.mark.parametrize(
    ("default", "refused"),
    [
        (RedirectType.LOGIN, "no_default_signup_redirect_url_set"),
        (RedirectType.SIGNUP, "no_default_login_redirect_url_set"),
    ],
)
@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_without_a_url_and_without_a_default_nothing_is_sent(
    tmp_path: Path, host: str, default: RedirectType, refused: str
) -> None:
    """ML-12."""
    both = frozenset({RedirectType.LOGIN, RedirectType.SIGNUP})
    world = make_world(tmp_path, host, redirect_urls=(RedirectURL(LOGIN, both, frozenset({default})),))
    answer = world.backend("POST", LINK, {"email": "ada@example.org"})
    assert (answer.status, answer.json["error_type"]) == (400, refused)
    assert world.inbox.entries() == ()
    other = "signup_magic_link_url" if default is RedirectType.LOGIN else "login_magic_link_url"
    assert world.backend("POST", LINK, {"email": "ada@example.org", other: LOGIN}).status == 200


# Mailed codes


def test_a_code_is_mailed_to_a_known_address_and_to_no_stranger(world: World) -> None:
    """PC-02."""
    user_id = world.sign_in()["user_id"]
    world.clock.advance(seconds=2)
    sent = world.backend("POST", "/v1/otps/email/send", {"email": "ada@example.org"})
    assert (sent.status, sent.json["user_id"]) == (200, user_id)
    assert world.inbox.entries()[0].to == "ada@example.org"
    many = len(world.inbox.entries())
    stranger = world.backend("POST", "/v1/otps/email/send", {"email": "nobody@example.org"})
    assert (stranger.status, stranger.json["error_type"]) == (404, "email_not_found")
    assert len(world.inbox.entries()) == many


@pytest.mark.parametrize("late", [False, True])
def test_a_wrong_or_late_code_is_refused_and_mints_nothing(world: World, late: bool) -> None:
    """PC-15."""
    world.clock.advance(seconds=2)
    body = {"email": "ada@example.org", "expiration_minutes": 2}
    method_id = world.backend("POST", "/v1/otps/email/login_or_create", body).json["email_id"]
    code = world.code()
    if late:
        world.clock.advance(minutes=2)
    wrong = code if late else f"{(int(code) + 1) % 10**6:06}"
    said = {"method_id": method_id, "code": wrong, "session_duration_minutes": 60}
    refused = world.backend("POST", "/v1/otps/authenticate", said)
    assert refused.status == 401
    assert "session_token" not in refused.json
    sessions = world.backend("GET", f"/v1/sessions?user_id={user_of(world)}").json["sessions"]
    assert sessions == []
    assert PUBLIC_TOKEN not in str(refused.json)


def user_of(world: World) -> str:
    users = world.backend("POST", "/v1/users/search", {}).json["results"]
    user_id: str = users[0]["user_id"]
    return user_id
