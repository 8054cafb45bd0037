"""`python -m benchmarks.capacity`: what one of everything costs on PostgreSQL, measured, and what that comes to for a hundred million people, on paper.

`docs/capacity.md` says how to read it. The costs are kept in `benchmarks/capacity.json`, and the tables of the document
are made of them (`--write`).
Processor time is measured, not the clock: that of the server's process from `/proc`, so the server must be on this machine, and Linux.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from time import process_time
from typing import Any
from uuid import uuid4

import attrs
import sqlalchemy as sa
from redis import Redis

from authmw import current_session, drive
from authmw.hosts.wsgi import AuthMiddleware
from authmw.ledger.records import Event
from authmw.people.records import Session, User
from authmw.testing import FixedClock
from authmw_adapters.layout import Layout
from authmw_adapters.redis import RedisSessionCache
from authmw_adapters.sqlalchemy import SQLAlchemyLimiter, SQLAlchemyStorage
from benchmarks import bulk
from benchmarks.apps import PRIVATE
from benchmarks.clients import Drive, wsgi
from benchmarks.site import Site

KEPT = Path(__file__).parent / "capacity.json"
DOCUMENT = Path(__file__).parents[1] / "docs" / "capacity.md"
DAY, MONTH = 86_400, 30
COPIED = 15 * 60
"""Seconds that a session cache believes a copy."""


@attrs.frozen(kw_only=True)
class Costs:
    """What one costs. Bytes are on PostgreSQL's disk with all that it is found by; microseconds are of one processor."""

    user_bytes: float
    session_bytes: float
    event_bytes: float
    log_bytes: float
    """Of PostgreSQL's write-ahead log for one sign-in by a mailed code, from the request of the code to the session, when its pages are in the log already."""
    first_log_bytes: float
    """The same just behind a checkpoint, when each page that is changed goes into the log whole."""
    sign_in_database: float
    sign_in_worker: float
    renewal_database: float
    renewal_worker: float
    copy_bytes: float
    """In Redis, of one session with its user, where a session cache is used."""


@attrs.frozen(kw_only=True)
class Assumed:
    """How people use it. Change these to your own."""

    people: int = 100_000_000
    daily: float = 0.2
    """The share that comes on one day."""
    sign_ins: float = 0.1
    """Of one who comes, a day: a session lives for weeks."""
    sessions: float = 1.5
    """Live ones of one person, all devices together."""
    requests: float = 100.0
    """Of one who comes, a day, that a session is checked for."""
    renewals: float = 4.0
    """The same, that came when the JWT of five minutes was over."""
    peak: float = 4.0
    """The busiest hour over the mean."""
    request: float = 3.0
    """Microseconds of a worker for a request with a live JWT (`make bench`)."""


def plan(costs: Costs, assumed: Assumed) -> dict[str, float]:
    """What it comes to, by name."""
    come = assumed.people * assumed.daily
    sign_ins = come * assumed.sign_ins
    at_peak = {
        "requests": come * assumed.requests / DAY * assumed.peak,
        "renewals": come * assumed.renewals / DAY * assumed.peak,
        "sign-ins": sign_ins / DAY * assumed.peak,
    }
    stored = {
        "users": assumed.people * costs.user_bytes,
        "sessions": assumed.people * assumed.sessions * costs.session_bytes,
        "events": sign_ins * 2 * MONTH * costs.event_bytes,
    }
    return {
        **{f"{name} a second at the peak": figure for name, figure in at_peak.items()},
        **{f"{name}, GB": figure / 1e9 for name, figure in stored.items()},
        "stored in all, GB": sum(stored.values()) / 1e9,
        "write-ahead log at the peak, MB a second, at most": at_peak["sign-ins"] * costs.first_log_bytes / 1e6,
        "records to drop a second at the peak": at_peak["sign-ins"] * EXPIRING,
        "processors of the database at the peak": (
            at_peak["sign-ins"] * costs.sign_in_database + at_peak["renewals"] * costs.renewal_database
        )
        / 1e6,
        "processors of the workers at the peak": (
            at_peak["sign-ins"] * costs.sign_in_worker
            + at_peak["renewals"] * costs.renewal_worker
            + at_peak["requests"] * assumed.request
        )
        / 1e6,
        "copies in Redis at the peak, if used, GB, at most": at_peak["renewals"] * COPIED * costs.copy_bytes / 1e9,
    }


