"""Connected apps by the vendor's own Python client: every method, against a running app."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
import stytch
from stytch.core.response_base import StytchError

from authmw.cli.dev import PROJECT_ID
from authmw_adapters.inbox import Inbox
from tests.stories.test_provider import BACK, CHALLENGE, VERIFIER

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
OTHER = "https://other.example/back"


def person(client: stytch.Client, inbox: Inbox) -> Any:
    client.magic_links.email.login_or_create(email="ada@example.org")
    token = inbox.entries()[0].links[0].split("token=")[-1]
    return client.magic_links.authenticate(token, session_duration_minutes=60)


def tokens(client: stytch.Client, app: Any, person: Any) -> Any:
    """What an app gets for the person's agreement, at the token endpoint that discovery names."""
    asked: dict[str, Any] = {
        "client_id": app.client_id,
        "redirect_uri": BACK,
        "response_type": "code",
        "scopes": ["openid", "email", "offline_access"],
        "session_token": person.session_token,
    }
    start = client.idp.oauth.authorize_start(**asked)
    assert start.consent_required
    assert [one.scope for one in start.scope_results if one.is_grantable] == asked["scopes"]
    granted = client.idp.oauth.authorize(**asked, consent_granted=True, code_challenge=CHALLENGE, state="s", nonce="n")
    assert granted.redirect_uri.startswith(f"{BACK}?code=")
    fields = {
        "grant_type": "authorization_code",
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "code": granted.authorization_code,
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
    }
    with httpx2.Client(trust_env=False) as http:
        address = f"{client.api_base.base_url}v1/public/{PROJECT_ID}/oauth2/token"
        return http.post(address, data=fields).json()


def test_an_app_is_made_found_changed_and_deleted(client: stytch.Client) -> None:
    clients = client.connected_app.clients
    made = clients.create(client_type="third_party", client_name="Notes", redirect_urls=[BACK]).connected_app
    assert made.client_secret
    assert made.client_secret_last_four == made.client_secret[-4:]
    found = clients.get(made.client_id).connected_app
    assert (found.client_name, found.redirect_urls) == ("Notes", [BACK])
    assert [one.client_id for one in clients.search(limit=10).connected_apps] == [made.client_id]
    changed = clients.update(made.client_id, client_name="More notes", redirect_urls=[BACK, OTHER]).connected_app
    assert (changed.client_name, changed.redirect_urls) == ("More notes", [BACK, OTHER])
    assert clients.delete(made.client_id).client_id == made.client_id
    with pytest.raises(StytchError) as gone:
        clients.get(made.client_id)
    assert gone.value.details.error_type == "connected_app_not_found"


def test_a_secret_is_exchanged_in_two_phases(client: stytch.Client) -> None:
    clients = client.connected_app.clients
    made = clients.create(client_type="first_party", client_name="Own", redirect_urls=[BACK]).connected_app
    started = clients.secrets.rotate_start(made.client_id).connected_app
    assert started.next_client_secret != made.client_secret
    assert clients.secrets.rotate_cancel(made.client_id).connected_app.next_client_secret_last_four is None
    started = clients.secrets.rotate_start(made.client_id).connected_app
    rotated = clients.secrets.rotate(made.client_id).connected_app
    assert rotated.client_secret_last_four == started.next_client_secret_last_four
    with pytest.raises(StytchError) as none:
        clients.secrets.rotate(made.client_id)
    assert none.value.details.error_type == "connected_app_not_rotating_secret"


def test_a_person_lets_an_app_in_sees_it_and_takes_it_back(client: stytch.Client, inbox: Inbox) -> None:
    made = client.connected_app.clients.create(
        client_type="third_party", client_name="Notes", redirect_urls=[BACK]
    ).connected_app
    ada = person(client, inbox)
    got = tokens(client, made, ada)
    said = client.idp.introspect_token_network(got["access_token"], made.client_id, made.client_secret)
    assert said is not None
    assert (said.subject, said.scope) == (ada.user_id, "openid email offline_access")
    local = client.idp.introspect_access_token_local(got["access_token"])
    assert local is not None
    assert local.subject == ada.user_id
    (app,) = client.users.connected_apps(ada.user_id).connected_apps
    assert (app.connected_app_id, app.scopes_granted) == (made.client_id, "openid email offline_access")
    client.users.revoke(ada.user_id, made.client_id)
    assert client.users.connected_apps(ada.user_id).connected_apps == []
    assert client.idp.introspect_token_network(got["access_token"], made.client_id, made.client_secret) is None
    with pytest.raises(StytchError) as none:
        client.users.revoke(ada.user_id, made.client_id)
    assert none.value.details.error_type == "connected_app_not_found"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_type": "nonsense"}, "invalid_connected_app_type"),
        ({"redirect_urls": ["javascript:alert(1)"]}, "connected_app_redirect_url_must_use_http_or_https_scheme"),
        ({"full_access_allowed": True}, "third_party_clients_cannot_use_full_access"),
        ({"access_token_expiry_minutes": 1}, "idp_invalid_access_token_expiry_minutes"),
    ],
)
def test_an_app_that_cannot_be_is_refused_by_its_documented_error(
    client: stytch.Client, changes: dict[str, Any], error: str
) -> None:
    fields = {"client_type": "third_party", "client_name": "Notes", "redirect_urls": [BACK], **changes}
    with pytest.raises(StytchError) as refused:
        client.connected_app.clients.create(**fields)
    assert refused.value.details.error_type == error
