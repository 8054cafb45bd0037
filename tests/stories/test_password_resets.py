"""A new password in the place of the old one: by mail, by the old one, by a fresh session; and what ends with it."""

from __future__ import annotations

import base64
import hashlib
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from authmw import RedirectType, RedirectURL
from authmw.drive import step
from authmw.factors.challenges import Challenge
from authmw.people.records import User
from authmw.storage import And
from authmw_adapters.inbox import InboxEntry
from tests.at_once import each_at_once
from tests.stories.test_passwords import (
    ADA,
    AUTHENTICATE,
    BY_MAIL,
    BY_SESSION,
    CREATE,
    FIRST,
    RESET,
    SECOND,
    START,
    created,
    masked,
    owned,
    pair,
    prove,
    refused,
)
from tests.world import World, make_world

LINK = "/v1/magic_links/authenticate"
THIRD = "seven brave kettles ignore thunder"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def mailed(world: World, email: str = ADA, **more: Any) -> tuple[str, str]:
    """Ask for a reset; the tokens of the two links."""
    world.clock.advance(seconds=2)
    answer = world.backend("POST", START, {"email": email, **more})
    assert answer.status == 200, answer.json
    # Notices of earlier changes leave behind their replies and may come in between.
    mail = next(one for one in world.inbox.entries() if one.subject == "Reset your authmw password")
    reset, login = (link.split("token=")[-1] for link in mail.links)
    return reset, login


def told(world: World, subject: str) -> InboxEntry:
    """The message of this subject, once it has come."""
    while not (found := [one for one in world.inbox.entries() if one.subject == subject]):
        world.inbox.arrived(len(world.inbox.entries()) + 1)
    return found[0]


def test_a_mail_brings_a_link_to_reset_and_one_to_sign_in_and_nothing_changes_yet(world: World) -> None:
    """PW-05, PW-06, PW-07, PW-10, X-12, A112: each leads to the app with its own type, and GET consumes nothing (A102)."""
    before = owned(world)
    reset, login = mailed(world)
    mail = told(world, "Reset your authmw password")
    assert all(link in mail.text and link.replace("&", "&amp;") in mail.html for link in mail.links)
    assert prove(world, before) == 200
    assert world.backend("POST", AUTHENTICATE, pair()).status == 200
    for link, token, type_ in zip(mail.links, (reset, login), ("reset_password", "login"), strict=True):
        for _ in range(2):
            leads = world.send("GET", link.removeprefix("http://localhost:8000"))
            asked = parse_qs(urlsplit(leads.header("location")[0]).query)
            assert (leads.status, asked) == (303, {"stytch_token_type": [type_], "token": [token]})
            assert leads.header("set-cookie") == []


def test_a_reset_sets_the_password_and_ends_every_session_and_older_link(world: World) -> None:
    """PW-11, A042, A068, A070, SES-07: the owner is told."""
    sessions = [owned(world), *(world.backend("POST", AUTHENTICATE, pair()).json for _ in range(4))]
    older, newer = mailed(world), mailed(world)
    cookies = [f"authmw_session_jwt={one['session_jwt']}" for one in sessions]
    assert {world.visit("/who", one).status for one in cookies[1:]} == {200}
    answer = world.backend("POST", BY_MAIL, {"token": older[0], "password": SECOND, "session_duration_minutes": 60})
    assert answer.json["session"]["authentication_factors"][0]["type"] == "password"
    assert [prove(world, one) for one in sessions] == [404] * 5
    assert {world.visit("/who", one).status for one in cookies} == {401}
    assert prove(world, answer.json) == 200
    for token in (older[0], newer[0]):
        again = world.backend("POST", BY_MAIL, {"token": token, "password": THIRD})
        refused(again, 401, "unable_to_auth_password_reset_token")
    for token in (older[1], newer[1]):
        refused(world.backend("POST", LINK, {"token": token}), 401, "unable_to_auth_magic_link")
    refused(world.backend("POST", AUTHENTICATE, pair()), 401, "unauthorized_credentials")
    assert world.backend("POST", AUTHENTICATE, pair(SECOND)).status == 200
    assert told(world, "Your authmw password was changed").to == ADA


def test_the_other_link_signs_in_and_leaves_the_password_as_it_was(world: World) -> None:
    """PW-08."""
    owned(world)
    _, login = mailed(world)
    signed_in = world.backend("POST", LINK, {"token": login, "session_duration_minutes": 60}).json
    assert signed_in["session"]["authentication_factors"][0]["type"] == "magic_link"
    assert world.backend("POST", AUTHENTICATE, pair()).status == 200
    refused(world.backend("POST", LINK, {"token": login}), 401, "unable_to_auth_magic_link")


