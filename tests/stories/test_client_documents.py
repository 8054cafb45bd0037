"""Stories of apps that are known by the address of a document which describes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw import Misconfigured, Provider
from authmw.errors import Refused
from authmw.people.apps import ConnectedApp
from authmw.platform.idp.client_documents import described, is_address
from authmw.storage import And
from authmw.testing import FixedClock
from tests.stories.test_consent_page import AUTHORIZE, decides, query, visits
from tests.stories.test_provider import BACK, CHALLENGE, App, claims
from tests.web_servers import Counter, counter, fetcher_for, reply
from tests.world import World, make_world

PATH = "/client.json"


@attrs.define(eq=False)
class Known:
    """A project that goes by documents, and a site that has one."""

    world: World
    site: Counter
    document: dict[str, Any]
    person: Any

    @property
    def id(self) -> str:
        return f"{self.site.url}{PATH}"

    def says(self, **more: Any) -> None:
        """From now on the document says so."""
        document = {"client_id": self.id, "client_name": "Far Notes", "redirect_uris": [BACK], **more}
        self.document = {name: value for name, value in document.items() if value is not None}
        self.answers(json.dumps(self.document).encode())

    def answers(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.site.answers[:] = [reply(status, body, **{"content_type": "application/json", **headers})]

    def app(self) -> App:
        return App(self.world, {"client_id": self.id}, self.person)

    def stored(self) -> tuple[ConnectedApp, ...]:
        page = self.world.auth.run(self.world.auth.storage.page(ConnectedApp, And(), limit=10))
        return tuple(page.records)


@pytest.fixture(params=["asgi", "wsgi"])
def known(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Known]:
    with counter() as site:
        world = make_world(
            tmp_path,
            request.param,
            provider=Provider(client_documents=True, device_grant=True),
            fetcher=fetcher_for(site.port),
        )
        one = Known(world, site, {}, world.sign_in())
        one.says()
        yield one


def asked(one: Known, **more: str) -> dict[str, str]:
    return {
        "client_id": one.id,
        "redirect_uri": BACK,
        "response_type": "code",
        "scope": "openid offline_access",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "state": "s",
        **more,
    }


def test_a_person_lets_an_app_in_that_nobody_registered(known: Known) -> None:
    app = known.app()
    page = visits(app, asked(known))
    assert page.status == 200
    for words in ("Far Notes", "It says who it is at <strong>carrier.example", "This app is not part of"):
        assert words in page.json
    assert known.stored() == ()
    code = query(decides(app, page, "allow"))["code"]
    tokens = app.redeems(code).json
    assert claims(tokens["id_token"])["aud"] == known.id
    assert app.active(tokens["access_token"])
    assert app.refreshes(tokens["refresh_token"]).status == 200
    (kept,) = known.stored()
    assert (kept.client_type, kept.expires_at) == ("third_party_public", None)
    assert [request.target for request in known.site.asked] == [PATH]
    assert "authorization" not in known.site.asked[0].headers
    assert "cookie" not in known.site.asked[0].headers


def test_it_is_seen_changed_and_ended_like_any_other_app(known: Known) -> None:
    """Its id is an address: in a path its slashes are encoded, as the official clients do."""
    app, user = known.app(), known.person["user_id"]
    tokens = app.tokens()
    place = f"/v1/connected_apps/clients/{quote(known.id, safe='')}"
    shown = known.world.backend("GET", place).json["connected_app"]
    assert (shown["client_id"], shown["client_id_metadata_url"]) == (known.id, known.id)
    apps = known.world.backend("GET", f"/v1/users/{user}/connected_apps").json["connected_apps"]
    assert [one["connected_app_id"] for one in apps] == [known.id]
    ending = f"/v1/users/{user}/connected_apps/{quote(known.id, safe='')}/revoke"
    assert known.world.backend("POST", ending, {}).status == 200
    assert not app.active(tokens["access_token"])
    assert known.world.backend("POST", f"{place}/secrets/rotate/start", {}).json["error_type"] == (
        "public_connected_apps_do_not_have_secrets"
    )
    assert known.world.backend("PUT", place, {"client_name": "Renamed"}).status == 200
    assert known.world.backend("DELETE", place).status == 200
    assert known.world.backend("GET", place).status == 404


def test_a_document_is_read_once_an_hour_and_what_it_says_then_counts(known: Known) -> None:
    app = known.app()
    app.tokens()
    known.says(redirect_uris=["https://elsewhere.example/back"])
    known.world.clock.advance(minutes=59)
    assert app.asks().status == 200
    known.world.clock.advance(minutes=2)
    known.person = known.world.sign_in()
    app = known.app()
    assert app.asks().json["error_type"] == "connected_app_supplied_redirect_url_not_found_in_client"
    assert app.asks(redirect_uri="https://elsewhere.example/back").status == 200
    assert known.stored()[0].redirect_urls == ("https://elsewhere.example/back",)


def test_a_person_is_asked_again_when_the_document_sends_them_elsewhere(known: Known) -> None:
    """Whoever holds the address today may be somebody else than whom they once let in."""
    app = known.app()
    first = {"scope": "openid"}
    app.tokens(scopes=["openid"])
    assert "code" in query(visits(app, asked(known, **first)))
    known.says(client_name="Renamed")
    known.world.clock.advance(minutes=61)
    known.person = known.world.sign_in()
    app = known.app()
    assert "code" in query(visits(app, asked(known, **first)))
    known.says(redirect_uris=[BACK, "https://elsewhere.example/back"])
    known.world.clock.advance(minutes=61)
    known.person = known.world.sign_in()
    app = known.app()
    moved = {**first, "redirect_uri": "https://elsewhere.example/back"}
    page = visits(app, asked(known, **moved))
    assert page.status == 200
    assert "code" in query(decides(app, page, "allow"))
    assert "code" in query(visits(app, asked(known, **moved)))


@pytest.mark.parametrize(
    "said",
    [
        {"client_id": "https://carrier.example/other.json"},
        {"client_id": None},
        {"redirect_uris": []},
        {"redirect_uris": None},
        {"redirect_uris": ["javascript:alert(1)"]},
        {"redirect_uris": ["http://carrier.example/back"]},
        {"redirect_uris": [7]},
        {"client_secret": "s"},
        {"token_endpoint_auth_method": "client_secret_basic"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"grant_types": ["client_credentials"]},
        {"response_types": ["token"]},
        {"client_name": "A\nB"},
    ],
)
def test_a_document_that_describes_no_app_of_ours_is_refused(known: Known, said: dict[str, Any]) -> None:
    known.says(**said)
    refused = known.app().asks()
    assert (refused.status, refused.json["error_type"]) == (400, "invalid_client_metadata")
    page = visits(known.app(), asked(known, prompt="none"))
    assert (page.status, page.header("location")) == (400, [])
    assert known.stored() == ()


def test_a_document_that_cannot_be_had_is_refused_and_the_next_one_works(known: Known) -> None:
    """AUD-03: an error, a redirect, another type, too much of it, nonsense."""
    good = json.dumps(known.document).encode()
    known.answers(good, 500)
    assert known.app().asks().json["error_type"] == "invalid_client_metadata"
    for body, status, headers in (
        (b"", 302, {"location": "https://evil.example/"}),
        (good, 200, {"content_type": "text/html"}),
        (good + b" " * 6000, 200, {}),
        (b"[]", 200, {}),
        (b"{", 200, {}),
    ):
        known.answers(body, status, **headers)
        assert known.app().asks().json["error_type"] == "invalid_client_metadata"
    known.answers(good)
    assert known.app().asks().status == 200


@pytest.mark.parametrize(
    "address",
    [
        "https://127.0.0.1/client.json",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/client.json",
        "https://unknown.example/client.json",
    ],
)
def test_no_address_on_this_machine_or_network_is_asked(known: Known, address: str) -> None:
    refused = known.app().asks(client_id=address)
    assert refused.json["error_type"] == "invalid_client_metadata"
    assert known.site.asked == []


def test_strangers_have_documents_read_at_a_limited_rate(known: Known) -> None:
    refused = [known.app().asks(client_id=f"{known.site.url}/{number}.json").status for number in range(21)]
    assert refused == [400] * 20 + [429]


def test_pushed_requests_and_devices_go_by_documents_too(known: Known) -> None:
    app = known.app()
    pushed = app.form("par", {**asked(known), "client_id": known.id})
    assert pushed.status == 201, pushed.json
    page = visits(app, {"client_id": known.id, "request_uri": pushed.json["request_uri"]})
    assert "Far Notes" in page.json
    begun = app.form("device_authorization", {"client_id": known.id, "scope": "openid"}).json
    body = {
        "user_code": begun["user_code"],
        "consent_granted": True,
        "session_token": known.person["session_token"],
    }
    assert known.world.backend("POST", "/v1/idp/oauth/device", body).status == 200
    got = app.form(
        "token",
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "device_code": begun["device_code"],
            "client_id": known.id,
        },
    )
    assert got.status == 200, got.json


def test_documents_count_only_where_the_project_goes_by_them(known: Known, tmp_path: Path) -> None:
    discovery = "/.well-known/oauth-authorization-server"
    assert known.world.visit(discovery).json["client_id_metadata_document_supported"] is True
    strict = make_world(tmp_path / "..", "asgi", fetcher=fetcher_for(known.site.port))
    one = App(strict, {"client_id": known.id}, strict.sign_in())
    assert one.asks().json["error_type"] == "connected_app_not_found"
    assert "client_id_metadata_document_supported" not in strict.visit(discovery).json
    assert known.site.asked == []
    with pytest.raises(Misconfigured):
        make_world(tmp_path / "..", "asgi", provider=Provider(client_documents=True))


def test_a_project_that_switched_an_app_off_keeps_it_off(known: Known) -> None:
    app = known.app()
    app.tokens()
    (kept,) = known.stored()
    off = attrs.evolve(kept, status="inactive")
    from authmw.storage import Update

    known.world.auth.run(known.world.auth.storage.commit(Update(off)))
    assert app.asks().json["error_type"] == "connected_app_not_found"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=6,
)
MEMBERS = ("client_id", "redirect_uris", "client_name", "token_endpoint_auth_method", "grant_types", "response_types")


@given(st.dictionaries(st.sampled_from(MEMBERS), JSON))
def test_no_document_makes_another_failure_than_a_refusal(said: dict[str, Any]) -> None:
    """What is described is always a third party without a secret, under its own address."""
    address = "https://app.example/client.json"
    document = {"client_id": address, "redirect_uris": [BACK], **said}
    try:
        app = described(address, document, FixedClock().now(), live=True)
    except Refused as refused:
        assert refused.error_type == "invalid_client_metadata"
    else:
        assert (app.client_id, app.client_type) == (address, "third_party_public")
        assert app.redirect_urls
        assert app.secrets.current is None


@given(st.text(max_size=60))
def test_only_a_clean_https_address_with_a_path_is_one(text: str) -> None:
    for one in (text, f"https://app.example/{text}", f"https://{text}/client.json"):
        if is_address(one):
            assert one.startswith("https://")
            assert not set(one) & set(' \\#"<>^`{|}')
            assert "@" not in one.split("/")[2]
            assert "/../" not in one
            assert len(one) > len("https://a/")


def test_addresses_of_the_page_are_where_the_page_is() -> None:
    assert AUTHORIZE.endswith("/oauth/authorize")
    assert not is_address("https://app.example")
    assert not is_address("https://app.example/")
    assert is_address("https://app.example/client")
    assert is_address("https://app.example/".ljust(160, "c"))
    assert not is_address("https://app.example/".ljust(161, "c"))  # apps are kept by it, and a key has 160 characters
