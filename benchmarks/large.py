"""`python -m benchmarks.large`: what does not grow, or not faster than the logarithm, from a thousand people to a million or more, on PostgreSQL and SQLite.

People, sessions and events are loaded in bulk (see `benchmarks.bulk`). Each round of a measurement takes other people than the one before, and rounds of the small and the
large size alternate; compared is the best of them. Databases are made for it and dropped. A server that is not reached is left out.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Awaitable, Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from itertools import cycle
from math import log
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias
from uuid import uuid4

import attrs
import sqlalchemy as sa

from authmw import drive
from authmw.ledger.records import Event
from authmw.people.records import Session, User
from authmw.signin.sessions import derive_token, live_by_token, with_new_secret
from authmw.storage import Update, key_of, moment
from authmw.testing import FixedClock
from authmw_adapters.sqlalchemy import SQLAlchemyStorage
from authmw_adapters.sqlite import SQLiteStorage
from benchmarks import bulk
from benchmarks.site import Site

SMALL = 1_000
CHOSEN = 40
"""People whom a measurement takes in turn."""
ASIDE = 200_000
"""From this many rows on, what tables are found by is built when they are filled."""
Work: TypeAlias = Callable[[int], Awaitable[Any]]
BY_KEY = (
    "session and person by a token, read",
    "sessions.authenticate by a token",
    "users.get",
    "a link made and a sign-in by it",
)
SEARCHES = (
    "users.search by an address",
    "users.search by how addresses begin, 10 found",
    "users.search by how names begin, 10 found",
    "users.search by a time, a page of 100",
    "users.search for all who have a domain, a page of 100",
)


@attrs.frozen
class Sizes:
    """How many of each."""

    people: int
    sessions: int
    events: int = 0

    def __str__(self) -> str:
        return f"{self.sessions:,} sessions of {self.people:,} people"


@attrs.frozen
class Place:
    """A filled database."""

    site: Site
    sizes: Sizes
    tokens: dict[int, str]
    """Of the sessions that are measured, by their numbers."""


@contextmanager
def on_postgresql(url: sa.URL, sizes: Sizes) -> Generator[Place]:
    """A database of its own on this server."""
    database = f"authmw_bench_{uuid4().hex[:16]}"
    outside = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with outside.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {database}")
    there = url.set(database=database)
    engine = sa.create_engine(there, pool_reset_on_return=None)
    try:
        with ExitStack() as closed, _site(SQLAlchemyStorage(engine)) as site:
            with bulk.postgresql(site.storage, there) as loader:
                place = _filled(site, loader, sizes)
            # What the load left to be written back is not part of the measurement.
            closed.callback(engine.dispose)
            with suppress(sa.exc.DBAPIError), outside.connect() as connection:
                connection.exec_driver_sql("CHECKPOINT")
            yield place
    finally:
        engine.dispose()
        with outside.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {database} WITH (FORCE)")


@contextmanager
def on_sqlite(sizes: Sizes) -> Generator[Place]:
    """A file of its own. Commits do not wait for the disk, whose time is no work of the library's."""
    with tempfile.TemporaryDirectory(prefix="authmw-bench-") as folder:
        path = Path(folder) / "bench.sqlite3"
        storage = SQLiteStorage(path)
        storage._connections._synchronous = "OFF"
        with _site(storage) as site, bulk.sqlite(storage, path) as loader:
            yield _filled(site, loader, sizes)


@contextmanager
def _site(storage: Any) -> Generator[Site]:
    site = Site(storage, clock=FixedClock())
    site.auth.run(site.auth.start())  # which makes the tables
    try:
        yield site
    finally:
        site.auth.close()


def _filled(site: Site, loader: bulk.Loader, sizes: Sizes) -> Place:
    """Fill, read some through the library, and give the chosen ones sessions whose tokens are known."""
    kinds: dict[Any, int] = {User: sizes.people, Session: sizes.sessions, Event: sizes.events}
    drive.run(site.storage.io, loader.load(kinds, people=sizes.people, aside=sizes.sessions >= ASIDE))
    return Place(site, sizes, drive.run(site.storage.io, _tokens(site, sizes)))


async def _tokens(site: Site, sizes: Sizes) -> dict[int, str]:
    roots, now = site.auth.core.roots, site.now()
    user, session, _ = bulk.patterns()
    tokens: dict[int, str] = {}
    for number in chosen(sizes.sessions):
        person = bulk.of_number(user, number % sizes.people, sizes.people)
        for expected in (person, bulk.of_number(session, number, sizes.people)):
            found = await site.storage.get(type(expected), key_of(expected))
            if found is None or attrs.evolve(found, version=0) != expected:
                raise AssertionError("The library does not read what was loaded.")
        assert isinstance(found, Session)
        if found != await site.storage.find(Session, "digest", (found.digest,)):
            raise AssertionError("The library does not find what was loaded.")
        fresh = attrs.evolve(with_new_secret(roots, found, now), previous_digest=None, previous_until=None)
        await site.storage.commit(Update(fresh))
        tokens[number] = derive_token(roots, fresh) or ""
    return tokens


