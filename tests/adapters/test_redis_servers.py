"""What a Redis server that answers and is of no use is said of, and how a connection to one that another took the place of is left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis

from authmw.drive import step
from authmw.errors import StorageError
from authmw.health import Inspected
from authmw.limits import Limit
from authmw.storage import Insert
from authmw.testing.contracts.records import KINDS, Thing
from authmw_adapters.redis import (
    AsyncRedisLimiter,
    AsyncRedisSessionCache,
    AsyncRedisStorage,
    RedisLimiter,
    RedisNotices,
    RedisSessionCache,
    RedisStorage,
)
from tests.adapters.lossy import Way, lossy_way
from tests.redis_cluster import OwnServer, cluster_of_three, own_server

EVER = Limit("ever", ("ada",), 100, None)
Inspecting = Callable[[str], Inspected]
OWN: list[Inspecting] = [
    RedisLimiter,
    AsyncRedisLimiter,
    RedisSessionCache,
    AsyncRedisSessionCache,
    RedisNotices,
]
EACH = pytest.mark.parametrize("made", [*OWN, RedisStorage, AsyncRedisStorage])


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    with own_server("--appendonly", "yes", "--appendfsync", "always", "--maxmemory", "100mb") as one:
        yield one


@pytest.fixture
def admin(server: OwnServer) -> Iterator[Redis]:
    with Redis.from_url(server.address) as client:
        yield client
        client.execute_command("REPLICAOF", "NO", "ONE")
        client.config_set("maxmemory", "100mb")
        client.config_set("maxmemory-policy", "noeviction")


@EACH
def test_of_a_server_that_works_there_is_nothing_to_say(made: Inspecting, server: OwnServer, admin: Redis) -> None:
    assert list(made(server.address).inspect()) == []


@EACH
def test_a_server_that_is_not_there_is_told_of_and_no_secret(made: Inspecting) -> None:
    (said,) = made("redis://:canary@127.0.0.1:1").inspect()
    assert "does not answer" in said
    assert "canary" not in said


@EACH
def test_a_replica_is_told_of(made: Inspecting, server: OwnServer, admin: Redis) -> None:
    admin.execute_command("REPLICAOF", "127.0.0.1", "1")
    (said,) = made(server.address).inspect()
    assert "is a replica" in said


@EACH
def test_a_server_without_memory_is_told_of(made: Inspecting, server: OwnServer, admin: Redis) -> None:
    admin.config_set("maxmemory", "1kb")
    (said,) = made(server.address).inspect()
    assert "no memory left" in said


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_a_server_that_drops_counts_is_told_of_and_one_that_drops_copies_is_not(
    policy: str, server: OwnServer, admin: Redis
) -> None:
    admin.config_set("maxmemory-policy", policy)
    (said,) = RedisLimiter(server.address).inspect()
    assert "drops counts" in said
    assert list(RedisSessionCache(server.address).inspect()) == []


def test_of_a_node_of_a_cluster_there_is_nothing_to_say() -> None:
    with cluster_of_three() as nodes:
        for made in (RedisLimiter, RedisSessionCache, RedisNotices):
            assert list(made(f"redis://{nodes[0]}", cluster=True).inspect()) == []


# What leads to a server that another took the place of


def fails_over(work: Callable[[str], tuple[Callable[[], Any], Callable[[], Any]]]) -> None:
    """Work goes on at the server that took another's place, as soon as that says that it changes nothing more: a name leads there now, and what was open does not."""
    with own_server() as first, own_server() as second, lossy_way(f"127.0.0.1:{first.port}") as way:
        do, close = work(f"redis://127.0.0.1:{way.port}")
        do()
        leads_to(way, second)
        with Redis.from_url(first.address) as admin:
            admin.execute_command("REPLICAOF", "127.0.0.1", str(second.port))
        with pytest.raises(StorageError):
            do()
        do()
        close()


def leads_to(way: Way, server: OwnServer) -> None:
    way.where = f"127.0.0.1:{server.port}"


def counting(limiter: RedisLimiter | AsyncRedisLimiter, run: Callable[..., Any]) -> Any:
    from authmw.testing.contracts.records import NOW

    return lambda: run(limiter.take(EVER, now=NOW)), lambda: run(limiter.close())


def committing(storage: RedisStorage | AsyncRedisStorage, run: Callable[..., Any]) -> Any:
    run(storage.prepare(KINDS))
    numbers = iter(range(10))
    return (
        lambda: run(storage.commit(Insert(Thing(id=f"thing-{next(numbers)}")))),
        lambda: run(storage.close()),
    )


def test_counts_go_on_where_another_server_took_the_place_of_one_that_lives_on() -> None:
    fails_over(lambda address: counting(RedisLimiter(address), step))
    with asyncio.Runner() as loop:
        fails_over(lambda address: counting(AsyncRedisLimiter(address), loop.run))


def test_commits_go_on_where_another_server_took_the_place_of_one_that_lives_on() -> None:
    fails_over(lambda address: committing(RedisStorage(address), step))
    with asyncio.Runner() as loop:
        fails_over(lambda address: committing(AsyncRedisStorage(address), loop.run))
