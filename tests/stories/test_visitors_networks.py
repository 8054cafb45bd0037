"""What a stranger can begin is counted by the network they have, and not by each of its addresses; a backend's own address is nobody's (RAT-03, A250)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest

from authmw import Provider
from authmw.testing import FixedClock, StandIns
from tests.stories.test_devices import GRANT
from tests.stories.test_provider import FORM, app
from tests.world import PUBLIC_TOKEN, URL, Answer, World, make_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    clock = FixedClock()
    providers = StandIns(f"{URL}/elsewhere", clock)
    return make_world(
        tmp_path,
        "wsgi",
        clock=clock,
        trusted_proxies=1,
        provider=Provider(device_grant=True, dynamic_registration=True),
        oauth=providers.configured(),
        fetcher=providers,
    )


def posted(world: World, endpoint: str, address: str, **fields: str) -> Answer:
    body = urlencode(fields).encode()
    return world.send("POST", f"/v1/oauth2/{endpoint}", body, content_type=FORM, x_forwarded_for=address)


def starts(world: World, client_id: str, address: str) -> Answer:
    return world.visit(f"/v1/public/oauth/github/start?public_token={PUBLIC_TOKEN}", x_forwarded_for=address)


def registers(world: World, client_id: str, address: str) -> Answer:
    body = {"redirect_uris": ["http://127.0.0.1/cb"]}
    return world.send("POST", "/v1/oauth2/register", body, x_forwarded_for=address)


def begins_on_a_device(world: World, client_id: str, address: str) -> Answer:
    return posted(world, "device_authorization", address, client_id=client_id)


def guesses_a_secret(world: World, client_id: str, address: str) -> Answer:
    fields = {"grant_type": GRANT, "client_id": client_id, "client_secret": "wrong", "device_code": "x"}
    return posted(world, "token", address, **fields)


@pytest.mark.parametrize(
    ("asks", "most"), [(starts, 120), (registers, 10), (begins_on_a_device, 60), (guesses_a_secret, 100)]
)
def test_another_address_of_the_same_network_is_no_other_visitor(
    world: World, asks: Callable[[World, str, str], Answer], most: int
) -> None:
    client_id = app(world, "third_party" if asks is guesses_a_secret else "third_party_public").id
    for number in range(most):
        assert asks(world, client_id, f"2001:db8::{number:x}").status != 429
    assert asks(world, client_id, "2001:db8::ffff:1").status == 429
    assert asks(world, client_id, "2001:db8:0:1::1").status != 429


def test_who_tries_codes_of_devices_is_one_visitor_too(world: World) -> None:
    """RFC 8628 section 5.1: somebody with many accounts has no more tries by them."""
    accounts = [world.sign_in(f"mallory{number}@example.org")["session_token"] for number in range(6)]
    for number in range(100):
        assert tries_a_code(world, accounts[number // 20], f"2001:db8::{number:x}") == 404
    assert tries_a_code(world, accounts[5], "2001:db8::ffff:1") == 429
    assert tries_a_code(world, accounts[5], "2001:db8:0:1::1") == 404


def tries_a_code(world: World, token: str, address: str) -> int:
    body = {"user_code": "BCDF-GHJK"}
    return world.browser("POST", "/sdk/v1/idp/oauth/device/start", body, token=token, x_forwarded_for=address).status


def test_the_people_of_a_backend_are_not_one_visitor(world: World) -> None:
    """Its own address says nothing of them: six people who mistype are no reason to stop the seventh."""
    for person in range(6):
        user = world.backend("POST", "/v1/users", {"email": f"ada{person}@example.org"}).json
        body = {"user_code": "BCDF-GHJK", "user_id": user["user_id"]}
        for _ in range(20):
            assert world.backend("POST", "/v1/idp/oauth/device/start", body).status == 404
        assert world.backend("POST", "/v1/idp/oauth/device/start", body).status == 429
