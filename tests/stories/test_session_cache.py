"""Copies of sessions beside storage: they spare it most renewals, and bring back nobody who was signed out nor sign out anybody, whatever becomes of the cache."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from redis import Redis

from authmw import drive
from authmw.crypto import tokens
from authmw.errors import StorageError
from authmw.health import Health
from authmw.people.records import Session, User
from authmw.storage import Record
from authmw_adapters.memory import MemoryLimiter, MemoryStorage
from authmw_adapters.redis import AsyncRedisSessionCache, RedisSessionCache
from authmw_adapters.sqlite import SQLiteStorage
from tests.authmw.test_spreading import Carrier
from tests.redis_cluster import OwnServer, own_server
from tests.world import World, asgi_client, make_world

Cache: TypeAlias = RedisSessionCache | AsyncRedisSessionCache
KEPT = timedelta(minutes=15)


class Processes:
    """Any number of processes of one project, over one storage and one cache."""

    def __init__(self, host: str, folder: Path, server: OwnServer, ending: ExitStack) -> None:
        self.host, self.folder, self.server = host, folder, server
        self.first: World | None = None
        self._memory, self._limits = MemoryStorage(), MemoryLimiter()
        self._ending = ending

    def begin(self, **settings: Any) -> World:
        """One more process, that remembers nothing."""
        kind = AsyncRedisSessionCache if self.host == "asgi" else RedisSessionCache
        if self.host == "asgi":
            settings = {"storage": self._memory, **settings}
        if self.first is not None:
            settings["clock"] = self.first.clock
        cache = kind(self.server.address, kept=KEPT)
        world = make_world(self.folder, self.host, limiter=self._limits, session_cache=cache, **settings)
        if self.host == "asgi":
            world.client = self._ending.enter_context(asgi_client(world.auth))
        else:
            self._ending.callback(world.auth.close)
        self.first = self.first or world
        return world


@pytest.fixture
def server() -> Iterator[OwnServer]:
    with own_server() as one:
        yield one


@pytest.fixture(params=["asgi", "wsgi"])
def processes(request: pytest.FixtureRequest, tmp_path: Path, server: OwnServer) -> Iterator[Processes]:
    with ExitStack() as ending:
        yield Processes(request.param, tmp_path, server, ending)


def seen(world: World, token: str) -> int:
    return world.visit("/who", f"authmw_session={token}").status


def counting(world: World, monkeypatch: pytest.MonkeyPatch) -> list[type[Record]]:
    """What is read of sessions and users of this process's storage, from now on."""
    read: list[type[Record]] = []
    storage: Any = world.auth.core.storage
    get, find = storage.get, storage.find

    async def counted_get(kind: type[Any], key: str) -> Any:
        read.append(kind)
        return await get(kind, key)

    async def counted_find(kind: type[Any], index: str, value: tuple[str, ...]) -> Any:
        read.append(kind)
        return await find(kind, index, value)

    monkeypatch.setattr(storage, "get", counted_get)
    monkeypatch.setattr(storage, "find", counted_find)
    return read


def health_of(world: World) -> Health:
    """Asked where the host would ask: on its loop, if it has one."""
    if world.client is None or world.client.portal is None:
        return world.auth.run(world.auth.health())
    return world.client.portal.call(world.auth.health)


def revoke(world: World, token: str) -> None:
    assert world.backend("POST", "/v1/sessions/revoke", {"session_token": token}).status == 200