def chosen(size: int) -> list[int]:
    """Numbers that are spread over so many."""
    many = min(CHOSEN, size)
    return [size * one // many for one in range(many)]


def works(place: Place) -> dict[str, Work]:
    """What is measured, by name; each takes the number of a session."""
    auth, sizes = place.site.auth, place.sizes

    def user_id(number: int) -> str:
        return f"user-test-{bulk.spread(number % sizes.people)}"

    def searched(name: str, value: Callable[[int], Any]) -> Work:
        def search(number: int) -> Awaitable[Any]:
            query: Any = {
                "operator": "AND",
                "operands": [{"filter_name": name, "filter_value": value(number % sizes.people)}],
            }
            return auth.users.search(query=query)

        return search

    def beginning(number: int) -> str:
        digits = len(str(sizes.people - 1))
        return bulk.backwards(number)[: digits - 1]

    def after(number: int) -> str:
        return moment(bulk.BEGAN + timedelta(seconds=min(number, sizes.people - 200)))

    async def signed_in(number: int) -> None:
        link = await auth.magic_links.create(user_id=user_id(number))
        await auth.magic_links.authenticate(token=link.token, session_duration_minutes=60)

    by_key: tuple[Work, ...] = (
        lambda number: live_by_token(auth.storage, place.tokens[number], auth.settings, place.site.now()),
        lambda number: auth.sessions.authenticate(session_token=place.tokens[number]),
        lambda number: auth.users.get(user_id=user_id(number)),
        signed_in,
    )
    searches = (
        searched("email_address", lambda number: [bulk.address(bulk.backwards(number))]),
        searched("email_address_fuzzy", lambda number: f"ada{beginning(number)}"),
        searched("full_name_fuzzy", lambda number: f"lovelace{beginning(number)}"),
        searched("created_at_greater_than", after),
        searched("email_domain", lambda _: ["example.org"]),
    )
    return dict(zip((*BY_KEY, *SEARCHES), (*by_key, *searches), strict=True))


def compared(small: Place, large: Place, *, times: int = 40, rounds: int = 12) -> dict[str, dict[str, float]]:
    """By work: microseconds at each size, and how often the small size's the large one's are."""
    taken: dict[str, dict[str, float]] = {}
    places = {str(place.sizes): (place, works(place), cycle(place.tokens)) for place in (small, large)}
    for name in (*BY_KEY, *SEARCHES):
        best = dict.fromkeys(places, float("inf"))
        for round_ in range(rounds + 1):
            for size, (place, made, numbers) in places.items():
                began = perf_counter()
                for _ in range(times):
                    drive.run(place.site.storage.io, made[name](next(numbers)))
                took = (perf_counter() - began) / times * 1e6
                best[size] = min(best[size], took) if round_ else best[size]
        first, second = best.values()
        taken[name] = {**best, "ratio": second / first}
    return taken


def reached(name: str, sizes: Sizes) -> float:
    """What the ratio is to be at most: 1.3 by key, the ratio of the logarithms for a search."""
    return 1.3 if name in BY_KEY else max(1.3, log(sizes.people) / log(SMALL))


def main(arguments: list[str] | None = None) -> dict[str, dict[str, dict[str, float]]]:
    """Load, measure, print, drop."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large", description=__doc__)
    parser.add_argument("--size", type=int, default=1_000_000, help="how many sessions")
    parser.add_argument("--people", type=int, help="how many people, if fewer than sessions")
    parser.add_argument("--on", choices=("PostgreSQL", "SQLite"), action="append", help="both, if not given")
    parser.add_argument("--postgresql", default="postgresql+psycopg://postgres@127.0.0.1/postgres", help="an address")
    parser.add_argument("--json", type=Path, help="a file that the figures are written to")
    parser.add_argument("--quick", action="store_true", help="tiny work: shows that it runs, measures nothing")
    asked = parser.parse_args(arguments)
    large = Sizes(min(asked.people or asked.size, asked.size), asked.size)
    small = Sizes(min(SMALL, large.people), min(SMALL, large.sessions))
    url = sa.make_url(asked.postgresql)
    kinds: dict[str, Callable[[Sizes], Any]] = {"SQLite": on_sqlite}
    with suppress(sa.exc.OperationalError):
        sa.create_engine(url, poolclass=sa.NullPool).connect().close()
        kinds["PostgreSQL"] = lambda sizes: on_postgresql(url, sizes)
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for name, made in kinds.items():
        if name not in (asked.on or kinds):
            continue
        began = perf_counter()
        with made(small) as few, made(large) as many:
            print(f"{name}: loaded {large} in {perf_counter() - began:.0f} s")
            figures[name] = compared(few, many, **({"times": 2, "rounds": 1} if asked.quick else {}))
        for work, columns in figures[name].items():
            told = ", ".join(f"{size} {figure:.0f} µs" for size, figure in columns.items() if size != "ratio")
            print(f"{name}, {work}: {told}; ratio {columns['ratio']:.2f}, to reach {reached(work, large):.2f}")
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=2) + "\n")
    return figures


if __name__ == "__main__":
    main()
