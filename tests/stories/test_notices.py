"""Security notices: every other verified address hears of a change of an account, and nobody else does."""

from __future__ import annotations

import pytest

from authmw import drive
from authmw.ports import EmailMessage, PhoneMessage
from tests.world import World

SEND = "/v1/magic_links/email/send"


def with_second_address(world: World) -> dict:
    """Ada, who has proved a second address from her own session; the answer's body."""
    first = world.sign_in("ada@example.org")
    world.clock.advance(seconds=2)
    body = {"email": "second@example.org", "session_token": first["session_token"]}
    assert world.backend("POST", SEND, body).status == 200
    body = {"token": world.token(), "session_token": first["session_token"], "session_duration_minutes": 60}
    answer = world.backend("POST", "/v1/magic_links/authenticate", body)
    assert answer.status == 200, answer.json
    return answer.json


def heard(world: World, address: str) -> list[str]:
    return [entry.subject for entry in world.inbox.entries(to=address) if "Sign in" not in entry.subject]


def test_an_added_address_is_told_to_the_one_before_it(world: World) -> None:
    """ACC-03, A220: an addition notifies the other verified addresses."""
    with_second_address(world)
    world.inbox.arrived(3)
    assert "A sign-in method was added to your authmw account" in heard(world, "ada@example.org")
    assert not any("added" in subject for subject in heard(world, "second@example.org"))


def test_a_removed_address_hears_of_it_as_well_as_those_that_stay(world: World) -> None:
    user = with_second_address(world)["user"]
    world.inbox.arrived(3)
    assert world.backend("DELETE", f"/v1/users/emails/{user['emails'][0]['email_id']}").status == 200
    world.inbox.arrived(5)
    for address in ("ada@example.org", "second@example.org"):
        assert any("removed" in subject for subject in heard(world, address))


def test_an_unverified_address_hears_nothing(world: World) -> None:
    body = {"email": "ada@example.org", "phone_number": "+14155552671"}
    user = world.backend("POST", "/v1/users", body).json
    assert world.backend("DELETE", f"/v1/users/phone_numbers/{user['phone_id']}").status == 200
    assert world.inbox.entries() == ()


def test_an_exchanged_address_is_told_to_the_old_one(world: World) -> None:
    user = world.sign_in("ada@example.org")["user_id"]
    world.inbox.arrived(1)
    body = {"email_address": "eve@example.org"}
    assert world.backend("PUT", f"/v1/users/{user}/exchange_primary_factor", body).status == 200
    assert world.inbox.arrived(2).to == "ada@example.org"
    assert heard(world, "ada@example.org")[0] == "The e-mail address of your authmw account was changed"
    assert heard(world, "eve@example.org") == []


def test_a_notice_that_cannot_be_sent_fails_no_change_and_no_event(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = with_second_address(world)["user"]
    world.inbox.arrived(3)

    async def down(message: EmailMessage | PhoneMessage) -> None:
        raise RuntimeError("A sender that breaks its promise.")

    monkeypatch.setattr(world.inbox, "send", down)
    answer = world.backend("DELETE", f"/v1/users/emails/{user['emails'][1]['email_id']}")
    assert answer.status == 200
    assert drive.finish(10)
    monkeypatch.undo()
    world.clock.advance(minutes=5)
    world.auth.run(world.auth.work())
    world.inbox.arrived(5)
    assert any("removed" in subject for subject in heard(world, "second@example.org"))
