"""`python -m benchmarks.flow_rates`: how often a second one process signs somebody in on each database, by each flow from its beginning to the session.

From the beginning means with all that a sign-in needs once the factor is there: the code is made, mailed and taken from the inbox, the passkey's challenge is asked for and signed,
the provider (a stand-in in this process) is gone to and come back from. Authenticators, wallets and carriers answer at once, so what is left is authmw's work and its database's.
One sign-in comes after the other, each of another person; the rate is that of the median. Beside it stands how often the database is spoken to for one, and, the same everywhere,
how many commits and rows are its. The last rows are renewals of a JWT at a page: from the database, and with `RedisSessionCache` beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import attrs
from redis import Redis
from redis.exceptions import RedisError

from authmw import drive
from authmw.ports import SessionCache
from authmw.testing import FixedClock
from authmw_adapters.redis import RedisSessionCache
from benchmarks import sign_ins
from benchmarks.apps import PRIVATE, flask_app
from benchmarks.clients import wsgi
from benchmarks.flows import FLOWS, Flow, count
from benchmarks.hearing import DURABILITY, Heard, Said
from benchmarks.places import Database, Kind, kinds, made_in_redis
from benchmarks.site import Site

RESULTS = Path(__file__).parent / "results"
RENEWAL, SPARED = "renewal at a page", "renewal at a page, session cache"
PERSON_AFTER_PERSON = 3700.0
"""Seconds from one person to the next, so that nobody meets the hourly limits of a number's range or a network."""
_UNANSWERED = ("PRAGMA", DURABILITY)


@attrs.frozen
class Figure:
    """Sign-ins a second, and how often the database is spoken to for one."""

    rate: float
    said: int


class Project:
    """A project on one database, whose people sign in one after the other."""

    def __init__(self, stack: ExitStack, database: Database, cache: SessionCache | None = None) -> None:
        self._heard = Heard()
        stack.enter_context(self._heard.listening())
        storage, limiter = stack.enter_context(database.adapters())
        clock = FixedClock()
        services = sign_ins.Services("http://localhost:8000/dev/providers", clock)
        self.clock = clock
        self.site = Site(
            storage, limiter=limiter, clock=clock, fetcher=services, session_cache=cache, **sign_ins.settings(services)
        )
        self._io = storage.io
        drive.run(limiter.io, limiter.prepare())
        drive.run(self._io, self.site.auth.start())
        drive.run(self._io, self.site.auth.keys.active())

    def signs_in(self, flow: Flow, times: int) -> Figure:
        """As many people after one who warms up."""
        return self._figure([self._one(flow) for _ in range(times + 1)][1:])

    def renews(self, times: int) -> Figure:
        """A page, asked as often after the JWT is over; the first time nothing is known."""
        self._next()
        self.site.person += 1
        cookie = self.site.cookie(drive.run(self._io, self._signed_in()))
        page = wsgi(flask_app(self.site), PRIVATE, cookie)
        page(1)
        taken: list[tuple[float, int]] = []
        for _ in range(times + 1):
            self.clock.advance(seconds=301)
            self.site.auth.guard.forget()
            taken.append(self._timed(lambda: page(1)))
        return self._figure(taken[1:])

    async def _signed_in(self) -> Any:
        user_id = await self.site.user()
        link = await self.site.auth.magic_links.create(user_id=user_id)
        return await self.site.auth.magic_links.authenticate(token=link.token, session_duration_minutes=24 * 60)

    def _one(self, flow: Flow) -> tuple[float, int]:
        self._next()
        self.site.person += 1
        began = 0.0

        def begins() -> None:
            nonlocal began
            self._settled()
            self._heard.taken()
            began = perf_counter()

        async def whole() -> None:
            sign_in = await flow(self.site, await self.site.user())
            await sign_in()

        self.site.begins = begins
        drive.run(self._io, whole())
        return perf_counter() - began, asked(self._heard.taken())

    def _timed(self, act: Callable[[], None]) -> tuple[float, int]:
        self._heard.taken()
        began = perf_counter()
        act()
        return perf_counter() - began, asked(self._heard.taken())

    def _next(self) -> None:
        self.clock.advance(seconds=PERSON_AFTER_PERSON)
        self._settled()

    def _settled(self) -> None:
        if not drive.finish(60):
            raise AssertionError("What is done behind the answers does not end.")

    def _figure(self, taken: list[tuple[float, int]]) -> Figure:
        return Figure(1 / median(seconds for seconds, _ in taken), int(median(said for _, said in taken)))