def untold(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis cannot be told by this process."""

    async def fails(*told: object) -> None:
        raise StorageError("It is down.")

    assert world.auth.core.copies is not None
    monkeypatch.setattr(world.auth.core.copies.cache, "put", fails)


def test_a_renewal_in_a_second_process_asks_storage_for_nothing(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = processes.begin()
    token = one.sign_in()["session_token"]
    read = counting(one, monkeypatch)
    assert seen(one, token) == 200
    assert {Session, User} <= set(read)
    two = processes.begin()
    read.clear()
    others = read if processes.host == "asgi" else counting(two, monkeypatch)
    assert seen(two, token) == 200
    assert not {Session, User} & set(others)


@pytest.mark.parametrize("ended", ["session", "user"])
def test_what_one_process_ended_no_other_renews_although_nobody_told_it(processes: Processes, ended: str) -> None:
    """TOK-08."""
    one, two = processes.begin(), processes.begin()
    body = one.sign_in()
    token = body["session_token"]
    assert [seen(one, token), seen(two, token)] == [200, 200]
    if ended == "session":
        revoke(one, token)
    else:
        assert one.backend("DELETE", f"/v1/users/{body['user_id']}").status == 200
    assert seen(processes.begin(), token) == 401
    two.clock.advance(minutes=6)
    assert seen(two, token) == 401


@pytest.mark.parametrize("index", ["digest", "user"])
def test_a_slow_reader_does_not_bring_back_what_ended_while_it_read(
    processes: Processes, monkeypatch: pytest.MonkeyPatch, index: str
) -> None:
    """What it read goes to the cache behind the end, and is not taken."""
    one, slow = processes.begin(), processes.begin(**_own_storage(processes))
    body = one.sign_in()
    token, storage = body["session_token"], slow.auth.core.storage
    name = "find" if index == "digest" else "get"
    ask: Callable[..., Any] = getattr(storage, name)

    async def late(kind: type[Any], *asked: Any) -> Any:
        found = await ask(kind, *asked)
        if kind is (Session if index == "digest" else User) and not ended.is_set():
            ended.set()
            other = threading.Thread(target=end)
            other.start()
            other.join()
        return found

    def end() -> None:
        if index == "digest":
            revoke(one, token)
        else:
            assert one.backend("DELETE", f"/v1/users/{body['user_id']}").status == 200

    ended = threading.Event()
    monkeypatch.setattr(storage, name, late)
    seen(slow, token)
    assert ended.is_set()
    monkeypatch.setattr(storage, name, ask)
    assert seen(processes.begin(), token) == 401


def _own_storage(processes: Processes) -> dict[str, Any]:
    """A storage object of the process's own, over what all have in common."""
    if processes.host == "wsgi":
        return {"storage": SQLiteStorage(processes.folder / "world.sqlite3")}
    own = MemoryStorage()
    vars(own).update(vars(processes._memory))
    return {"storage": own}


def test_readers_and_an_end_that_race_leave_nothing_that_renews(tmp_path: Path, server: OwnServer) -> None:
    with ExitStack() as ending:
        processes = Processes("wsgi", tmp_path, server, ending)
        worlds = [processes.begin() for _ in range(4)]
        for number in range(15):
            token = worlds[0].sign_in(f"user{number}@example.org")["session_token"]
            over = threading.Event()
            threads = [threading.Thread(target=_read_on, args=(world, token, over)) for world in worlds[1:]]
            for thread in threads:
                thread.start()
            revoke(worlds[0], token)
            over.set()
            for thread in threads:
                thread.join()
            for world in worlds:
                world.auth.guard.forget()
                assert seen(world, token) == 401


def _read_on(world: World, token: str, over: threading.Event) -> None:
    while not over.is_set():
        world.auth.guard.waited(token, None, world.clock.now())
        world.auth.guard.forget()


def test_where_redis_was_not_told_the_bound_holds(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing made of a copy outlives what is kept of it, a JWT included."""
    one, two = processes.begin(), processes.begin()
    token = one.sign_in()["session_token"]
    assert seen(one, token) == 200
    untold(one, monkeypatch)
    revoke(one, token)
    two.clock.advance(minutes=13, seconds=50)
    answer = two.visit("/who", f"authmw_session={token}")
    assert answer.status == 200
    jwt = next(one for one in answer.header("set-cookie") if one.startswith("authmw_session_jwt=")).partition(";")[0]
    assert seen(processes.begin(), token) == 200
    two.clock.advance(seconds=10)
    assert seen(processes.begin(), token) == 401, "a copy that is believed for less than a minute is of no use"
    two.clock.advance(seconds=60)
    assert two.visit("/who", jwt).status == 401
    assert seen(two, token) == 401


def test_what_a_notice_told_is_refused_as_long_as_a_copy_may_be_believed(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    carrier = Carrier()
    one, two = processes.begin(notices=carrier), processes.begin(notices=carrier)
    token = one.sign_in()["session_token"]
    assert seen(one, token) == 200
    untold(one, monkeypatch)
    revoke(one, token)
    for _ in range(14):
        assert seen(two, token) == 401
        two.clock.advance(minutes=1)


def test_without_redis_storage_is_asked_and_nobody_is_signed_out(processes: Processes, server: OwnServer) -> None:
    one = processes.begin()
    token = one.sign_in()["session_token"]
    assert seen(one, token) == 200
    server.kill()
    assert seen(processes.begin(), token) == 200
    health = health_of(one)
    found = next(one for one in health.findings if one.part == "session_cache")
    assert (health.healthy, found.status) == (True, "warning")
    other = one.sign_in("grace@example.org")["session_token"]
    assert seen(one, other) == 200
    revoke(one, token)
    assert seen(processes.begin(), token) == 401
    server.start()
    one.clock.advance(seconds=2)
    assert seen(processes.begin(), other) == 200
    assert seen(processes.begin(), token) == 401
    assert not health_of(one).warned


def test_a_copy_that_is_behind_refuses_nobody(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that was prolonged where Redis was not told of it goes on."""
    one = processes.begin()
    token = one.sign_in(minutes=5)["session_token"]
    assert seen(one, token) == 200
    with monkeypatch.context() as patch:
        untold(one, patch)
        body = {"session_token": token, "session_duration_minutes": 60}
        assert one.backend("POST", "/v1/sessions/authenticate", body).status == 200
    one.clock.advance(minutes=6)
    assert seen(processes.begin(), token) == 200


def test_who_writes_to_redis_can_sign_in_nobody(processes: Processes, server: OwnServer) -> None:
    one = processes.begin()
    ada, eve = (one.sign_in(f"{name}@example.org")["session_token"] for name in ("ada", "eve"))
    assert [seen(one, token) for token in (ada, eve)] == [200, 200]
    with Redis.from_url(server.address) as client:
        kept: dict[bytes, Any] = {key: client.get(key) for key in client.scan_iter(match="authmw:copy:*")}
        assert len(kept) == 4
        revoke(one, ada)
        values = list(kept.values())
        for key, value in zip(kept, values[1:] + values[:1], strict=True):
            client.set(key, value)
        assert seen(processes.begin(), ada) == 401, "moved, a copy does not open"
        for key, value in kept.items():
            client.set(key, value)
        one.clock.advance(seconds=KEPT.total_seconds())
        assert seen(processes.begin(), ada) == 401, "put back, a copy is as old as it is"
        assert seen(processes.begin(), eve) == 200


def test_who_reads_redis_gets_nothing_that_is_of_use(processes: Processes, server: OwnServer) -> None:
    """TOK-02, PRV."""
    one = processes.begin()
    body = one.sign_in("ada@example.org")
    token = body["session_token"]
    assert seen(one, token) == 200
    with Redis.from_url(server.address) as client:
        held = b"".join(key + (client.get(key) or b"") for key in client.scan_iter())  # type: ignore[operator]
    for secret in (token, tokens.digest(token), "ada@", body["user_id"], body["session"]["session_id"]):
        assert secret.encode() not in held


def test_with_exact_revocation_no_copy_is_asked(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    from authmw import SessionRules

    one = processes.begin(sessions=SessionRules(exact_revocation=True))
    token = one.sign_in()["session_token"]
    assert seen(one, token) == 200
    untold(one, monkeypatch)
    revoke(one, token)
    assert seen(processes.begin(sessions=SessionRules(exact_revocation=True)), token) == 401


def test_a_copy_under_another_root_key_is_passed_over(tmp_path: Path, server: OwnServer) -> None:
    with ExitStack() as ending:
        processes = Processes("wsgi", tmp_path, server, ending)
        old, new = bytes(range(32)), bytes(range(1, 33))
        one = processes.begin(root_keys=(old,))
        token = one.sign_in()["session_token"]
        assert seen(one, token) == 200
        two = processes.begin(root_keys=(new, old))
        assert seen(two, token) == 200
        two.clock.advance(minutes=16)
        assert seen(two, token) == 200, "now kept under the new one"
        assert seen(processes.begin(root_keys=(old,)), token) == 200
        revoke(one, token)
        assert seen(processes.begin(root_keys=(new, old)), token) == 401


def test_a_cache_closes_with_its_auth(tmp_path: Path, server: OwnServer) -> None:
    cache = RedisSessionCache(server.address)
    world = make_world(tmp_path, "wsgi", session_cache=cache)
    world.sign_in()
    drive.run(cache.io, cache.get("x"))
    world.auth.close()
    assert cache._clients._client is None  # type: ignore[union-attr]