def test_a_token_is_for_what_it_was_mailed_for(world: World) -> None:
    """A107, TOK-03."""
    owned(world)
    reset, login = mailed(world)
    body = {"password": SECOND, "session_duration_minutes": 60}
    refused(world.backend("POST", BY_MAIL, {**body, "token": login}), 401, "unable_to_auth_password_reset_token")
    refused(world.backend("POST", LINK, {"token": reset}), 401, "unable_to_auth_magic_link")
    world.clock.advance(seconds=2)
    world.backend("POST", "/v1/magic_links/email/login_or_create", {"email": ADA})
    link = world.token()
    refused(world.backend("POST", BY_MAIL, {**body, "token": link}), 401, "unable_to_auth_password_reset_token")
    assert world.backend("POST", BY_MAIL, {**body, "token": reset}).status == 200


def test_a_link_holds_for_as_long_as_it_says(world: World) -> None:
    """PW-09, A106, OTP-09."""
    owned(world)
    for minutes in (4, 10_081):
        assert world.backend("POST", START, {"email": ADA, "reset_password_expiration_minutes": minutes}).status == 400
    for minutes in (5, 30, 10_080):
        given = {} if minutes == 30 else {"reset_password_expiration_minutes": minutes}
        reset, _ = mailed(world, **given)
        world.clock.advance(minutes=minutes)
        late = world.backend("POST", BY_MAIL, {"token": reset, "password": SECOND})
        refused(late, 401, "unable_to_auth_password_reset_token")
    reset, _ = mailed(world)
    world.clock.advance(minutes=29, seconds=59)
    assert world.backend("POST", BY_MAIL, {"token": reset, "password": SECOND}).status == 200


def test_a_token_is_spent_by_one_of_32_at_once(world: World) -> None:
    """A104, STO-01: the others are refused, or told that the machine is busy; the password is the winner's."""
    owned(world)
    reset, _ = mailed(world)

    def use(password: str) -> tuple[int, str]:
        return world.backend("POST", BY_MAIL, {"token": reset, "password": password}).status, password

    results = each_at_once([partial(use, f"{SECOND} {number}") for number in range(32)])
    winners = [password for status, password in results if status == 200]
    assert len(winners) == 1
    assert {status for status, _ in results} <= {200, 401, 503}
    assert world.backend("POST", AUTHENTICATE, pair(winners[0])).status == 200


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_each_link_needs_a_registered_place_to_lead_to(tmp_path: Path, host: str) -> None:
    """PW-06, PW-07, RU-01, RU-02, TPL-07."""
    reset, login = "http://localhost:3000/reset", "http://localhost:3000/login"
    urls = (RedirectURL(reset, {RedirectType.RESET_PASSWORD}), RedirectURL(login, {RedirectType.LOGIN}))
    world = make_world(tmp_path, host, redirect_urls=urls)
    created(world)
    both = {"email": ADA, "reset_password_redirect_url": reset, "login_redirect_url": login}
    cases = {
        "no_password_reset_redirect_url": {"reset_password_redirect_url": None},
        "no_default_login_redirect_url_set": {"login_redirect_url": None},
        "invalid_password_reset_redirect_url": {"reset_password_redirect_url": login},
        "invalid_login_redirect_url": {"login_redirect_url": reset},
        "invalid_template_id": {"reset_password_template_id": "default-login"},
        "email_template_not_found": {"reset_password_template_id": "mine"},
    }
    for error_type, wrong in cases.items():
        world.clock.advance(seconds=2)
        refused(world.backend("POST", START, {**both, **wrong}), 400 if "found" not in error_type else 404, error_type)
    world.clock.advance(seconds=2)
    assert world.backend("POST", START, {**both, "reset_password_template_id": "default-reset-password"}).status == 200
    leads = [world.send("GET", link.removeprefix("http://localhost:8000")) for link in world.inbox.entries()[0].links]
    assert [one.header("location")[0].partition("?")[0] for one in leads] == [reset, login]


