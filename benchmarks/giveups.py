"""Deterministic in what must come out: nobody gives up although all want the same record at once, over a store of some milliseconds per call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any

from authmw.errors import Refused
from benchmarks.site import Site, Slow


async def _given_up(calls: Iterable[Awaitable[Any]]) -> int:
    """How many of the calls were refused because storage stayed contended; any other failure is raised."""
    failures = 0
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(outcome, Refused) and outcome.error_type == "server_unavailable":
            failures += 1
        elif isinstance(outcome, BaseException):
            raise outcome
    return failures


async def authenticates(seconds: float, many: int = 32) -> int:
    """Parallel authenticates with a duration on one session."""
    site = Site(Slow(seconds))
    signed_in = await site.signed_in()
    site.storage.be_slow()
    call = site.auth.sessions.authenticate
    return await _given_up(
        call(session_token=signed_in.session_token, session_duration_minutes=120) for _ in range(many)
    )


async def updates(seconds: float, many: int = 32) -> int:
    """Parallel updates of one user."""
    site = Site(Slow(seconds))
    user_id = await site.user()
    site.storage.be_slow()
    call = site.auth.users.update
    return await _given_up(
        call(user_id=user_id, trusted_metadata={f"key{number % 16}": number}) for number in range(many)
    )


async def sign_ins_during_updates(seconds: float, sign_ins: int = 100, many: int = 50) -> int:
    """Sign-ins of one user while its profile is written."""
    site = Site(Slow(seconds))
    user_id = await site.user()
    links = [await site.auth.magic_links.create(user_id=user_id) for _ in range(sign_ins)]
    await site.auth.keys.active()
    site.storage.be_slow()
    calls: list[Awaitable[Any]] = [
        site.auth.magic_links.authenticate(token=link.token, session_duration_minutes=60) for link in links
    ]
    calls += [site.auth.users.update(user_id=user_id, trusted_metadata={"key": n}) for n in range(many)]
    return await _given_up(calls)


async def give_ups(seconds: float = 0.005, *, share: float = 1.0) -> dict[str, int]:
    """The three figures, by what was tried."""
    some = lambda number: max(2, int(number * share))  # noqa: E731
    return {
        f"{some(32)} authenticates with a duration on one session": await authenticates(seconds, some(32)),
        f"{some(32)} updates of one user": await updates(seconds, some(32)),
        f"{some(100)} sign-ins of one user during {some(50)} updates": await sign_ins_during_updates(
            seconds, some(100), some(50)
        ),
    }
