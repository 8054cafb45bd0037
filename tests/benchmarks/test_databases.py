"""Sign-ins beside the commits that they make: what is compared, on every server of this run. No time is judged here."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from authmw import drive
from authmw.people.records import Session, User
from authmw.storage import And
from benchmarks.databases import COLUMNS, Race, Took, best, sign_ins
from benchmarks.hearing import REDIS, changes
from benchmarks.places import Database, Kind, kinds
from benchmarks.processes import spawned
from tests.databases import MAINTENANCE, address
from tests.servers import Machine


def test_what_changes_something_is_transactions_writes_and_what_is_said_to_redis() -> None:
    said = [
        ("SELECT a", ()),
        ("SET TRANSACTION ISOLATION LEVEL READ COMMITTED", ()),
        ("START TRANSACTION", ()),
        ("SELECT b", ()),
        ("UPDATE b", ()),
        ("COMMIT", ()),
        ("SELECT c", ()),
        ("DELETE c", ()),
        (REDIS, ("GET", "d")),
        ("SELECT e", ()),
    ]
    kept = [statement for statement, _ in changes(said)]
    assert kept == [*(statement for statement, _ in said[1:6]), "DELETE c", REDIS]


def kinds_of(machine: Machine) -> dict[str, Kind]:
    where = machine.server("redis").where or ""
    redis = f"unix://{where}" if where.startswith("/") else f"redis://{where}"
    urls = {
        one: address(machine, one, MAINTENANCE[one]).render_as_string(hide_password=False)
        for one in ("postgresql", "mariadb")
    }
    return kinds(**urls, redis=redis)


def held(database: Database) -> dict[str, int]:
    with database.adapters() as (storage, _):
        return {
            kind.__name__: drive.run(storage.io, storage.count(kind, And(), at_most=100)) for kind in (User, Session)
        }


@pytest.mark.server("postgresql")
@pytest.mark.server("mariadb")
@pytest.mark.server("redis")
@pytest.mark.parametrize("name", ["SQLite", "MariaDB", "PostgreSQL, limits in Redis"])
def test_the_driver_alone_makes_the_commit_of_each_sign_in(machine: Machine, name: str) -> None:
    kind = kinds_of(machine)[name]
    with ExitStack() as stack:
        place, other = stack.enter_context(kind.made()), stack.enter_context(kind.made())
        race = Race(stack, place, other, ["ada@example.org", "bob@example.org"])
        for act in (race.prepare, race.ours, race.alone):
            act()
        said = [statement for statement, _ in changes(race.said)]
        assert sum("sessions_digest" in one and "INSERT INTO" in one for one in said) == 2
        # What they left is the same: each person is there, with a session of each sign-in.
        assert held(place) == held(other) == {"User": 2, "Session": 4}


@pytest.mark.server("postgresql")
@pytest.mark.server("mariadb")
@pytest.mark.server("redis")
def test_processes_sign_people_in_at_once_and_the_server_tells_what_it_did_for_each_side(machine: Machine) -> None:
    figures = sign_ins(kinds_of(machine)["PostgreSQL"], 2, people=2, rounds=1)
    # A server in a container of its own is not seen from here.
    assert set(COLUMNS) - set(figures) <= {"server, ms", "server alone, ms", "server, times"}
    assert all(figure > 0 for figure in figures.values()), figures


def test_a_side_is_judged_by_its_best_rounds_and_by_no_server_that_was_not_seen_in_all() -> None:
    assert best([Took(3, 0.5, 2), Took(1, 0.6, 4)]) == Took(1, 0.5, 2)
    assert best([Took(3, None, 2), Took(1, 0.6, 4)]) == Took(1, None, 2)


def broken(connection: object) -> None:
    raise SystemExit(3)


def test_a_process_that_fails_is_not_waited_for() -> None:
    with spawned(broken) as orders, pytest.raises(EOFError):
        orders.recv()
