"""Machines: made, found, changed, let in by their secrets, and never taken for a person."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import pytest

from authmw import Settings
from authmw.crypto import jwts
from authmw.errors import Refused
from authmw.platform.m2m.operations import M2MClaims
from authmw.storage import encode
from tests.world import PROJECT_ID, SECRET, Answer, World

TOKEN = f"/v1/public/{PROJECT_ID}/oauth2/token"
FORM = "application/x-www-form-urlencoded"
MACHINE = {"client_id": "billing", "client_secret": "Zx81-spectrum+amstrad"}


def made(world: World, **more: Any) -> Any:
    world.clock.advance(seconds=1)
    answer = world.backend("POST", "/v1/m2m/clients", {"scopes": ["read:users", "write:users"], **more})
    assert answer.status == 200
    return answer.json["m2m_client"]


def asked(world: World, fields: dict[str, str], **headers: str) -> Answer:
    body = urlencode({"grant_type": "client_credentials", **fields}).encode()
    return world.send("POST", TOKEN, body, content_type=FORM, **headers)


def by_header(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def credentials(client: Any) -> dict[str, str]:
    return {"client_id": client["client_id"], "client_secret": client["client_secret"]}


def claims(world: World, token: str, **more: Any) -> M2MClaims:
    return world.auth.run(world.auth.m2m.authenticate_token(access_token=token, **more))


def refusal(world: World, token: str, **more: Any) -> str:
    with pytest.raises(Refused) as refused:
        claims(world, token, **more)
    return refused.value.error_type


def test_a_secret_is_shown_once_and_is_not_in_the_database(world: World) -> None:
    client = made(world, client_name="billing")
    assert client["client_id"].startswith("m2m-client-test-")
    assert client["client_secret_last_four"] == client["client_secret"][-4:]
    shown = world.backend("GET", f"/v1/m2m/clients/{client['client_id']}")
    assert client["client_secret"] not in json.dumps(shown.json)
    from authmw.platform.m2m.records import M2MClient

    stored = world.auth.run(world.auth.storage.get(M2MClient, client["client_id"]))
    assert stored is not None
    assert client["client_secret"].encode() not in encode(stored)  # TOK-02


def test_a_token_is_given_for_json_forms_and_headers_alike(world: World) -> None:
    client = made(world)
    pair = credentials(client)
    body = {"grant_type": "client_credentials", **pair}
    answers = [
        world.send("POST", TOKEN, body),
        world.backend("POST", TOKEN, body),
        asked(world, pair),
        asked(world, pair, authorization=by_header(PROJECT_ID, SECRET)),
        asked(world, {}, authorization=by_header(pair["client_id"], pair["client_secret"])),
        world.send("POST", "/v1/oauth2/token", body),
        world.send("POST", "/auth/v1/oauth2/token", body),
    ]
    assert [answer.status for answer in answers] == [200] * len(answers)
    for answer in answers:
        assert answer.json["token_type"] == "bearer"
        assert answer.json["expires_in"] == 3600
        assert answer.json["scope"] == "read:users write:users"
        assert answer.json["status_code"] == 200
        assert answer.header("cache-control") == ["no-store"]
        assert claims(world, answer.json["access_token"]).client_id == client["client_id"]


def test_a_token_says_what_was_asked_for_and_no_more_than_is_assigned(world: World) -> None:
    pair = credentials(made(world))
    token = asked(world, {**pair, "scope": "read:users"}).json["access_token"]
    assert claims(world, token, required_scopes=["read:users"]).scopes == ("read:users",)
    assert refusal(world, token, required_scopes=["write:users"]) == "insufficient_scope"
    beyond = asked(world, {**pair, "scope": "read:users delete:users"})
    assert (beyond.status, beyond.json["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize(
    "scope", ["\u00a0", "\t", "read:users\twrite:users", "read:users\u2028", "read:users\nwrite:users"]
)
def test_only_spaces_part_scopes_and_other_white_space_asks_for_nothing_that_is_there(world: World, scope: str) -> None:
    """RFC 6749 section 3.3; a scope that is white space to Python is not the absent one, which would grant all."""
    answer = asked(world, {**credentials(made(world)), "scope": scope})
    assert (answer.status, answer.json["error"]) == (400, "invalid_scope")


def test_a_token_lives_one_hour_and_can_be_asked_to_be_younger(world: World) -> None:
    token = asked(world, credentials(made(world))).json["access_token"]
    world.clock.advance(seconds=600)
    assert claims(world, token, max_token_age=601)
    assert refusal(world, token, max_token_age=600) == "invalid_token"
    assert refusal(world, token, max_token_age=0) == "invalid_token"
    world.clock.advance(seconds=3000)
    assert refusal(world, token) == "invalid_token"


def test_a_machine_never_passes_for_a_session_and_a_session_never_for_a_machine(world: World) -> None:
    """TOK-03, TOK-07."""
    token = asked(world, credentials(made(world))).json["access_token"]
    refused = world.backend("POST", "/v1/sessions/authenticate", {"session_jwt": token})
    assert refused.json["error_type"] == "unable_to_parse_session_jwt"
    assert world.visit("/who", f"authmw_session_jwt={token}").status == 401
    assert world.visit("/who", f"authmw_session={token}").status == 401
    assert refusal(world, world.sign_in()["session_jwt"]) == "invalid_token"


def test_no_key_signs_two_kinds_of_tokens(world: World) -> None:
    token = asked(world, credentials(made(world))).json["access_token"]
    session = world.sign_in()["session_jwt"]
    published = world.send("GET", f"/v1/sessions/jwks/{PROJECT_ID}").json["keys"]
    assert jwts.key_id(token) != jwts.key_id(session)
    assert {jwts.key_id(token), jwts.key_id(session)} < {key["kid"] for key in published}


def test_whoever_has_read_the_published_keys_has_the_one_of_a_machine_that_comes_later(world: World) -> None:
    """A client that read them may not read them again for a while: half a minute in the vendor's."""
    published = world.send("GET", f"/v1/sessions/jwks/{PROJECT_ID}").json["keys"]
    token = asked(world, credentials(made(world))).json["access_token"]
    assert jwts.key_id(token) in {key["kid"] for key in published}


