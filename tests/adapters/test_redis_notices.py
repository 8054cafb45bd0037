"""What is Redis's own of carrying notices: a stream that keeps only so much, and a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from redis import Redis

from authmw_adapters.redis import RedisNotices
from tests.adapters.lossy import lossy_way
from tests.adapters.noticing import PATIENCE, Process
from tests.redis_cluster import cluster_of_three, own_server

Begin = Callable[..., Process]


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Begins processes, and ends them with the test."""
    begun: list[Process] = []

    def begin(address: str, prefix: str = "authmw", *, cluster: bool = False) -> Process:
        begun.append(Process(RedisNotices(address, prefix, cluster=cluster)))
        return begun[-1]

    yield begin
    for one in begun:
        one.notices.close()


def test_where_more_was_told_than_is_kept_something_is_missing(begin: Begin) -> None:
    with (
        own_server() as server,
        Redis.from_url(server.address) as admin,
        lossy_way(f"127.0.0.1:{server.port}") as way,
    ):
        one = begin(f"redis://127.0.0.1:{way.port}")
        # Not told by the process itself, which would tell it again where the acknowledgement is what is lost.
        admin.xadd("{authmw}:notices", {"n": b"before"})
        assert one.hears(b"before")
        way.loses = "answers"
        admin.xadd("{authmw}:notices", {"n": b"missed"})
        assert way.lost.wait(PATIENCE)
        admin.xadd("{authmw}:notices", {"n": b"kept"})
        admin.xtrim("{authmw}:notices", maxlen=1, approximate=False)
        way.loses = "nothing"
        assert one.lost.wait(PATIENCE)
        assert one.hears(b"before", b"kept")


def test_notices_cross_a_cluster_of_three_nodes(begin: Begin) -> None:
    with cluster_of_three() as nodes:
        for number in range(3):
            one, two = (begin(f"redis://{where}", f"project-{number}", cluster=True) for where in nodes[:2])
            one.notices.publish(b"one")
            assert two.hears(b"one")
            two.notices.publish(b"two")
            assert one.hears(b"one", b"two")
            for process in (one, two):
                process.notices.close()


@pytest.mark.parametrize("prefix", ["", "a{b", "a}b"])
def test_a_prefix_that_would_part_a_stream_from_its_slot_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        RedisNotices("redis://127.0.0.1", prefix)
