"""What is PostgreSQL's own of carrying notices: numbers that become visible in their order, a table that somebody has to make, a history that may be another, roles and poolers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from authmw.ports import NoticesState
from authmw_adapters import postgresql_notices
from authmw_adapters.migrating import migrating
from authmw_adapters.postgresql_notices import KEPT, PostgreSQLNotices
from tests.adapters.noticing import PATIENCE, SINCE, Process, end_connections, until
from tests.at_once import at_once
from tests.databases import address, new_database
from tests.processes.own_servers import own_server, standby_of
from tests.servers import Machine

pytestmark = pytest.mark.server("postgresql")
Admin = psycopg.Connection[Any]
Begin = Callable[..., Process]


@pytest.fixture
def database(machine: Machine) -> Iterator[str]:
    """The address of an empty database."""
    with new_database(machine, "postgresql") as name:
        yield address(machine, "postgresql", name).render_as_string(hide_password=False)


@pytest.fixture
def admin(database: str) -> Iterator[Admin]:
    with psycopg.connect(plain(database), autocommit=True) as connection:
        yield connection


@pytest.fixture
def begin(database: str) -> Iterator[Begin]:
    """Begins processes, and ends them with the test."""
    begun: list[Process] = []

    def begin(where: str = database, namespace: str = "") -> Process:
        begun.append(Process(PostgreSQLNotices(where, namespace)))
        return begun[-1]

    yield begin
    for one in begun:
        one.notices.close()


def plain(where: str) -> str:
    return where.replace("+psycopg", "")


def asked(admin: Admin, question: str, *given: object) -> Any:
    row = admin.execute(question, given).fetchone()  # type: ignore[arg-type]
    assert row is not None
    return row[0]


def is_ready(admin: Admin, processes: int = 1) -> bool:
    """Whether so many processes listen."""
    listening = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'authmw notices' AND datname = current_database() AND query LIKE 'SELECT id%%' AND state = 'idle'"
    return bool(asked(admin, listening) >= processes)


def somebody_waits(admin: Admin) -> bool:
    """Whether somebody waits to tell or to make the table."""
    here = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    return bool(
        asked(admin, f"SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND {here})")
    )


# Order


def test_what_is_committed_late_is_heard_before_what_has_a_higher_number(
    database: str, admin: Admin, begin: Begin
) -> None:
    one, two = begin(), begin()
    until(lambda: is_ready(admin, 2))
    slow = PostgreSQLNotices(database)
    with psycopg.connect(plain(database)) as unfinished:
        unfinished.execute(slow._tell, {"kept": KEPT, "notices": [b"slow"]})
        two.notices.publish(b"quick")
        until(lambda: somebody_waits(admin) or b"quick" in one.heard)
    assert one.hears(b"slow", b"quick")


def test_a_notice_whose_turn_does_not_come_is_given_up_by_the_server_and_told_later(
    database: str, admin: Admin, begin: Begin
) -> None:
    one, two = begin(), begin()
    until(lambda: is_ready(admin, 2))
    with psycopg.connect(plain(database)) as unfinished:
        unfinished.execute(PostgreSQLNotices(database)._lock)
        one.notices.publish(b"one")
        until(lambda: not one.notices.state().tells)
        assert one.notices.state().waiting == 1
    assert two.hears(b"one")
    until(lambda: one.notices.state() == NoticesState())


def test_a_notice_is_no_longer_kept_than_it_is_of_use(admin: Admin, begin: Begin) -> None:
    one = begin()
    until(lambda: is_ready(admin))
    for told in ("3 hours", "1 hour"):
        admin.execute(
            "INSERT INTO authmw_notices (told, notice) VALUES (now() - %s::interval, %s)", (told, told.encode())
        )
    one.notices.publish(b"new")
    until(lambda: b"new" in one.heard)
    held = [bytes(row[0]) for row in admin.execute("SELECT notice FROM authmw_notices ORDER BY id")]
    assert held == [b"1 hour", b"new"]
    assert begin().hears(b"new"), "what was told before a JWT's life is of no use to one that begins"


def test_what_is_heard_by_every_role_of_the_database_says_nothing(admin: Admin, begin: Begin) -> None:
    one = begin()
    until(lambda: is_ready(admin))
    admin.execute("LISTEN authmw_notices")
    one.notices.publish(b"a canary of a notice")
    told = next(iter(admin.notifies(timeout=PATIENCE, stop_after=1)))
    assert (told.channel, told.payload) == ("authmw_notices", "")


def test_who_listens_is_woken_and_does_not_wait_until_it_would_ask_anyway(
    monkeypatch: pytest.MonkeyPatch, begin: Begin
) -> None:
    monkeypatch.setattr(postgresql_notices, "SECONDS", 3600)
    one, two = begin(), begin()
    for number in range(20):
        one.notices.publish(b"%d" % number)
        assert two.hears(*(b"%d" % told for told in range(number + 1)))


# Whether something may be missing


def test_where_the_table_was_made_again_something_may_be_missing(admin: Admin, begin: Begin) -> None:
    one, two = begin(), begin()
    one.notices.publish(b"before")
    assert two.hears(b"before")
    admin.execute("DROP TABLE authmw_notices")
    end_connections(admin)
    assert two.lost.wait(PATIENCE)
    assert one.lost.wait(PATIENCE)
    one.notices.publish(b"after")
    assert two.hears(b"before", b"after")


def test_where_a_replica_was_promoted_something_may_be_missing(begin: Begin) -> None:
    with own_server("postgresql") as primary, standby_of(primary) as standby:
        both = f"postgresql://postgres@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/postgres"
        one, two = begin(both), begin(both)
        one.notices.publish(b"before")
        assert two.hears(b"before")
        end_connections_at(primary.port)
        one.notices.publish(b"still before")
        assert two.hears(b"before", b"still before")
        assert not two.lost.is_set()
        primary.kill()
        until(lambda: not one.notices.state().hears)
        one.notices.publish(b"meanwhile")
        standby.run("pg_ctl promote -D {data} -w")
        assert two.lost.wait(PATIENCE)
        assert two.hears(b"before", b"still before", b"meanwhile")
        one.notices.close()
        two.notices.close()


def end_connections_at(port: int) -> None:
    with psycopg.connect(f"host=127.0.0.1 port={port} user=postgres", autocommit=True) as admin:
        end_connections(admin)


@pytest.mark.parametrize("function", ["pg_walfile_name(pg_lsn)", "pg_control_system()"])
def test_a_server_that_does_not_tell_its_history_is_known_by_its_start(
    database: str, admin: Admin, begin: Begin, function: str
) -> None:
    with role(admin, "SELECT, INSERT, DELETE", creates=True) as name:
        admin.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")  # type: ignore[arg-type]
        one = begin(database.replace("postgres@", f"{name}@"))
        one.notices.publish(b"before")
        assert one.hears(b"before")
        end_connections(admin)
        one.notices.publish(b"after")
        assert one.hears(b"before", b"after")
        assert not one.lost.is_set()
        assert isinstance(one.notices, PostgreSQLNotices)
        assert asked(admin, "SELECT pg_postmaster_start_time()::text") in str(one.notices._history)


# Who makes the table


@contextmanager
def role(admin: Admin, rights: str, *, creates: bool) -> Iterator[str]:
    """A role that may read and write tables of others, and perhaps create some; it goes with the test."""
    name = f"r{uuid4().hex[:12]}"
    for statement in (
        f"CREATE ROLE {name} LOGIN",
        f"ALTER DEFAULT PRIVILEGES GRANT {rights} ON TABLES TO {name}",
        f"GRANT {'ALL' if creates else 'USAGE'} ON SCHEMA public TO {name}",
    ):
        admin.execute(statement)  # type: ignore[arg-type]
    try:
        yield name
    finally:
        end_connections(admin)
        admin.execute(f"DROP OWNED BY {name}")  # type: ignore[arg-type]
        admin.execute(f"DROP ROLE {name}")  # type: ignore[arg-type]


def test_many_that_begin_at_once_make_one_table(admin: Admin, begin: Begin) -> None:
    processes = at_once(8, begin)
    processes[0].notices.publish(b"one")
    assert all(process.hears(b"one") for process in processes)
    assert all(process.notices.state() == NoticesState() for process in processes)


def test_who_finds_no_table_waits_for_whoever_is_making_it(database: str, admin: Admin, begin: Begin) -> None:
    with psycopg.connect(plain(database)) as making:
        notices = PostgreSQLNotices(database)
        making.execute(notices._lock)
        one = begin()
        until(lambda: somebody_waits(admin))
        making.execute(notices._create)
    one.notices.publish(b"one")
    assert one.hears(b"one")


def test_who_waited_for_another_that_made_the_table_tells_even_what_is_its_last(
    database: str, admin: Admin, begin: Begin
) -> None:
    with psycopg.connect(plain(database)) as making:
        notices = PostgreSQLNotices(database)
        making.execute(notices._lock)
        one = begin()
        until(lambda: somebody_waits(admin))
        one.notices.publish(b"last")
        closing = threading.Thread(target=one.notices.close)
        closing.start()
        until(one.notices._ended.is_set)  # type: ignore[attr-defined]
        making.execute(notices._create)
    closing.join()
    assert begin().hears(b"last")


def test_a_role_that_may_create_nothing_hears_once_the_table_is_made(database: str, admin: Admin, begin: Begin) -> None:
    with role(admin, "SELECT, INSERT, DELETE", creates=False) as name:
        serving = database.replace("postgres@", f"{name}@")
        one = begin(serving)
        until(lambda: not one.notices.state().hears)
        assert ["authmw migrate" in said for said in PostgreSQLNotices(serving).inspect()] == [True]
        with migrating():
            PostgreSQLNotices(database).listen(SINCE, print, print)
        one.notices.publish(b"one")
        assert one.hears(b"one")
        assert list(PostgreSQLNotices(serving).inspect()) == []


def test_a_role_without_a_right_is_named_to_the_operator(database: str, admin: Admin) -> None:
    with role(admin, "SELECT, INSERT", creates=False) as name:
        with migrating():
            PostgreSQLNotices(database).listen(SINCE, print, print)
        assert ["clear" in said for said in PostgreSQLNotices(database.replace("postgres@", f"{name}@")).inspect()] == [
            True
        ]


def test_a_plan_says_how_the_table_is_made_and_changes_nothing(database: str, admin: Admin) -> None:
    notices = PostgreSQLNotices(database, "other")
    with migrating(plan=True) as planned:
        notices.listen(SINCE, print, print)
    assert asked(admin, "SELECT to_regclass('other__authmw_notices')") is None
    for statement in planned.statements:
        admin.execute(statement)  # type: ignore[arg-type]
    assert asked(admin, "SELECT count(*) FROM other__authmw_notices") == 0
    with migrating(plan=True) as planned:
        notices.listen(SINCE, print, print)
    assert planned.statements == []


def test_two_schemas_and_two_namespaces_hear_nothing_of_each_other(database: str, admin: Admin, begin: Begin) -> None:
    admin.execute("CREATE SCHEMA aside")
    places = [(database, ""), (database, "other"), (f"{database}?options=-csearch_path%3Daside", "")]
    for place in places:
        one, two = begin(*place), begin(*place)
        one.notices.publish(repr(place).encode())
        assert two.hears(repr(place).encode())
        assert one.hears(repr(place).encode())
    assert asked(admin, "SELECT count(*) FROM aside.authmw_notices") == 1


# Addresses, settings and what stands between


@pytest.mark.parametrize("driver", ["", "+psycopg", "+asyncpg"])
def test_the_address_of_the_storage_is_one_of_notices_too(database: str, begin: Begin, driver: str) -> None:
    one = begin(database.replace("+psycopg", driver))
    one.notices.publish(b"one")
    assert one.hears(b"one")


@pytest.mark.parametrize("wrong", ["postgresql://app:canary@db/app?ssl=require", "mysql://app:canary@db/app", "canary"])
def test_an_address_that_is_none_is_refused_without_what_it_says(wrong: str) -> None:
    with pytest.raises(ValueError, match="no address") as caught:
        PostgreSQLNotices(wrong)
    assert "canary" not in f"{caught.value!r} {caught.value.__cause__!r}"
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(("chosen", "used"), [("off", "local"), ("remote_write", "remote_write")])
def test_a_notice_is_on_disk_before_it_counts_as_told(database: str, chosen: str, used: str) -> None:
    notices = PostgreSQLNotices(f"{database}?options=-csynchronous_commit%3D{chosen}")
    with notices._connected() as connection:
        assert asked(connection, "SHOW synchronous_commit") == used


def test_a_server_that_does_not_answer_is_named_to_the_operator() -> None:
    said = list(PostgreSQLNotices("postgresql://app:canary@127.0.0.1:1/app").inspect())
    assert [("does not answer" in one, "canary" in one) for one in said] == [(True, False)]


def test_a_pooler_in_between_is_named_to_the_operator(machine: Machine, database: str) -> None:
    with migrating():
        PostgreSQLNotices(database).listen(SINCE, print, print)
    assert list(PostgreSQLNotices(database).inspect()) == []
    with pooler(machine) as port:
        where = database.partition("@")[0] + f"@127.0.0.1:{port}/" + database.rpartition("/")[2]
        assert ["pools by transaction" in said for said in PostgreSQLNotices(where).inspect()] == [True]


@contextmanager
def pooler(machine: Machine) -> Iterator[int]:
    """The port of what hands on as a pooler does in this: the process that it names to a client is none of the server's (protocol: `BackendKeyData`)."""
    there = machine.server("postgresql").where
    assert there is not None
    listening = socket.create_server(("127.0.0.1", 0))

    def hand_on(source: socket.socket, target: socket.socket, *, names: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if names and (place := data.find(b"K\x00\x00\x00\x0c")) >= 0:
                    data = data[: place + 5] + b"\x00\x00\x00\x01" + data[place + 9 :]
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def serve() -> None:
        here, _ = listening.accept()
        server = socket.socket(socket.AF_UNIX) if there.startswith("/") else socket.socket()
        server.connect(there if there.startswith("/") else (there.rpartition(":")[0], int(there.rpartition(":")[2])))
        with here, server:
            back = threading.Thread(target=hand_on, args=(server, here), kwargs={"names": True})
            back.start()
            hand_on(here, server, names=False)
            back.join()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with listening:
        yield listening.getsockname()[1]
        thread.join()
