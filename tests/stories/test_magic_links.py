"""Magic links through the public door."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.world import World, make_world

LOGIN = "/v1/magic_links/email/login_or_create"
AUTHENTICATE = "/v1/magic_links/authenticate"


def ask(world: World, **body: object) -> dict:
    answer = world.backend("POST", LOGIN, {"email": "ada@example.org", **body})
    assert answer.status == 200, answer.json
    return answer.json


def error(answer) -> tuple[int, str]:
    return answer.status, answer.json["error_type"]


def test_an_unknown_address_becomes_a_user_whose_address_is_verified_by_the_link(world: World) -> None:
    """ML-05, ML-17, USR-14."""
    asked = ask(world)
    assert asked["user_created"]
    before = world.backend("GET", f"/v1/users/{asked['user_id']}").json
    assert before["emails"][0]["verified"] is False
    body = {"token": world.token(), "session_duration_minutes": 60}
    signed_in = world.backend("POST", AUTHENTICATE, body).json
    assert signed_in["user_id"] == asked["user_id"]
    assert signed_in["user"]["emails"][0]["verified"] is True
    assert len(signed_in["session"]["authentication_factors"]) == 1


def test_without_a_duration_no_session_is_made(world: World) -> None:
    ask(world)
    answer = world.backend("POST", AUTHENTICATE, {"token": world.token()}).json
    assert (answer["session"], answer["session_token"], answer["session_jwt"]) == (None, "", "")


@pytest.mark.parametrize(
    ("known", "field", "minutes"), [(True, None, 60), (False, None, 10080), (True, "login_expiration_minutes", 5)]
)
def test_a_link_holds_until_its_time_and_not_at_it(world: World, known: bool, field: str | None, minutes: int) -> None:
    """ML-13, ML-15, A106."""
    if known:
        world.sign_in()
        world.clock.advance(seconds=2)
    for late in (False, True):
        ask(world, **({field: minutes} if field else {}))
        token = world.token()
        world.clock.advance(minutes=minutes, seconds=0 if late else -1)
        if not known:
            assert (world.backend("POST", AUTHENTICATE, {"token": token}).status == 200) is not late
            return
        assert (world.backend("POST", AUTHENTICATE, {"token": token}).status == 200) is not late


@pytest.mark.parametrize("field", ["login_expiration_minutes", "signup_expiration_minutes"])
@pytest.mark.parametrize(
    ("minutes", "status"), [(4, 400), (5, 200), (10080, 200), (10081, 400), (True, 400), ("60", 400), (60.5, 400)]
)
def test_a_life_out_of_bounds_is_refused(world: World, field: str, minutes: object, status: int) -> None:
    """ML-14, ML-16."""
    assert world.backend("POST", LOGIN, {"email": "ada@example.org", field: minutes}).status == status
    assert len(world.inbox.entries()) == (status == 200)


def test_a_spent_an_unknown_and_an_expired_link_are_refused_alike(world: World) -> None:
    """ML-18, A103."""
    ask(world)
    token = world.token()
    assert world.backend("POST", AUTHENTICATE, {"token": token}).status == 200
    refusals = [world.backend("POST", AUTHENTICATE, {"token": one}) for one in (token, "A" * 43, token[:-1] + "_")]
    assert {error(one) for one in refusals} == {(401, "unable_to_auth_magic_link")}


def test_one_of_many_threads_spends_a_link(world: World) -> None:
    """A104, STO-01."""
    ask(world)
    body = {"token": world.token(), "session_duration_minutes": 60}
    with ThreadPoolExecutor(32) as pool:
        statuses = list(pool.map(lambda _: world.backend("POST", AUTHENTICATE, body).status, range(32)))
    assert statuses.count(200) == 1
    user = world.backend("POST", "/v1/users/search", {}).json["results"][0]["user_id"]
    assert len(world.backend("GET", f"/v1/sessions?user_id={user}").json["sessions"]) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_following_the_mailed_link_consumes_nothing(world: World, method: str) -> None:
    """A102, OTP-08, RED-05."""
    ask(world)
    link = world.inbox.entries()[0].links[0].removeprefix("http://localhost:8000")
    for _ in range(5):
        answer = world.send(method, link)
        assert not answer.header("set-cookie")
    if method == "GET":
        assert answer.status == 303
        assert answer.header("location")[0].startswith("http://localhost:3000?stytch_token_type=magic_links&token=")
        assert answer.header("referrer-policy") == ["no-referrer"]
    assert world.backend("POST", AUTHENTICATE, {"token": world.token()}).status == 200


def test_a_mailed_link_never_names_the_host_header(world: World) -> None:
    """A112."""
    world.backend("POST", LOGIN, {"email": "ada@example.org"}, host="evil.example", x_forwarded_host="evil.example")
    entry = world.inbox.entries()[0]
    assert "evil.example" not in entry.text + entry.html


def test_send_knows_nobody_on_the_backend_and_tells_nobody_in_the_browser(world: World) -> None:
    """ML-01, ML-02, ENU-01."""
    send = "/v1/magic_links/email/send"
    assert error(world.backend("POST", send, {"email": "nobody@example.org"})) == (404, "email_not_found")
    world.clock.advance(seconds=2)
    unknown = world.browser("POST", "/sdk/v1/magic_links/email/send/primary", {"email": "nobody@example.org"})
    assert not world.inbox.entries()
    world.sign_in("known@example.org")
    world.clock.advance(seconds=2)
    known = world.browser("POST", "/sdk/v1/magic_links/email/send/primary", {"email": "known@example.org"})
    unknown.json["data"].pop("request_id")
    known.json["data"].pop("request_id")
    assert (known.status, known.json) == (unknown.status, unknown.json)


def test_an_added_address_enters_the_user_when_it_is_proved(world: World) -> None:
    """ML-03."""
    signed_in = world.sign_in()
    body = {"email": "second@example.org", "session_token": signed_in["session_token"]}
    assert world.backend("POST", "/v1/magic_links/email/send", body).status == 200
    user = f"/v1/users/{signed_in['user_id']}"
    assert len(world.backend("GET", user).json["emails"]) == 1
    after = world.backend("POST", AUTHENTICATE, {"token": world.token(), "session_token": signed_in["session_token"]})
    assert [one["email"] for one in after.json["user"]["emails"]] == ["ada@example.org", "second@example.org"]


def test_more_than_one_mail_a_second_to_one_address_is_refused(world: World) -> None:
    ask(world)
    answer = world.backend("POST", LOGIN, {"email": "ADA@example.org"})
    assert error(answer) == (429, "too_many_requests")
    assert answer.header("retry-after") == ["1"]
    assert world.backend("POST", LOGIN, {"email": "other@example.org"}).status == 200
    world.clock.advance(seconds=1)
    ask(world)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://evil.example/", "no_match_for_provided_magic_link_url"),
        ("javascript:alert(1)", "invalid_login_magic_link_url"),
        ("", "invalid_login_magic_link_url"),
    ],
)
def test_an_unregistered_redirect_url_is_refused_and_nothing_is_sent(world: World, url: str, expected: str) -> None:
    """RU-01."""
    answer = world.backend("POST", LOGIN, {"email": "ada@example.org", "login_magic_link_url": url})
    assert error(answer) == (400, expected)
    assert not world.inbox.entries()
    assert world.backend("POST", "/v1/users/search", {}).json["results_metadata"]["total"] == 0


def test_without_a_default_a_call_without_a_url_is_refused(tmp_path: Path) -> None:
    """ML-10."""
    world = make_world(tmp_path, "asgi", redirect_urls=("http://localhost:3000",))
    assert error(world.backend("POST", LOGIN, {"email": "ada@example.org"})) == (
        400,
        "no_default_login_redirect_url_set",
    )


def test_a_link_that_began_with_a_challenge_needs_its_verifier(world: World) -> None:
    """OTP-10, A108, A110: a stranger's wrong try does not use the link up."""
    verifier = "v" * 43
    ask(world, code_challenge="s1Pfw4l6fkFNG3QYrf7BaLDZz-xeFM1U7vzmS4zNjIY")
    token = world.token()
    assert error(world.backend("POST", AUTHENTICATE, {"token": token})) == (400, "pkce_expected_code_verifier")
    wrong = {"token": token, "code_verifier": "w" * 43}
    assert error(world.backend("POST", AUTHENTICATE, wrong)) == (400, "pkce_mismatch")
    import base64
    import hashlib

    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    world.clock.advance(seconds=2)
    ask(world, code_challenge=challenge)
    assert world.backend("POST", AUTHENTICATE, {"token": world.token(), "code_verifier": verifier}).status == 200


