"""The project that is measured: one `Auth` over a storage that counts or is slow, and a signed-in visitor."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs

from authmw import Auth, Cookies, Settings, drive
from authmw.limits import RateLimiter
from authmw.ports import Fetcher, SessionCache
from authmw.storage import Check, Write
from authmw.testing import FixedClock
from authmw_adapters.inbox import Inbox, InboxEntry
from authmw_adapters.memory import MemoryLimiter, MemoryStorage
from authmw_adapters.sqlite import SQLiteStorage

PROJECT = "project-test-00000000-0000-4000-8000-000000000000"
OTHER_COOKIES = "theme=dark; _ga=GA1.1.1234567890.1700000000; consent=eyJhIjoxLCJiIjoyfQ"


@attrs.define
class Counts:
    """What was asked of a storage."""

    reads: int = 0
    commits: int = 0
    written: int = 0
    checked: int = 0


class Counting(MemoryStorage):
    """Memory that counts what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = Counts()

    async def get(self, kind: Any, key: str) -> Any:
        self.counts.reads += 1
        return await super().get(kind, key)

    async def find(self, kind: Any, index: str, value: Any) -> Any:
        self.counts.reads += 1
        return await super().find(kind, index, value)

    async def commit(self, *writes: Write) -> None:
        checks = sum(isinstance(write, Check) for write in writes)
        self.counts.commits += 1
        self.counts.checked += checks
        self.counts.written += len(writes) - checks
        await super().commit(*writes)


class Slow(MemoryStorage):
    """Memory as far away as a database in the next building: every call takes so many seconds, half of it on the way there."""

    io = "async"

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.half = 0.0
        self._seconds = seconds

    def be_slow(self) -> None:
        """From now on."""
        self.half = self._seconds / 2

    async def get(self, kind: Any, key: str) -> Any:
        await asyncio.sleep(self.half)
        found = await super().get(kind, key)
        await asyncio.sleep(self.half)
        return found

    async def find(self, kind: Any, index: str, value: Any) -> Any:
        await asyncio.sleep(self.half)
        found = await super().find(kind, index, value)
        await asyncio.sleep(self.half)
        return found

    async def page(self, kind: Any, where: Any, **more: Any) -> Any:
        await asyncio.sleep(self.half)
        found = await super().page(kind, where, **more)
        await asyncio.sleep(self.half)
        return found

    async def commit(self, *writes: Write) -> None:
        await asyncio.sleep(self.half)
        try:
            await super().commit(*writes)
        finally:
            await asyncio.sleep(self.half)


class Site:
    """A project with one storage, an inbox and, if asked for, a clock that stands still."""

    def __init__(
        self,
        storage: Any = None,
        *,
        limiter: RateLimiter | None = None,
        clock: FixedClock | None = None,
        fetcher: Fetcher | None = None,
        session_cache: SessionCache | None = None,
        **settings: Any,
    ) -> None:
        self.storage = MemoryStorage() if storage is None else storage
        self.inbox = Inbox()
        self.clock = clock
        self.person = 0
        """Who signs in next: everybody has an address, a number and keys of their own."""
        self.begins: Callable[[], None] = lambda: None
        """Called where a sign-in begins: what came before made the factor that it is by."""
        self.auth = Auth(
            Settings(
                project_id=PROJECT,
                secret="secret-test-of-the-benches-0123456789abcdef",
                public_token="public-token-test-00000000-0000-4000-8000-000000000001",
                cookies=Cookies(secure=False),
                **settings,
            ),
            storage=self.storage,
            limiter=limiter or MemoryLimiter(),
            email=self.inbox,
            sms=self.inbox,
            fetcher=fetcher,
            session_cache=session_cache,
            clock=clock,
        )

    @property
    def address(self) -> str:
        """Of the person who signs in next."""
        return f"ada{self.person or ''}@example.org"

    async def user(self) -> str:
        """The person who signs in next, with a proved address; their id."""
        await self.auth.start()
        await self.auth.magic_links.email.login_or_create(email=self.address)
        done = await self.auth.magic_links.authenticate(token=self.token())
        self.later()
        return str(done.user_id)

    async def signed_in(self) -> Any:
        """A sign-in of a known user, by an embedded link."""
        user_id = await self.user()
        link = await self.auth.magic_links.create(user_id=user_id)
        return await self.auth.magic_links.authenticate(token=link.token, session_duration_minutes=60)

    def token(self) -> str:
        """The token of the newest link in the inbox."""
        return self._newest().links[0].split("token=")[-1]

    def code(self) -> str:
        """The newest code in the inbox."""
        return self._newest().code or ""

    def _newest(self) -> InboxEntry:
        if not drive.on_loop():  # where threads deliver behind the answer
            drive.finish(60)
        return self.inbox.entries()[0]

    def now(self) -> datetime:
        """The project's time."""
        return self.auth.core.clock.now()

    def later(self) -> None:
        """Two seconds later, where the clock stands still: the next mail to an address may leave."""
        if self.clock is not None:
            self.clock.advance(seconds=2)

    def cookie(self, signed_in: Any) -> str:
        """The Cookie header of a browser with this session and some cookies of others."""
        names = self.auth.settings.cookies
        return f"{OTHER_COOKIES}; {names.session()}={signed_in.session_token}; {names.jwt()}={signed_in.session_jwt}"


def sqlite_site(**more: Any) -> Site:
    """A project in a fresh SQLite file, as `authmw dev` has it."""
    folder = tempfile.mkdtemp(prefix="authmw-bench-")
    return Site(SQLiteStorage(Path(folder) / "bench.sqlite3"), **more)
