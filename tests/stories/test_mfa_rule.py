"""The rule of two categories, as people meet it: what counts, who may add and remove what, and a project that lets nobody in with less."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from authmw.drive import step
from authmw.people.records import Phone, Session, User
from authmw.storage import And, Update
from authmw.testing import interleave
from tests.oauth_provider import Provider
from tests.stories.test_interleavings import Stage, refused
from tests.stories.test_oauth import ADA, came_back, provided, signed_in
from tests.stories.test_pre_hijacking import alive, asked, presented
from tests.stories.test_totps import code as totp_code
from tests.world import Answer, World, make_world

PHONE = "+12025550142"


@pytest.fixture(params=["asgi", "wsgi"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[World, Provider]]:
    with provided(tmp_path, request.param, "google") as world_and_provider:
        yield world_and_provider


def by_text(world: World, token: str, number: str = PHONE, channel: str = "sms") -> Any:
    """Add a number to the session's user, or prove it again, by a code; the answer's body."""
    world.clock.advance(seconds=2)
    sent = world.backend("POST", f"/v1/otps/{channel}/send", {"phone_number": number, "session_token": token})
    assert sent.status == 200, sent.json
    body = {"method_id": sent.json["phone_id"], "code": world.code(), "session_token": token}
    answer = world.backend("POST", "/v1/otps/authenticate", body)
    assert answer.status == 200, answer.json
    return answer.json


def enrolled(world: World, token: str, user_id: str) -> tuple[str, str]:
    """An authenticator app of this user, active: its id and secret."""
    made = world.backend("POST", "/v1/totps", {"user_id": user_id}).json
    body = {"user_id": user_id, "totp_code": totp_code(world, made["secret"])}
    assert world.backend("POST", "/v1/totps/authenticate", body).status == 200
    world.clock.advance(seconds=30)
    return made["totp_id"], made["secret"]


def mfa(world: World, session: Any) -> Answer:
    return world.visit("/mfa", f"authmw_session={session['session_token']}")


def renamed(world: World, session: Any) -> Answer:
    body = {"name": {"first_name": "Ada"}, "untrusted_metadata": {"theme": "dark"}}
    return world.browser("PUT", "/sdk/v1/users/me", body, token=session["session_token"])


def test_a_link_and_a_provider_are_one_category_and_a_text_is_another(both: tuple[World, Provider]) -> None:
    """A219, ACC-01, MFA-01, MFA-05, MFA-06."""
    world, provider = both
    session = world.sign_in(ADA)
    assert mfa(world, session).json["error_type"] == "insufficient_factors"
    session = signed_in(world, came_back(world, provider), session_token=session["session_token"]).json
    assert [one["type"] for one in session["user_session"]["authentication_factors"]] == ["magic_link", "oauth"]
    assert mfa(world, session).json["error_type"] == "insufficient_factors"
    session = by_text(world, session["session_token"])
    assert mfa(world, session).status == 200


def by_text_alone(world: World, channel: str, **more: Any) -> Any:
    """Sign in by a code to the number; the answer's body."""
    world.clock.advance(seconds=2)
    sent = world.backend("POST", f"/v1/otps/{channel}/login_or_create", {"phone_number": PHONE}).json
    body = {"method_id": sent["phone_id"], "code": world.code(), "session_duration_minutes": 120, **more}
    answer = world.backend("POST", "/v1/otps/authenticate", body)
    assert answer.status == 200, answer.json
    return answer.json


def test_sms_and_whatsapp_are_one_category_together(world: World) -> None:
    """MFA-02, MFA-04, MFA-05: both prove the number; the link beside one of them is the second category."""
    by_text(world, world.sign_in(ADA)["session_token"])
    session = by_text_alone(world, "sms")
    session = by_text_alone(world, "whatsapp", session_token=session["session_token"])
    methods = [one["delivery_method"] for one in session["session"]["authentication_factors"]]
    assert methods == ["sms", "whatsapp"]
    assert mfa(world, session).json["error_type"] == "insufficient_factors"
    assert renamed(world, session).json["error_type"] == "insufficient_factors"
    session = world.sign_in(ADA, session_token=session["session_token"])
    assert mfa(world, session).status == 200
    assert renamed(world, session).status == 200


