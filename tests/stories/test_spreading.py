"""Two hosts over one storage, an asynchronous and a blocking one, told of each other by notices: what one ends or changes, the other knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import attrs
import psycopg
import pytest

from authmw import Auth
from authmw.ports import NoticesState
from authmw_adapters.postgresql_notices import PostgreSQLNotices
from authmw_adapters.redis import AsyncRedisLimiter, AsyncRedisStorage, RedisLimiter, RedisNotices, RedisStorage
from authmw_adapters.sqlalchemy import (
    AsyncSQLAlchemyLimiter,
    AsyncSQLAlchemyStorage,
    SQLAlchemyLimiter,
    SQLAlchemyStorage,
)
from tests.adapters.lossy import lossy_way
from tests.adapters.noticing import end_connections, until
from tests.databases import address, new_database
from tests.processes.own_servers import own_server as own_database
from tests.redis_cluster import own_server
from tests.servers import Machine
from tests.world import World, asgi_client, make_world


@attrs.define
class Hosts:
    """Both."""

    asgi: World
    wsgi: World

    def pair(self, first: str) -> tuple[World, World]:
        """One that does something and the other."""
        return (self.asgi, self.wsgi) if first == "asgi" else (self.wsgi, self.asgi)


@contextmanager
def hosted(folder: Path, slow: Any, fast: Any, **more: Any) -> Iterator[Hosts]:
    wsgi = make_world(folder, "wsgi", **fast, **more)
    asgi = make_world(folder, "asgi", **slow, **more, clock=wsgi.clock)
    with asgi_client(asgi.auth) as asgi.client:
        yield Hosts(asgi, wsgi)
    wsgi.auth.close()


@contextmanager
def on_redis(folder: Path, **more: Any) -> Iterator[Hosts]:
    with own_server() as server:
        at = (server.address, f"n{uuid4().hex[:12]}")
        slow = {"storage": AsyncRedisStorage(*at), "limiter": AsyncRedisLimiter(*at), "notices": RedisNotices(*at)}
        fast = {"storage": RedisStorage(*at), "limiter": RedisLimiter(*at), "notices": RedisNotices(*at)}
        with hosted(folder, slow, fast, **more) as both:
            yield both


@contextmanager
def on_postgresql(folder: Path, where: str, **more: Any) -> Iterator[Hosts]:
    """At this address of an empty database, whose driver is psycopg; one host takes another driver."""
    slow_at = where.replace("+psycopg", "+asyncpg")
    fast = {"storage": SQLAlchemyStorage(where), "limiter": SQLAlchemyLimiter(where)}
    slow = {"storage": AsyncSQLAlchemyStorage(slow_at), "limiter": AsyncSQLAlchemyLimiter(slow_at)}
    fast["notices"], slow["notices"] = PostgreSQLNotices(where), PostgreSQLNotices(slow_at)
    with hosted(folder, slow, fast, **more) as both:
        yield both


@pytest.fixture
def database(machine: Machine) -> Iterator[str]:
    with new_database(machine, "postgresql") as name:
        yield address(machine, "postgresql", name).render_as_string(hide_password=False)


ON = [pytest.param(name, marks=pytest.mark.server(name)) for name in ("redis", "postgresql")]


@pytest.fixture(params=ON)
def hosts(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hosts]:
    managed = {"managed": ("ip_allow_list",)}
    if request.param == "redis":
        on = on_redis(tmp_path, **managed)
    else:
        on = on_postgresql(tmp_path, request.getfixturevalue("database"), **managed)
    with on as both:
        yield both


def lives(world: World, signed_in: Any) -> bool:
    """Whether somebody is let in by a JWT alone."""
    return world.visit("/who", f"authmw_session_jwt={signed_in['session_jwt']}").status == 200


def refuses(world: World, signed_in: Any) -> None:
    """It comes to be so; no time passes for these hosts, so that nothing but a notice has anybody refused."""
    until(lambda: not lives(world, signed_in))


def end(world: World, signed_in: Any) -> None:
    assert world.backend("POST", "/v1/sessions/revoke", {"session_token": signed_in["session_token"]}).status == 200


@pytest.mark.parametrize("first", ["asgi", "wsgi"])
def test_what_one_host_ends_or_changes_the_other_knows_at_once(hosts: Hosts, first: str) -> None:
    """TOK-08."""
    one, two = hosts.pair(first)
    signed_in, other = one.sign_in(), one.sign_in("grace@example.org")
    assert lives(two, signed_in)
    assert lives(two, other)
    end(one, signed_in)
    refuses(two, signed_in)
    assert lives(two, other)
    assert one.backend("DELETE", f"/v1/users/{other['user_id']}").status == 200
    refuses(two, other)
    assert two.backend("GET", "/v1/users/user-test-1").status == 404
    one.auth.run(one.auth.project.ip_allow_list.set(ip_addresses=["192.0.2.1"]))
    until(lambda: two.backend("GET", "/v1/users/user-test-1").status == 403)


def test_what_was_ended_while_a_host_could_not_hear_it_refuses_when_it_can_and_its_health_says_so(
    tmp_path: Path,
) -> None:
    """TOK-08, OPS-04."""
    with (
        own_database("postgresql") as server,
        on_postgresql(tmp_path, server.url()) as hosts,
        lossy_way(f"127.0.0.1:{server.port}") as way,
    ):
        notices = PostgreSQLNotices(server.url().replace(f":{server.port}/", f":{way.port}/"))
        core = hosts.wsgi.auth.core
        auth = Auth(core.settings, storage=core.storage, limiter=core.limiter, notices=notices, clock=core.clock)
        cut_off = attrs.evolve(hosts.wsgi, auth=auth)
        signed_in, before = hosts.asgi.sign_in(), hosts.asgi.sign_in("before@example.org")
        end(hosts.asgi, before)
        refuses(cut_off, before)
        assert lives(cut_off, signed_in)
        way.loses = "answers"
        end(hosts.asgi, signed_in)
        until(lambda: not notices.state().hears)
        health = auth.run(auth.health())
        assert (health.healthy, health.warned) == (True, True)
        assert "does not reach" in next(one.message for one in health.findings if one.part == "notices")
        assert lives(cut_off, signed_in), "what holds without notices holds"
        way.loses = "nothing"
        refuses(cut_off, signed_in)
        until(lambda: notices.state() == NoticesState())
        assert not auth.run(auth.health()).warned
        auth.close()


@pytest.mark.server("postgresql")
def test_where_a_notice_may_have_been_lost_storage_is_asked(database: str, tmp_path: Path) -> None:
    """TOK-08."""
    with (
        on_postgresql(tmp_path, database) as hosts,
        psycopg.connect(database.replace("+psycopg", ""), autocommit=True) as admin,
    ):
        signed_in, other, before = (hosts.asgi.sign_in(f"{name}@example.org") for name in ("ada", "grace", "before"))
        end(hosts.asgi, before)
        refuses(hosts.wsgi, before)
        hosts.asgi.auth.core.denied.spread = None
        end(hosts.asgi, signed_in)
        assert lives(hosts.wsgi, signed_in), "it was not told"
        admin.execute("DROP TABLE authmw_notices")
        end_connections(admin)
        refuses(hosts.wsgi, signed_in)
        assert lives(hosts.wsgi, other)
