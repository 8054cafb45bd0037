"""What a caller says of where a request came from is judged by every operation that takes it; a browser cannot say it."""

from __future__ import annotations

from typing import Any

import pytest

from authmw import Refused
from authmw.parameters import Attributes
from tests.world import PUBLIC_TOKEN, World, make_world

ADA = "ada@example.org"
NUMBER = "+14155552671"
TAKING: dict[str, tuple[str, str, dict[str, Any]]] = {
    "ask for a link": ("POST", "/v1/magic_links/email/login_or_create", {"email": ADA}),
    "send a link": ("POST", "/v1/magic_links/email/send", {"email": ADA}),
    "invite": ("POST", "/v1/magic_links/email/invite", {"email": ADA}),
    "make a link": ("POST", "/v1/magic_links", {"user_id": "user-test-1"}),
    "open a link": ("POST", "/v1/magic_links/authenticate", {"token": "x"}),
    "ask for a code": ("POST", "/v1/otps/email/login_or_create", {"email": ADA}),
    "send a code": ("POST", "/v1/otps/email/send", {"email": ADA}),
    "ask for a code by SMS": ("POST", "/v1/otps/sms/login_or_create", {"phone_number": NUMBER}),
    "send a code by SMS": ("POST", "/v1/otps/sms/send", {"phone_number": NUMBER}),
    "ask for a code by WhatsApp": ("POST", "/v1/otps/whatsapp/login_or_create", {"phone_number": NUMBER}),
    "send a code by WhatsApp": ("POST", "/v1/otps/whatsapp/send", {"phone_number": NUMBER}),
    "prove a code": ("POST", "/v1/otps/authenticate", {"method_id": "email-test-1", "code": "123456"}),
    "start a reset": ("POST", "/v1/passwords/email/reset/start", {"email": ADA}),
    "reset a password": ("POST", "/v1/passwords/email/reset", {"token": "x", "password": "correct horse battery"}),
    "create a user": ("POST", "/v1/users", {"email": ADA}),
    "update a user": ("PUT", "/v1/users/user-test-1", {}),
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("attributes"), "asgi")


def test_the_list_is_that_of_the_operations_which_take_attributes(table: World) -> None:
    taking = {(one.method, one.path) for _, one in table.auth.table() if "attributes" in one.signature.parameters}
    assert {(method, path.replace("user-test-1", "{user_id}")) for method, path, _ in TAKING.values()} == taking


def test_no_browser_can_say_them(table: World) -> None:
    rows = [row for row in table.auth.rows() if "attributes" in row.call.__operation__.signature.parameters]
    assert len(rows) > 10
    assert [row.path for row in rows if "attributes" not in row.hides] == []


def test_a_browser_that_says_them_is_refused(world: World) -> None:
    body = {"email": ADA, "attributes": {"ip_address": "203.0.113.7"}}
    answer = world.browser("POST", "/sdk/v1/magic_links/email/login_or_create", body)
    assert (answer.status, answer.json["error_type"]) == (400, "bad_request")
    assert PUBLIC_TOKEN not in answer.json["error_message"]


@pytest.mark.parametrize("name", TAKING)
def test_what_is_no_address_or_no_header_is_refused_by_name_and_changes_nothing(table: World, name: str) -> None:
    method, path, body = TAKING[name]
    for attributes, error_type in (
        ({"ip_address": "not an address"}, "invalid_ip_address"),
        ({"ip_address": "203.0.113.7:443"}, "invalid_ip_address"),
        ({"ip_address": "fe80::1%eth0"}, "invalid_ip_address"),
        ({"ip_address": "203.0.113.0/24"}, "invalid_ip_address"),
        ({"ip_address": "0x7f.1"}, "invalid_ip_address"),
        ({"ip_address": " 203.0.113.7"}, "invalid_ip_address"),
        ({"user_agent": "x" * 1025}, "invalid_user_agent"),
        ({"user_agent": "Mozilla/5.0\r\nSet-Cookie: a=b"}, "invalid_user_agent"),
        ({"user_agent": "a\x1bb"}, "invalid_user_agent"),
    ):
        answer = table.backend(method, path, {**body, "attributes": attributes})
        assert (answer.status, answer.json["error_type"]) == (400, error_type), attributes
        assert "203.0" not in answer.json["error_message"]
    assert table.backend("POST", "/v1/users/search", {}).json["results"] == []


def test_a_python_call_is_held_to_the_same(world: World) -> None:
    with pytest.raises(Refused, match="invalid_ip_address"):
        world.auth.run(world.auth.users.create(email=ADA, attributes=Attributes(ip_address="203.0.113.256")))


@pytest.mark.parametrize("empty", [{}, {"ip_address": "", "user_agent": ""}, {"ip_address": None, "user_agent": None}])
def test_what_is_empty_or_null_is_not_given(world: World, empty: dict[str, Any]) -> None:
    """The vendor's client sends each field of the object, null where nobody set it."""
    assert world.backend("POST", "/v1/users", {"email": ADA, "attributes": empty}).status == 200


def test_a_name_of_which_only_one_part_is_said_has_the_other_two_empty(world: World) -> None:
    name = {"first_name": "Ada", "middle_name": None, "last_name": None}
    made = world.backend("POST", "/v1/users", {"email": ADA, "name": name})
    assert made.status == 200
    assert made.json["user"]["name"] == {"first_name": "Ada", "middle_name": "", "last_name": ""}


def test_an_address_that_is_spelled_otherwise_is_the_same_one(world: World) -> None:
    """A browser's network may be told as IPv4 inside IPv6, or in capitals."""
    for sent, came_back in (("2001:DB8:0::1", "2001:db8::1"), ("::ffff:203.0.113.7", "203.0.113.7")):
        body = {"email": ADA, "attributes": {"ip_address": sent}}
        assert world.backend("POST", "/v1/magic_links/email/login_or_create", body).status == 200
        proof = {
            "token": world.token(),
            "attributes": {"ip_address": came_back},
            "options": {"ip_match_required": True},
            "session_duration_minutes": 60,
        }
        answer = world.backend("POST", "/v1/magic_links/authenticate", proof)
        assert answer.status == 200, answer.json
        assert answer.json["session"]["attributes"]["ip_address"] == came_back
        world.clock.advance(seconds=2)
