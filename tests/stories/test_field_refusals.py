"""A value out of its field's bounds is refused by the exact type that there is for it, by every way in; a fault of the request stays `bad_request`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
from msgspec.inspect import ListType, StructType, UnionType, type_info

from authmw.error_types.fields import FIELDS, SHAPES
from authmw.errors import Refused
from tests.world import World, asgi_client, make_world

SEND = "/v1/magic_links/email/login_or_create"
CODE = "/v1/otps/email/login_or_create"
MADE = {"email": "ada@example.org"}


def paths_of(kind: Any, path: str) -> Iterator[str]:
    yield path
    if isinstance(kind, UnionType):
        for one in kind.types:
            yield from paths_of(one, path)
    elif isinstance(kind, ListType):
        yield from paths_of(kind.item_type, f"{path}[...]")
    elif isinstance(kind, StructType):
        for field in kind.fields:
            yield from paths_of(field.type, f"{path}.{field.encode_name}" if path else field.encode_name)


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Every field of every operation, by each of the names that the table may call it by."""
    found: set[str] = set()
    for _, operation in make_world(tmp_path_factory.mktemp("fields"), "asgi").auth.table():
        area = operation.path.split("/")[2]
        for path in paths_of(type_info(operation.request), ""):
            found |= {f"{area}.{path}", path, path.rpartition(".")[2]}
    return found


@pytest.mark.parametrize("name", [*FIELDS, *SHAPES])
def test_a_name_of_the_table_is_that_of_a_field(fields: set[str], name: str) -> None:
    assert name in fields


@pytest.mark.parametrize(
    ("path", "body", "error_type"),
    [
        (SEND, {"attributes": {"ip_address": "1" * 65}}, "invalid_ip_address"),
        (SEND, {"attributes": {"user_agent": "x" * 1025}}, "invalid_user_agent"),
        (SEND, {"email": "x" * 255}, "invalid_email"),
        (SEND, {"locale": "tlh"}, "invalid_locale"),
        (SEND, {"login_expiration_minutes": 4}, "invalid_expiration"),
        (CODE, {"expiration_minutes": 11}, "invalid_expiration_otp"),
        (SEND, {"code_challenge": "short"}, "invalid_pkce_code_challenge"),
        (SEND, {"user_id": "spaces are none", "email": 7}, "bad_request"),
        (SEND, {"email": None}, "bad_request"),
        (SEND, {"attributes": {"ip_address": 7}}, "bad_request"),
        (SEND, {"attributes": "203.0.113.7"}, "bad_request"),
        ("/v1/sessions/authenticate", {"session_token": "x", "session_duration_minutes": 4}, "invalid_session_duration_minutes"),
        ("/v1/sessions/authenticate", {"session_token": "x" * 513}, "invalid_session_token"),
        ("/v1/users/search", {"limit": 1001}, "user_search_invalid_limit"),
        ("/v1/users/search", {"query": {"operator": "XOR", "operands": []}}, "user_search_invalid_operator"),
        ("/v1/users", {"trusted_metadata": "x"}, "metadata_invalid_format"),
        ("/v1/users", {"untrusted_metadata": [1]}, "metadata_invalid_format"),
        ("/v1/users/search", {"query": {"operator": "OR", "operands": [{"filter_name": 7, "filter_value": []}]}}, "user_search_filter_name_must_be_string"),
        ("/v1/m2m/clients/search", {"limit": 1001}, "bad_request"),
        ("/v1/m2m/clients", {"client_name": "x" * 129}, "m2m_client_invalid_client_name"),
        ("/v1/m2m/clients", {"scopes": ["x" * 513]}, "invalid_m2m_client_scope"),
    ],
)  # fmt: skip
def test_a_value_out_of_bounds_is_refused_by_the_type_of_its_field(
    world: World, path: str, body: dict[str, Any], error_type: str
) -> None:
    answer = world.backend("POST", path, {**MADE, **body})
    assert (answer.status, answer.json["error_type"]) == (400, error_type)


def test_an_id_that_can_be_none_is_refused_in_an_address_too(world: World) -> None:
    answer = world.backend("GET", "/v1/users/spaces%20are%20none")
    assert (answer.status, answer.json["error_type"]) == (400, "invalid_user_id")


def test_a_python_call_and_a_browser_hear_the_same(world: World) -> None:
    with pytest.raises(Refused, match="invalid_locale"):
        world.auth.run(world.auth.magic_links.email.login_or_create(email="ada@example.org", locale=cast("Any", "tlh")))
    answer = world.browser("POST", "/sdk/v1/magic_links/email/login_or_create", {**MADE, "login_expiration_minutes": 1})
    assert (answer.status, answer.json["error_type"]) == (400, "invalid_expiration")


def test_an_endpoint_of_oauth_keeps_the_codes_of_its_protocol(world: World) -> None:
    answer = world.send(
        "POST", "/v1/oauth2/token", {"grant_type": "client_credentials", "client_id": "x", "client_secret": "x" * 513}
    )
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")


def test_the_page_of_types_says_which_are_ours_and_why(world: World) -> None:
    text = asgi_client(world.auth, world.url).get("/auth/errors").text
    assert "Here a project can keep recovery codes so that nobody reads them again." in text
    assert "RFC 6750 section 3.1" in text
