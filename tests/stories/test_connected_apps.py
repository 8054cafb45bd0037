"""Connected apps, as a project keeps them: what one may be, its secrets, what its tokens say, and how it is found."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.stories.test_provider import BACK, app, claims
from tests.stories.test_provider import world as world
from tests.world import World


def test_templates_add_what_they_were_written_to_add(world: World) -> None:
    template = json.dumps(
        {
            "mail": "{{ user.emails }}",
            "hello": "Hi {{user.name.first_name}}!",
            "plan": "{{ user.trusted_metadata.plan }}",
        }
    )
    one = app(world, access_token_template_content=template, id_token_template_content='{"roles": "{{ user.roles }}"}')
    body = {"name": {"first_name": "Ada"}, "trusted_metadata": {"plan": 7}}
    world.backend("PUT", f"/v1/users/{one.person['user_id']}", body)
    tokens = one.tokens()
    said = claims(tokens["access_token"])
    assert (said["mail"], said["hello"], said["plan"]) == (["ada@example.org"], "Hi Ada!", 7)
    assert claims(tokens["id_token"])["roles"] == []
    shown = one.form("introspect", {"token": tokens["access_token"], **one.credentials()}).json
    assert (shown["plan"], shown["active"]) == (7, True)
    for bad in (
        '{"sub": "x"}',
        '{"https://stytch.com/session": {}}',
        "[]",
        "{",
        '{"a": "{{ user.secret }}"}',
        '{"a": "{{ x }}"}',
    ):
        refused = world.backend("PUT", f"/v1/connected_apps/clients/{one.id}", {"access_token_template_content": bad})
        assert refused.json["error_type"] == "idp_invalid_access_token_jwt_template"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"client_type": "second_party"}, "invalid_connected_app_type"),
        ({"full_access_allowed": True}, "third_party_clients_cannot_use_full_access"),
        ({"bypass_consent_for_offline_access": True}, "third_party_clients_require_consent_for_offline_access"),
        ({"access_token_expiry_minutes": 4}, "idp_invalid_access_token_expiry_minutes"),
        ({"access_token_expiry_minutes": 1441}, "idp_invalid_access_token_expiry_minutes"),
        ({"access_token_custom_audience": "a b"}, "idp_invalid_access_token_custom_audience"),
        ({"redirect_urls": ["app.example/back"]}, "connected_app_redirect_url_must_include_scheme"),
        ({"redirect_urls": ["http://app.example/back"]}, "connected_app_redirect_url_http_scheme_must_use_loopback"),
        ({"redirect_urls": ["javascript:alert(1)"]}, "connected_app_redirect_url_must_use_http_or_https_scheme"),
        ({"redirect_urls": ["com.example.app:/back"]}, "connected_app_redirect_url_must_use_https_scheme"),
        ({"redirect_urls": ["https://app.example/#x"]}, "connected_app_invalid_redirect_url"),
        ({"redirect_urls": ["https://u@app.example/"]}, "connected_app_invalid_redirect_url"),
        ({"redirect_urls": ["https://*.app.example/"]}, "connected_app_invalid_redirect_url"),
        ({"redirect_urls": ["https://app.example/?code=1"]}, "connected_app_invalid_redirect_url"),
        ({"redirect_urls": [BACK, BACK]}, "duplicate_redirect_url"),
        ({"redirect_urls": [f"{BACK}/{n}" for n in range(51)]}, "too_many_redirect_urls"),
        ({"logo_url": "javascript:alert(1)"}, "connected_app_misconfigured_client"),
    ],
)
def test_an_app_that_cannot_be_is_refused(world: World, body: dict[str, Any], error: str) -> None:
    answer = world.backend("POST", "/v1/connected_apps/clients", {"client_type": "third_party", **body})
    assert (answer.status, answer.json["error_type"]) == (400, error)


def test_an_apps_secret_is_rotated_and_a_public_app_has_none(world: World) -> None:
    one = app(world)
    place = f"/v1/connected_apps/clients/{one.id}/secrets/rotate"
    old, token = one.shown["client_secret"], one.tokens()["refresh_token"]
    new = world.backend("POST", f"{place}/start", {}).json["connected_app"]["next_client_secret"]
    for secret in (old, new):
        one.shown["client_secret"] = secret
        answer = one.refreshes(token)
        assert answer.status == 200
        token = answer.json["refresh_token"]
    world.backend("POST", place, {})
    one.shown["client_secret"] = old
    assert one.refreshes(token).json["error"] == "invalid_client"
    public = app(world, "third_party_public")
    refused = world.backend("POST", f"/v1/connected_apps/clients/{public.id}/secrets/rotate/start", {})
    assert refused.json["error_type"] == "public_connected_apps_do_not_have_secrets"


def test_apps_are_found_changed_and_deleted(world: World) -> None:
    one = app(world)
    place = f"/v1/connected_apps/clients/{one.id}"
    changed = world.backend("PUT", place, {"client_name": "Renamed", "logo_url": "https://app.example/l.png"})
    assert (changed.json["connected_app"]["client_name"], changed.json["connected_app"]["redirect_urls"]) == (
        "Renamed",
        [BACK],
    )
    found = world.backend("POST", "/v1/connected_apps/clients/search", {}).json
    assert [each["client_id"] for each in found["connected_apps"]] == [one.id]
    assert world.backend("GET", place).json["connected_app"]["logo_url"] == "https://app.example/l.png"
    assert world.backend("DELETE", place).json["client_id"] == one.id
    assert world.backend("GET", place).json["error_type"] == "connected_app_not_found"