def asked(said: list[Said]) -> int:
    """How often a database was spoken to: in a file by statements, which wait for nobody."""
    return sum(not statement.startswith(_UNANSWERED) for statement, _ in said)


def figures(kind: Kind, redis: str, *, times: int) -> dict[str, Figure]:
    """Every flow on one kind of database, and the renewals; with a session cache only where there is Redis."""
    with ExitStack() as stack:
        project = Project(stack, stack.enter_context(kind.made()))
        found = {name: project.signs_in(flow, times) for name, flow in FLOWS.items()}
        found[RENEWAL] = project.renews(times)
    if redis:
        with ExitStack() as stack:
            prefix = stack.enter_context(made_in_redis(redis))
            cache = RedisSessionCache(redis, prefix)
            found[SPARED] = Project(stack, stack.enter_context(kind.made()), cache).renews(times)
            drive.run(cache.io, cache.close())
    return found


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Measure, print, write the same as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flow_rates", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny work: shows that it runs, measures nothing")
    parser.add_argument("--postgresql", default="postgresql+psycopg://postgres@127.0.0.1/postgres", help="an address")
    parser.add_argument("--mariadb", default="mariadb+pymysql://root@127.0.0.1/mysql", help="an address")
    parser.add_argument("--redis", default="redis://127.0.0.1", help="an address")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder that the JSON is written to")
    chosen = parser.parse_args(arguments)
    counts = {name: attrs.asdict(asyncio.run(count(flow, whole=True))) for name, flow in FLOWS.items()}
    by_database = _measured(chosen.postgresql, chosen.mariadb, chosen.redis, 1 if chosen.quick else 20)
    told = {
        name: {
            **{column: counts[name][column] for column in ("commits", "written", "checked") if name in counts},
            **{place: attrs.asdict(found[name]) for place, found in by_database.items() if name in found},
        }
        for name in (*FLOWS, RENEWAL, SPARED)
    }
    _show(told, list(by_database))
    chosen.results.mkdir(parents=True, exist_ok=True)
    path = chosen.results / "flows.json"
    path.write_text(json.dumps({"python": platform.python_version(), "figures": told}, indent=2) + "\n")
    print(f"written: {path}")
    return told


def _measured(postgresql: str, mariadb: str, redis: str, times: int) -> dict[str, dict[str, Figure]]:
    places = {name: kind for name, kind in kinds(postgresql, mariadb, redis).items() if not kind.redis}
    try:
        with Redis.from_url(redis) as client:
            client.ping()
        places["Redis"] = Kind(redis=redis)
    except RedisError:
        redis = ""
    return {name: figures(kind, redis, times=times) for name, kind in places.items()}


def _show(told: dict[str, dict[str, Any]], places: list[str]) -> None:
    columns = ("commits", "rows", *(f"{place}, a second" for place in places))
    print(
        f"{'(in brackets: how often it is spoken to)':40}{columns[0]:>9}{columns[1]:>6}"
        + "".join(f"{one:>24}" for one in columns[2:])
    )
    for name, row in told.items():
        commits, rows = row.get("commits", "-"), row["written"] + row["checked"] if "written" in row else "-"
        cells = (f"{row[place]['rate']:.1f} ({row[place]['said']})" if place in row else "-" for place in places)
        print(f"{name:40}{commits:>9}{rows:>6}" + "".join(f"{one:>24}" for one in cells))


if __name__ == "__main__":
    main()
