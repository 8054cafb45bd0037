"""Stories of an access token of one of the project's own apps that becomes a session again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.stories.test_bearer import TOKEN_URL, Holder
from tests.stories.test_provider import BACK, MCP, VERIFIER, App, app
from tests.world import PROJECT_ID, Answer, World, make_world

PATH = "/v1/sessions/exchange_access_token"
SCOPES = ["openid", "full_access"]
INVALID = "oauth_access_token_exchange_token_invalid_grant"


@pytest.fixture
def own(world: World) -> App:
    return app(world, "first_party", full_access_allowed=True)


def exchange(world: World, token: str, **more: Any) -> Answer:
    return world.backend("POST", PATH, {"access_token": token, "session_duration_minutes": 60, **more})


def granted(own: App, **more: Any) -> str:
    return own.tokens(scopes=SCOPES, **more)["access_token"]


def test_a_token_with_full_access_becomes_a_session_of_its_person(world: World, own: App) -> None:
    answer = exchange(world, granted(own)).json
    assert answer["user_id"] == own.person["user_id"]
    (factor,) = answer["session"]["authentication_factors"]
    assert (factor["type"], factor["delivery_method"]) == ("oauth", "oauth_access_token_exchange")
    assert factor["oauth_access_token_exchange_factor"] == {"client_id": own.id}
    assert answer["session"]["session_id"] != own.person["session"]["session_id"]
    proved = world.backend("POST", "/v1/sessions/authenticate", {"session_token": answer["session_token"]})
    assert proved.status == 200


def test_it_is_no_fresher_than_the_sign_in_that_let_the_app_in(world: World, own: App) -> None:
    """SES-05"""
    world.clock.advance(seconds=1200)
    (first,) = own.person["session"]["authentication_factors"]
    (factor,) = exchange(world, granted(own)).json["session"]["authentication_factors"]
    assert factor["last_authenticated_at"] == first["last_authenticated_at"]


def test_a_token_is_exchanged_once_also_by_32_at_once(world: World, own: App) -> None:
    """A287"""
    token = granted(own)
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: exchange(world, token), range(32)))
    assert sorted(answer.status for answer in answers) == [200] + [404] * 31
    refused = {answer.json["error_type"] for answer in answers if answer.status == 404}
    assert refused == {"idp_access_token_could_not_be_exchanged"}


def test_a_token_is_too_old_after_five_minutes(world: World, own: App) -> None:
    token, other = granted(own), granted(own)
    world.clock.advance(seconds=299)
    assert exchange(world, token).status == 200
    world.clock.advance(seconds=1)
    assert exchange(world, other).json["error_type"] == "oauth_access_token_exchange_token_too_old"


def test_a_token_without_full_access_is_refused(world: World, own: App) -> None:
    token = own.tokens(scopes=["openid"])["access_token"]
    assert exchange(world, token).json["error_type"] == "oauth_access_token_exchange_missing_full_access"
    token = granted(own)
    path = f"/v1/connected_apps/clients/{own.id}"
    assert world.backend("PUT", path, {"full_access_allowed": False}).status == 200
    assert exchange(world, token).json["error_type"] == "oauth_access_token_exchange_missing_full_access"


def test_what_is_no_access_token_of_a_person_for_this_project_is_refused(world: World, own: App) -> None:
    """TOK-07"""
    machine = world.backend("POST", "/v1/m2m/clients", {"scopes": ["full_access"]}).json["m2m_client"]
    form = {
        "grant_type": "client_credentials",
        "client_id": machine["client_id"],
        "client_secret": machine["client_secret"],
    }
    of_a_machine = world.backend("POST", f"/v1/public/{PROJECT_ID}/oauth2/token", form).json["access_token"]
    tokens = own.tokens(scopes=[*SCOPES, "offline_access"])
    others = [
        of_a_machine,
        tokens["id_token"],
        tokens["refresh_token"],
        own.person["session_jwt"],
        tokens["access_token"][:-4] + "AAAA",
        "a.b.c",
        "",
    ]
    for token in others:
        refused = exchange(world, token)
        assert (refused.status, refused.json["error_type"]) == (400, INVALID), token


def test_a_token_is_refused_as_soon_as_what_it_rests_on_is_over(world: World, own: App) -> None:
    token = granted(own)
    assert world.backend("POST", f"/v1/users/{own.person['user_id']}/connected_apps/{own.id}/revoke", {}).status == 200
    assert exchange(world, token).json["error_type"] == INVALID


def test_a_token_for_a_resource_is_not_for_us(tmp_path: Path) -> None:
    from authmw.provider import Provider, Resource

    world = make_world(tmp_path, "asgi", provider=Provider(resources=(Resource(url=MCP),)))
    own = app(world, "first_party", full_access_allowed=True)
    token = own.redeems(own.code(scopes=SCOPES, resources=[MCP]), resource=MCP).json["access_token"]
    assert exchange(world, token).json["error_type"] == INVALID


def test_a_browser_exchanges_too_and_gets_its_cookies(world: World, own: App) -> None:
    body = {"access_token": granted(own), "session_duration_minutes": 60}
    answer = world.browser("POST", "/sdk/v1/sessions/exchange_access_token", body, origin="http://localhost:8000")
    assert answer.status == 200, answer.json
    assert len(answer.header("set-cookie")) == 2
    shown = answer.json.get("data", answer.json)
    assert shown["__user"]["user_id"] == own.person["user_id"]
    body = {"access_token": granted(own)}
    refused = world.browser("POST", "/sdk/v1/sessions/exchange_access_token", body, origin="http://localhost:8000")
    assert refused.status == 400


def test_a_token_that_is_bound_to_a_key_is_not_exchanged_without_the_key(world: World, own: App) -> None:
    """RFC 9449 section 7: whoever stole it has no proof, and this operation takes none."""
    fields = {
        "grant_type": "authorization_code",
        "code": own.code(scopes=SCOPES),
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
        **own.credentials(),
    }
    holder = Holder(world)
    got = own.raw("token", urlencode(fields).encode(), dpop=holder.proof("POST", TOKEN_URL))
    assert got.json["token_type"] == "DPoP"
    refused = exchange(world, got.json["access_token"])
    assert (refused.status, refused.json["error_type"]) == (400, INVALID)


def test_in_a_browser_it_makes_a_session_beside_the_one_that_is_there(world: World, own: App) -> None:
    """The session that a browser carries is another app's: it is neither stepped up by the token nor replaced."""
    body = {"access_token": granted(own), "session_duration_minutes": 60}
    answer = world.browser("POST", f"/sdk{PATH}", body, token=own.person["session_token"])
    assert answer.status == 200, answer.json
    session = answer.json["data"]["session"]
    assert session["session_id"] != own.person["session"]["session_id"]
    assert [one["delivery_method"] for one in session["authentication_factors"]] == ["oauth_access_token_exchange"]
    before = world.backend("POST", "/v1/sessions/authenticate", {"session_token": own.person["session_token"]}).json
    assert [one["type"] for one in before["session"]["authentication_factors"]] == ["magic_link"]
