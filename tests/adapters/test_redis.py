"""The Redis limiters keep the contract on a real server, and count on a cluster of three nodes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis
from redis.cluster import RedisCluster

from authmw.errors import StorageError
from authmw.limits import Limit, RateLimiter
from authmw.testing.contracts import LimiterContract
from authmw.testing.contracts.driven import DrivenLimiter
from authmw_adapters.redis import AsyncRedisLimiter, RedisLimiter
from tests.adapters.own_databases import OnRedis
from tests.redis_cluster import cluster_of_three

TEN = Limit("ten", ("ada",), 10, timedelta(minutes=1))
EVER = Limit("ever", ("ada",), 3, None)


@pytest.mark.server("redis")
class TestRedis(OnRedis, LimiterContract):
    def make_limiter(self, folder: Path) -> RateLimiter:
        return RedisLimiter(self.address, self.prefix)


@pytest.mark.server("redis")
class TestRedisAsync(OnRedis, LimiterContract):
    def make_limiter(self, folder: Path) -> RateLimiter:
        return AsyncRedisLimiter(self.address, self.prefix)


@pytest.mark.server("redis")
class TestWhatIsStored(OnRedis):
    def test_a_count_lives_a_minute_longer_than_it_holds_somebody_back_and_names_nobody(self) -> None:
        limiter = DrivenLimiter(RedisLimiter(self.address, self.prefix))
        limiter.take(TEN, EVER)
        with Redis.from_url(self.address) as client:
            lives = {key: client.ttl(key) for key in client.scan_iter(match=f"{{{self.prefix}}}:*", count=1000)}
        assert sorted(lives.values()) == [-1, 66]
        assert not any(b"ada" in key or b"ten" in key for key in lives)
        limiter.close()

    def test_a_server_that_forgot_the_script_is_told_it_again(self) -> None:
        limiter = DrivenLimiter(RedisLimiter(self.address, self.prefix))
        with Redis.from_url(self.address) as client:
            client.script_flush()
        limiter.take(EVER)
        assert limiter.peek(EVER) == 2
        limiter.close()

    def test_a_connection_that_the_server_closed_is_opened_again(self) -> None:
        limiter = DrivenLimiter(RedisLimiter(f"{self.address}?client_name={self.prefix}", self.prefix))
        limiter.take(EVER)
        with Redis.from_url(self.address) as client:
            (ours,) = (one["id"] for one in client.client_list() if one["name"] == self.prefix)
            client.client_kill_filter(_id=ours)
        limiter.take(EVER)
        assert limiter.peek(EVER) == 1
        limiter.close()


def test_a_server_that_is_not_there_counts_nothing_and_lets_nothing_go_on() -> None:
    limiter = DrivenLimiter(RedisLimiter("redis://:correct-horse@127.0.0.1:1"))
    with pytest.raises(StorageError) as caught:
        limiter.take(EVER)
    assert "horse" not in repr(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("prefix", ["", "a{b", "a}b"])
def test_a_prefix_that_would_part_its_counts_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        RedisLimiter("redis://127.0.0.1", prefix)


@pytest.mark.server("redis")
@pytest.mark.parametrize("kind", [RedisLimiter, AsyncRedisLimiter])
def test_limits_are_counted_on_a_cluster_of_three_nodes(kind: type[RedisLimiter | AsyncRedisLimiter]) -> None:
    """Several are charged together although their names alone would put them on several nodes; other prefixes lie on other nodes."""
    with cluster_of_three() as nodes:
        limiters = [
            DrivenLimiter(kind(f"redis://{where}", f"project-{number}", cluster=True))
            for number in range(6)
            for where in nodes[:2]
        ]
        wide = [Limit("wide", (str(number),), 50, timedelta(minutes=1)) for number in range(5)]
        for first, second in zip(limiters[::2], limiters[1::2], strict=True):
            assert [one.takes(EVER, *wide) for one in (first, second) * 3] == [True, True, True, False, False, False]
            assert (first.peek(wide[0]), second.peek(EVER)) == (47, 0)
            first.reset(EVER)
            assert second.takes(EVER)
        with RedisCluster.from_url(f"redis://{nodes[0]}") as client:
            held = [client.get_node_from_key(f"{{project-{number}}}:x").name for number in range(6)]
        assert len(set(held)) > 1
        for limiter in limiters:
            limiter.close()
