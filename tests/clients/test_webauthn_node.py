"""Passkeys by the vendor's own Node client, with an authenticator in software on this side."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import stytch

from authmw.cli.dev import PROJECT_ID, SECRET
from authmw.testing import VirtualAuthenticator
from authmw_adapters.inbox import Inbox
from tests.servers import Machine

CALLS = Path(__file__).parents[1] / "js" / "calls.mjs"
Node: TypeAlias = Callable[..., Any]

pytestmark = [
    pytest.mark.server("node"),
    pytest.mark.xdist_group("node"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]


@pytest.fixture
def url(client: stytch.Client) -> str:
    return str(client.webauthn.api_base.base_url).rstrip("/")


@pytest.fixture
def node(machine: Machine, url: str) -> Iterator[Node]:
    """Calls of the Node client, by name."""
    facts = json.dumps({"url": url, "project_id": PROJECT_ID, "secret": SECRET})
    command = [str(machine.server("node").where), str(CALLS), facts]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload]

        def call(name: str, /, **parameters: Any) -> Any:
            process.stdin.write(json.dumps([name, parameters]) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield call
        process.stdin.close()
        process.wait(timeout=30)


def test_a_passkey_is_registered_used_named_and_listed(node: Node, inbox: Inbox, url: str) -> None:
    node("magicLinks.email.loginOrCreate", email="ada@example.org")
    token = inbox.entries()[0].links[0].split("token=")[-1]
    user_id = node("magicLinks.authenticate", token=token)["user_id"]
    device, origin = VirtualAuthenticator(algorithm="RS256"), url.replace("127.0.0.1", "localhost")
    named = {"user_id": user_id, "domain": "localhost"}
    asked = node("webauthn.registerStart", **named, return_passkey_credential_options=True)
    answer = device.register(asked["public_key_credential_creation_options"], origin=origin)
    made = node("webauthn.register", user_id=user_id, public_key_credential=answer)
    registration = made["webauthn_registration_id"]
    options = node("webauthn.authenticateStart", domain="localhost")
    proof = device.authenticate(options["public_key_credential_request_options"], origin=origin)
    used = node("webauthn.authenticate", public_key_credential=proof, session_duration_minutes=60)
    assert used["session"]["authentication_factors"][0]["webauthn_factor"]["webauthn_registration_id"] == registration
    spent = node("webauthn.authenticate", public_key_credential=proof)
    assert spent == {"error_type": "unable_to_auth_webauthn_registration"}
    renamed = node("webauthn.update", webauthn_registration_id=registration, name="Mine")
    assert renamed["webauthn_registration"]["name"] == "Mine"
    listed = node("webauthn.listCredentials", **named)["credentials"]
    assert [one["webauthn_registration_id"] for one in listed] == [registration]
    gone = node("users.deleteWebAuthnRegistration", webauthn_registration_id=registration)
    assert gone["user"]["webauthn_registrations"] == []
