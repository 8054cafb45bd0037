"""What passwords cost: off the loop, capped, refused at once where there is no room, and the same whoever is asked about."""

from __future__ import annotations

import asyncio
import base64
import threading
from pathlib import Path
from typing import Any

import httpx2
import pytest

from authmw import PasswordRules, drive
from authmw.drive import Heavy
from tests.stories.test_passwords import ADA, AUTHENTICATE, CREATE, FIRST, SECOND, created, hash_of, pair, refused
from tests.world import PROJECT_ID, SECRET, URL, World, asgi_app, make_world

BROWSER = "/sdk/v1/passwords/authenticate"


class Gate:
    """Comparing that stays until it is let go, and counts how many are at it."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.lock = threading.Lock()
        self.at_it = self.most = 0

    def compare(self, *compared: object) -> bool:
        with self.lock:
            self.at_it += 1
            self.most = max(self.most, self.at_it)
        assert self.open.wait(30)
        with self.lock:
            self.at_it -= 1
        return False


def test_the_hosts_own_pages_go_on_while_twenty_people_sign_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PWD-08, RAT-03: on one loop; no more is compared at once than there are cores, and who finds no room is told so at once and loses no guess."""
    world, gate = make_world(tmp_path, "asgi"), Gate()
    signed_in = world.sign_in("bob@example.org")
    created(world)
    monkeypatch.setattr("authmw.signin.passwords.matches", gate.compare)
    monkeypatch.setattr(drive, "heavy", Heavy(cores=2, waiting=3))
    credentials = base64.b64encode(f"{PROJECT_ID}:{SECRET}".encode()).decode()

    async def crowd() -> list[httpx2.Response]:
        transport = httpx2.ASGITransport(app=asgi_app(world.auth))
        async with httpx2.AsyncClient(transport=transport, base_url=URL) as client:
            headers = {"authorization": f"Basic {credentials}"}
            waiting = [
                asyncio.create_task(client.post(AUTHENTICATE, json=pair(SECOND), headers=headers)) for _ in range(20)
            ]
            told, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            while len(told) < 14:
                told = {one for one in waiting if one.done()}
                await asyncio.sleep(0)
            # Six passwords are being compared or wait for it, and the loop is free.
            cookie = {"cookie": f"authmw_session={signed_in['session_token']}"}
            who = await client.get("/who", headers=cookie)
            assert (who.status_code, gate.open.is_set()) == (200, False)
            gate.open.set()
            return await asyncio.gather(*waiting)

    answers = asyncio.run(crowd())
    assert gate.most <= 2
    crowded = [one for one in answers if one.status_code == 503]
    assert len(crowded) == 14
    assert {one.json()["error_type"] for one in crowded} == {"server_unavailable"}
    assert {one.headers["retry-after"] for one in crowded} == {"1"}
    assert sorted({one.status_code for one in answers}) == [401, 503]
    monkeypatch.undo()
    # Six wrong guesses were counted, not twenty: the right password still signs in.
    assert world.backend("POST", AUTHENTICATE, pair()).status == 200


class Counting(Heavy):
    """Remembers what it was given to do."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []

    async def run(self, work: Any, *args: Any, memory_kib: int = 0) -> Any:
        self.done.append(f"{work.__name__} {memory_kib}")
        return await super().run(work, *args, memory_kib=memory_kib)


def work_of(world: World, monkeypatch: pytest.MonkeyPatch, path: str, body: dict[str, Any]) -> list[str]:
    counting = Counting()
    with monkeypatch.context() as patched:
        patched.setattr(drive, "heavy", counting)
        world.browser("POST", path, body)
    return counting.done


def test_the_same_is_worked_whoever_an_address_belongs_to(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """ENU-02, A242 by structure: a wrong password, nobody, somebody without one, and one that is locked."""
    created(world)
    world.sign_in("bob@example.org")
    addresses = (ADA, "bob@example.org", "nobody@example.org")
    expected = ["matches 19456"]
    for _ in range(12):
        for address in addresses:
            assert work_of(world, monkeypatch, BROWSER, pair(SECOND, address)) == expected
    assert work_of(world, monkeypatch, BROWSER, pair(FIRST)) == expected
    world.clock.advance(seconds=2)
    signing_up = [
        work_of(world, monkeypatch, "/sdk/v1/passwords", pair(SECOND, one)) for one in (ADA, "new@example.org")
    ]
    assert signing_up[0] == signing_up[1] == ["strength_of 0", "hashed 19456"]


def test_one_visitor_tries_no_more_than_a_hundred_passwords_in_ten_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RAT-01: of whomever; other visitors and backends go on."""
    world = make_world(tmp_path, "wsgi", trusted_proxies=1)

    async def at_once(work: Any, *args: Any, memory_kib: int = 0) -> Any:
        return False

    here = {"x_forwarded_for": "192.0.2.7"}
    created(world)
    with monkeypatch.context() as patched:
        patched.setattr(drive.heavy, "run", at_once)
        for number in range(100):
            answer = world.browser("POST", BROWSER, pair(SECOND, f"user{number}@example.org"), **here)
            refused(answer, 401, "unauthorized_credentials")
    full = world.browser("POST", BROWSER, pair(), **here)
    refused(full, 429, "too_many_requests")
    assert int(full.header("retry-after")[0]) >= 1
    assert world.browser("POST", BROWSER, pair(), x_forwarded_for="192.0.2.8").status == 200
    assert world.backend("POST", AUTHENTICATE, pair(), **here).status == 200


def test_where_there_is_no_room_to_make_a_hash_anew_its_person_signs_in_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(tmp_path, "wsgi", passwords=PasswordRules(memory_kib=1024, iterations=1))
    user_id = created(world)["user_id"]
    before = hash_of(world, user_id)
    world.auth.close()
    dear = make_world(tmp_path, "wsgi")
    real = drive.heavy.run

    async def crowded(work: Any, *args: Any, memory_kib: int = 0) -> Any:
        if work.__name__ == "hashed":
            raise drive.Crowded
        return await real(work, *args, memory_kib=memory_kib)

    with monkeypatch.context() as patched:
        patched.setattr(drive.heavy, "run", crowded)
        assert dear.backend("POST", AUTHENTICATE, pair()).status == 200
        refused(dear.backend("POST", CREATE, pair(SECOND, "bob@example.org")), 503, "server_unavailable")
    assert hash_of(dear, user_id) == before
    assert dear.backend("POST", AUTHENTICATE, pair()).status == 200
    assert hash_of(dear, user_id) != before
    dear.auth.close()
