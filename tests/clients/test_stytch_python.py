"""The vendor's own Python client, unchanged, against a running app."""

from __future__ import annotations

import base64
import hashlib

import pytest
import stytch
from stytch.consumer.models.attribute import Attributes
from stytch.consumer.models.users import Name
from stytch.core.response_base import StytchError

from authmw.cli.dev import PROJECT_ID
from authmw_adapters.inbox import Inbox

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


def error_type(error: pytest.ExceptionInfo[StytchError]) -> str:
    return error.value.details.error_type


def signed_in(client: stytch.Client, inbox: Inbox, address: str = "ada@example.org"):
    client.magic_links.email.login_or_create(email=address)
    token = inbox.entries()[0].links[0].split("token=")[-1]
    return token, client.magic_links.authenticate(token, session_duration_minutes=60)


def test_users_are_created_found_changed_and_deleted(client: stytch.Client) -> None:
    created = client.users.create(email="ada@example.org", name={"first_name": "Ada"})
    assert created.status_code == 200
    assert client.users.get(created.user_id).name.first_name == "Ada"
    with pytest.raises(StytchError) as refused:
        client.users.create(email="ADA@example.org")
    assert error_type(refused) == "duplicate_email"
    updated = client.users.update(created.user_id, untrusted_metadata={"seen": True})
    assert updated.user.untrusted_metadata == {"seen": True}
    operand = {"filter_name": "email_address", "filter_value": ["ada@example.org"]}
    found = client.users.search(query={"operator": "AND", "operands": [operand]})
    assert [user.user_id for user in found.results] == [created.user_id]
    assert client.users.delete(created.user_id).user_id == created.user_id
    with pytest.raises(StytchError) as refused:
        client.users.get(created.user_id)
    assert error_type(refused) == "user_not_found"


def test_an_object_of_the_clients_own_model_may_leave_fields_out(client: stytch.Client) -> None:
    """The client sends null for each."""
    name, attributes = Name(first_name="Ada"), Attributes(user_agent="a browser")
    created = client.users.create(email="ada@example.org", name=name, attributes=attributes)
    assert created.user.name is not None
    assert (created.user.name.first_name, created.user.name.last_name) == ("Ada", "")


def test_a_link_from_the_inbox_authenticates_once(client: stytch.Client, inbox: Inbox) -> None:
    token, answer = signed_in(client, inbox)
    assert answer.user.emails[0].verified
    with pytest.raises(StytchError) as refused:
        client.magic_links.authenticate(token)
    assert error_type(refused) == "unable_to_auth_magic_link"


def test_a_code_from_the_inbox_authenticates(client: stytch.Client, inbox: Inbox) -> None:
    sent = client.otps.email.login_or_create(email="bob@example.org")
    answer = client.otps.authenticate(sent.email_id, inbox.entries()[0].code, session_duration_minutes=5)
    assert answer.session is not None


def test_sessions_are_proved_locally_and_remotely_and_ended(client: stytch.Client, inbox: Inbox) -> None:
    _, answer = signed_in(client, inbox)
    local = client.sessions.authenticate_jwt_local(answer.session_jwt)
    assert local.session_id == answer.session.session_id
    assert client.sessions.authenticate_jwt(answer.session_jwt).session.session_id == local.session_id
    remote = client.sessions.authenticate(session_jwt=answer.session_jwt)
    assert remote.session_token == answer.session_token
    assert len(client.sessions.get_jwks(PROJECT_ID).keys) == 4  # one for each kind of token
    assert [one.session_id for one in client.sessions.get(answer.user_id).sessions] == [local.session_id]
    assert client.sessions.revoke(session_id=local.session_id).status_code == 200
    for named in ({"session_token": answer.session_token}, {"session_jwt": answer.session_jwt}):
        with pytest.raises(StytchError) as refused:
            client.sessions.authenticate(**named)
        assert error_type(refused) == "session_not_found"


async def ask_async(client: stytch.Client) -> str:
    created = await client.users.create_async(email="eve@example.org")
    address = (await client.users.get_async(created.user_id)).emails[0].email
    await client.async_client.close()
    return address


def test_the_asynchronous_client_works_too(client: stytch.Client) -> None:
    import asyncio

    assert asyncio.run(ask_async(client)) == "eve@example.org"


def test_a_machine_is_made_gets_a_token_and_is_proved_locally(client: stytch.Client) -> None:
    made = client.m2m.clients.create(scopes=["read:users", "write:users"], client_name="billing").m2m_client
    token = client.m2m.token(made.client_id, made.client_secret, scopes=["read:users"]).access_token
    proved = client.m2m.authenticate_token(token, required_scopes=["read:users"])
    assert (proved.client_id, proved.scopes) == (made.client_id, ["read:users"])
    assert client.m2m.authenticate_token(token, required_scopes=["write:users"]) is None
    assert client.m2m.authenticate_token(token, max_token_age=0) is None
    with pytest.raises(StytchError) as refused:
        client.m2m.token(made.client_id, "wrong-secret")
    assert error_type(refused) == "invalid_client"