def test_keys_of_each_kind_are_rotated_and_old_tokens_live_on(world: World) -> None:
    pair = credentials(made(world))
    token = asked(world, pair).json["access_token"]
    for _ in range(2):
        world.auth.run(world.auth.keys.rotate())
    fresh = asked(world, pair).json["access_token"]
    assert jwts.key_id(fresh) != jwts.key_id(token)
    assert claims(world, token) == claims(world, fresh)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"client_secret": "Zx81-spectrum+amstraD"}, "invalid_client"),
        ({"client_id": "nobody"}, "invalid_client"),
        ({"client_id": "nul\0"}, "invalid_request"),
        ({"client_secret": ""}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": ""}, "invalid_request"),
        ({"resource": "https://elsewhere.example"}, "invalid_target"),
    ],
)
def test_a_client_that_is_not_proved_gets_nothing(world: World, fields: dict[str, str], error: str) -> None:
    made(world, **MACHINE)
    refused = asked(world, {**MACHINE, **fields})
    assert refused.json["error"] == error
    assert refused.status == (401 if error == "invalid_client" else 400)
    assert set(refused.json) == {"status_code", "request_id", "error", "error_description", "error_uri"}


def test_a_client_authenticates_in_one_way_only(world: World) -> None:
    """The checks of the token endpoint that a grant library was seen to leave out."""
    made(world, **MACHINE)
    own = by_header(MACHINE["client_id"], MACHINE["client_secret"])
    twice = asked(world, MACHINE, authorization=own)
    assert (twice.status, twice.json["error"]) == (400, "invalid_request")
    other = asked(world, {"client_id": "other"}, authorization=own)
    assert (other.status, other.json["error"]) == (400, "invalid_request")
    wrong = asked(world, {}, authorization=by_header(MACHINE["client_id"], "wrong"))
    assert wrong.header("www-authenticate") == ['Basic realm="authmw"']
    assert asked(world, MACHINE, authorization=by_header(PROJECT_ID, "wrong")).json["error"] == "invalid_client"
    repeated = world.send("POST", TOKEN, b"grant_type=client_credentials&client_id=a&client_id=b", content_type=FORM)
    assert (repeated.status, repeated.json["error"]) == (400, "invalid_request")
    in_query = world.send("POST", f"{TOKEN}?client_id=a", {"grant_type": "client_credentials", **MACHINE})
    assert (in_query.status, in_query.json["error"]) == (400, "invalid_request")
    stranger = world.send(
        "POST", "/v1/public/project-test-x/oauth2/token", {"grant_type": "client_credentials", **MACHINE}
    )
    assert stranger.json["error"] == "invalid_client"


def test_guessing_is_counted_by_address_and_success_clears_the_count(world: World) -> None:
    made(world, **MACHINE)
    wrong = {**MACHINE, "client_secret": "Zx81-spectrum+amstraD"}
    errors = [asked(world, wrong).json["error"] for _ in range(101)]
    assert errors == ["invalid_client"] * 100 + ["too_many_requests"]
    world.clock.advance(minutes=2)
    assert asked(world, MACHINE).status == 200


def test_both_secrets_hold_between_the_start_of_a_rotation_and_its_end(world: World) -> None:
    client = made(world)
    first, place = credentials(client), f"/v1/m2m/clients/{client['client_id']}/secrets/rotate"
    assert world.backend("POST", place, {}).json["error_type"] == "m2m_client_not_rotating_secret"
    started = world.backend("POST", f"{place}/start", {}).json["m2m_client"]
    second = {**first, "client_secret": started["next_client_secret"]}
    assert started["next_client_secret_last_four"] == second["client_secret"][-4:]
    again = world.backend("POST", f"{place}/start", {})
    assert again.json["error_type"] == "m2m_client_already_rotating_secret"
    assert [asked(world, pair).status for pair in (first, second)] == [200, 200]
    cancelled = world.backend("POST", f"{place}/cancel", {}).json["m2m_client"]
    assert cancelled["next_client_secret_last_four"] is None
    assert [asked(world, pair).status for pair in (first, second)] == [200, 401]
    third = {
        **first,
        "client_secret": world.backend("POST", f"{place}/start", {}).json["m2m_client"]["next_client_secret"],
    }
    assert world.backend("POST", place, {}).json["m2m_client"]["client_secret_last_four"] == third["client_secret"][-4:]
    assert [asked(world, pair).status for pair in (first, second, third)] == [401, 401, 200]


