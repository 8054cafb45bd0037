"""FastAPI: what a service needs around sign-in. A table of its own that follows the people, a probe, and the work behind replies in the same process."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncGenerator

from fastapi import FastAPI
from fastapi.responses import JSONResponse

from authmw import Auth, AuthMiddleware, Change, Cookies, Settings
from authmw_adapters.console import ConsoleEmailSender
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage

settings = Settings(
    project_id="project-test-1", secret="a-secret-of-your-own", cookies=Cookies(secure=False), claim_roots=True
)
auth = Auth(settings, storage=SQLiteStorage("app.db"), limiter=SQLiteLimiter("app.db"), email=ConsoleEmailSender())


def table() -> sqlite3.Connection:
    rows = sqlite3.connect("people.db")
    rows.execute("CREATE TABLE IF NOT EXISTS people (id TEXT PRIMARY KEY, version INTEGER, first_name TEXT)")
    return rows


@auth.on("*.user.*")
def follow(change: Change) -> None:
    """Told at least once, and of one person in order: what is not newer than the row changes nothing."""
    with contextlib.closing(table()) as rows, rows:
        if change.object is None:
            rows.execute("DELETE FROM people WHERE id = ?", (change.id,))
            return
        rows.execute(
            "INSERT INTO people VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET version = excluded.version, "
            "first_name = excluded.first_name WHERE excluded.version > people.version",
            (change.id, change.version, change.object["name"]["first_name"]),
        )


async def work_behind() -> None:
    """What `authmw worker` does in a process of its own; enough for a service of one process."""
    while True:
        if not await auth.work():
            await asyncio.sleep(1)


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    worker = asyncio.create_task(work_behind())
    yield
    worker.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await worker


app = FastAPI(lifespan=lifespan)
app.add_middleware(AuthMiddleware, auth=auth)


@app.get("/healthz")
async def healthz() -> JSONResponse:
    health = await auth.health()
    return JSONResponse({"healthy": health.healthy}, 200 if health.healthy else 503)


@app.get("/people")
def people() -> list[str]:
    with contextlib.closing(table()) as rows:
        return [name for (name,) in rows.execute("SELECT first_name FROM people ORDER BY first_name")]