def test_an_invitation_makes_a_pending_user_that_the_link_activates_or_a_revocation_removes(world: World) -> None:
    """ML-20, ML-21."""
    invite = "/v1/magic_links/email/invite"
    invited = world.backend("POST", invite, {"email": "ada@example.org", "name": {"first_name": "Ada"}}).json
    user = f"/v1/users/{invited['user_id']}"
    assert world.backend("GET", user).json["status"] == "pending"
    assert world.backend("POST", AUTHENTICATE, {"token": world.token()}).json["user"]["status"] == "active"
    world.clock.advance(seconds=2)
    assert error(world.backend("POST", invite, {"email": "ada@example.org"})) == (400, "user_already_invited")
    world.backend("POST", invite, {"email": "bob@example.org"})
    token = world.token()
    assert world.backend("POST", "/v1/magic_links/email/revoke_invite", {"email": "bob@example.org"}).status == 200
    assert world.backend("POST", AUTHENTICATE, {"token": token}).status == 401


def test_an_embeddable_link_signs_in_once(world: World) -> None:
    """ML-22."""
    user = world.backend("POST", "/v1/users", {"email": "ada@example.org"}).json["user_id"]
    token = world.backend("POST", "/v1/magic_links", {"user_id": user}).json["token"]
    answer = world.backend("POST", AUTHENTICATE, {"token": token, "session_duration_minutes": 5}).json
    assert answer["session"]["authentication_factors"][0]["delivery_method"] == "embedded"
    assert answer["user"]["emails"][0]["verified"] is False
    assert world.backend("POST", AUTHENTICATE, {"token": token}).status == 401


def test_what_an_attacker_prepared_dies_when_the_owner_proves_the_address(world: World) -> None:
    """A210: a session from before the proof does not outlive it."""
    user = world.backend("POST", "/v1/users", {"email": "victim@example.org", "phone_number": "+14155552671"}).json
    embedded = world.backend("POST", "/v1/magic_links", {"user_id": user["user_id"]}).json["token"]
    body = {"token": embedded, "session_duration_minutes": 60}
    attacker = world.backend("POST", AUTHENTICATE, body).json["session_token"]
    owner = world.sign_in("victim@example.org")
    assert owner["reset_sessions"] is True
    assert owner["user"]["phone_numbers"] == []
    assert world.backend("POST", "/v1/sessions/authenticate", {"session_token": attacker}).status == 404