def test_one_factor_must_be_less_than_an_hour_old_for_what_changes_the_account(world: World) -> None:
    """MFA-07, ACC-02: at 3,599 seconds it passes and at 3,600 it does not, until any of them is proved again."""
    session = by_text(world, world.sign_in(ADA, minutes=600)["session_token"])
    world.clock.advance(seconds=3599)
    assert renamed(world, session).status == 200
    world.clock.advance(seconds=1)
    assert renamed(world, session).json["error_type"] == "stale_factors"
    again = by_text_alone(world, "sms", session_token=session["session_token"])
    assert renamed(world, again).status == 200


@pytest.mark.parametrize("product", ["magic_links/email", "otps/email", "otps/sms", "otps/whatsapp"])
def test_an_address_or_number_is_added_from_a_browser_under_the_rule_only(world: World, product: str) -> None:
    """MFA-09: with a second category enrolled, one of them adds nothing, and both do."""
    both_proved = by_text(world, world.sign_in(ADA)["session_token"])
    one_category = world.sign_in(ADA)
    world.clock.advance(seconds=2)
    path = f"/sdk/v1/{product}/send/secondary"
    body = {"email": "second@example.org"} if "email" in product else {"phone_number": "+12025550143"}
    answer = world.browser("POST", path, body, token=one_category["session_token"])
    assert answer.json["error_type"] == "insufficient_factors"
    (there,) = body.values()
    assert not world.inbox.entries(to=there)
    world.clock.advance(seconds=2)
    assert world.browser("POST", path, body, token=both_proved["session_token"]).status == 200
    assert world.inbox.arrived(1, to=there)


@pytest.mark.parametrize("product", ["magic_links/email", "otps/email", "otps/sms", "otps/whatsapp", "totps"])
def test_what_a_session_of_one_category_asked_to_be_added_enters_no_more_once_a_second_factor_is_enrolled(
    world: World, product: str
) -> None:
    """ACC-02: the rule is that of the moment in which something enters; a thief who asks early gains nothing by it."""
    stolen, mine = world.sign_in(ADA)["session_token"], world.sign_in(ADA)
    world.clock.advance(seconds=2)
    if product == "totps":
        secret = world.browser("POST", "/sdk/v1/totps", {}, token=stolen).json["data"]["secret"]
    else:
        there = {"email": "mallory@example.org"} if "email" in product else {"phone_number": PHONE}
        before = len(world.inbox.entries())
        sent = world.browser("POST", f"/sdk/v1/{product}/send/secondary", there, token=stolen)
        world.inbox.arrived(before + 1)
        held = (
            {"token": world.token()}
            if "links" in product
            else {"token": world.code(), "method_id": sent.json["data"]["method_id"]}
        )
    by_text(world, mine["session_token"], "+12025550199")
    before = step(world.auth.storage.get(User, mine["user_id"]))
    if product == "totps":
        held = {"totp_code": totp_code(world, secret)}
    path = "magic_links" if "links" in product else product.partition("/")[0]
    body = {**held, "session_duration_minutes": 60}
    refused = world.browser("POST", f"/sdk/v1/{path}/authenticate", body, token=stolen)
    assert (refused.status, refused.json["error_type"]) == (401, "insufficient_factors")
    assert step(world.auth.storage.get(User, mine["user_id"])) == before


def test_the_first_addition_needs_a_verified_address_and_the_second_needs_both_categories(world: World) -> None:
    """A220, ACC-02, ACC-03: and the addition is told to the address that was there before."""
    session = world.sign_in(ADA)
    by_text(world, session["session_token"])
    assert world.inbox.arrived(3)
    assert any("added" in one.subject for one in world.inbox.entries(to=ADA))
    one_category = world.sign_in(ADA)["session_token"]
    world.clock.advance(seconds=2)
    path = "/sdk/v1/otps/sms/send/secondary"
    refused_one = world.browser("POST", path, {"phone_number": "+12025550143"}, token=one_category)
    assert refused_one.json["error_type"] == "insufficient_factors"
    world.clock.advance(seconds=2)
    sent = world.backend("POST", "/v1/otps/sms/login_or_create", {"phone_number": PHONE}).json
    body = {"method_id": sent["phone_id"], "code": world.code(), "session_token": one_category}
    two = world.backend("POST", "/v1/otps/authenticate", body).json["session_token"]
    assert world.browser("POST", path, {"phone_number": "+12025550143"}, token=two).status == 200


