"""What is done behind everybody's back: clearing up after deletions, and sending what is due."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from authmw.drive import step
from authmw.factors.challenges import Challenge
from authmw.ledger.performing import SWEPT
from authmw.ledger.records import Event, Outgoing, Purge
from authmw.people.records import Session
from authmw.storage import And, Insert, Record
from tests.world import World, make_world


def count(world: World, kind: type[Record]) -> int:
    return step(world.auth.storage.count(kind, And(), at_most=1000))


def sessions(world: World, user_id: str, many: int) -> str:
    """So many sessions of one user, by embedded links; the token of the last."""
    token = ""
    for _ in range(many):
        link = world.backend("POST", "/v1/magic_links", {"user_id": user_id}).json["token"]
        body = {"token": link, "session_duration_minutes": 60}
        token = world.backend("POST", "/v1/magic_links/authenticate", body).json["session_token"]
    return token


def test_what_belonged_to_a_deleted_user_is_cleared_and_nothing_else(world: World) -> None:
    eve = world.sign_in("eve@example.org")
    ada = world.sign_in("ada@example.org")["user_id"]
    sessions(world, ada, 24)
    assert world.backend("DELETE", f"/v1/users/{ada}").status == 200
    assert (count(world, Session), count(world, Purge)) == (26, 1)
    assert world.auth.run(world.auth.work()) == 1
    assert (count(world, Session), count(world, Challenge), count(world, Purge)) == (1, 1, 0)
    body = {"session_token": eve["session_token"]}
    assert world.backend("POST", "/v1/sessions/authenticate", body).status == 200


def test_sessions_that_were_ended_at_once_are_cleared_and_later_ones_live(world: World) -> None:
    ada = world.sign_in("ada@example.org")
    sessions(world, ada["user_id"], 3)
    body = {"email_address": "new@example.org"}
    world.backend("PUT", f"/v1/users/{ada['user_id']}/exchange_primary_factor", body)
    later = sessions(world, ada["user_id"], 1)
    world.clock.advance(seconds=1)
    world.auth.run(world.auth.work())
    assert (count(world, Session), count(world, Purge)) == (1, 0)
    assert world.backend("POST", "/v1/sessions/authenticate", {"session_token": later}).status == 200


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_a_message_that_cannot_be_opened_holds_up_no_other(tmp_path: Path, host: str) -> None:
    world = make_world(tmp_path, host)
    now = world.clock.now()
    broken = Outgoing(
        outgoing_id="outgoing-test-broken", channel="email", sealed=b"no seal", event_id="x", due_at=now, expires_at=now
    )
    step(world.auth.storage.commit(Insert(broken)))
    user = world.sign_in("ada@example.org")["user_id"]
    left = attrs.evolve(broken, outgoing_id="outgoing-test-second")
    step(world.auth.storage.commit(Insert(left)))
    world.clock.advance(minutes=1)
    assert world.auth.run(world.auth.work()) == 2
    assert count(world, Outgoing) == 0
    assert user


def test_a_worker_drops_what_is_over_as_fast_as_many_people_leave_it(world: World) -> None:
    world.sign_in("ada@example.org")
    world.auth.notes.flush()
    event = step(world.auth.storage.page(Event, And(), limit=1)).records[0]
    for number in range(2 * SWEPT):
        step(world.auth.storage.commit(Insert(attrs.evolve(event, version=0, event_id=f"event-test-{number:04d}"))))
    world.clock.advance(days=32)
    rounds = [world.auth.run(world.auth.work()) for _ in range(4)]
    assert rounds[:2] == [SWEPT, SWEPT]
    assert rounds[2] > 0
    assert rounds[3] == 0
    assert count(world, Event) == 0
