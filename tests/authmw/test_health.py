"""`auth.health()` and the check at start-up: they name what is wrong, tell no secret and change nothing."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from authmw import Auth, Cookies, Misconfigured, Settings
from authmw.drive import step
from authmw.errors import SendingFailed, StorageError
from authmw.health import Finding, Health
from authmw.ledger.records import Event
from authmw.limits import Limit
from authmw.ports import EmailMessage
from authmw.storage import IO, And
from authmw.testing import FixedClock
from authmw_adapters.console import ConsoleEmailSender
from authmw_adapters.memory import MemoryLimiter, MemoryStorage
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage
from tests.adapters.suspending import SuspendingStorage
from tests.world import PROJECT_ID, SECRET, World, make_world

ROOT = bytes(range(32))
LIVE: dict[str, Any] = {
    "project_id": "project-live-00000000-0000-4000-8000-000000000000",
    "secret": "9f8e7d6c5b4a39281706f5e4d3c2b1a0ffee",
    "root_keys": (ROOT,),
    "public_url": "https://app.example.org",
}


@pytest.fixture(params=["asgi", "wsgi"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return make_world(tmp_path, request.param)


def live(tmp_path: Path, **changed: Any) -> Auth:
    ports = {name: changed.pop(name) for name in ("limiter", "storage", "email", "fetcher") if name in changed}
    ports = {"storage": SQLiteStorage(tmp_path / "live.db"), "limiter": SQLiteLimiter(tmp_path / "live.db"), **ports}
    return Auth(Settings(**{**LIVE, **changed}), **ports)


def health(world: World) -> Health:
    return world.auth.run(world.auth.health())


def of(health: Health, part: str) -> Finding:
    return next(finding for finding in health.findings if finding.part == part)


class Refusing:
    """A carrier that is down."""

    io: IO = "instant"

    async def send(self, message: EmailMessage) -> None:
        raise SendingFailed("Down.", retryable=True)


class Broken(MemoryLimiter):
    """A limiter whose exceptions hold what they should not."""

    def __init__(self, failure: Exception) -> None:
        super().__init__()
        self.failure = failure

    async def peek(self, limit: Limit, now: Any) -> int:
        raise self.failure


def test_a_service_that_works_is_healthy_and_says_what_it_looked_at(world: World) -> None:
    world.sign_in()
    found = health(world)
    assert (found.healthy, found.warned) == (True, False)
    assert [one.part for one in found.findings] == [
        *("storage", "limiter", "keys", "outbox", "purges", "event_log", "email", "sms", "whatsapp"),
    ]
    assert of(found, "keys").facts["published"] == 1
    assert of(found, "outbox").facts["due"] == 0
    assert json.loads(json.dumps(found.as_dict()))["healthy"] is True


def test_asking_leaves_no_trace(world: World) -> None:
    for _ in range(3):
        health(world)
    world.auth.notes.flush()
    assert step(world.auth.storage.count(Event, And(), at_most=1)) == 0
    assert of(health(world), "keys").facts["published"] == 0


def test_it_answers_on_a_loop_over_an_asynchronous_storage() -> None:
    async def ask() -> Health:
        settings = Settings(project_id=PROJECT_ID, secret=SECRET)
        auth = Auth(settings, storage=SuspendingStorage(), limiter=MemoryLimiter(), email=ConsoleEmailSender())
        return await auth.health()

    assert asyncio.run(ask()).healthy


def test_a_storage_that_does_not_answer_is_named_once(tmp_path: Path) -> None:
    world = make_world(tmp_path, "wsgi")
    world.auth.close()
    database = tmp_path / "world.sqlite3"
    for file in tmp_path.iterdir():
        file.unlink()
    database.mkdir()
    found = health(world)
    assert not found.healthy
    assert [one.part for one in found.findings if one.status == "fault"] == ["storage", "limiter"]


def test_keys_under_a_root_key_that_is_gone_are_named(tmp_path: Path) -> None:
    first = live(tmp_path)
    first.run(first.keys.active())
    first.close()
    other = live(tmp_path, root_keys=(bytes(range(1, 33)),))
    found = other.run(other.health())
    assert not found.healthy
    assert "root_keys" in of(found, "keys").message
    other.run(other.keys.active())
    found = other.run(other.health())
    assert (found.healthy, found.warned, of(found, "keys").facts["unreadable"]) == (True, True, 1)
    both = live(tmp_path, root_keys=(bytes(range(1, 33)), ROOT))
    assert both.run(both.health()).healthy
    other.close()
    both.close()


def test_messages_that_nobody_sends_are_a_warning_and_no_fault(world: World) -> None:
    world.auth.core.email = Refusing()
    body = {"email": "ada@example.org"}
    assert world.backend("POST", "/v1/magic_links/email/login_or_create", body).status >= 500
    world.clock.advance(hours=2)
    outbox = of(health(world), "outbox")
    assert (outbox.status, outbox.facts["due"]) == ("warning", 1)
    assert "authmw worker" in outbox.message
    assert health(world).healthy


@pytest.mark.parametrize("failure", [StorageError("canary-1"), RuntimeError("canary-2"), TimeoutError("canary-3")])
def test_a_limiter_that_fails_is_a_fault_whose_words_are_ours(tmp_path: Path, failure: Exception) -> None:
    world = make_world(tmp_path, "asgi")
    world.auth.core.limiter = Broken(failure)
    found = health(world)
    assert of(found, "limiter").status == "fault"
    assert "canary" not in json.dumps(found.as_dict())


def test_no_secret_is_in_what_is_said(world: World) -> None:
    """LOG-01, A302."""
    signed_in = world.sign_in()
    said = json.dumps([health(world).as_dict(), [one.as_dict() for one in world.auth.setup()]]) + repr(health(world))
    for secret in (SECRET, signed_in["session_token"], signed_in["session_jwt"], "ada@example.org"):
        assert secret not in said


def test_events_that_were_lost_are_a_warning(world: World) -> None:
    world.auth.notes.lost = 3
    assert of(health(world), "event_log").status == "warning"


# At start-up


def test_every_fault_of_the_settings_is_named_by_itself() -> None:
    """OPS-06."""
    with pytest.raises(Misconfigured) as refused:
        Settings(project_id="project-live-1", secret="secret", public_url="http://app.example.org")
    faults = " ".join(refused.value.faults)
    assert len(refused.value.faults) == 3
    assert all(name in faults for name in ("secret", "root_keys", "public_url"))


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"root_keys": (b"k" * 32,)}, "root_keys"),
        ({"root_keys": (ROOT, ROOT)}, "root_keys"),
        ({"ip_allow_list": ("everywhere",)}, "ip_allow_list"),
        ({"limiter": MemoryLimiter()}, "limiter"),
        ({"storage": MemoryStorage()}, "storage"),
    ],
)
def test_live_does_not_start_with_what_is_not_safe(tmp_path: Path, changed: dict[str, Any], named: str) -> None:
    """OPS-06: keys, the IP list, and what is not shared by the processes of a service."""
    with pytest.raises(Misconfigured) as refused:
        live(tmp_path, **changed)
    assert len(refused.value.faults) == 1
    assert named in refused.value.faults[0]


def test_faults_of_several_adapters_are_named_together(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as refused:
        live(tmp_path, storage=MemoryStorage(), limiter=MemoryLimiter())
    assert len(refused.value.faults) == 2


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"cookies": Cookies(vendor=True)}, "cookies"),
        ({"mfa": "host"}, "mfa"),
        ({"public_url": "https://localhost:8000"}, "public_url"),
        ({"public_url": "https://[::1]:8000"}, "public_url"),
        ({"public_url": "https://192.0.2.1"}, "webauthn"),
        ({"redirect_urls": ()}, "redirect_urls"),
        ({"ip_allow_list": ("10.0.0.1",)}, "ip_allow_list"),
        ({"email": ConsoleEmailSender()}, "email"),
        ({"email": None}, "email"),
    ],
)
def test_what_a_host_in_live_should_look_at_is_named_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, changed: dict[str, Any], part: str
) -> None:
    sound: dict[str, Any] = {"redirect_urls": ("https://app.example.org/authenticate",), "email": Refusing()}
    with caplog.at_level(logging.WARNING, "authmw"):
        auth = live(tmp_path, **{**sound, **changed})
    assert [finding.part for finding in auth.setup()] == [part]
    assert [getattr(record, "part", None) for record in caplog.records] == [part]
    auth.close()


def test_a_proxy_on_the_ip_list_is_no_warning_once_it_is_trusted(tmp_path: Path) -> None:
    auth = live(tmp_path, ip_allow_list=("10.0.0.1",), trusted_proxies=1, email=Refusing())
    assert [finding.part for finding in auth.setup()] == ["redirect_urls"]
    auth.close()


def test_a_database_that_others_may_read_is_named(tmp_path: Path) -> None:
    """OPS-06: permissions."""
    auth = live(tmp_path, email=Refusing(), redirect_urls=("https://app.example.org/authenticate",))
    assert auth.setup() == ()
    (tmp_path / "live.db").chmod(0o640)
    found = auth.setup()
    assert [finding.part for finding in found] == ["storage"]
    assert "640" in found[0].message
    auth.close()


def test_test_environments_are_not_nagged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "authmw"):
        make_world(tmp_path, "wsgi", clock=FixedClock())
    assert caplog.records == []