def test_a_machine_is_found_changed_and_its_secret_rotated(client: stytch.Client) -> None:
    made = client.m2m.clients.create(
        scopes=["pay"], client_id="billing", client_secret="Zx81-spectrum+amstrad"
    ).m2m_client
    operand = {"filter_name": "scopes", "filter_value": ["pay"]}
    found = client.m2m.clients.search(query={"operator": "AND", "operands": [operand]})
    assert [one.client_id for one in found.m2m_clients] == [made.client_id]
    following = client.m2m.clients.secrets.rotate_start(made.client_id).m2m_client
    assert client.m2m.clients.secrets.rotate_cancel(made.client_id).m2m_client.next_client_secret_last_four is None
    following = client.m2m.clients.secrets.rotate_start(made.client_id).m2m_client
    rotated = client.m2m.clients.secrets.rotate(made.client_id).m2m_client
    assert rotated.client_secret_last_four == following.next_client_secret_last_four
    assert client.m2m.token(made.client_id, following.next_client_secret).expires_in == 3600
    assert client.m2m.clients.update(made.client_id, status="inactive").m2m_client.status == "inactive"
    assert client.m2m.clients.get(made.client_id).m2m_client.scopes == ["pay"]
    assert client.m2m.clients.delete(made.client_id).client_id == made.client_id


@pytest.mark.parametrize("channel", ["sms", "whatsapp"])
def test_a_code_by_phone_authenticates(client: stytch.Client, inbox: Inbox, channel: str) -> None:
    product = getattr(client.otps, channel)
    sent = product.login_or_create(phone_number="+14155552671", locale="de-DE")
    answer = client.otps.authenticate(sent.phone_id, inbox.entries()[0].code, session_duration_minutes=5)
    assert answer.session is not None
    factor = answer.session.authentication_factors[0]
    assert factor.phone_number_factor is not None
    assert factor.phone_number_factor.phone_number == "+14155552671"
    with pytest.raises(StytchError) as refused:
        product.send(phone_number="+12125550123")
    assert error_type(refused) == "phone_number_not_found"


def test_a_connected_app_is_made_let_in_and_its_tokens_are_looked_at(client: stytch.Client, inbox: Inbox) -> None:
    """The clients' own calls, and the token endpoint as an app would call it."""
    import requests

    user = signed_in(client, inbox)[1]
    made = client.connected_app.clients.create(
        client_type="third_party", client_name="Notes", redirect_urls=["https://app.example/back"]
    ).connected_app
    asked = {"client_id": made.client_id, "redirect_uri": "https://app.example/back", "response_type": "code"}
    start = client.idp.oauth.authorize_start(**asked, scopes=["openid", "offline_access"], user_id=user.user_id)
    assert start.consent_required
    assert start.user.user_id == user.user_id
    assert [(one.scope, one.is_grantable) for one in start.scope_results] == [
        ("openid", True),
        ("offline_access", True),
    ]
    verifier = "v" * 43
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    answer = client.idp.oauth.authorize(
        **asked,
        consent_granted=True,
        scopes=["openid", "offline_access"],
        session_token=user.session_token,
        code_challenge=challenge,
    )
    assert answer.authorization_code in answer.redirect_uri
    tokens = requests.post(
        f"{client.api_base.base_url}v1/oauth2/token",
        data={
            "grant_type": "authorization_code",
            "code": answer.authorization_code,
            "redirect_uri": "https://app.example/back",
            "code_verifier": verifier,
        },
        auth=(made.client_id, made.client_secret),
        timeout=10,
    ).json()
    local = client.idp.introspect_access_token_local(tokens["access_token"])
    assert (local.subject, local.scope) == (user.user_id, "openid offline_access")
    asking = (made.client_id, made.client_secret)
    assert client.idp.introspect_token_network(tokens["access_token"], *asking).subject == user.user_id
    assert client.idp.introspect_token_network(tokens["refresh_token"], *asking).token_type == "refresh_token"
    granted = client.users.connected_apps(user.user_id).connected_apps
    assert [(one.connected_app_id, one.scopes_granted) for one in granted] == [
        (made.client_id, "openid offline_access")
    ]
    client.users.revoke(user.user_id, made.client_id)
    assert client.idp.introspect_token_network(tokens["access_token"], *asking) is None


def test_connected_apps_are_found_changed_rotated_and_deleted(client: stytch.Client) -> None:
    clients = client.connected_app.clients
    made = clients.create(client_type="first_party", full_access_allowed=True).connected_app
    assert [one.client_id for one in clients.search().connected_apps] == [made.client_id]
    assert clients.update(made.client_id, client_name="Mine").connected_app.client_name == "Mine"
    assert clients.get(made.client_id).connected_app.full_access_allowed
    clients.secrets.rotate_start(made.client_id)
    assert clients.secrets.rotate_cancel(made.client_id).connected_app.next_client_secret_last_four is None
    following = clients.secrets.rotate_start(made.client_id).connected_app.next_client_secret_last_four
    assert clients.secrets.rotate(made.client_id).connected_app.client_secret_last_four == following
    assert clients.create(client_type="third_party_public").connected_app.client_secret is None
    assert clients.delete(made.client_id).client_id == made.client_id
    with pytest.raises(StytchError) as refused:
        clients.get(made.client_id)
    assert error_type(refused) == "connected_app_not_found"
