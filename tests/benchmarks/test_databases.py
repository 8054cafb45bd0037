"""Sign-ins beside the commits that they make: what is compared, on every server of this run. No time is judged here."""

from __future__ import annotations

from typing import Any

import pytest

from authmw import drive
from authmw.people.records import Session, User
from authmw.storage import And
from benchmarks.databases import REDIS, Heard, Race, changes, kinds
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


def held(storage: Any) -> dict[str, int]:
    return {kind.__name__: drive.run(storage.io, storage.count(kind, And(), at_most=100)) for kind in (User, Session)}


@pytest.mark.server("postgresql")
@pytest.mark.server("mariadb")
@pytest.mark.server("redis")
@pytest.mark.parametrize("name", ["SQLite", "MariaDB", "PostgreSQL, limits in Redis"])
def test_the_driver_alone_makes_the_commit_of_each_sign_in(machine: Machine, name: str) -> None:
    where = machine.server("redis").where or ""
    redis = f"unix://{where}" if where.startswith("/") else f"redis://{where}"
    urls = {
        one: address(machine, one, MAINTENANCE[one]).render_as_string(hide_password=False)
        for one in ("postgresql", "mariadb")
    }
    heard = Heard()
    made = kinds(**urls, redis=redis)[name]
    with heard.redis(), made(None) as other, heard.sqlite(), made(heard) as place:
        race = Race(place, other, heard, 2)
        assert set(race.round()) == {"ours", "alone"}
        said = [statement for statement, _ in changes(race.said)]
        assert sum("sessions_digest" in one and "INSERT INTO" in one for one in said) == 2
        # What they left is the same: each person is there, with a session of each sign-in.
        assert held(place.storage) == held(other.storage) == {"User": 2, "Session": 4}
