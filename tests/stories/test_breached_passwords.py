"""Passwords that were seen in a breach: refused where one is set, with the source that was asked in the event, and never in the way of a sign-in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from authmw import PasswordRules
from authmw.drive import step
from authmw.errors import BreachSourceFailed
from authmw.factors.password.breaches import named
from authmw.people.records import User
from authmw.ports import IO
from authmw_adapters.breaches import PwnedPasswords
from tests.stories.test_passwords import (
    ADA,
    AUTHENTICATE,
    BY_SESSION,
    CREATE,
    FIRST,
    RESET,
    SECOND,
    STRENGTH,
    created,
    pair,
    refused,
)
from tests.web_servers import counter, fetcher_for, reply
from tests.world import World, make_world


class Source:
    """Knows one password, and counts how often it was asked."""

    io: IO = "instant"
    name = "a_source"

    def __init__(self, known: str = FIRST, *, down: bool = False) -> None:
        self.known, self.down = known, down
        self.asked: list[str] = []

    async def suffixes(self, prefix: str) -> frozenset[str]:
        self.asked.append(prefix)
        if self.down:
            raise BreachSourceFailed("late")
        known = named(self.known)
        return frozenset({known[1]}) if known[0] == prefix else frozenset()


def world_with(folder: Path, host: str, source: Any, **rules: Any) -> World:
    return make_world(folder, host, passwords=PasswordRules(**rules), breaches=source)


@pytest.fixture(params=["asgi", "wsgi"])
def host(request: pytest.FixtureRequest) -> str:
    return request.param


def remarks(world: World, action: str) -> list[str]:
    world.auth.notes.flush()
    listed = world.backend("GET", f"/v1/project/events?action={action}&status=success").json["events"]
    return [one["remark"] for one in listed]


def test_a_breached_password_is_weak_wherever_one_is_set(tmp_path: Path, host: str) -> None:
    """X-20, PW-03."""
    source = Source()
    world = world_with(tmp_path, host, source)
    answer = world.backend("POST", CREATE, pair())
    refused(answer, 400, "weak_password")
    assert "breach" in answer.json["error_message"]
    created(world, SECOND)
    change = {"email": ADA, "existing_password": SECOND, "new_password": FIRST}
    refused(world.backend("POST", RESET, change), 400, "weak_password")
    token = world.sign_in("bob@example.org")["session_token"]
    refused(world.backend("POST", BY_SESSION, {"password": FIRST, "session_token": token}), 400, "weak_password")
    assert {len(one) for one in source.asked} == {5}
    assert remarks(world, "PasswordsCreate") == ["breaches: clean, a_source"]


def test_the_strength_check_says_whether_a_source_was_asked(tmp_path: Path, host: str) -> None:
    source = Source()
    world = world_with(tmp_path, host, source)
    found = world.backend("POST", STRENGTH, {"password": FIRST}).json
    told = (found["valid_password"], found["breached_password"], found["breaches"], found["breach_detection_on_create"])
    assert told == (False, True, "found", True)
    assert found["score"] == 4
    assert world.backend("POST", STRENGTH, {"password": SECOND}).json["breaches"] == "clean"
    source.down = True
    found = world.backend("POST", STRENGTH, {"password": FIRST}).json
    assert (found["breached_password"], found["breaches"]) == (False, "unavailable")


def test_where_the_source_is_down_a_password_is_taken_and_the_event_says_so(tmp_path: Path, host: str) -> None:
    """A064, PWD-06: the default."""
    world = world_with(tmp_path, host, Source(down=True))
    made = created(world)
    assert remarks(world, "PasswordsCreate") == ["breaches: unavailable, a_source"]
    user = step(world.auth.storage.get(User, made["user_id"]))
    assert user is not None
    assert user.parts_of("password")[0].details == {"breaches": "unavailable"}
    assert world.backend("POST", AUTHENTICATE, pair()).status == 200


def test_where_the_project_wants_an_answer_none_is_set_without_one_and_sign_in_goes_on(
    tmp_path: Path, host: str
) -> None:
    """A064: the source is not even asked at sign-in."""
    source = Source(SECOND)
    world = world_with(tmp_path, host, source, without_breach_source="refuse")
    created(world)
    source.down = True
    source.asked.clear()
    refused(world.backend("POST", CREATE, pair(email="bob@example.org")), 503, "server_unavailable")
    assert len(source.asked) == 1
    assert world.backend("POST", AUTHENTICATE, pair()).status == 200
    assert len(source.asked) == 1


def test_a_project_can_have_right_passwords_looked_up_at_sign_in(tmp_path: Path, host: str) -> None:
    """X-20, PW-18; a wrong one is looked up nowhere, and a source that is down is in nobody's way."""
    source = Source(SECOND)
    world = world_with(tmp_path, host, source, breaches_at_sign_in=True, without_breach_source="refuse")
    created(world)
    source.known = FIRST
    source.asked.clear()
    refused(world.backend("POST", AUTHENTICATE, pair(SECOND)), 401, "unauthorized_credentials")
    assert source.asked == []
    refused(world.backend("POST", AUTHENTICATE, pair()), 400, "breached_password")
    source.down = True
    assert world.backend("POST", AUTHENTICATE, pair()).status == 200


def test_a_source_over_http_is_asked_through_the_guarded_client(tmp_path: Path, host: str) -> None:
    body = f"{named(FIRST)[1]}:7\r\n".encode()
    with counter(reply(body=body)) as server:
        world = world_with(tmp_path, host, PwnedPasswords(fetcher_for(server.port), base_url=server.url))
        refused(world.backend("POST", CREATE, pair()), 400, "weak_password")
        assert world.backend("POST", CREATE, pair(SECOND)).status == 200
    sent = [one.target for one in server.asked]
    assert sent == [f"/range/{named(one)[0]}" for one in (FIRST, SECOND)]
