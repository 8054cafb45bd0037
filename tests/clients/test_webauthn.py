"""Passkeys by the vendor's own Python client, with an authenticator in software."""

from __future__ import annotations

import asyncio

import pytest
import stytch
from stytch.core.response_base import StytchError

from authmw.testing import VirtualAuthenticator
from authmw_adapters.inbox import Inbox

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture
def origin(client: stytch.Client) -> str:
    """The page's origin: the address that the client was given, by its name."""
    address = str(client.webauthn.api_base.base_url)
    return address.replace("127.0.0.1", "localhost").rstrip("/")


def signed_in(client: stytch.Client, inbox: Inbox) -> str:
    client.magic_links.email.login_or_create(email="ada@example.org")
    token = inbox.entries()[0].links[0].split("token=")[-1]
    return str(client.magic_links.authenticate(token).user_id)


def test_a_passkey_is_registered_named_listed_used_and_removed(
    client: stytch.Client, inbox: Inbox, origin: str
) -> None:
    device, user_id = VirtualAuthenticator(algorithm="EdDSA"), signed_in(client, inbox)
    asked = client.webauthn.register_start(
        user_id=user_id,
        domain="localhost",
        user_agent="a browser",
        authenticator_type="platform",
        return_passkey_credential_options=True,
        override_name="ada",
        use_base64_url_encoding=True,
    )
    answer = device.register(asked.public_key_credential_creation_options, origin=origin)
    made = client.webauthn.register(user_id=user_id, public_key_credential=answer, session_duration_minutes=60)
    assert made.user.webauthn_registrations[0].user_agent == "a browser"
    registration = made.webauthn_registration_id
    named = client.webauthn.update(webauthn_registration_id=registration, name="Mine")
    assert named.webauthn_registration is not None
    assert named.webauthn_registration.name == "Mine"
    listed = client.webauthn.list_credentials(user_id=user_id, domain="localhost").credentials
    assert [one.webauthn_registration_id for one in listed] == [registration]
    options = client.webauthn.authenticate_start(domain="localhost", return_passkey_credential_options=True)
    assert options.user_id == ""
    proof = device.authenticate(options.public_key_credential_request_options, origin=origin)
    used = client.webauthn.authenticate(public_key_credential=proof, session_duration_minutes=60)
    assert used.session is not None
    factor = used.session.authentication_factors[0].webauthn_factor
    assert factor is not None
    assert (factor.webauthn_registration_id, factor.domain) == (registration, "localhost")
    with pytest.raises(StytchError) as spent:
        client.webauthn.authenticate(public_key_credential=proof)
    assert spent.value.details.error_type == "unable_to_auth_webauthn_registration"
    assert client.users.delete_webauthn_registration(registration).user.webauthn_registrations == []


def test_the_asynchronous_client_signs_in_too(client: stytch.Client, inbox: Inbox, origin: str) -> None:
    device, user_id = VirtualAuthenticator(), signed_in(client, inbox)

    async def story() -> str:
        asked = await client.webauthn.register_start_async(
            user_id=user_id, domain="localhost", return_passkey_credential_options=True
        )
        answer = device.register(asked.public_key_credential_creation_options, origin=origin)
        await client.webauthn.register_async(user_id=user_id, public_key_credential=answer)
        options = await client.webauthn.authenticate_start_async(domain="localhost", user_id=user_id)
        proof = device.authenticate(options.public_key_credential_request_options, origin=origin)
        used = await client.webauthn.authenticate_async(public_key_credential=proof)
        await client.async_client.close()
        return str(used.user_id)

    assert asyncio.run(story()) == user_id