def test_a_reset_that_began_with_a_code_challenge_needs_its_verifier(world: World) -> None:
    """A108, A110: a stranger's wrong tries use the link up after ten."""
    owned(world)
    assert world.backend("POST", START, {"email": ADA, "code_challenge": "short"}).status == 400
    reset, login = mailed(world, code_challenge=CHALLENGE)
    body = {"token": reset, "password": SECOND}
    refused(world.backend("POST", BY_MAIL, body), 400, "pkce_expected_code_verifier")
    refused(world.backend("POST", BY_MAIL, {**body, "code_verifier": "w" * 43}), 400, "pkce_mismatch")
    refused(world.backend("POST", LINK, {"token": login}), 400, "pkce_expected_code_verifier")
    assert world.backend("POST", BY_MAIL, {**body, "code_verifier": VERIFIER}).status == 200
    reset, _ = mailed(world, code_challenge=CHALLENGE)
    for _ in range(10):
        assert world.backend("POST", BY_MAIL, {"token": reset, "password": THIRD}).status == 400
    used_up = world.backend("POST", BY_MAIL, {"token": reset, "password": THIRD, "code_verifier": VERIFIER})
    refused(used_up, 401, "unable_to_auth_password_reset_token")


def test_what_must_match_is_compared_with_who_asked(world: World) -> None:
    owned(world)
    reset, _ = mailed(world, attributes={"ip_address": "192.0.2.1", "user_agent": "one"})
    body = {"token": reset, "password": SECOND, "options": {"ip_match_required": True}}
    refused(
        world.backend("POST", BY_MAIL, {**body, "attributes": {"ip_address": "192.0.2.2"}}), 401, "attribute_mismatch"
    )
    assert world.backend("POST", BY_MAIL, {**body, "attributes": {"ip_address": "192.0.2.1"}}).status == 200


def test_a_stranger_costs_what_a_friend_does_and_gets_no_mail(world: World) -> None:
    """A241, A204, PRV-03, PRV-04: the same answer, the same rows, nobody made; backends are told."""
    owned(world)
    refused(world.backend("POST", START, {"email": "nobody@example.org"}), 404, "email_not_found")
    answers, rows = [], []
    for address in (ADA, "nobody@example.org"):
        world.clock.advance(seconds=2)
        before = step(world.auth.storage.count(Challenge, And(), at_most=100))
        answers.append(world.browser("POST", "/sdk/v1/passwords/email/reset/start", {"email": address}))
        rows.append(step(world.auth.storage.count(Challenge, And(), at_most=100)) - before)
    assert len({str(masked(one)) for one in answers}) == 1, [one.json for one in answers]
    assert set(answers[0].json["data"]) == {"request_id", "status_code"}
    assert rows == [2, 2]
    assert step(world.auth.storage.count(User, And(), at_most=10)) == 1
    world.clock.advance(seconds=2)
    lookalike = world.browser("POST", "/sdk/v1/passwords/email/reset/start", {"email": "\u0430da@example.org"})
    refused(lookalike, 400, "invalid_email")
    assert {one.to for one in world.inbox.entries()} == {ADA}


def test_a_user_without_a_password_gets_one_by_mail(world: World) -> None:
    """PW-19: the same person, and no second one."""
    signed_in = world.sign_in()
    reset, _ = mailed(world)
    answer = world.backend("POST", BY_MAIL, {"token": reset, "password": FIRST, "session_duration_minutes": 60}).json
    assert answer["user_id"] == signed_in["user_id"]
    assert told(world, "A sign-in method was added to your authmw account").to == ADA
    assert world.backend("POST", AUTHENTICATE, pair()).json["user_id"] == signed_in["user_id"]


def test_a_reset_lifts_the_lock_that_guesses_set(world: World) -> None:
    owned(world)
    for _ in range(11):
        world.backend("POST", AUTHENTICATE, pair(THIRD))
    refused(world.backend("POST", AUTHENTICATE, pair()), 429, "user_lock_limit_reached")
    reset, _ = mailed(world)
    assert world.backend("POST", BY_MAIL, {"token": reset, "password": SECOND}).json["user"]["is_locked"] is False
    assert world.backend("POST", AUTHENTICATE, pair(SECOND)).status == 200


def with_totp(world: World) -> tuple[Any, str]:
    signed_in = owned(world)
    made = world.backend("POST", "/v1/totps", {"user_id": signed_in["user_id"]}).json
    code = pyotp.TOTP(made["secret"]).at(world.clock.now())
    body = {"user_id": signed_in["user_id"], "totp_code": code, "session_duration_minutes": 60}
    return world.backend("POST", "/v1/totps/authenticate", body).json, made["secret"]


