"""The end of an ASGI host: our work behind replies comes to its own first, whether or not the application speaks the lifespan protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import pytest

from authmw import Auth, AuthMiddleware, Settings, drive
from authmw.errors import StorageError
from authmw_adapters.memory import MemoryLimiter, MemoryStorage
from tests.world import PROJECT_ID, SECRET

Message = MutableMapping[str, Any]
LIFESPAN = {"type": "lifespan"}


async def speaks(scope: Message, receive: Callable[[], Awaitable[Message]], send: Any) -> None:
    for _ in range(2):
        await send({"type": (await receive())["type"] + ".complete"})


async def returns(scope: Message, receive: Any, send: Any) -> None:
    """Has nothing to do with any of it."""


async def raises(scope: Message, receive: Any, send: Any) -> None:
    raise ValueError("Only http.")


async def fails(scope: Message, receive: Callable[[], Awaitable[Message]], send: Any) -> None:
    await receive()
    raise ValueError("This is how the host itself fails.")


def auth(storage: MemoryStorage | None = None) -> Auth:
    settings = Settings(project_id=PROJECT_ID, secret=SECRET)
    return Auth(settings, storage=storage or MemoryStorage(), limiter=MemoryLimiter())


@pytest.mark.parametrize("app", [speaks, returns, raises])
def test_a_host_ends_when_what_runs_behind_replies_has_ended(app: Any) -> None:
    told: list[str] = []

    async def behind() -> None:
        await asyncio.sleep(0)
        told.append("done behind")
        drive.later("instant", once_more())

    async def once_more() -> None:
        await asyncio.sleep(0)
        told.append("done behind that")

    async def live() -> None:
        messages = iter(["lifespan.startup", "lifespan.shutdown"])

        async def receive() -> Message:
            kind = next(messages)
            if kind == "lifespan.shutdown":
                drive.later("instant", behind())
            return {"type": kind}

        async def send(message: Message) -> None:
            told.append(message["type"])

        await AuthMiddleware(app, auth=auth())(LIFESPAN, receive, send)

    asyncio.run(live())
    end = ["done behind", "done behind that", "lifespan.shutdown.complete"]
    assert told == ["lifespan.startup.complete", *end]


def test_an_application_that_fails_at_its_start_fails() -> None:
    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    with pytest.raises(ValueError, match="the host itself"):
        asyncio.run(AuthMiddleware(fails, auth=auth())(LIFESPAN, receive, receive))


def test_work_that_does_not_end_holds_nobody_up_for_ever() -> None:
    async def live() -> bool:
        drive.later("instant", asyncio.Event().wait())  # type: ignore[arg-type]
        return await drive.finished(0.01)

    assert asyncio.run(live()) is False


def test_a_host_that_begins_while_storage_is_away_begins(caplog: pytest.LogCaptureFixture) -> None:
    """It says 503 until storage is there, as a host that was there before does."""

    class Away(MemoryStorage):
        io: Any = "async"
        away = True

        async def prepare(self, kinds: Any) -> None:
            if self.away:
                raise StorageError("away")
            await super().prepare(kinds)

    async def ask(middleware: AuthMiddleware) -> int:
        told: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b""}

        async def send(message: Message) -> None:
            told.append(message)

        scope = {"type": "http", "method": "GET", "path": f"/auth/v1/sessions/jwks/{PROJECT_ID}", "query_string": b""}
        await middleware({**scope, "headers": [], "client": ("127.0.0.1", 1)}, receive, send)
        return int(told[0]["status"])

    async def live() -> list[int]:
        storage = Away()
        middleware = AuthMiddleware(speaks, auth=auth(storage))
        messages = iter(["lifespan.startup", "lifespan.shutdown"])
        answers: list[int] = []

        async def receive() -> Message:
            kind = next(messages)
            if kind == "lifespan.shutdown":
                answers.append(await ask(middleware))
                storage.away = False
                answers.append(await ask(middleware))
            return {"type": kind}

        async def send(message: Message) -> None:
            assert message["type"].endswith(".complete")

        await middleware(LIFESPAN, receive, send)
        return answers

    assert asyncio.run(live()) == [503, 200]
    assert [record.message for record in caplog.records] == ["storage_not_ready"]
