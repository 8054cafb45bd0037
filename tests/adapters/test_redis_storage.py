"""The Redis storages keep the contract on a real server, and keep nothing and lose nothing where a server fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest
from hypothesis import settings
from redis import Redis

from authmw.drive import step
from authmw.errors import Conflict, Duplicate, Misconfigured, OutcomeUnknown, StorageError, WrongSchema
from authmw.storage import And, Between, Delete, Equals, Insert, Or, Order, StartsWith, Storage, Update
from authmw.testing.contracts import StorageContract
from authmw.testing.contracts.driven import Driven
from authmw.testing.contracts.machine import MachineContract
from authmw.testing.contracts.pages import PagesContract
from authmw.testing.contracts.records import KINDS, NOW, Other, Thing
from authmw_adapters.redis import AsyncRedisStorage, RedisStorage
from tests.adapters.growing import After, Before, Demanding, Unique
from tests.adapters.lossy import Way, lossy_way
from tests.adapters.own_databases import OnRedis
from tests.redis_cluster import OwnServer, own_server

FEWER = settings(MachineContract.machine, max_examples=15)
"""Each history is many round trips."""
BOTH = pytest.mark.parametrize("kind", [RedisStorage, AsyncRedisStorage])
Kind = type[RedisStorage | AsyncRedisStorage]


@pytest.mark.server("redis")
class TestRedis(OnRedis, StorageContract):
    machine = FEWER

    def make_storage(self, folder: Path, namespace: str = "") -> Storage:
        return RedisStorage(self.address, namespace, prefix=self.prefix)


@pytest.mark.server("redis")
class TestRedisAsync(OnRedis, StorageContract):
    machine = FEWER

    def make_storage(self, folder: Path, namespace: str = "") -> Storage:
        return AsyncRedisStorage(self.address, namespace, prefix=self.prefix)


class Walking(RedisStorage):
    """One that looks hardly anything up, so that it walks an index for what others look up, in short pages."""

    looked_up: ClassVar[int] = 1
    walked: ClassVar[int] = 3


@pytest.mark.server("redis")
class TestRedisWalking(OnRedis, PagesContract, MachineContract):
    machine = FEWER

    def make_storage(self, folder: Path, namespace: str = "") -> Storage:
        return Walking(self.address, namespace, prefix=self.prefix)


@pytest.fixture
def server() -> Iterator[OwnServer]:
    """A server of the test's own, that writes down what it acknowledges before it does."""
    with own_server("--appendonly", "yes", "--appendfsync", "always") as one:
        yield one


@pytest.fixture
def admin(server: OwnServer) -> Iterator[Redis]:
    with Redis.from_url(server.address) as client:
        yield client


@pytest.fixture
def opened() -> Iterator[Callable[[Storage], Driven]]:
    """Makes a storage ready, and closes it behind the test."""
    made: list[Driven] = []

    def opened(storage: Storage) -> Driven:
        store = Driven(storage)
        made.append(store)
        store.prepare()
        return store

    yield opened
    for store in made:
        store.close()


Opened = Callable[[Storage], Driven]


# What fails


@pytest.fixture
def way(server: OwnServer) -> Iterator[Way]:
    with lossy_way(f"127.0.0.1:{server.port}") as way:
        yield way


@BOTH
@pytest.mark.parametrize("done", [True, False])
def test_a_lost_acknowledgement_is_an_unknown_outcome_whether_or_not_it_happened(
    way: Way, opened: Opened, kind: Kind, done: bool
) -> None:
    store = opened(kind(f"redis://127.0.0.1:{way.port}"))
    store.commit(Insert(Other(id="before")))
    way.loses = "answers" if done else "requests"
    with pytest.raises(OutcomeUnknown) as caught:
        store.commit(Insert(Thing(id="secret", nick="n")))
    assert caught.value.__cause__ is None
    assert "secret" not in repr(caught.value)
    way.loses = "nothing"
    assert (store.get(Thing, "secret") is not None) == done
    assert (store.find(Thing, "nick", ("n",)) is not None) == done


@BOTH
def test_a_read_whose_answer_is_lost_is_an_error_once_and_the_next_call_works(
    way: Way, opened: Opened, kind: Kind
) -> None:
    store = opened(kind(f"redis://127.0.0.1:{way.port}"))
    store.commit(Insert(Thing(id="a")))
    way.loses = "answers"
    with pytest.raises(StorageError) as caught:
        store.get(Thing, "a")
    assert not isinstance(caught.value, OutcomeUnknown)
    way.loses = "nothing"
    assert store.have("a").version == 1


@BOTH
def test_a_connection_that_the_server_closed_is_opened_again_before_a_commit(
    admin: Redis, server: OwnServer, opened: Opened, kind: Kind
) -> None:
    store = opened(kind(f"{server.address}?client_name=ours"))
    store.commit(Insert(Thing(id="a")))
    for one in admin.client_list():
        if one["name"] == "ours":
            admin.client_kill_filter(_id=one["id"])
    store.commit(Update(store.have("a")))
    assert store.have("a").version == 2