def test_a_reset_is_no_way_around_a_second_factor(world: World) -> None:
    """ACC-08: the session holds what was proved for it, and the host's pages ask for the rest."""
    with_totp(world)
    reset, _ = mailed(world)
    answer = world.backend("POST", BY_MAIL, {"token": reset, "password": SECOND, "session_duration_minutes": 60}).json
    assert [one["type"] for one in answer["session"]["authentication_factors"]] == ["password"]
    assert answer["user"]["totps"][0]["verified"] is True
    assert world.visit("/who", f"authmw_session={answer['session_token']}").status == 401


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_where_one_factor_grants_nothing_a_reset_grants_nothing_but_the_password(tmp_path: Path, host: str) -> None:
    """ACC-08, with the rule at issuance."""
    world = make_world(tmp_path, host, mfa="gate")
    made = owned(world)
    enrolled = world.backend("POST", "/v1/totps", {"user_id": made["user_id"]}).json
    code = pyotp.TOTP(enrolled["secret"]).at(world.clock.now())
    world.backend("POST", "/v1/totps/authenticate", {"user_id": made["user_id"], "totp_code": code})
    reset, _ = mailed(world)
    body = {"token": reset, "password": SECOND, "session_duration_minutes": 60}
    refused(world.backend("POST", BY_MAIL, body), 401, "insufficient_factors")
    refused(world.backend("POST", AUTHENTICATE, pair(SECOND)), 401, "insufficient_factors")
    assert world.backend("POST", AUTHENTICATE, {"email": ADA, "password": SECOND}).status == 200


def test_the_present_password_sets_another_and_ends_every_other_session(world: World) -> None:
    """PW-12, X-13, PWD-09, SES-07."""
    old = owned(world)
    body = {"email": ADA, "existing_password": FIRST, "new_password": SECOND, "session_duration_minutes": 60}
    refused(world.backend("POST", RESET, {**body, "existing_password": THIRD}), 401, "unauthorized_credentials")
    same = {**body, "new_password": FIRST}
    refused(world.backend("POST", RESET, same), 400, "cannot_reset_password_with_existing_password")
    answer = world.backend("POST", RESET, body).json
    assert answer["user"]["password"]["password_id"] == old["user"]["password"]["password_id"]
    assert (prove(world, old), prove(world, answer)) == (404, 200)
    refused(world.backend("POST", AUTHENTICATE, pair()), 401, "unauthorized_credentials")
    assert world.backend("POST", AUTHENTICATE, pair(SECOND)).status == 200


def test_a_refusal_names_the_field_that_is_too_long(world: World) -> None:
    created(world)
    body = {"email": ADA, "existing_password": FIRST, "new_password": "x" * 129}
    answer = world.backend("POST", RESET, body)
    refused(answer, 400, "bad_request")
    assert "`$.new_password`" in answer.json["error_message"]


def test_a_guess_at_the_present_password_counts_as_one_at_sign_in(world: World) -> None:
    created(world)
    body = {"email": ADA, "existing_password": THIRD, "new_password": SECOND}
    for _ in range(10):
        refused(world.backend("POST", RESET, body), 401, "unauthorized_credentials")
    refused(world.backend("POST", AUTHENTICATE, pair()), 429, "user_lock_limit_reached")


def test_a_browser_changes_a_password_with_a_second_factor_only_by_both(world: World) -> None:
    """ACC-02: the present password alone is one kind of proof."""
    both, _ = with_totp(world)
    path = "/sdk/v1/passwords/existing_password/reset"
    body = {"email": ADA, "existing_password": FIRST, "new_password": SECOND}
    refused(world.browser("POST", path, body), 401, "insufficient_factors")
    stepped = world.backend("POST", AUTHENTICATE, pair(session_token=both["session_token"])).json
    answer = world.browser("POST", path, body, token=stepped["session_token"])
    assert answer.json["data"]["session"]["session_id"] == stepped["session"]["session_id"]
    assert prove(world, stepped) in {400, 404}
    assert world.backend("POST", AUTHENTICATE, pair(SECOND)).status == 200


def test_a_session_with_a_fresh_factor_sets_the_password_and_goes_on(world: World) -> None:
    """PW-13, SES-01, SES-05: under a new secret, without looking any fresher."""
    made = owned(world)
    other = world.backend("POST", AUTHENTICATE, pair()).json
    world.clock.advance(minutes=4, seconds=59)
    body = {"password": SECOND, "session_token": other["session_token"], "session_duration_minutes": 60}
    answer = world.backend("POST", BY_SESSION, body).json
    assert answer["session"]["session_id"] == other["session"]["session_id"]
    assert answer["session_token"] != other["session_token"]
    factors = [one["session"]["authentication_factors"][0] for one in (other, answer)]
    assert factors[0]["last_authenticated_at"] == factors[1]["last_authenticated_at"]
    assert (prove(world, made), prove(world, other), prove(world, answer)) == (404, 400, 200)
    late = {"password": THIRD, "session_token": answer["session_token"]}
    world.clock.advance(seconds=1)
    refused(world.backend("POST", BY_SESSION, late), 400, "session_too_old_to_reset_password")
    refused(world.backend("POST", BY_SESSION, {"password": THIRD}), 400, "no_session_arguments")
    assert world.backend("POST", AUTHENTICATE, pair(SECOND)).status == 200