@pytest.mark.parametrize("path", ["/sdk/v1/otps/sms/send/secondary", "/sdk/v1/magic_links/email/send/secondary"])
def test_a_stolen_session_of_somebody_who_proved_nothing_adds_nothing(world: World, path: str) -> None:
    """A221, ACC-03."""
    user_id = world.backend("POST", "/v1/users", {"email": ADA}).json["user_id"]
    link = world.backend("POST", "/v1/magic_links", {"user_id": user_id}).json["token"]
    body = {"token": link, "session_duration_minutes": 60}
    stolen = world.backend("POST", "/v1/magic_links/authenticate", body).json["session_token"]
    asked = {"phone_number": PHONE} if "sms" in path else {"email": "mallory@example.org"}
    answer = world.browser("POST", path, asked, token=stolen)
    assert answer.json["error_type"] == "email_verification_required"
    user = step(world.auth.storage.get(User, user_id))
    assert user is not None
    assert (len(user.emails), user.phones) == (1, ())
    assert not world.inbox.entries()


def test_of_two_last_ways_that_are_removed_at_once_one_stays() -> None:
    """A222, ACC-04: whatever the order is, told by 500 of them."""
    stage = Stage()
    for seed in stage.orders():
        signed = stage.sign_in(f"ada{seed}@example.org")
        user = stage.user(signed.user_id)
        assert user is not None
        phone_id = f"phone-number-test-{seed}"
        phone = Phone(
            phone_id=phone_id, number=f"+1202555{seed + 1000:04}", verified=True, created_at=stage.clock.now()
        )
        step(stage.storage.commit(Update(attrs.evolve(user, phones=(phone,)))))
        done = interleave(
            [
                stage.auth.users.delete_email(email_id=user.emails[0].email_id),
                stage.auth.users.delete_phone_number(phone_id=phone_id),
            ],
            seed,
        )
        assert sum(refused(one) for one in done) == 1, seed
        left = stage.user(signed.user_id)
        assert left is not None
        assert len(left.emails) + len(left.phones) == 1, seed


def test_a_name_is_changed_by_two_categories_once_two_are_enrolled(world: World) -> None:
    """A227, ACC-02, USR-07, USR-10."""
    session = world.sign_in(ADA)
    assert renamed(world, session).status == 200
    enrolled(world, session["session_token"], session["user_id"])
    one_category = world.sign_in(ADA)
    assert renamed(world, one_category).json["error_type"] == "insufficient_factors"
    user = step(world.auth.storage.get(User, session["user_id"]))
    assert user is not None
    assert user.first_name == "Ada"
    trusted = {"trusted_metadata": {"admin": True}}
    refused_one = world.browser("PUT", "/sdk/v1/users/me", trusted, token=one_category["session_token"])
    assert refused_one.status == 400 or refused_one.json["error_type"] == "insufficient_factors"
    again = step(world.auth.storage.get(User, session["user_id"]))
    assert again is not None
    assert (again.trusted_metadata, again.untrusted_metadata) == ({}, {"theme": "dark"})


def test_a_removed_factor_counts_no_longer_in_the_session_that_goes_on(both: tuple[World, Provider]) -> None:
    """ACC-01, ACC-02, SES-07: who proved an app and removed it has one category left, and needs another for what needs two."""
    world, _ = both
    signed = world.sign_in(ADA)
    world.clock.advance(seconds=2)
    sent = world.backend(
        "POST", "/v1/otps/sms/send", {"phone_number": PHONE, "session_token": signed["session_token"]}
    ).json
    signed = presented(
        world, "sms", {"method_id": sent["phone_id"], "code": world.code()}, session_token=signed["session_token"]
    ).json
    made = world.backend("POST", "/v1/totps", {"user_id": signed["user_id"]}).json
    world.clock.advance(seconds=2)
    held = asked(world, "link")
    fresh = presented(world, "link", held).json
    body = {
        "user_id": signed["user_id"],
        "totp_code": totp_code(world, made["secret"]),
        "session_token": fresh["session_token"],
    }
    both_factors = world.backend("POST", "/v1/totps/authenticate", body).json
    assert world.visit("/mfa", f"authmw_session={both_factors['session_token']}").status == 200
    gone = world.browser("DELETE", f"/sdk/v1/users/totps/{made['totp_id']}", token=both_factors["session_token"])
    assert gone.status == 200, gone.json
    kept = gone.json["data"]
    told = world.backend("POST", "/v1/sessions/authenticate", {"session_token": kept["session_token"]}).json
    assert [one["type"] for one in told["session"]["authentication_factors"]] == ["magic_link"]
    refused = world.visit("/mfa", f"authmw_session={kept['session_token']}")
    assert (refused.status, refused.json["error_type"]) == (401, "insufficient_factors")
    name = world.browser("PUT", "/sdk/v1/users/me", {"name": {"first_name": "Eve"}}, token=kept["session_token"])
    assert name.json["error_type"] == "insufficient_factors"
    assert not alive(world, signed)