@BOTH
def test_a_server_that_is_not_there_is_a_storage_error_without_its_address(kind: Kind) -> None:
    store = Driven(kind("redis://ada:correct-horse@127.0.0.1:1"))
    for call in (lambda: store.get(Thing, "a"), lambda: store.commit(Insert(Thing(id="a")))):
        with pytest.raises(StorageError) as caught:
            call()
        assert not isinstance(caught.value, OutcomeUnknown)
        assert "horse" not in repr(caught.value)
        assert caught.value.__cause__ is None
    store.close()


def test_a_server_that_is_killed_under_load_forgets_nothing_that_it_acknowledged(
    server: OwnServer, opened: Opened
) -> None:
    """Each commit is whole or did not happen, whatever the process that asked for it was told."""
    store = opened(RedisStorage(server.address))
    acknowledged, enough = list[str](), threading.Event()

    def write(name: int) -> None:
        for number in range(10_000):
            key = f"{name}-{number}"
            try:
                store.commit(Insert(Thing(id=key, nick=key)), Insert(Other(id=key)))
            except StorageError:
                return
            acknowledged.append(key)
            if len(acknowledged) >= 200:
                enough.set()

    with ThreadPoolExecutor(8) as pool:
        writing = [pool.submit(write, name) for name in range(8)]
        assert enough.wait(60)
        server.kill()
        for one in writing:
            one.result(60)
    server.start()
    things = store.ids()
    assert things == [one.id for one in store.all(Other)]
    assert set(acknowledged) <= set(things)
    for key in things:
        found = store.find(Thing, "nick", (key,))
        assert found is not None
        assert found.id == key


def test_a_server_without_memory_refuses_to_write_changes_nothing_and_still_reads_and_deletes(
    admin: Redis, server: OwnServer, opened: Opened
) -> None:
    store = opened(RedisStorage(server.address))
    used = admin.info("memory")["used_memory"]
    admin.config_set("maxmemory", used + 2_000_000)
    kept: list[str] = []
    with pytest.raises(StorageError, match="no memory") as caught:
        for number in range(1000):
            key = f"k{number:03}"
            store.commit(Insert(Thing(id=key, nick=key, raw=b"r" * 50_000)), Insert(Other(id=key, thing_id=key)))
            kept.append(key)
    assert not isinstance(caught.value, Conflict | OutcomeUnknown)
    assert len(kept) > 5
    assert store.ids() == kept == [one.id for one in store.all(Other)]
    held = store.have("k000")
    with pytest.raises(StorageError, match="no memory"):
        store.commit(Delete(store.have("k001")), Update(attrs.evolve(held, nick="moved")))
    assert store.have("k000") == held
    assert store.find(Thing, "nick", ("moved",)) is None
    assert store.ids() == kept
    for key in kept:
        store.commit(Delete(store.have(key)))
    store.commit(Insert(Thing(id="again", nick="k000")))
    assert store.ids() == ["again"]


def test_a_server_that_only_reads_answers_and_refuses_to_write(admin: Redis, server: OwnServer, opened: Opened) -> None:
    store = opened(RedisStorage(server.address))
    store.commit(Insert(Thing(id="a")))
    admin.execute_command("REPLICAOF", "127.0.0.1", 1)
    with pytest.raises(StorageError) as caught:
        store.commit(Insert(Thing(id="b")))
    assert not isinstance(caught.value, OutcomeUnknown)
    assert store.ids() == ["a"]


def test_a_server_that_forgot_the_scripts_is_told_them_again(admin: Redis, server: OwnServer, opened: Opened) -> None:
    store = opened(RedisStorage(server.address))
    store.commit(Insert(Thing(id="a", nick="n")))
    admin.script_flush()
    store.commit(Update(store.have("a")))
    admin.script_flush()
    assert store.find(Thing, "nick", ("n",)) == store.have("a")


# What is refused


def test_a_node_of_a_cluster_is_refused_at_start() -> None:
    with own_server("--cluster-enabled", "yes") as node:
        with pytest.raises(Misconfigured, match="cluster"):
            step(RedisStorage(node.address).prepare(KINDS))


def test_a_server_that_drops_records_when_its_memory_is_full_is_refused_at_start() -> None:
    with own_server("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru") as server:
        with pytest.raises(Misconfigured, match="noeviction"):
            step(RedisStorage(server.address).prepare(KINDS))


def test_an_operator_is_told_what_a_server_forgets(admin: Redis, server: OwnServer) -> None:
    storage = AsyncRedisStorage(server.address)

    def told() -> str:
        return " ".join(storage.inspect())

    admin.config_set("maxmemory", "100mb")
    assert told() == ""
    admin.config_set("maxmemory", 0)
    assert "`maxmemory`" in told()
    admin.config_set("appendfsync", "everysec")
    assert "`appendfsync always`" in told()
    admin.config_set("appendonly", "no")
    assert "`appendonly`" in told()
    server.kill()
    assert told() == "Redis does not answer, so what it keeps is not known."


def test_a_server_that_does_not_tell_its_settings_is_looked_at_all_the_same() -> None:
    with own_server("--rename-command", "CONFIG", "", "--maxmemory", "100mb", "--appendonly", "yes") as server:
        assert list(RedisStorage(server.address).inspect()) == []


