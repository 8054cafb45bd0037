"""A whole host that the workers of a server import: `asgi` for Starlette, `wsgi` for Flask, `auth` for the commands.

Law: it is told by its environment and by files in its home folder what database it has, what time it is and when to wait, so that no test ever sleeps.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flask
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import authmw.clock
from authmw import Auth, AuthMiddleware, Cookies, Settings, current_session, require_session
from authmw.hosts.flask import install
from authmw.ports import EmailMessage, PhoneMessage
from authmw.settings import SessionRules
from authmw_adapters.sqlalchemy import (
    AsyncSQLAlchemyLimiter,
    AsyncSQLAlchemyStorage,
    SQLAlchemyLimiter,
    SQLAlchemyStorage,
)
from tests.world import PROJECT_ID, PUBLIC_TOKEN, SECRET, URL

HOME = Path(os.environ["AUTHMW_TEST_HOME"])
DATABASE = os.environ["AUTHMW_TEST_DATABASE"]
CHOSEN: dict[str, Any] = json.loads(os.environ.get("AUTHMW_TEST_CHOSEN", "{}"))
"""What a test chose: `exact` revocation, `skew` of this process's clock in seconds, whether the master `works_first` before it forks, whether processes tell each other by `notices`."""


def ahead() -> float:
    """By how many seconds the test has moved the time, for every process at once."""
    return float((HOME / "ahead").read_text())


class ToldClock:
    """Stands at a moment for all processes, as far ahead as the test has moved it and as wrong as this process is told to be; in a soak it runs."""

    def now(self) -> datetime:
        begun = datetime.now(UTC) if CHOSEN.get("runs") else datetime.fromisoformat((HOME / "moment").read_text())
        return begun + timedelta(seconds=ahead() + CHOSEN.get("skew", 0))


authmw.clock.time = SimpleNamespace(monotonic=lambda: time.monotonic() + ahead())  # type: ignore[assignment]


def say(file: str, **facts: Any) -> None:
    """Append a line to a file of the home folder, whole even where many processes write."""
    line = json.dumps({"pid": os.getpid(), **facts}).encode() + b"\n"
    descriptor = os.open(HOME / file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        assert os.write(descriptor, line) == len(line)
    finally:
        os.close(descriptor)


def wait_at(gate: str) -> None:
    """Where there is a gate (a named pipe) of this name, say so and wait until the test opens it."""
    if (HOME / gate).exists():
        say("waiting", gate=gate)
        # Opened without waiting for a writer: one that was there a moment ago may be gone, and another never comes.
        try:
            pipe = os.open(HOME / gate, os.O_RDONLY | os.O_NONBLOCK)
        except FileNotFoundError:
            return
        os.set_blocking(pipe, True)
        os.read(pipe, 1)
        os.close(pipe)


class Carrier:
    """Takes messages: one line each in the file `sent`."""

    io = "blocking"

    async def send(self, message: EmailMessage | PhoneMessage) -> None:
        say("begun", to=message.to, message_id=message.message_id)
        wait_at("carrier")
        link = getattr(message, "links", ())
        say("sent", to=message.to, code=message.code, link=link[0] if link else None, message_id=message.message_id)


def make() -> Auth:
    """An `Auth` on the test's database."""
    settings = Settings(
        project_id=PROJECT_ID,
        secret=SECRET,
        public_token=PUBLIC_TOKEN,
        public_url=URL,
        claim_roots=True,
        cookies=Cookies(secure=False),
        sessions=SessionRules(exact_revocation=CHOSEN.get("exact", False)),
    )
    # Each worker keeps few connections, for the server is shared by all tests.
    pool: dict[str, Any] = {} if DATABASE.startswith("sqlite") else {"pool_size": 2, "max_overflow": 4}
    ports: dict[str, Any]
    if "asyncpg" in DATABASE:
        ports = {
            "storage": AsyncSQLAlchemyStorage(DATABASE, **pool),
            "limiter": AsyncSQLAlchemyLimiter(DATABASE, **pool),
        }
    else:
        ports = {"storage": SQLAlchemyStorage(DATABASE, **pool), "limiter": SQLAlchemyLimiter(DATABASE, **pool)}
    if CHOSEN.get("redis"):
        from authmw_adapters.redis import RedisLimiter

        ports["limiter"] = RedisLimiter(CHOSEN["redis"])
    if CHOSEN.get("notices"):
        from authmw_adapters.postgresql_notices import PostgreSQLNotices

        ports["notices"] = PostgreSQLNotices(DATABASE)
    return Auth(settings, **ports, email=Carrier(), sms=Carrier(), clock=ToldClock())


def register() -> None:
    """Let the test know that this process serves."""
    (HOME / "workers" / str(os.getpid())).touch()


auth = make()
if CHOSEN.get("works_first"):
    # A master that used its connections, made keys and began threads before it forks.
    auth.run(auth.start())
    auth.run(auth.keys.active())
    auth.run(auth.users.create(email="master@example.org"))


@require_session
def _who() -> dict[str, Any]:
    return {"pid": os.getpid(), "user_id": current_session().user_id}


def _pid() -> dict[str, Any]:
    return {"pid": os.getpid()}


def _state() -> dict[str, Any]:
    """What this process holds."""
    status = Path("/proc/self/status").read_text()
    tasks = len(asyncio.all_tasks()) if asyncio._get_running_loop() else 0
    return {
        **_pid(),
        "files": len(list(Path("/proc/self/fd").iterdir())),
        "threads": threading.active_count(),
        "tasks": tasks,
        "kilobytes": int(status.partition("VmRSS:")[2].split()[0]),
    }


def _slow() -> dict[str, Any]:
    wait_at("view")
    return _pid()


async def _create() -> dict[str, Any]:
    return {
        "user_id": (await auth.users.create(email=f"made-by-{os.getpid()}-{time.monotonic_ns()}@example.org")).user_id
    }


async def who(request: Request) -> JSONResponse:
    return JSONResponse(_who())


async def pid(request: Request) -> JSONResponse:
    return JSONResponse(_pid())


async def state(request: Request) -> JSONResponse:
    return JSONResponse(_state())


def slow(request: Request) -> JSONResponse:
    return JSONResponse(_slow())


async def create(request: Request) -> JSONResponse:
    return JSONResponse(await _create())


@asynccontextmanager
async def living(app: Starlette) -> AsyncIterator[None]:
    register()
    yield


asgi = Starlette(
    lifespan=living,
    routes=[
        Route("/who", who),
        Route("/pid", pid),
        Route("/slow", slow),
        Route("/state", state),
        Route("/create", create),
    ],
    middleware=[Middleware(AuthMiddleware, auth=auth)],
)
wsgi = flask.Flask(__name__)
wsgi.add_url_rule("/who", view_func=_who, endpoint="who")
wsgi.add_url_rule("/pid", view_func=_pid, endpoint="pid")
wsgi.add_url_rule("/state", view_func=_state, endpoint="state")
wsgi.add_url_rule("/slow", view_func=_slow, endpoint="slow")
wsgi.add_url_rule("/create", view_func=lambda: auth.run(_create()), endpoint="create")
install(wsgi, auth)
if os.environ.get("AUTHMW_TEST_SERVER", "").endswith(("sync", "gthread")):
    register()
    os.register_at_fork(after_in_child=register)
