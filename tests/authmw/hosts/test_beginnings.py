"""A host that starts before its storage serves, and one whose storage another version wrote does not start."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from authmw import Auth, AuthMiddleware, Settings
from authmw.errors import Duplicate, Misconfigured, StorageError, WrongSchema
from authmw_adapters.memory import MemoryLimiter, MemoryStorage
from tests.world import PROJECT_ID, SECRET, World, make_world

Message = MutableMapping[str, Any]
UNFIT = [
    WrongSchema("It is of a newer version."),
    Misconfigured("It is part of a cluster."),
    Duplicate("user", "email"),
]


class Late(MemoryStorage):
    """Is there when `fault` is taken away."""

    def __init__(self, io: Any, fault: Exception | None) -> None:
        super().__init__()
        self.io = io
        self.fault = fault
        self.made = 0

    async def prepare(self, kinds: Any) -> None:
        if self.fault is not None:
            raise self.fault
        if self.io == "async":
            await asyncio.sleep(0)
        self.made += 1
        await super().prepare(kinds)


def auth(storage: MemoryStorage) -> Auth:
    return Auth(Settings(project_id=PROJECT_ID, secret=SECRET), storage=storage, limiter=MemoryLimiter())


@pytest.fixture(params=[(host, io) for host in ("asgi", "wsgi") for io in ("async", "blocking")], ids=str)
def began(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[World, Late]:
    """A host that began while its storage was away."""
    host, io = request.param
    storage = Late(io, StorageError("It is not there."))
    return make_world(tmp_path, host, storage=storage, limiter=MemoryLimiter()), storage


LINK = "/v1/magic_links/email/login_or_create"


def test_a_host_that_starts_before_its_storage_says_503_until_it_is_there(began: tuple[World, Late]) -> None:
    world, storage = began
    for _ in range(2):
        answer = world.backend("POST", LINK, {"email": "ada@example.org"})
        assert (answer.status, answer.json["error_type"]) == (503, "server_unavailable")
        assert world.visit("/who", "authmw_session=" + "a" * 43).status == 401
        assert world.visit("/v1/public-of-the-host").status == 200
    storage.fault = None
    signed_in = world.sign_in()
    assert world.visit("/who", f"authmw_session={signed_in['session_token']}").status == 200
    assert storage.made == 1


def test_a_guarded_page_alone_finds_storage_that_has_come(began: tuple[World, Late]) -> None:
    world, storage = began
    storage.fault = None
    world.visit("/who", "authmw_session=" + "a" * 43)
    assert storage.made == 1


def test_an_operation_that_a_host_calls_finds_storage_that_has_come(began: tuple[World, Late]) -> None:
    world, storage = began
    storage.fault = None
    world.auth.run(world.auth.users.create(email="ada@example.org"))
    assert storage.made == 1


def test_background_work_finds_storage_that_has_come(began: tuple[World, Late]) -> None:
    world, storage = began
    with pytest.raises(StorageError):
        world.auth.run(world.auth.work())
    storage.fault = None
    world.auth.run(world.auth.work())
    assert storage.made == 1


def test_storage_is_made_ready_once_for_all_who_need_it_at_one_time() -> None:
    storage = Late("async", None)
    one = auth(storage)

    async def many() -> None:
        await asyncio.gather(*(one.start() for _ in range(20)))

    asyncio.run(many())
    assert storage.made == 1


def test_a_start_on_a_loop_leaves_the_loop_to_others_where_storage_blocks() -> None:
    """What may take seconds waits in a thread."""
    storage = Late("blocking", StorageError("It is not there."))
    one = auth(storage)
    storage.fault = None
    loops: list[bool] = []

    async def prepare(kinds: Any) -> None:
        loops.append(asyncio._get_running_loop() is not None)

    storage.prepare = prepare  # type: ignore[method-assign]
    asyncio.run(one.start())
    assert loops == [False]


# What waiting does not mend


@pytest.mark.parametrize("unfit", UNFIT, ids=lambda one: type(one).__name__)
def test_a_blocking_storage_that_cannot_be_served_from_stops_the_import(unfit: Exception) -> None:
    with pytest.raises(type(unfit)):
        auth(Late("blocking", unfit))


async def hears(scope: Message, receive: Callable[[], Awaitable[Message]], send: Any) -> None:
    """An application that speaks lifespan."""
    for _ in range(2):
        await send({"type": (await receive())["type"] + ".complete"})


@pytest.mark.parametrize("unfit", UNFIT, ids=lambda one: type(one).__name__)
def test_storage_that_cannot_be_served_from_fails_the_lifespan_and_says_why(unfit: Exception) -> None:
    told: list[Message] = []

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        told.append(message)

    middleware = AuthMiddleware(hears, auth=auth(Late("async", unfit)))
    with pytest.raises(type(unfit)):
        asyncio.run(middleware({"type": "lifespan"}, receive, send))
    assert told == [{"type": "lifespan.startup.failed", "message": str(unfit)}]


def test_a_client_of_tests_sees_the_start_fail() -> None:
    middleware = AuthMiddleware(hears, auth=auth(Late("async", UNFIT[0])))
    with pytest.raises(WrongSchema), TestClient(middleware):
        pass


def test_storage_that_is_found_to_be_unfit_when_it_comes_is_a_503_that_the_log_explains(
    began: tuple[World, Late], caplog: pytest.LogCaptureFixture
) -> None:
    world, storage = began
    for unfit in UNFIT:
        storage.fault = unfit
        caplog.clear()
        answer = world.backend("POST", LINK, {"email": "ada@example.org"})
        assert (answer.status, answer.json["error_type"]) == (503, "server_unavailable")
        assert world.visit("/who", "authmw_session=" + "a" * 43).status == 401
        said = [(one.message, one.advice) for one in caplog.records if one.message == "storage_unfit"]  # type: ignore[attr-defined]
        assert said == [("storage_unfit", str(unfit))] * 2


def test_health_names_the_schema_that_is_another() -> None:
    storage = Late("blocking", StorageError("It is not there."))
    one = auth(storage)
    assert one.run(one.health()).findings[0].message == "It does not answer."
    storage.fault = UNFIT[0]
    assert one.run(one.health()).findings[0].message == "It is of a newer version."
    storage.fault = None
    assert one.run(one.health()).healthy
