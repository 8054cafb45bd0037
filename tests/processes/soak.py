"""`make soak`: mixed traffic for as long as it is told, while the database, a worker of the host and the worker of messages are killed in turn.

At the end the books are compared with the database: nothing that was acknowledged is lost, nothing is there twice, and the process that lived through all of it holds
no more files, threads and tasks than at the beginning, and hardly more memory. It prints a few lines, writes JSON on request, and exits with 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import attrs
import sqlalchemy as sa

from tests.processes.hosting import LONGEST, ROOT, Home, Host, hosted, until
from tests.processes.own_servers import Own, own_server
from tests.processes.traffic import Traffic

MORE_FILES, MORE_THREADS, MORE_TASKS, MORE_MEGABYTES = 8, 8, 8, 48
"""By how much a process may have grown: what connections in use and caches come to. A leak grows with the traffic and passes any of them."""


@attrs.define(eq=False)
class Soak:
    """One run."""

    home: Home
    own: Own
    host: Host
    traffic: Traffic
    messenger: subprocess.Popen[bytes]
    elder: int
    """The process that is never killed."""
    restarts: Counter[str] = attrs.field(factory=Counter)
    recovery: list[float] = attrs.field(factory=list)
    """Seconds from a database that answers to the first acknowledged call."""

    def kill_the_database(self) -> None:
        self.own.kill()
        self.traffic.is_refused()
        self.own.start()
        began = time.monotonic()
        self.traffic.goes_on(1)
        self.recovery.append(round(time.monotonic() - began, 2))

    def kill_a_worker(self) -> None:
        before = self.host.workers()
        victim = next(worker for worker in before if worker != self.elder)
        os.kill(victim, signal.SIGKILL)
        until(lambda: victim not in self.host.workers() and len(self.host.workers()) == len(before), "a new worker")

    def restart_the_messenger(self) -> None:
        self.messenger.send_signal(signal.SIGTERM)
        assert self.messenger.wait(LONGEST) == 0
        self.messenger = messenger(self.home)

    first: dict[str, int] = attrs.field(factory=dict)
    """What the elder held when it had warmed up."""

    def run(self, seconds: float) -> None:
        """Kill one after the other for so long."""
        acts = (self.kill_the_database, self.kill_a_worker, self.restart_the_messenger)
        latest = time.monotonic() + seconds
        between = min(60.0, seconds / 8)
        self.traffic.goes_on(60)
        self.first = self.held()
        turn = 0
        while time.monotonic() < latest:
            act = acts[turn % len(acts)]
            act()
            self.restarts[act.__name__] += 1
            self.traffic.goes_on(20)
            self.traffic.stop.wait(max(0.0, min(between, latest - time.monotonic())))
            turn += 1

    def held(self) -> dict[str, int]:
        state: dict[str, int] = self.host.ask("GET", "/state", of=self.elder).json
        return state

    def report(self) -> dict[str, Any]:
        """What came of it, once the clients have ended."""
        before = self.home.said("sent")
        # What is due by now leaves; what a killed process had in hands does after its claim.
        self.home.later(121)
        until(lambda: self.waiting() == 0, "an empty outbox")
        sent = Counter(one["message_id"] for one in self.home.said("sent"))
        late = self.traffic.mailed - {one["to"] for one in before}
        reached = {one["to"] for one in self.home.said("sent")}
        last = self.held()
        report = self.traffic.books(self.home.database)
        report["mails"] = len(self.traffic.mailed)
        report["mails_lost"] = len(self.traffic.mailed - reached)
        report["mails_late"] = len(late)
        report["mails_sent_again"] = sum(count - 1 for count in sent.values())
        report["restarts"] = dict(self.restarts)
        report["recovery_seconds"] = max(self.recovery, default=0.0)
        report["answers"] = {str(status): count for status, count in sorted(self.traffic.statuses.items())}
        report["grown"] = {
            **{name: last[name] - self.first[name] for name in ("files", "threads", "tasks")},
            "megabytes": round((last["kilobytes"] - self.first["kilobytes"]) / 1024, 1),
        }
        report["odd"] = self.traffic.odd[:3]
        return report

    def waiting(self) -> int:
        engine = sa.create_engine(self.home.database.replace("+asyncpg", "+psycopg"))
        with engine.connect() as connection:
            count = connection.execute(sa.text("SELECT count(*) FROM outgoing")).scalar_one()
        engine.dispose()
        return int(count)


def messenger(home: Home) -> subprocess.Popen[bytes]:
    """`authmw worker`."""
    with (home.folder / "messenger.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "authmw.cli", "worker"],
            cwd=ROOT,
            env=home.environment(runs=True),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def faults(report: dict[str, Any]) -> list[str]:
    """What is wrong, in a few words each."""
    wrong = [name for name in ("lost", "doubled", "revived", "undocumented", "mails_lost") if report[name]]
    most = {"files": MORE_FILES, "threads": MORE_THREADS, "tasks": MORE_TASKS, "megabytes": MORE_MEGABYTES}
    return wrong + [f"leaked {name}" for name, bound in most.items() if report["grown"][name] > bound]


def soak(seconds: float) -> dict[str, Any]:
    """A run with servers of its own."""
    with own_server("postgresql") as own, tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder), own.url("postgresql-asyncpg"))
        with hosted(home, "uvicorn", workers=2, runs=True) as host:
            behind = messenger(home)
            run = Soak(home, own, host, Traffic(host, mails=True), behind, host.workers()[0])
            try:
                with run.traffic.running():
                    run.run(seconds)
                report = run.report()
                code, said = host.stop()
            finally:
                run.messenger.terminate()
                run.messenger.wait(LONGEST)
        report["ended_well"] = code == 0 and "Traceback" not in said
    return report


def main() -> None:
    """Run, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    report = {"minutes": asked.minutes, **soak(asked.minutes * 60)}
    wrong = faults(report) + ([] if report["ended_well"] else ["the host did not end well"])
    if asked.json:
        asked.json.write_text(json.dumps({**report, "wrong": wrong}, indent=2) + "\n")
    print(f"{report['acknowledged']} acknowledged commits in {asked.minutes:g} minutes; restarts: {report['restarts']}")
    print(f"lost {report['lost']}, doubled {report['doubled']}, ended sessions that came back {report['revived']}")
    print(
        f"mails {report['mails']}, lost {report['mails_lost']}, late {report['mails_late']}, sent again {report['mails_sent_again']}"
    )
    print(f"first answer after a restart of the database: {report['recovery_seconds']} s at most")
    print(f"answers: {report['answers']}; undocumented: {report['undocumented']} {report['odd'] or ''}")
    print(f"the process that lived through it grew by {report['grown']}")
    print("well" if not wrong else f"WRONG: {', '.join(wrong)}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
