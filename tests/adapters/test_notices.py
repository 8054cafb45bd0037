"""Notices in Redis and in PostgreSQL: each process hears what was told, also what was told while it could not hear. Nothing here rests on how long something takes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Literal
from uuid import uuid4

import attrs
import psycopg
import pytest
from redis import Redis

from authmw.ports import Notices, NoticesState
from authmw_adapters import postgresql_notices
from authmw_adapters.postgresql_notices import PostgreSQLNotices
from authmw_adapters.redis import RedisNotices
from authmw_adapters.redis.connections import OPTIONS
from tests.adapters.lossy import lossy_way
from tests.adapters.noticing import Process, until
from tests.at_once import at_once
from tests.processes.own_servers import Own
from tests.processes.own_servers import own_server as own_database
from tests.redis_cluster import OwnServer
from tests.redis_cluster import own_server as own_redis

pytestmark = pytest.mark.xdist_group("notices")


class OnRedis:
    """A server of Redis of the tests' own."""

    def __init__(self, server: OwnServer) -> None:
        self.server = server
        self.port = server.port

    def notices(self, project: str, port: int | None = None) -> Notices:
        return RedisNotices(f"redis://127.0.0.1:{port or self.port}", project)

    def end_connections(self) -> None:
        """Have the server end every connection, as it does when a network breaks."""
        with Redis.from_url(self.server.address) as admin:
            mine = admin.client_id()
            for one in admin.client_list():
                if int(one["id"]) != mine:
                    admin.client_kill_filter(_id=one["id"])

    def connections(self) -> int:
        """How many there are."""
        with Redis.from_url(self.server.address) as admin:
            return len(admin.client_list()) - 1


class OnPostgreSQL:
    """A server of PostgreSQL of the tests' own."""

    def __init__(self, server: Own) -> None:
        self.server = server
        self.port = server.port

    def notices(self, project: str, port: int | None = None) -> Notices:
        return PostgreSQLNotices(f"postgresql://postgres@127.0.0.1:{port or self.port}/postgres", project)

    def end_connections(self) -> None:
        self._asked("count(pg_terminate_backend(pid))")

    def connections(self) -> int:
        return self._asked("count(*)")

    def _asked(self, what: str) -> int:
        others = "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        with psycopg.connect(f"host=127.0.0.1 port={self.port} user=postgres", autocommit=True) as admin:
            row = admin.execute(f"SELECT {what} {others}").fetchone()  # type: ignore[arg-type]
            assert row is not None
            return int(row[0])


@pytest.fixture(scope="module", params=["redis", "postgresql"])
def carrier(request: pytest.FixtureRequest) -> Iterator[OnRedis | OnPostgreSQL]:
    with ExitStack() as stack:
        if request.param == "redis":
            yield OnRedis(stack.enter_context(own_redis()))
        else:
            yield OnPostgreSQL(stack.enter_context(own_database("postgresql")))


@attrs.define
class Project:
    """What processes tell each other of, apart from all other tests."""

    carrier: OnRedis | OnPostgreSQL
    name: str = attrs.field(factory=lambda: f"n{uuid4().hex[:12]}")
    begun: list[Process] = attrs.field(factory=list[Process])

    def begin(self, port: int | None = None) -> Process:
        """One more process, by the way that is at this port."""
        self.begun.append(Process(self.carrier.notices(self.name, port)))
        return self.begun[-1]


@pytest.fixture
def project(carrier: OnRedis | OnPostgreSQL) -> Iterator[Project]:
    made = Project(carrier)
    yield made
    for one in made.begun:
        one.notices.close()


