"""What an administrator changes of a project while it runs, and how soon it holds."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from authmw import Auth, Settings
from authmw.drive import step
from authmw.errors import Misconfigured, Refused
from authmw.project import StoredProject
from authmw.storage import And
from authmw.testing import StandIns
from tests.world import PROJECT_ID, PUBLIC_TOKEN, SECRET, URL, Answer, World, make_world

EVERYTHING = frozenset({"redirect_urls", "public_tokens", "secrets", "ip_allow_list"})
P = "/v1/project"


@pytest.fixture(params=["asgi", "wsgi"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return make_world(tmp_path, request.param, managed=EVERYTHING)


def ask(world: World, secret: str) -> Answer:
    pair = base64.b64encode(f"{PROJECT_ID}:{secret}".encode()).decode()
    return world.send("GET", "/v1/project/ip_allow_list", authorization=f"Basic {pair}")


def test_a_secret_is_exchanged_while_both_hold_and_is_kept_as_a_digest(world: World) -> None:
    """ENV-01."""
    made = world.backend("POST", f"{P}/secrets", {}).json
    assert (ask(world, SECRET).status, ask(world, made["secret"]).status) == (200, 200)
    assert world.backend("POST", f"{P}/secrets", {}).json["error_type"] == "too_many_secrets"
    assert world.backend("DELETE", f"{P}/secrets/secret-declared").status == 200
    assert (ask(world, SECRET).status, ask(world, made["secret"]).status) == (401, 200)
    assert made["secret"] not in str(step(world.auth.storage.page(StoredProject, And(), limit=10)))
    with pytest.raises(Refused, match="cannot_delete_last_secret"):
        world.auth.run(world.auth.project.secrets.delete(secret_id=made["secret_id"]))


def test_another_process_sees_a_change_within_five_seconds(world: World) -> None:
    other = Auth(world.auth.settings, storage=world.auth.storage, limiter=world.auth.core.limiter, clock=world.clock)
    world.auth.run(other.core.project.now())
    made = world.backend("POST", f"{P}/secrets", {}).json
    assert world.auth.core.project.current.holds_secret(made["secret"])
    assert not world.auth.run(other.core.project.now()).holds_secret(made["secret"])
    world.clock.advance(seconds=5)
    assert world.auth.run(other.core.project.now()).holds_secret(made["secret"])


def test_the_backend_api_is_called_from_listed_addresses_only(world: World) -> None:
    """ENV-06, ENV-07."""
    assert world.backend("GET", f"{P}/ip_allow_list").status == 200
    many = {"ip_addresses": [f"192.0.2.{number}" for number in range(11)]}
    assert world.backend("PUT", f"{P}/ip_allow_list", many).json["error_type"] == "allow_list_max_exceeded"
    wrong = {"ip_addresses": ["192.0.2.1/24"]}
    assert world.backend("PUT", f"{P}/ip_allow_list", wrong).json["error_type"] == "invalid_ip_address"
    folded = {"ip_addresses": ["::ffff:192.0.2.1", "192.0.2.1", "2001:DB8::1"]}
    answer = world.backend("PUT", f"{P}/ip_allow_list", folded).json
    assert answer["ip_addresses"] == ["192.0.2.1", "2001:db8::1"]
    refused = world.backend("GET", f"{P}/ip_allow_list")
    assert (refused.status, refused.json["error_type"]) == (403, "ip_address_not_allowed")
    assert world.send("GET", f"/v1/sessions/jwks/{PROJECT_ID}").status == 200
    world.auth.run(world.auth.project.ip_allow_list.set(ip_addresses=[]))
    assert world.backend("GET", f"{P}/ip_allow_list").status == 200


def test_browsers_call_under_every_public_token_until_it_is_deleted(world: World) -> None:
    """ENV-08, EVT-02."""
    made = world.backend("POST", f"{P}/public_tokens", {}).json["public_token"]
    for token in (PUBLIC_TOKEN, made):
        assert world.send("GET", f"/sdk/v1/projects/bootstrap/{token}").status == 200
    assert world.backend("DELETE", f"{P}/public_tokens/{PUBLIC_TOKEN}").status == 200
    assert world.send("GET", f"/sdk/v1/projects/bootstrap/{PUBLIC_TOKEN}").status == 404
    (logged,) = world.backend("GET", f"{P}/events?action=CreatePublicToken&status=success").json["events"]
    assert logged["source"] == "DASHBOARD"


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_a_sign_in_by_a_provider_starts_under_every_public_token_too(tmp_path: Path, host: str) -> None:
    """ENV-08."""
    providers = StandIns(f"{URL}/stand-ins")
    world = make_world(tmp_path, host, managed=EVERYTHING, oauth=providers.configured(), fetcher=providers)
    made = world.backend("POST", f"{P}/public_tokens", {}).json["public_token"]
    paths = ("/v1/public/oauth/google/start", "/v1/public/oauth/google/onetap/start")

    def starts(token: str) -> list[int]:
        return [world.visit(f"{path}?public_token={token}").status for path in paths]

    assert starts(PUBLIC_TOKEN) == starts(made) == [303, 200]
    assert world.backend("DELETE", f"{P}/public_tokens/{PUBLIC_TOKEN}").status == 200
    assert (starts(PUBLIC_TOKEN), starts(made)) == ([404, 404], [303, 200])


def test_a_redirect_url_is_accepted_from_its_registration_to_its_deletion(world: World) -> None:
    """RU-01, RU-03."""
    url = "https://app.example.org/in"
    body = {"email": "ada@example.org", "login_magic_link_url": url, "signup_magic_link_url": url}
    send = "/v1/magic_links/email/login_or_create"
    assert world.backend("POST", send, body).json["error_type"] == "no_match_for_provided_magic_link_url"
    made = world.backend(
        "POST", f"{P}/redirect_urls", {"url": url, "types": ["LOGIN", "SIGNUP"], "default_for": ["LOGIN"]}
    )
    listed = made.json["redirect_urls"]
    assert [one["default_for"] for one in listed if one["url"] == url] == [["LOGIN"]]
    assert sum("LOGIN" in one["default_for"] for one in listed) == 1
    assert world.backend("POST", send, body).status == 200
    again = world.backend("POST", f"{P}/redirect_urls", {"url": url, "types": ["LOGIN"]})
    assert again.json["error_type"] == "duplicate_redirect_url"
    (known,) = [one["redirect_url_id"] for one in listed if one["url"] == url]
    assert world.backend("DELETE", f"{P}/redirect_urls/{known}").status == 200
    world.clock.advance(seconds=2)
    assert world.backend("POST", send, body).json["error_type"] == "no_match_for_provided_magic_link_url"


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_what_code_declares_is_not_changed_over_the_wire(tmp_path: Path, host: str) -> None:
    world = make_world(tmp_path, host)
    for path in ("secrets", "public_tokens"):
        assert world.backend("POST", f"{P}/{path}", {}).json["error_type"] == "setting_not_managed"
    assert world.backend("GET", f"{P}/public_tokens").json["public_tokens"][0]["public_token"] == PUBLIC_TOKEN


def test_a_setting_that_cannot_be_managed_is_named_at_the_start() -> None:
    with pytest.raises(Misconfigured, match="managed may name"):
        Settings(project_id=PROJECT_ID, secret=SECRET, managed={"project_id"})  # type: ignore[arg-type]
    with pytest.raises(Misconfigured, match="ip_allow_list"):
        Settings(project_id=PROJECT_ID, secret=SECRET, ip_allow_list=("example.org",))