@pytest.mark.parametrize("namespace", ["A", "1a", "a:b", "a" * 40])
def test_a_namespace_that_is_no_plain_name_is_refused(namespace: str) -> None:
    with pytest.raises(ValueError, match="namespace"):
        RedisStorage("redis://127.0.0.1", namespace)


@BOTH
def test_an_address_or_a_prefix_that_is_none_is_refused(kind: Kind) -> None:
    with pytest.raises(ValueError, match="prefix"):
        kind("redis://127.0.0.1", prefix="")
    with pytest.raises(ValueError, match="redis"):
        kind("localhost:6379")


# Records that are older than their declaration


@pytest.mark.server("redis")
class TestGrowing(OnRedis):
    def ready(self, *kinds: Any) -> RedisStorage:
        storage = RedisStorage(self.address, prefix=self.prefix)
        step(storage.prepare(kinds))
        return storage

    def test_a_row_that_is_older_than_a_field_gets_its_default_and_is_found_by_new_indexes(self) -> None:
        step(self.ready(Before).commit(Insert(Before(id="a", owner="bob"))))
        storage = self.ready(After)
        held = step(storage.get(After, "a"))
        assert held == After(id="a", owner="bob", version=1)
        assert step(storage.count(After, StartsWith("owner", ("bob", "")), at_most=9)) == 1
        step(storage.commit(Update(attrs.evolve(held, nick="n", tags=("t",)))))
        assert step(storage.find(After, "nick", ("n",))) is not None
        before = step(self.ready(Before).get(Before, "a"))
        assert before is not None
        assert before.owner == "bob"

    def test_what_an_older_process_wrote_is_found_when_a_newer_one_starts(self) -> None:
        self.ready(After)
        step(self.ready(Before).commit(*(Insert(Before(id=f"k{number}", owner="bob")) for number in range(20))))
        storage = self.ready(After)
        assert step(storage.count(After, StartsWith("owner", ("bob", "")), at_most=99)) == 20

    def test_a_record_that_changes_while_an_index_is_filled_is_filled_too(self) -> None:
        older = self.ready(Before)
        step(older.commit(*(Insert(Before(id=key, owner="bob")) for key in "abc")))
        storage = RedisStorage(self.address, prefix=self.prefix)
        run, changed = storage._runner.run, iter(["carol", "dora"])

        async def meanwhile(*asked: Any, **more: Any) -> Any:
            for owner in [next(changed, None)]:
                held = step(older.get(Before, "b"))
                if owner is not None and held is not None:
                    step(older.commit(Update(attrs.evolve(held, owner=owner))))
            return await run(*asked, **more)

        storage._runner.run = meanwhile  # type: ignore[method-assign]
        step(storage.prepare((After,)))
        owners = [
            step(storage.count(After, StartsWith("owner", (name, "")), at_most=9)) for name in ("bob", "carol", "dora")
        ]
        assert owners == [2, 0, 1]

    def test_a_unique_index_that_cannot_be_filled_is_a_duplicate(self) -> None:
        storage = self.ready(Before)
        step(storage.commit(Insert(Before(id="a")), Insert(Before(id="b", owner="bob"))))
        found = step(self.ready(Unique).find(Unique, "owner", ("bob",)))
        assert found is not None
        assert found.id == "b"
        step(self.ready(Before).commit(Insert(Before(id="c"))))
        with pytest.raises(Duplicate):
            self.ready(Unique)

    def test_a_new_field_without_a_default_is_refused_with_its_name(self) -> None:
        step(self.ready(Before).commit(Insert(Before(id="a"))))
        with pytest.raises(WrongSchema, match="needed"):
            self.ready(Demanding)

    def test_records_of_a_newer_version_are_refused(self) -> None:
        self.ready(Before)
        with Redis.from_url(self.address) as client:
            client.hset(f"{self.prefix}::#schema", "#version", 99)
        with pytest.raises(WrongSchema, match="newer"):
            self.ready(Before)


# Questions about many records


@pytest.mark.server("redis")
class TestMany(OnRedis):
    def test_a_question_about_more_records_than_are_looked_up_is_answered_in_short_pages(self) -> None:
        """Two parts that each hold for most and together for few: neither a scan that holds up the server nor an answer that is not whole."""
        storage = Walking(self.address, prefix=self.prefix)
        step(storage.prepare(KINDS))
        for number in range(200):
            made = NOW + timedelta(seconds=number)
            step(storage.commit(Insert(Thing(id=f"k{199 - number:03}", made_at=made, nick=f"n{number:03}"))))
        store = Driven(storage)
        where = And(Between("nick", ("n095",), None), Or(Between("key", ("k095",), None), Equals("key", ("none",))))
        sizes = [len(store.page(Thing, where, order=Order("made"), limit=5).records)]
        assert sizes == [0]
        assert store.ids(where, order=Order("made")) == [f"k{number:03}" for number in range(104, 94, -1)]
        assert store.count(Thing, where) == 10
        assert store.count(Thing, where, at_most=4) == 4
        store.close()
