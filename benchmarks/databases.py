"""`python -m benchmarks.databases`: sign-ins a second on each database, beside a loop that has its driver make the same commits and nothing else.

What the sign-ins say to their database is written down, and said again to another database in the same state by the driver alone. So the same rows change in the same
transactions, and what is left is the work of authmw: reading what it decides by, deciding, sealing, signing the JWT. One, two and four processes do so at once, each with people
and connections of its own: the loop shows what the database takes when it is kept busy, which one caller, who waits for each answer, does not.

What the figures mean depends on where they are measured. A database is kept busy by as many processes as it takes, each on a processor of its own; then the limit is the database's,
and sign-ins come as near to it as the work that it does for each is to its work for their commits alone. That ratio, `server, times`, is the figure that holds elsewhere too: at
1.25 sign-ins reach 80 % of the limit, whatever the number of their processes. On a machine of two processors, which clients and server share, the sign-ins spend on their own
work (`ours, ms`) what the server could have had, so their `share` of the loop's rate there says how much that is, and nothing about the database.

Processor times count what was done, so a busy machine changes them little; rates are those of a quiet one, or nothing. Each figure is the best of the rounds, which
alternate. SQLite works in the process that calls it, so what it does stands among `ours` and `alone`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection
from time import perf_counter, process_time
from typing import Any

import attrs

from authmw import drive
from authmw.testing import FixedClock
from benchmarks.hearing import Heard, Said, changes
from benchmarks.places import Database, Kind, Served, kinds, say_all
from benchmarks.processes import spawned
from benchmarks.site import Site

PROCESSES = (1, 2, 4)
COLUMNS = (
    "sign-ins a second",
    "commits alone",
    "share",
    "server, ms",
    "server alone, ms",
    "server, times",
    "ours, ms",
    "alone, ms",
)


class Race:
    """Sign-ins by a mailed code on one database, and what they said on another in the same state."""

    def __init__(self, stack: ExitStack, database: Database, other: Database, addresses: Sequence[str]) -> None:
        self._heard, self._addresses = Heard(), addresses
        with other.adapters() as (storage, limiter):
            Site(storage, limiter=limiter)  # which makes its tables
            drive.run(limiter.io, limiter.prepare())
        self._alone = stack.enter_context(other.driver())
        stack.enter_context(self._heard.listening())
        storage, limiter = stack.enter_context(database.adapters())
        self._site = Site(storage, limiter=limiter, clock=FixedClock())
        drive.run(limiter.io, limiter.prepare())
        self._heard.taken()
        self._calls: list[Any] = []
        self.said: list[Said] = []
        """What the last sign-ins said."""
        for act in (self.prepare, self.ours, self.alone):  # in which the addresses become people, and keys are made
            act()

    def prepare(self) -> None:
        """Have a code mailed to each."""
        auth, inbox = self._site.auth, self._site.inbox
        assert self._site.clock is not None
        self._site.clock.advance(seconds=120)
        before = len(inbox.entries())
        methods = [auth.run(auth.otps.email.login_or_create(email=one)).email_id for one in self._addresses]
        if not drive.finish(60) or len(inbox.entries()) < before + len(methods):
            raise AssertionError("A code was not mailed.")
        codes = {entry.to: entry.code for entry in reversed(inbox.entries())}
        self._calls = [
            auth.otps.authenticate(method_id=method, code=codes[one] or "", session_duration_minutes=60)
            for method, one in zip(methods, self._addresses, strict=True)
        ]
        say_all(self._alone, self._heard.taken())

    def ours(self) -> None:
        """Sign everybody in."""
        for call in self._calls:
            self._site.auth.run(call)
        self.said = self._heard.taken()

    def alone(self) -> None:
        """Have the driver make the same commits."""
        say_all(self._alone, list(changes(self.said)))


def _work(orders: Connection, database: Database, other: Database, addresses: Sequence[str]) -> None:
    """A process of its own: does what it is told, and says how long it was on a processor for that."""
    with ExitStack() as stack:
        race = Race(stack, database, other, addresses)
        orders.send(0.0)
        while True:
            order = orders.recv()
            act: Callable[[], None] = getattr(race, order)
            began = process_time()
            act()
            orders.send(process_time() - began)


@attrs.frozen
class Took:
    """Seconds: of the clock, of the server on its processors, and of all processes on theirs."""

    clock: float
    server: float | None
    ours: float


class Crowd:
    """Processes that sign people in at once on one database, and repeat it on another."""

    def __init__(self, stack: ExitStack, kind: Kind, processes: int, people: int) -> None:
        place, other = stack.enter_context(kind.made()), stack.enter_context(kind.made())
        self._served = {"ours": Served(kind, place, stack), "alone": Served(kind, other, stack)}
        # One after the other: the first makes the tables and the keys.
        self._orders = [
            _begun(stack, place, other, [f"ada{number}.{one}@example.org" for one in range(people)])
            for number in range(processes)
        ]

    def round(self) -> dict[str, Took]:
        """Everybody signs in once, and then the driver makes the same commits."""
        self._all("prepare")
        return {order: self._timed(order) for order in ("ours", "alone")}

    def _timed(self, order: str) -> Took:
        served = self._served[order]
        before = served.seconds()
        began = perf_counter()
        ours = self._all(order)
        clock = perf_counter() - began
        after = served.seconds()
        return Took(clock, None if before is None or after is None else after - before, ours)

    def _all(self, order: str) -> float:
        for orders in self._orders:
            orders.send(order)
        return sum(orders.recv() for orders in self._orders)


def _begun(stack: ExitStack, database: Database, other: Database, addresses: list[str]) -> Connection:
    orders = stack.enter_context(spawned(_work, database, other, addresses))
    orders.recv()
    return orders


def sign_ins(kind: Kind, processes: int, *, people: int = 20, rounds: int = 5) -> dict[str, float]:
    """What so many processes reach at once, and the loop in as many."""
    with ExitStack() as stack:
        crowd = Crowd(stack, kind, processes, people)
        taken = [crowd.round() for _ in range(rounds)]
    many = processes * people
    ours, alone = (best([one[order] for one in taken]) for order in ("ours", "alone"))
    figures = {
        "sign-ins a second": many / ours.clock,
        "commits alone": many / alone.clock,
        "share": alone.clock / ours.clock,
        "ours, ms": ours.ours / many * 1000,
        "alone, ms": alone.ours / many * 1000,
    }
    if ours.server is not None and alone.server is not None:
        figures["server, ms"] = ours.server / many * 1000
        figures["server alone, ms"] = alone.server / many * 1000
        figures["server, times"] = ours.server / alone.server
    return {column: figures[column] for column in COLUMNS if column in figures}


def best(taken: list[Took]) -> Took:
    """The least of each, since what else the machine does only ever adds."""
    served = [one.server for one in taken if one.server is not None]
    return Took(
        min(one.clock for one in taken),
        min(served) if len(served) == len(taken) else None,
        min(one.ours for one in taken),
    )


def main(arguments: list[str] | None = None) -> dict[str, dict[str, float]]:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.databases", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny work: shows that it runs, measures nothing")
    parser.add_argument("--postgresql", default="postgresql+psycopg://postgres@127.0.0.1/postgres", help="an address")
    parser.add_argument("--mariadb", default="mariadb+pymysql://root@127.0.0.1/mysql", help="an address")
    parser.add_argument("--redis", default="redis://127.0.0.1", help="an address")
    chosen = parser.parse_args(arguments)
    work: dict[str, int] = {"people": 2, "rounds": 1} if chosen.quick else {}
    figures: dict[str, dict[str, float]] = {}
    print(f"{'':40}" + "".join(f"{column:>18}" for column in COLUMNS))
    for name, kind in kinds(chosen.postgresql, chosen.mariadb, chosen.redis).items():
        for processes in PROCESSES[:2] if chosen.quick else PROCESSES:
            row = f"{name}, {processes} process" + ("es" if processes > 1 else "")
            figures[row] = sign_ins(kind, processes, **work)
            print(f"{row:40}" + "".join(_cell(figures[row].get(column)) for column in COLUMNS), flush=True)
    return figures


def _cell(figure: float | None) -> str:
    return f"{'-' if figure is None else f'{figure:.2f}':>18}"


if __name__ == "__main__":
    main()
