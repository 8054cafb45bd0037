"""Nobody fills a mailbox, or spends a project's name as a sender, by asking again and again (RAT-01, RAT-04)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from authmw import EmailRules
from tests.world import URL, Answer, World, make_world

ADA, SANDBOX = "ada@example.org", "sandbox@stytch.com"
LINK = "/v1/magic_links/email/login_or_create"
WAYS = {
    LINK: {"email": ADA},
    "/v1/magic_links/email/send": {"email": ADA},
    "/v1/magic_links/email/invite": {"email": "bob@example.org"},
    "/v1/otps/email/login_or_create": {"email": ADA},
    "/v1/otps/email/send": {"email": ADA},
    "/v1/passwords/email/reset/start": {"email": ADA},
}


def ask(world: World, path: str = LINK, **body: Any) -> Answer:
    world.clock.advance(seconds=2)
    return world.backend("POST", path, {"email": ADA, **body})


@pytest.fixture(params=["asgi", "wsgi"])
def narrow(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return make_world(tmp_path, request.param, emails=EmailRules(per_address_hour=2, per_address_day=3))


@pytest.mark.parametrize("path", WAYS)
def test_an_address_gets_so_many_mails_an_hour_by_whichever_product(narrow: World, path: str) -> None:
    """The wait is told, and another address gets its mail."""
    address = WAYS[path]["email"]
    other = "/v1/magic_links/email/invite" if address != ADA else LINK
    assert ask(narrow, other, email=address).status == 200
    assert ask(narrow, path, email=address).status == 200
    came = len(narrow.inbox.entries())
    refused = ask(narrow, path, email=address)
    assert (refused.status, refused.json["error_type"]) == (429, "too_many_requests")
    assert 0 < int(refused.header("retry-after")[0]) <= 1800
    assert len(narrow.inbox.entries()) == came
    assert ask(narrow, LINK, email="carol@example.org").status == 200


def test_a_day_has_a_budget_of_its_own(narrow: World) -> None:
    told = []
    for _ in range(6):
        narrow.clock.advance(minutes=40)
        told.append(ask(narrow).status)
    assert told == [200, 200, 200, 429, 429, 429]


def test_one_visitor_asks_for_so_many_mails_whomever_they_are_for(tmp_path: Path) -> None:
    """Counted by the browser's own address, or by the one that a backend says the person has."""
    world = make_world(tmp_path, "wsgi", emails=EmailRules(per_visitor_hour=1), trusted_proxies=1)
    for number, status in ((1, 200), (2, 429)):
        body = {"email": f"user{number}@example.org"}
        headers = {"origin": URL, "x_forwarded_for": "192.0.2.1"}
        assert world.browser("POST", f"/sdk{LINK}", body, **headers).status == status
    said = {"attributes": {"ip_address": "192.0.2.2"}}
    assert [ask(world, email=f"b{number}@example.org", **said).status for number in range(2)] == [200, 429]
    assert [ask(world, email=f"c{number}@example.org").status for number in range(2)] == [200, 200]


def test_a_project_sends_so_many_mails_a_day(tmp_path: Path) -> None:
    world = make_world(tmp_path, "asgi", emails=EmailRules(per_day=2))
    assert [ask(world, email=f"user{number}@example.org").status for number in range(3)] == [200, 200, 429]


def test_known_and_unknown_addresses_have_the_same_budget(tmp_path: Path) -> None:
    """ENU-01."""
    told: dict[str, list[int]] = {}
    for name in ("known", "unknown"):
        (tmp_path / name).mkdir()
        world = make_world(tmp_path / name, "asgi", emails=EmailRules(per_address_hour=2))
        if name == "known":
            world.backend("POST", "/v1/users", {"email": ADA})
        path = "/sdk/v1/magic_links/email/send/primary"
        told[name] = []
        for _ in range(4):
            world.clock.advance(seconds=2)
            told[name].append(world.browser("POST", path, {"email": ADA}, origin=URL).status)
    assert told["known"] == told["unknown"] == [200, 200, 429, 429]


def test_of_the_sandboxs_address_nothing_leaves_and_nothing_is_budgeted(narrow: World) -> None:
    assert [ask(narrow, "/v1/otps/email/login_or_create", email=SANDBOX).status for _ in range(5)] == [200] * 5