def test_an_inactive_or_deleted_client_gets_no_tokens(world: World) -> None:
    client = made(world)
    place = f"/v1/m2m/clients/{client['client_id']}"
    world.backend("PUT", place, {"status": "inactive"})
    assert asked(world, credentials(client)).json["error"] == "invalid_client"
    world.backend("PUT", place, {"status": "active", "scopes": ["read:users"], "client_name": "renamed"})
    assert asked(world, credentials(client)).json["scope"] == "read:users"
    assert world.backend("PUT", place, {"status": "asleep"}).json["error_type"] == "m2m_client_invalid_status"
    assert world.backend("DELETE", place).json["client_id"] == client["client_id"]
    assert asked(world, credentials(client)).json["error"] == "invalid_client"
    assert world.backend("GET", place).json["error_type"] == "m2m_client_not_found"


def test_one_client_id_is_made_once_also_in_a_race(world: World) -> None:
    def create(_: int) -> int:
        return world.backend("POST", "/v1/m2m/clients", {"scopes": [], **MACHINE}).status

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(create, range(8))) == [200] + [400] * 7
    again = world.backend("POST", "/v1/m2m/clients", {"scopes": [], **MACHINE})
    assert again.json["error_type"] == "duplicate_m2m_client_id"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"client_secret": "short"}, "m2m_client_invalid_client_secret"),
        ({"client_secret": "aaaaaaaaaaaaaaaa"}, "insecure_m2m_client_secret"),
        ({"client_secret": "ab" * 200}, "client_secret_too_long"),
        ({"client_id": "user-test-1"}, "m2m_client_invalid_client_id"),
        ({"scopes": ["two words"]}, "invalid_m2m_client_scope"),
        ({"scopes": [f"s{n}" for n in range(41)]}, "too_many_m2m_client_scopes"),
        ({"trusted_metadata": {f"k{n}": 1 for n in range(21)}}, "metadata_too_many_keys"),
    ],
)
def test_a_client_that_cannot_be_is_refused(world: World, body: dict[str, Any], error: str) -> None:
    assert world.backend("POST", "/v1/m2m/clients", {"scopes": [], **body}).json["error_type"] == error


def test_clients_are_found_by_id_name_and_scope(world: World) -> None:
    one, two = made(world, client_name="one"), made(world, client_name="two", scopes=["pay"])
    made(world, client_name="three")

    def found(operator: str, *operands: dict[str, Any], **more: Any) -> list[str]:
        query = {"operator": operator, "operands": list(operands)}
        answer = world.backend("POST", "/v1/m2m/clients/search", {"query": query, **more})
        return [client["client_name"] for client in answer.json["m2m_clients"]]

    named = {"filter_name": "client_name", "filter_value": ["one"]}
    scoped = {"filter_name": "scopes", "filter_value": ["pay"]}
    by_id = {"filter_name": "client_id", "filter_value": [one["client_id"], two["client_id"]]}
    assert found("OR", named, scoped) == ["one", "two"]
    assert found("AND", by_id, scoped) == ["two"]
    first = world.backend("POST", "/v1/m2m/clients/search", {"limit": 2}).json
    assert first["results_metadata"]["total"] == 3
    cursor = first["results_metadata"]["next_cursor"]
    rest = world.backend("POST", "/v1/m2m/clients/search", {"limit": 2, "cursor": cursor}).json
    assert [client["client_name"] for client in rest["m2m_clients"]] == ["three"]
    for operand, error in [
        ({"filter_value": ["x"]}, "m2m_search_missing_filter_name"),
        ({"filter_name": 1, "filter_value": ["x"]}, "m2m_search_filter_name_must_be_string"),
        ({"filter_name": "colour", "filter_value": ["x"]}, "m2m_search_filter_name_not_recognized"),
        ({"filter_name": "scopes"}, "m2m_search_missing_filter_value"),
        ({"filter_name": "scopes", "filter_value": "pay"}, "m2m_search_expected_array_of_strings"),
    ]:
        query = {"operator": "AND", "operands": [operand]}
        assert world.backend("POST", "/v1/m2m/clients/search", {"query": query}).json["error_type"] == error


def test_a_resource_must_be_an_address_that_can_be_compared() -> None:
    from authmw.errors import Misconfigured
    from authmw.provider import Provider, Resource

    with pytest.raises(Misconfigured, match=r"provider\.resources"):
        Settings(project_id=PROJECT_ID, secret=SECRET, provider=Provider(resources=(Resource(url="/mcp"),)))
