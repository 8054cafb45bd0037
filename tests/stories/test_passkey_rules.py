"""What a project says of its passkeys: their domains, origins and makers, and whether the person is verified at each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from authmw import Settings, WebAuthnRules
from authmw.errors import Misconfigured
from authmw.testing import AttestationAuthority, Edits, VirtualAuthenticator
from tests.stories.test_webauthn import (
    AUTHENTICATE,
    DOMAIN,
    REGISTER,
    REGISTER_START,
    START,
    UNABLE,
    UNMADE,
    creation,
    register,
    said,
    sign_in,
)
from tests.world import World, make_world


@pytest.mark.parametrize("domain", ["evil.example", "localhost.evil.example", "com", "127.0.0.1", "localhost:8000", ""])
def test_only_domains_of_the_project_have_passkeys(world: World, domain: str) -> None:
    """WAN-03, A119."""
    user_id = world.sign_in()["user_id"]
    assert world.backend("POST", REGISTER_START, {"user_id": user_id, "domain": domain}).status == 400
    assert world.backend("POST", START, {"domain": domain}).status == 400


def test_a_passkey_of_a_parent_domain_serves_its_listed_origins_and_apps(tmp_path: Path) -> None:
    """WAN-03: several origins, a domain above them, and an Android app, exactly as listed."""
    app = "android:apk-key-hash:" + "k" * 43
    origins = ("https://app.example.com", "https://account.example.com:8443", app)
    world = make_world(tmp_path, "asgi", webauthn=WebAuthnRules(origins=origins, domains=("example.com",)))
    user_id = world.sign_in()["user_id"]
    for origin in origins:
        device = VirtualAuthenticator()
        asked = {"user_id": user_id, "domain": "example.com", "return_passkey_credential_options": True}
        options = world.backend("POST", REGISTER_START, asked).json["public_key_credential_creation_options"]
        made = device.register(options, origin=origin, edits=Edits())
        body = {"user_id": user_id, "public_key_credential": made}
        assert world.backend("POST", REGISTER, body).status == 200
        options = world.backend("POST", START, {"domain": "example.com"}).json["public_key_credential_request_options"]
        answer = device.authenticate(options, origin=origin, edits=Edits())
        assert world.backend("POST", AUTHENTICATE, {"public_key_credential": answer}).status == 200
        options = world.backend("POST", START, {"domain": "example.com"}).json["public_key_credential_request_options"]
        answer = device.authenticate(options, origin="https://example.com", edits=Edits())
        assert said(world.backend("POST", AUTHENTICATE, {"public_key_credential": answer})) == UNABLE
    assert said(world.backend("POST", START, {"domain": DOMAIN})) == (400, "invalid_webauthn_registration_domain")


def test_a_trust_policy_admits_only_authenticators_of_its_makers(tmp_path: Path) -> None:
    """A127, WAN-06."""
    maker = AttestationAuthority()
    world = make_world(tmp_path, "asgi", webauthn=WebAuthnRules(attestation_roots=(maker.root,)))
    user_id = world.sign_in()["user_id"]
    assert json.loads(creation(world, user_id))["attestation"] == "direct"
    late = AttestationAuthority()
    late._key = maker._key
    late.days = 1
    strangers: list[dict[str, Any]] = [
        {"attestation": "none"},
        {"attestation": "self"},
        {"attestation": "certificate", "authority": AttestationAuthority()},
        {"attestation": "certificate", "authority": late},
    ]
    for how in strangers:
        assert said(register(world, VirtualAuthenticator(**how), user_id)) == UNMADE
    trusted = VirtualAuthenticator(attestation="certificate", authority=maker)
    assert register(world, trusted, user_id).status == 200
    assert sign_in(world, trusted).status == 200


def test_a_project_can_demand_user_verification_of_every_passkey(tmp_path: Path) -> None:
    """A121."""
    world = make_world(tmp_path, "asgi", webauthn=WebAuthnRules(user_verification="required"))
    user_id = world.sign_in()["user_id"]
    without = VirtualAuthenticator(verifies_users=False)
    assert said(register(world, without, user_id, edits=Edits())) == UNMADE
    device = VirtualAuthenticator()
    assert register(world, device, user_id).status == 200
    device.verifies_users = False
    session = world.sign_in()["session_token"]
    answer = sign_in(world, device, edits=Edits(), asked={"user_id": user_id}, session_token=session)
    assert said(answer) == (401, "webauthn_user_verification_required")


@pytest.mark.parametrize(
    ("rules", "fault"),
    [
        ({"domains": ("example.com",)}, "no origin of the project"),
        ({"origins": ("https://example.com:443",)}, "default port"),
        ({"domains": ("co.uk",)}, "public suffix"),
        ({"domains": ("com",)}, "public suffix"),
        ({"domains": ("127.0.0.1",)}, "IP address"),
        ({"domains": ("Example.com",)}, "lower-case"),
        ({"origins": ("https://example.com/",)}, "webauthn.origins"),
        ({"origins": ("http://example.com",)}, "webauthn.origins"),
        ({"origins": ("https://*.example.com",)}, "webauthn.origins"),
        ({"origins": ("https://other.org",), "domains": ("example.com",)}, "lies under none"),
        ({"attestation_roots": ("roots.pem",)}, "PEM"),
        ({"user_verification": "discouraged"}, "user_verification"),
    ],
)
def test_settings_that_cannot_work_are_refused(rules: dict[str, Any], fault: str) -> None:
    """A119: a public suffix is a configuration error."""
    with pytest.raises(Misconfigured, match=fault):
        Settings(project_id="project-test-1", secret="a-secret-of-your-own", webauthn=WebAuthnRules(**rules))
