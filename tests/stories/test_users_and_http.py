"""Users, the door itself, and the event log."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from authmw.drive import step
from authmw.ledger.records import Event
from authmw.storage import And
from tests.world import PROJECT_ID, World

USERS = "/v1/users"
BODIES = json.loads((Path(__file__).parents[1] / "corpus" / "json_bodies.json").read_text())["cases"]


def make(world: World, **body: object) -> dict:
    answer = world.backend("POST", USERS, body)
    assert answer.status == 200, answer.json
    return answer.json


def test_an_address_belongs_to_one_user_whatever_its_case(world: World) -> None:
    """USR-13, A206."""
    make(world, email="Alice@Example.org")
    answer = world.backend("POST", USERS, {"email": "alice@example.org"})
    assert (answer.status, answer.json["error_type"]) == (400, "duplicate_email")


def test_of_two_parallel_sign_ups_one_makes_the_user(world: World) -> None:
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: world.backend("POST", USERS, {"email": "a@example.org"}).status, range(8)))
    assert sorted(statuses) == [200] + [400] * 7


def test_a_name_replaces_all_three_parts(world: World) -> None:
    """USR-05."""
    user = make(world, email="a@example.org", name={"first_name": "A", "last_name": "B"})["user_id"]
    answer = world.backend("PUT", f"{USERS}/{user}", {"name": {"middle_name": "M"}}).json
    assert answer["user"]["name"] == {"first_name": "", "middle_name": "M", "last_name": ""}


def test_metadata_is_merged_at_the_top_and_null_deletes(world: World) -> None:
    """USR-16, A267."""
    deep = {"n": 2**53 + 1, "e": "😀", "": [None, {"x": -0.0}]}
    user = make(world, email="a@example.org", trusted_metadata={"keep": deep, "drop": 1})["user_id"]
    answer = world.backend("PUT", f"{USERS}/{user}", {"trusted_metadata": {"drop": None, "add": 2}}).json
    assert answer["user"]["trusted_metadata"] == {"keep": deep, "add": 2}
    many = {"untrusted_metadata": {str(number): 1 for number in range(21)}}
    assert world.backend("PUT", f"{USERS}/{user}", many).json["error_type"] == "metadata_too_many_keys"
    large = {"untrusted_metadata": {"x": "y" * 4096}}
    assert world.backend("PUT", f"{USERS}/{user}", large).json["error_type"] == "metadata_too_large"


def test_the_last_primary_factor_stays(world: World) -> None:
    """USR-09, A222."""
    made = make(world, email="a@example.org", phone_number="+14155552671")
    assert world.backend("DELETE", f"{USERS}/emails/{made['email_id']}").status == 200
    answer = world.backend("DELETE", f"{USERS}/phone_numbers/{made['phone_id']}")
    assert answer.json["error_type"] == "cannot_delete_last_primary_factor"


def test_a_primary_factor_is_exchanged_only_where_it_is_the_only_factor(world: World) -> None:
    """Of several nobody could say which is meant, and the others would go with it."""
    two, with_app = make(world, email="ada@example.org", phone_number="+12025550142"), world.sign_in("bob@example.org")
    world.backend("POST", "/v1/totps", {"user_id": with_app["user_id"]})
    for user_id in (two["user_id"], with_app["user_id"]):
        before = world.backend("GET", f"/v1/users/{user_id}").json
        path, body = f"/v1/users/{user_id}/exchange_primary_factor", {"email_address": "other@example.org"}
        answer = world.backend("PUT", path, body)
        assert (answer.status, answer.json["error_type"]) == (400, "invalid_exchange_primary_factor_user")
        for wrong in ({}, {**body, "phone_number": "+12025550143"}):
            assert world.backend("PUT", path, wrong).json["error_type"] == "invalid_exchange_primary_factor_fields"
        after = world.backend("GET", f"/v1/users/{user_id}").json
        assert {**after, "request_id": ""} == {**before, "request_id": ""}


def test_of_two_parallel_removals_of_the_last_two_factors_one_fails(world: World) -> None:
    for number in range(5):
        made = make(world, email=f"a{number}@example.org", phone_number=f"+1415555267{number}")
        paths = [f"{USERS}/emails/{made['email_id']}", f"{USERS}/phone_numbers/{made['phone_id']}"]
        with ThreadPoolExecutor(2) as pool:
            statuses = sorted(pool.map(lambda path: world.backend("DELETE", path).status, paths))
        assert statuses == [200, 400]


def test_a_user_is_found_by_the_hosts_own_id(world: World) -> None:
    user = make(world, email="a@example.org", external_id="my|1")["user_id"]
    assert world.backend("GET", f"{USERS}/my|1").json["user_id"] == user
    assert world.backend("POST", USERS, {"email": "b@example.org", "external_id": "my|1"}).status == 400
    assert world.backend("POST", USERS, {"email": "b@example.org", "external_id": user}).status == 400
    world.backend("DELETE", f"{USERS}/{user}/external_id")
    assert world.backend("GET", f"{USERS}/my|1").status == 404


def test_a_search_pages_through_everybody_once(world: World) -> None:
    for number in range(7):
        make(world, email=f"user{number}@example.org")
        world.clock.advance(seconds=1)
    seen, cursor = [], None
    for _ in range(10):
        page = world.backend("POST", f"{USERS}/search", {"limit": 3, "cursor": cursor}).json
        seen += [user["emails"][0]["email"] for user in page["results"]]
        cursor = page["results_metadata"]["next_cursor"]
        if cursor is None:
            break
    assert seen == [f"user{number}@example.org" for number in range(7)]
    assert page["results_metadata"]["total"] == 7
    forged = world.backend("POST", f"{USERS}/search", {"cursor": "x.y"})
    assert forged.json["error_type"] == "user_search_invalid_cursor"


@pytest.mark.parametrize(
    ("operand", "expected"),
    [
        (("email_address", ["A1@example.org"]), 1),
        (("email_address_fuzzy", "exam"), 3),
        (("email_address_fuzzy", "a2@"), 1),
        (("full_name_fuzzy", "lovel"), 1),
        (("email_verified", False), 3),
        (("status", "pending"), 1),
        (("phone_number", ["+14155552671"]), 1),
        (("phone_number_fuzzy", "+1415"), 1),
        (("email_domain", ["example.org"]), 3),
        (("created_at_greater_than", "2026-01-01T12:00:00Z"), 0),
        (("created_at_less_than", "2026-01-01T12:00:01Z"), 3),
        (("password_exists", True), 0),
        (("password_exists", False), 3),
        (("oauth_provider", ["Google", "microsoft"]), 0),
        (("user_id", ["hers", "his"]), 1),
    ],
)
def test_a_filter_finds_whom_it_names(world: World, operand: tuple[str, object], expected: int) -> None:
    make(world, email="a1@example.org", name={"first_name": "Ada", "last_name": "Lovelace"})
    make(world, email="a2@example.org", create_user_as_pending=True, external_id="hers")
    make(world, email="b3@example.org", phone_number="+14155552671")
    query = {"operator": "AND", "operands": [{"filter_name": operand[0], "filter_value": operand[1]}]}
    answer = world.backend("POST", f"{USERS}/search", {"query": query})
    assert answer.json["results_metadata"]["total"] == expected


@pytest.mark.parametrize(
    ("operand", "expected"),
    [
        ({"filter_name": "nonsense", "filter_value": 1}, "user_search_filter_name_not_recognized"),
        ({"filter_value": 1}, "user_search_missing_filter_name"),
        ({"filter_name": "status"}, "user_search_missing_filter_value"),
        ({"filter_name": "status", "filter_value": ["gone"]}, "user_search_invalid_status_filter"),
        ({"filter_name": "email_address_fuzzy", "filter_value": "ab"}, "user_search_email_address_fuzzy_too_short"),
        ({"filter_name": "user_id", "filter_value": "x"}, "user_search_expected_array_of_string"),
        (
            {"filter_name": "user_id", "filter_value": ["user-test-1", "hers"]},
            "user_search_cannot_mix_internal_and_external_user_ids",
        ),
        ({"filter_name": "oauth_provider", "filter_value": ["nobody"]}, "user_search_invalid_oauth_provider_filter"),
        ({"filter_name": "crypto_wallet_address", "filter_value": "0x1"}, "user_search_expected_array_of_string"),
        ({"filter_name": "password_exists", "filter_value": "yes"}, "user_search_expected_bool"),
        ({"filter_name": "email_verified", "filter_value": "x"}, "user_search_expected_bool"),
        ({"filter_name": "created_at_less_than", "filter_value": "soon"}, "user_search_expected_timestamp"),
    ],
)
def test_a_wrong_operand_gets_its_own_error(world: World, operand: dict, expected: str) -> None:
    query = {"operator": "OR", "operands": [operand]}
    assert world.backend("POST", f"{USERS}/search", {"query": query}).json["error_type"] == expected


def test_who_has_a_password_is_told_from_who_has_none(world: World) -> None:
    sent = {"email": "ada@example.org", "password": "correct horse battery staple"}
    assert world.backend("POST", "/v1/passwords", sent).status == 200
    make(world, email="bob@example.org")
    found = {}
    for has in (True, False):
        query = {"operator": "AND", "operands": [{"filter_name": "password_exists", "filter_value": has}]}
        answer = world.backend("POST", f"{USERS}/search", {"query": query}).json
        found[has] = [user["emails"][0]["email"] for user in answer["results"]]
    assert found == {True: ["ada@example.org"], False: ["bob@example.org"]}


@pytest.mark.parametrize("spelled", ["ada@bücher.de", "ADA@xn--bcher-kva.de"])
def test_an_address_is_found_in_whichever_spelling(world: World, spelled: str) -> None:
    made = make(world, email="ada@bücher.de")
    operands = [{"filter_name": "email_address", "filter_value": ["no address", spelled]}]
    found = world.backend("POST", f"{USERS}/search", {"query": {"operator": "AND", "operands": operands}}).json
    assert [user["user_id"] for user in found["results"]] == [made["user_id"]]


def test_a_query_without_operands_finds_everybody(world: World) -> None:
    make(world, email="ada@example.org")
    assert (
        world.backend("POST", f"{USERS}/search", {"query": {"operator": "AND"}}).json["results_metadata"]["total"] == 1
    )


@pytest.mark.parametrize("authorization", ["", "Bearer x", "Basic", "Basic !!", "Basic eDp5", "Basic eA=="])
def test_wrong_credentials_answer_401_and_change_nothing(world: World, authorization: str) -> None:
    """ENV-01."""
    assert world.send("POST", USERS, {"email": "a@example.org"}, authorization=authorization).status == 401
    assert world.backend("POST", f"{USERS}/search", {}).json["results"] == []


@pytest.mark.parametrize("case", BODIES, ids=lambda case: case["id"])
def test_no_body_is_an_error_of_ours(world: World, case: dict) -> None:
    """A255, A260."""
    import base64

    if case["body_b64"] is None:
        raw = b'{"a":' * 5000 + b"1" + b"}" * 5000
    else:
        raw = base64.b64decode(case["body_b64"])
    answer = world.backend("POST", "/v1/magic_links/authenticate", raw, content_type=case["content_type"] or "")
    assert answer.status in {400, 401, 413, 415}
    assert answer.json["error_type"]
    assert answer.json["request_id"].startswith("request-id-test-")


def test_a_refusal_never_repeats_what_was_sent(world: World) -> None:
    """LOG-02."""
    answer = world.backend("POST", USERS, {"email": "canary-7391", "name": {"first_name": ["canary-7391"]}})
    assert answer.status == 400
    assert "canary" not in json.dumps(answer.json)


def test_what_is_not_in_the_table_passes_to_the_host(world: World) -> None:
    assert world.send("GET", "/v1/public-of-the-host").json == {"public": True}
    assert world.send("GET", "/v1/nothing-of-anybody").status == 404


@pytest.mark.parametrize(
    ("method", "path"), [("TRACE", USERS), ("PATCH", USERS), ("GET", USERS), ("HEAD", "/v1/magic_links")]
)
def test_another_method_is_not_allowed(world: World, method: str, path: str) -> None:
    """A233."""
    assert world.backend(method, path, x_http_method_override="POST").status == 405


def test_the_keys_are_public_and_hold_no_private_part(world: World) -> None:
    """A299."""
    keys = world.send("GET", f"/v1/sessions/jwks/{PROJECT_ID}").json["keys"]
    assert keys
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(keys[0])
    assert world.send("GET", "/v1/sessions/jwks/project-test-other").status == 404


def test_every_call_leaves_one_event_with_the_request_id_of_its_answer(world: World) -> None:
    """EVT-01, EVT-03, EVT-04, A303, LOG-01."""
    ids = [
        make(world, email="a@example.org")["request_id"],
        world.backend("POST", USERS, {"email": "a@example.org"}).json["request_id"],
        world.backend("GET", f"{USERS}/user-test-nobody").json["request_id"],
    ]
    world.auth.notes.flush()
    page = step(world.auth.storage.page(Event, And(), limit=100))
    events = {event.request_id: event for event in page.records}
    assert [events[one].status for one in ids] == ["success", "error", "error"]
    assert [events[one].action for one in ids] == ["CreateUser", "CreateUser", "GetUser"]
    assert "a@example.org" not in repr(page)