def test_a_session_that_proves_neither_password_nor_mailbox_sets_no_password(world: World) -> None:
    user_id = world.sign_in()["user_id"]
    token = world.backend("POST", "/v1/magic_links", {"user_id": user_id}).json["token"]
    embedded = world.backend("POST", LINK, {"token": token, "session_duration_minutes": 60}).json
    body = {"password": FIRST, "session_token": embedded["session_token"]}
    refused(world.backend("POST", BY_SESSION, body), 400, "session_too_old_to_reset_password")


def test_a_browser_resets_by_the_session_it_carries(world: World) -> None:
    """PW-13: in cookies, without naming the session."""
    token = world.sign_in()["session_token"]
    path = "/sdk/v1/passwords/session/reset"
    assert world.browser("POST", path, {"password": FIRST}).status == 401
    named = world.browser("POST", path, {"password": FIRST, "session_token": token}, token=token)
    assert named.status == 400
    answer = world.browser("POST", path, {"password": FIRST}, token=token, origin="http://localhost:8000")
    assert answer.json["data"]["session_token"] == ""
    assert any("HttpOnly" in cookie for cookie in answer.header("set-cookie"))
    assert world.backend("POST", AUTHENTICATE, pair()).status == 200


def test_who_set_a_password_before_the_owner_came_is_locked_out_by_the_first_proof(world: World) -> None:
    """A209, A210, PW-19: the squatter's sessions die, and the password they know signs nobody in."""
    squatter = created(world)
    signed_in = world.sign_in(ADA)
    assert signed_in["user_id"] == squatter["user_id"]
    assert signed_in["reset_sessions"] is True
    assert signed_in["user"]["password"]["requires_reset"] is True
    assert prove(world, squatter) == 404
    refused(world.backend("POST", AUTHENTICATE, pair()), 400, "reset_password")
    refused(world.backend("POST", AUTHENTICATE, pair(SECOND)), 401, "unauthorized_credentials")
    change = {"email": ADA, "existing_password": FIRST, "new_password": SECOND}
    refused(world.backend("POST", RESET, change), 400, "reset_password")
    reset, _ = mailed(world)
    answer = world.backend("POST", BY_MAIL, {"token": reset, "password": THIRD}).json
    assert answer["user"]["password"]["requires_reset"] is False
    assert world.backend("POST", AUTHENTICATE, pair(THIRD)).status == 200


def test_a_reset_by_the_owner_takes_all_that_was_prepared_around_the_address(world: World) -> None:
    """A210, A212: an address that a stranger was adding meanwhile does not enter."""
    squatter = created(world)
    adding = {"email": "evil@example.org", "session_token": squatter["session_token"]}
    world.clock.advance(seconds=2)
    assert world.backend("POST", "/v1/magic_links/email/send", adding).status in {200, 400}
    waiting = world.token() if world.inbox.entries() else ""
    reset, _ = mailed(world)
    answer = world.backend("POST", BY_MAIL, {"token": reset, "password": SECOND, "session_duration_minutes": 5}).json
    assert [one["email"] for one in answer["user"]["emails"]] == [ADA]
    assert answer["user"]["emails"][0]["verified"] is True
    assert prove(world, squatter) == 404
    late = {"token": waiting or "none", "session_token": squatter["session_token"]}
    assert world.backend("POST", LINK, late).status in {401, 404}
    refused(world.backend("POST", AUTHENTICATE, pair()), 401, "unauthorized_credentials")


def test_a_pending_user_signs_in_by_no_password(world: World) -> None:
    """A217, ACC-06."""
    user_id = world.backend("POST", "/v1/users", {"email": ADA, "create_user_as_pending": True}).json["user_id"]
    digest = hashlib.md5(FIRST.encode()).hexdigest()
    body = {"email": ADA, "hash": digest, "hash_type": "md_5"}
    assert world.backend("POST", "/v1/passwords/migrate", body).json["user_id"] == user_id
    refused(world.backend("POST", AUTHENTICATE, pair()), 400, "reset_password")
    refused(world.backend("POST", CREATE, pair()), 400, "duplicate_email")
    reset, _ = mailed(world)
    assert world.backend("POST", BY_MAIL, {"token": reset, "password": SECOND}).json["user"]["status"] == "active"
    assert world.backend("POST", AUTHENTICATE, pair(SECOND)).status == 200
