"""Processes that end while something is under way: nothing is lost, nothing is sent twice, nobody complains."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.processes.homes import new_home
from tests.processes.hosting import BACKEND, LONGEST, ROOT, Home, hosted, until
from tests.servers import Machine
from tests.world import URL

pytestmark = [pytest.mark.server("postgresql"), pytest.mark.xdist_group("ending")]
SERVERS = {"uvicorn": True, "gunicorn-asgi": False, "gunicorn-sync": False, "gunicorn-gthread": True}
"""Each server, and whether its storage is asynchronous."""


def rows(home: Home, table: str) -> int:
    """How many records of a kind there are."""
    engine = sa.create_engine(home.database.replace("+asyncpg", "+psycopg"))
    with engine.connect() as connection:
        count = connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one()
    engine.dispose()
    return int(count)


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_that_is_told_to_end_answers_what_it_was_asked_and_sends_what_was_to_be_sent(
    server: str, machine: Machine, tmp_path: Path
) -> None:
    with (
        new_home(machine, tmp_path, asynchronous=SERVERS[server]) as home,
        hosted(home, server, workers=2) as host,
        home.gate("carrier") as carry,
        home.gate("view") as show,
    ):
        one, other = host.workers()
        answers: dict[str, Any] = {}

        def ask(name: str, *arguments: Any, **named: Any) -> threading.Thread:
            thread = threading.Thread(target=lambda: answers.update({name: host.ask(*arguments, **named)}))
            thread.start()
            return thread

        # A browser is answered before its mail leaves; a backend waits for it; a view of the host's own takes long.
        behind = host.browser("/sdk/v1/otps/email/login_or_create", {"email": "behind@example.org"}, of=one, origin=URL)
        assert behind.status == 200
        until(lambda: len(home.said("waiting")) == 1, "a mail on its way")
        code = {"email": "waited@example.org"}
        threads = [ask("backend", "POST", "/v1/otps/email/login_or_create", code, of=other, **BACKEND)]
        until(lambda: len(home.said("waiting")) == 2, "another mail on its way")
        if server not in ("gunicorn-sync",):
            threads.append(ask("view", "GET", "/slow", of=other))
            until(lambda: len(home.said("waiting")) == 3, "a view")
        host.process.send_signal(signal.SIGTERM)
        carry()
        show()
        for thread in threads:
            thread.join(LONGEST)
        assert {name: answer.status for name, answer in answers.items()} == dict.fromkeys(answers, 200)
        assert len(answers) == len(threads)
        assert host.ended() == (0, "")
        assert sorted(one["to"] for one in home.said("sent")) == ["behind@example.org", "waited@example.org"]
        assert rows(home, "outgoing") == 0
        # A call that ended is in the log, also where that was noted only behind it.
        assert rows(home, "events") >= 2


@contextmanager
def working(home: Home, **chosen: Any) -> Iterator[subprocess.Popen[str]]:
    """`authmw worker` on the host's `Auth`."""
    command = [sys.executable, "-u", "-m", "authmw.cli", "worker"]
    with subprocess.Popen(
        command, cwd=ROOT, env=home.environment(**chosen), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def committed(home: Home, count: int, prefix: str) -> None:
    """So many messages that no process has in hands, as those of a host's own transaction."""
    code = f"""
import sqlalchemy as sa
from tests.processes.host import DATABASE, auth
auth.run(auth.start())
engine = sa.create_engine(DATABASE)
for number in range({count}):
    with engine.begin() as connection, auth.within(connection):
        auth.run(auth.otps.email.login_or_create(email=f"{prefix}-{{number}}@example.org"))
auth.close()
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=home.environment(), check=True, timeout=LONGEST)


def ends_well(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    said, complained = process.communicate(timeout=LONGEST)
    assert (process.returncode, complained) == (0, "")
    assert said.endswith("The worker has stopped.\n")


def test_workers_share_the_outbox_and_what_a_killed_one_had_in_hands_another_sends(
    machine: Machine, tmp_path: Path
) -> None:
    with new_home(machine, tmp_path) as home, ExitStack() as stack:
        committed(home, 60, "shared")
        workers = [stack.enter_context(working(home)) for _ in range(3)]
        until(lambda: len(home.said("sent")) >= 60 and rows(home, "outgoing") == 0, "an empty outbox")
        assert Counter(one["to"] for one in home.said("sent")) == {f"shared-{n}@example.org": 1 for n in range(60)}
        with home.gate("carrier") as carry:
            committed(home, 1, "killed")
            until(lambda: home.said("waiting"), "a message in the hands of a worker")
            taker = home.said("waiting")[0]["pid"]
            next(worker for worker in workers if worker.pid == taker).kill()
            carry()
        rest = [worker for worker in workers if worker.pid != taker]
        # Another, whose clock is a minute and a half ahead, leaves it alone for as long as its taker may have it in hands.
        early = stack.enter_context(working(home, skew=89))
        home.later(30)
        committed(home, 1, "fresh")
        until(lambda: any(one["to"] == "fresh-0@example.org" for one in home.said("sent")), "a fresh message")
        assert not any(one["to"] == "killed-0@example.org" for one in home.said("sent"))
        home.later(91)
        until(lambda: rows(home, "outgoing") == 0, "an empty outbox")
        assert Counter(one["to"] for one in home.said("sent"))["killed-0@example.org"] == 1
        for worker in (*rest, early):
            ends_well(worker)


def test_a_worker_that_is_told_to_end_again_and_again_ends(machine: Machine, tmp_path: Path) -> None:
    """A signal may come at any moment, also while the one before is being answered."""
    with new_home(machine, tmp_path) as home, working(home) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "The worker runs.\n"
        for _ in range(3000):
            # Python answers one at a time, so many come while another is being answered.
            worker.send_signal(signal.SIGTERM)
        said, complained = worker.communicate(timeout=LONGEST)
        assert (said, complained) == ("The worker has stopped.\n", "")
        # One that comes when Python has handed its signals back ends what is over anyway.
        assert worker.returncode in {0, -signal.SIGTERM}


def test_a_worker_that_is_told_to_end_finishes_its_round(machine: Machine, tmp_path: Path) -> None:
    with new_home(machine, tmp_path) as home:
        committed(home, 5, "round")
        with home.gate("carrier") as carry, working(home) as worker:
            until(lambda: home.said("waiting"), "a message in the hands of the worker")
            worker.send_signal(signal.SIGTERM)
            carry()
            ends_well(worker)
        assert Counter(one["to"] for one in home.said("sent")) == {f"round-{n}@example.org": 1 for n in range(5)}
        assert rows(home, "outgoing") == 0