# --- Settings.mfa ---


@pytest.fixture(params=["asgi", "wsgi"])
def gated(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return make_world(tmp_path, request.param, mfa="gate")


def sessions(world: World) -> int:
    return step(world.auth.storage.count(Session, And(), at_most=100))


def test_a_project_that_gates_issues_no_session_before_the_second_factor_is_proved(gated: World) -> None:
    """DESIGN section 8: with an active app a link alone gives nobody a session, neither to a backend nor to a browser; nor does the app alone."""
    first = gated.sign_in(ADA)
    assert first["session_token"]
    _, secret = enrolled(gated, first["session_token"], first["user_id"])
    before = sessions(gated)
    gated.clock.advance(seconds=2)
    assert gated.backend("POST", "/v1/magic_links/email/login_or_create", {"email": ADA}).status == 200
    link = gated.token()
    body = {"token": link, "session_duration_minutes": 60}
    alone = gated.backend("POST", "/v1/magic_links/authenticate", body)
    assert (alone.status, alone.json["error_type"]) == (401, "insufficient_factors")
    assert "session_token" not in alone.json
    spent = gated.backend("POST", "/v1/magic_links/authenticate", body)
    assert spent.json["error_type"] == "unable_to_auth_magic_link"
    gated.clock.advance(seconds=2)
    assert gated.backend("POST", "/v1/magic_links/email/login_or_create", {"email": ADA}).status == 200
    answer = gated.browser("POST", "/sdk/v1/magic_links/authenticate", {**body, "token": gated.token()})
    assert answer.json["error_type"] == "insufficient_factors"
    assert answer.header("set-cookie") == []
    by_app = {"user_id": first["user_id"], "totp_code": totp_code(gated, secret), "session_duration_minutes": 60}
    assert gated.backend("POST", "/v1/totps/authenticate", by_app).json["error_type"] == "insufficient_factors"
    assert sessions(gated) == before


def test_a_project_that_gates_steps_up_a_session_from_before_and_lets_everybody_else_in(gated: World) -> None:
    """The session that was there before the app was enrolled is stepped up by it; people without a second factor are not held up."""
    first = gated.sign_in(ADA)
    token = first["session_token"]
    _, secret = enrolled(gated, token, first["user_id"])
    refused_one = gated.visit("/who", f"authmw_session={token}")
    assert refused_one.json["error_type"] == "insufficient_factors"
    body = {"user_id": first["user_id"], "totp_code": totp_code(gated, secret), "session_token": token}
    stepped = gated.backend("POST", "/v1/totps/authenticate", body).json
    assert gated.visit("/who", f"authmw_session={stepped['session_token']}").status == 200
    assert mfa(gated, stepped).status == 200
    assert gated.visit("/who", f"authmw_session={gated.sign_in('bob@example.org')['session_token']}").status == 200


def test_a_proof_without_a_session_is_not_gated(gated: World) -> None:
    """Who asks for no session gets the proof alone, as ever: the app's own sign-in decides."""
    first = gated.sign_in(ADA)
    enrolled(gated, first["session_token"], first["user_id"])
    gated.clock.advance(seconds=2)
    gated.backend("POST", "/v1/magic_links/email/login_or_create", {"email": ADA})
    answer = gated.backend("POST", "/v1/magic_links/authenticate", {"token": gated.token()})
    assert (answer.status, answer.json["session_token"]) == (200, "")