def test_what_one_tells_all_hear_in_order_and_one_that_starts_later_too(
    project: Project, carrier: OnRedis | OnPostgreSQL
) -> None:
    one, two = project.begin(), project.begin()
    told = [bytes([number % 256, 0, 255, number // 256]) * 256 for number in range(600)]
    for notice in told:
        one.notices.publish(notice)
    assert one.hears(*told)
    assert two.hears(*told)
    assert project.begin().hears(*told)
    other = Project(carrier, begun=project.begun).begin()
    other.notices.publish(b"other")
    assert other.hears(b"other")


def test_what_many_tell_at_once_all_hear(project: Project) -> None:
    processes = [project.begin() for _ in range(4)]
    numbers = iter(range(40))
    told = [b"%d" % number for number in range(40)]
    at_once(40, lambda: processes[(number := next(numbers)) % 4].notices.publish(b"%d" % number))
    for process in processes:
        assert process.hears_all(*told)
        assert not process.lost.is_set()


def test_where_connections_end_all_that_is_told_is_heard(project: Project, carrier: OnRedis | OnPostgreSQL) -> None:
    one, two = project.begin(), project.begin()
    one.notices.publish(b"before")
    assert two.hears(b"before")
    told = [b"before"]
    for number in range(3):
        carrier.end_connections()
        told.append(b"%d" % number)
        one.notices.publish(told[-1])
        assert two.hears(*told)
        assert one.hears(*told)
    assert not two.lost.is_set()


def test_what_others_told_while_a_connection_was_down_is_heard_when_it_is_up(
    project: Project, carrier: OnRedis | OnPostgreSQL
) -> None:
    with lossy_way(f"127.0.0.1:{carrier.port}") as way:
        there, cut_off = project.begin(), project.begin(way.port)
        there.notices.publish(b"before")
        assert cut_off.hears(b"before")
        way.loses = "answers"
        there.notices.publish(b"meanwhile")
        there.notices.publish(b"and more")
        assert there.hears(b"before", b"meanwhile", b"and more")
        assert way.lost.is_set() or way.lost.wait(120)
        until(lambda: not cut_off.notices.state().hears)
        assert cut_off.heard == [b"before"]
        way.loses = "nothing"
        assert cut_off.hears(b"before", b"meanwhile", b"and more")
        until(lambda: cut_off.notices.state() == NoticesState())
        assert not cut_off.lost.is_set()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adapters that give an answer less time, so that a test of silence is over sooner; on a busy machine they only ask once more."""
    monkeypatch.setitem(OPTIONS, "socket_timeout", 1.5)
    monkeypatch.setattr(postgresql_notices, "SECONDS", 1.5)


@pytest.mark.usefixtures("impatient")
def test_a_network_that_goes_silent_is_found_out(project: Project, carrier: OnRedis | OnPostgreSQL) -> None:
    with lossy_way(f"127.0.0.1:{carrier.port}") as way:
        there, cut_off = project.begin(), project.begin(way.port)
        there.notices.publish(b"before")
        assert cut_off.hears(b"before")
        way.loses = "silently"
        until(lambda: not cut_off.notices.state().hears)
        cut_off.notices.publish(b"from behind")
        there.notices.publish(b"meanwhile")
        assert there.hears(b"before", b"meanwhile")
        until(lambda: not cut_off.notices.state().tells)
        way.loses = "nothing"
        assert cut_off.hears_all(b"before", b"meanwhile", b"from behind")
        assert there.hears(b"before", b"meanwhile", b"from behind")
        until(lambda: cut_off.notices.state() == NoticesState())


def test_a_carrier_that_is_down_is_told_of_until_it_is_up_and_what_waited_is_told(
    project: Project, carrier: OnRedis | OnPostgreSQL
) -> None:
    one, two = project.begin(), project.begin()
    one.notices.publish(b"before")
    assert one.hears(b"before")
    assert two.hears(b"before")
    until(lambda: one.notices.state() == NoticesState())
    carrier.server.kill()
    try:
        until(lambda: not one.notices.state().hears)
        one.notices.publish(b"meanwhile")
        until(lambda: one.notices.state() == NoticesState(hears=False, tells=False, waiting=1))
    finally:
        carrier.server.start()
    assert one.hears(b"before", b"meanwhile")
    assert two.hears(b"before", b"meanwhile")
    until(lambda: one.notices.state() == two.notices.state() == NoticesState())
    if isinstance(carrier, OnRedis):
        assert two.lost.wait(120)  # It remembers nothing.
    else:
        assert not two.lost.is_set()  # What was committed is there.


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_both_sides_of_a_fork_tell_and_hear(project: Project) -> None:
    one, two = project.begin(), project.begin()
    one.notices.publish(b"before")
    assert one.hears(b"before")
    assert two.hears(b"before")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        one.notices.publish(b"child")
        heard = one.hears(b"before", b"child")
        one.notices.close()
        os._exit(0 if heard else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert one.hears(b"before", b"child")
    one.notices.publish(b"parent")
    assert two.hears(b"before", b"child", b"parent")
    until(lambda: one.notices.state() == NoticesState())
    assert not one.lost.is_set()


def test_who_closes_has_told_what_waited_and_leaves_no_connection(
    project: Project, carrier: OnRedis | OnPostgreSQL
) -> None:
    one, two = project.begin(), project.begin()
    until(lambda: carrier.connections() > 0)
    one.notices.publish(b"last")
    one.notices.close()
    assert two.hears(b"last")
    two.notices.close()
    until(lambda: carrier.connections() == 0)


@pytest.mark.parametrize("kind", ["redis", "postgresql"])
def test_a_server_that_is_not_there_keeps_nobody_waiting(kind: Literal["redis", "postgresql"]) -> None:
    make: Callable[[str], Notices] = RedisNotices if kind == "redis" else PostgreSQLNotices
    one = Process(make(f"{kind}://127.0.0.1:1"))
    one.notices.publish(b"nobody")
    one.notices.close()
    assert one.heard == []