EXPIRING = 5
"""Records that a sign-in by a mailed code leaves to be dropped one day: two events, the challenge, the message, the session."""


@contextmanager
def _site(url: sa.URL) -> Generator[tuple[Site, SQLAlchemyStorage, sa.Engine, Callable[[str], Any]]]:
    """A project in a database of its own, whose storage has one connection; and what asks the database beside it."""
    database = f"authmw_bench_{uuid4().hex[:16]}"
    outside = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    there = url.set(database=database)
    with outside.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {database}")
    engine = sa.create_engine(there, pool_size=2, max_overflow=0, pool_reset_on_return=None)
    beside = sa.create_engine(there, isolation_level="AUTOCOMMIT")
    storage = SQLAlchemyStorage(engine)
    site = Site(storage, limiter=SQLAlchemyLimiter(engine), clock=FixedClock())

    def ask(statement: str) -> Any:
        with beside.connect() as connection:
            done = connection.exec_driver_sql(statement)
            return done.scalars().all() if done.returns_rows else None

    try:
        site.auth.run(site.auth.start())
        yield site, storage, engine, ask
    finally:
        site.auth.close()
        engine.dispose()
        beside.dispose()
        with outside.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {database} WITH (FORCE)")


def bytes_of_one(url: sa.URL, many: int) -> dict[str, float]:
    """Bytes that a user, a session and an event take, of so many that came in no order."""
    with _site(url) as (_, storage, engine, ask):
        with bulk.postgresql(storage, engine.url) as loader:
            kinds: dict[Any, int] = {User: many, Session: many, Event: many}
            drive.run(storage.io, loader.load(kinds, people=many))
        taken = {}
        for kind in kinds:
            layout: Layout[Any] = Layout(kind, "")
            tables = [layout.name, *map(layout.side, layout.sides)]
            sizes = [ask(f"SELECT pg_total_relation_size('{table}')")[0] for table in tables]
            taken[f"{kind.__name__.lower()}_bytes"] = sum(sizes) / many
    return taken


def _busy(processes: list[int]) -> float:
    """Seconds of a processor that these processes have had."""
    return sum(int(Path(f"/proc/{one}/schedstat").read_text().split()[0]) for one in processes) / 1e9


