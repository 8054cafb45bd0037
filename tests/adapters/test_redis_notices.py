"""Notices in Redis: each process hears what was told, also what was told while it could not hear, or is told that something may be missing."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from authmw.ports import NoticesState
from authmw_adapters.redis import RedisNotices
from tests.adapters.lossy import lossy_way
from tests.redis_cluster import OwnServer, cluster_of_three, own_server

PATIENCE = 30
SINCE = datetime.now(UTC) - timedelta(minutes=6)


class Process:
    """One that tells and hears."""

    def __init__(self, notices: RedisNotices) -> None:
        self.notices = notices
        self.heard: list[bytes] = []
        self.lost = threading.Event()
        self.came = threading.Condition()
        notices.listen(SINCE, self._hear, self.lost.set)

    def hears(self, *notices: bytes) -> bool:
        """Whether it heard exactly these, once they are so many."""
        with self.came:
            self.came.wait_for(lambda: len(self.heard) >= len(notices), PATIENCE)
            return self.heard == list(notices)

    def _hear(self, notice: bytes) -> None:
        with self.came:
            self.heard.append(notice)
            self.came.notify_all()


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


@pytest.fixture
def server() -> Iterator[OwnServer]:
    with own_server() as one:
        yield one


@pytest.fixture
def admin(server: OwnServer) -> Iterator[Redis]:
    with Redis.from_url(server.address) as client:
        yield client


def end_connections(admin: Redis) -> None:
    """Have the server end every connection but this one, as it does when a network breaks."""
    mine = admin.client_id()
    for one in admin.client_list():
        if int(one["id"]) != mine:
            admin.client_kill_filter(_id=one["id"])


def test_what_one_tells_all_hear_in_order_and_one_that_starts_later_too(server: OwnServer, begin: Begin) -> None:
    one, two = begin(server.address), begin(server.address)
    told = [bytes([number, 0, 255]) for number in range(50)]
    for notice in told:
        one.notices.publish(notice)
    assert one.hears(*told)
    assert two.hears(*told)
    assert begin(server.address).hears(*told)
    other = begin(server.address, "other")
    other.notices.publish(b"other")
    assert other.hears(b"other")


def test_what_was_told_while_a_connection_was_down_is_heard_when_it_is_up(
    server: OwnServer, admin: Redis, begin: Begin
) -> None:
    one, two = begin(server.address), begin(server.address)
    one.notices.publish(b"before")
    assert two.hears(b"before")
    for number in range(3):
        end_connections(admin)
        one.notices.publish(b"%d" % number)
    with two.came:
        told = two.came.wait_for(lambda: {b"0", b"1", b"2"} <= set(two.heard), PATIENCE)
    # One whose acknowledgement was lost is told again.
    assert told
    assert not two.lost.is_set()


def test_where_a_server_was_restarted_something_may_be_missing_and_what_waited_is_told(
    server: OwnServer, begin: Begin
) -> None:
    one, two = begin(server.address), begin(server.address)
    one.notices.publish(b"before")
    assert two.hears(b"before")
    server.kill()
    one.notices.publish(b"meanwhile")
    server.start()
    assert two.lost.wait(PATIENCE)
    assert two.hears(b"before", b"meanwhile")


def test_a_carrier_that_is_down_is_told_of_until_it_is_up(server: OwnServer, begin: Begin) -> None:
    one = begin(server.address)
    one.notices.publish(b"before")
    assert one.hears(b"before")
    until(lambda: one.notices.state() == NoticesState())
    server.kill()
    one.notices.publish(b"meanwhile")
    until(lambda: one.notices.state() == NoticesState(hears=False, tells=False, waiting=1))
    server.start()
    assert one.hears(b"before", b"meanwhile")
    until(lambda: one.notices.state() == NoticesState())


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds that other threads do."""
    latest, pause = time.monotonic() + PATIENCE, threading.Event()
    while not holds():
        assert time.monotonic() < latest
        pause.wait(0.01)


def test_where_more_was_told_than_is_kept_something_is_missing(server: OwnServer, admin: Redis, begin: Begin) -> None:
    with lossy_way("127.0.0.1", server.port) as way:
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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_both_sides_of_a_fork_tell_and_hear(server: OwnServer, begin: Begin) -> None:
    one = begin(server.address)
    one.notices.publish(b"before")
    assert one.hears(b"before")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        one.notices.publish(b"child")
        os._exit(0 if one.hears(b"before", b"child") else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert one.hears(b"before", b"child")


def test_a_server_that_is_not_there_keeps_nobody_waiting(begin: Begin) -> None:
    one = begin("redis://127.0.0.1:1")
    one.notices.publish(b"nobody")
    one.notices.close()
    assert one.heard == []


@pytest.mark.parametrize("prefix", ["", "a{b", "a}b"])
def test_a_prefix_that_would_part_a_stream_from_its_slot_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        RedisNotices("redis://127.0.0.1", prefix)
