"""The session cache in Redis: nothing earlier takes the place of something later, on one node and on a cluster, whoever comes first."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, TypeAlias

import pytest
from redis import Redis
from redis.cluster import RedisCluster

from authmw import drive
from authmw.errors import StorageError
from authmw_adapters.redis import AsyncRedisSessionCache, RedisSessionCache
from tests.adapters.own_databases import OnRedis
from tests.redis_cluster import cluster_of_three

Kind: TypeAlias = type[RedisSessionCache | AsyncRedisSessionCache]
both = pytest.mark.parametrize("kind", [RedisSessionCache, AsyncRedisSessionCache])
MINUTE = timedelta(minutes=1)


class Driven:
    """A cache, called from here."""

    def __init__(self, cache: RedisSessionCache | AsyncRedisSessionCache) -> None:
        self.cache = cache

    def get(self, key: str = "one") -> bytes | None:
        return drive.run(self.cache.io, self.cache.get(key))

    def put(self, version: int, copy: bytes, key: str = "one", lives: timedelta = MINUTE) -> None:
        drive.run(self.cache.io, self.cache.put(key, version, copy, lives))

    def close(self) -> None:
        drive.run(self.cache.io, self.cache.close())


@pytest.mark.server("redis")
@both
class TestOnOneNode(OnRedis):
    @pytest.fixture
    def cache(self, kind: Kind) -> Iterator[Driven]:
        driven = Driven(kind(self.address, self.prefix))
        yield driven
        driven.close()

    def test_what_is_kept_is_given_until_something_later_is_known(self, cache: Driven) -> None:
        assert cache.get() is None
        cache.put(7, b"seven:\0\xff")
        assert cache.get() == b"seven:\0\xff"
        cache.put(6, b"six")
        assert cache.get() == b"seven:\0\xff"
        cache.put(7, b"seven again")
        assert cache.get() == b"seven again"
        cache.put(10, b"ten")
        assert cache.get() == b"ten"
        assert cache.get("another") is None

    def test_what_a_commit_is_about_to_change_is_given_no_more_and_kept_no_more(self, cache: Driven) -> None:
        cache.put(1, b"one")
        cache.put(2, b"")
        assert cache.get() is None
        cache.put(1, b"one, by a slow reader")
        assert cache.get() is None
        cache.put(2, b"two")
        assert cache.get() == b"two"
        cache.put(2, b"")
        assert cache.get() is None

    def test_each_lives_as_long_as_was_said_and_no_longer(self, cache: Driven) -> None:
        cache.put(1, b"one", lives=timedelta(seconds=90))
        cache.put(1, b"", "two", lives=timedelta(minutes=18))
        cache.put(1, b"late", "three", lives=timedelta(0))
        cache.put(1, b"later", "four", lives=timedelta(seconds=-1))
        with Redis.from_url(self.address) as client:
            lives = {key: client.pttl(f"{self.prefix}:copy:{key}") for key in ("one", "two", "three", "four")}
        assert 80_000 < lives["one"] <= 90_000
        assert 1_070_000 < lives["two"] <= 1_080_000
        assert lives["three"] == lives["four"] == -2

    def test_in_whatever_order_many_come_the_last_version_stays(self, cache: Driven) -> None:
        told = [(version, copy) for version in range(1, 41) for copy in (b"", b"%d" % version)]
        for seed in range(5):
            key = f"race {seed}"
            random.Random(seed).shuffle(told)
            parts = [told[number::4] for number in range(4)]
            threads = [threading.Thread(target=_put_all, args=(cache, key, part)) for part in parts]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert cache.get(key) in (b"40", None)
            cache.put(40, b"read now", key)
            assert cache.get(key) == b"read now"

    def test_a_server_that_forgot_the_script_is_told_it_again(self, cache: Driven) -> None:
        with Redis.from_url(self.address) as client:
            client.script_flush()
        cache.put(1, b"one")
        assert cache.get() == b"one"


def _put_all(cache: Driven, key: str, told: list[tuple[int, bytes]]) -> None:
    for version, copy in told:
        cache.put(version, copy, key)


@both
def test_copies_spread_over_a_cluster_of_three_nodes(kind: Kind) -> None:
    with cluster_of_three() as nodes:
        one, two = (Driven(kind(f"redis://{where}", cluster=True)) for where in nodes[:2])
        keys = [f"key {number}" for number in range(12)]
        for key in keys:
            one.put(1, key.encode(), key)
        assert [two.get(key) for key in keys] == [key.encode() for key in keys]
        for key in keys:
            two.put(2, b"", key)
            one.put(1, b"slow", key)
        assert {one.get(key) for key in keys} == {None}
        with RedisCluster.from_url(f"redis://{nodes[0]}") as client:
            assert len({client.get_node_from_key(f"authmw:copy:{key}").name for key in keys}) == 3
        one.close()
        two.close()


@both
def test_a_server_that_is_not_there_is_named_by_no_secret(kind: Kind) -> None:
    cache = Driven(kind("redis://:correct-horse@127.0.0.1:1"))
    asked: list[Any] = [cache.get, lambda: cache.put(1, b"one")]
    for ask in asked:
        with pytest.raises(StorageError) as caught:
            ask()
        assert "horse" not in repr(caught.value)
        assert caught.value.__cause__ is None


@both
@pytest.mark.parametrize("kept", [timedelta(seconds=119), timedelta(minutes=61)])
def test_copies_are_kept_neither_too_short_to_be_of_use_nor_too_long(kind: Kind, kept: timedelta) -> None:
    with pytest.raises(ValueError, match="2 minutes to 1 hour"):
        kind("redis://127.0.0.1", kept=kept)
    with pytest.raises(ValueError, match="prefix"):
        kind("redis://127.0.0.1", "a{b")