def visits(site: Site, signed_in: Any) -> Drive:
    """Requests of the browser of a session."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK" if current_session().user_id else "403 Forbidden", [])
        return [b""]

    return wsgi(AuthMiddleware(app, site.auth), PRIVATE, site.cookie(signed_in))


def later(site: Site) -> None:
    """When each session has to be renewed."""
    assert site.clock is not None
    site.clock.advance(seconds=301)
    site.auth.guard.forget()


def work_of_one(url: sa.URL, *, people: int, rounds: int) -> dict[str, float]:
    """Microseconds of the database and of the worker, and bytes of the log, for a sign-in by a mailed code and for a renewal."""
    with _site(url) as (site, _, _, ask):
        auth = site.auth
        addresses = [f"ada{number}@example.org" for number in range(people)]

        def sign_ins() -> list[Any]:
            assert site.clock is not None
            site.clock.advance(seconds=120)
            signed_in = []
            for address in addresses:
                sent = auth.run(auth.otps.email.login_or_create(email=address))
                code = site.inbox.latest(to=address).code or ""
                call = auth.otps.authenticate(method_id=sent.email_id, code=code, session_duration_minutes=60)
                signed_in.append(auth.run(call))
            if not drive.finish(60):
                raise AssertionError("Work behind the replies did not end.")
            return signed_in

        def measured(act: Callable[[], Any]) -> tuple[float, float, float]:
            backends = ask(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            log = "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint"
            database, worker, written = _busy(backends), process_time(), ask(log)[0]
            act()
            return (
                (_busy(backends) - database) / people * 1e6,
                (process_time() - worker) / people * 1e6,
                (ask(log)[0] - written) / people,
            )

        sign_ins()
        ask("CHECKPOINT")
        first = measured(sign_ins)[2]
        signed = [measured(sign_ins) for _ in range(rounds)]
        browsers = [visits(site, one) for one in sign_ins()]
        renewed = []
        for _ in range(rounds):
            later(site)
            renewed.append(measured(lambda: [visit(1) for visit in browsers]))
    database, worker, log = (min(column) for column in zip(*signed, strict=True))
    renewal, renewing, _ = (min(column) for column in zip(*renewed, strict=True))
    return {
        "sign_in_database": database,
        "sign_in_worker": worker,
        "log_bytes": log,
        "first_log_bytes": first,
        "renewal_database": renewal,
        "renewal_worker": renewing,
    }


def bytes_of_a_copy(address: str) -> float:
    """Bytes in Redis of one session and its user, as a session cache keeps them."""
    prefix = f"authmw-bench-{uuid4().hex}"
    cache = RedisSessionCache(address, prefix=prefix)
    site = Site(session_cache=cache, clock=FixedClock())
    visit = visits(site, site.auth.run(site.signed_in()))
    later(site)
    visit(1)
    drive.finish(10)
    with Redis.from_url(address) as client:
        keys = list(client.scan_iter(f"{prefix}*"))
        taken = sum(int(client.memory_usage(key) or 0) for key in keys)
        client.delete(*keys)
    site.auth.close()
    drive.run(cache.io, cache.close())
    return taken


def measure(postgresql: str, redis: str, *, many: int = 100_000, people: int = 100, rounds: int = 5) -> Costs:
    """Every cost."""
    url = sa.make_url(postgresql)
    return Costs(
        **bytes_of_one(url, many),
        **work_of_one(url, people=people, rounds=rounds),
        copy_bytes=bytes_of_a_copy(redis),
    )


def kept() -> Costs:
    """The costs that were measured last."""
    return Costs(**json.loads(KEPT.read_text()))


def keep(costs: Costs) -> None:
    """Keep these costs, and make the tables of the document anew."""
    before = tables(kept())
    rounded = {name: round(figure, 1) for name, figure in attrs.asdict(costs).items()}
    KEPT.write_text(json.dumps(rounded, indent=2) + "\n")
    DOCUMENT.write_text(DOCUMENT.read_text().replace(before, tables(kept())))


PLANS = {
    "a tenth of those who come sign in": Assumed(),
    "all who come sign in": Assumed(sign_ins=1.0),
}


def tables(costs: Costs) -> str:
    """The two tables of the document, in Markdown."""
    measured = "\n".join(
        f"| {name.replace('_', ' ')} | {figure:,.0f} |" for name, figure in attrs.asdict(costs).items()
    )
    plans = [plan(costs, assumed) for assumed in PLANS.values()]
    rows = "\n".join(
        f"| {name} | {' | '.join(f'{one[name]:,.{0 if one[name] >= 10 else 1}f}' for one in plans)} |"
        for name in plans[0]
    )
    return (
        f"| one | cost |\n| --- | ---: |\n{measured}\n\n"
        f"| for {Assumed().people:,} people | {' | '.join(PLANS)} |\n| --- |{' ---: |' * len(plans)}\n{rows}\n"
    )


def main(arguments: list[str] | None = None) -> Costs:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__)
    parser.add_argument("--postgresql", default="postgresql+psycopg://postgres@127.0.0.1/postgres", help="an address")
    parser.add_argument("--redis", default="redis://127.0.0.1", help="an address")
    parser.add_argument("--quick", action="store_true", help="tiny work: shows that it runs, measures nothing")
    parser.add_argument("--write", action="store_true", help="keep what was measured")
    asked = parser.parse_args(arguments)
    work = {"many": 50, "people": 2, "rounds": 1} if asked.quick else {}
    costs = measure(asked.postgresql, asked.redis, **work)
    if asked.write:
        keep(costs)
    print(tables(costs))
    return costs


if __name__ == "__main__":
    main()
