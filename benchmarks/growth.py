"""What does not grow with the number of people: work by key, and a search by address, over a SQLite file with more and more of them; and what a live session takes in memory.

People and sessions are loaded in bulk, without syncing, and measured as a host meets them. Sizes are measured in rounds that alternate.
"""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import timedelta
from time import process_time
from typing import Any

import attrs

from authmw.people.records import Session, User
from authmw.signin.sessions import derive_token, with_new_secret
from authmw.storage import Insert, Write
from authmw.testing import FixedClock
from authmw_adapters.memory import MemoryStorage
from benchmarks.clients import Drive, microseconds
from benchmarks.site import Site, sqlite_site

SIZES = (1_000, 10_000, 100_000)
WORKS = ("a session by its token", "a user by id", "a user by address, searched", "a link made and a sign-in by it")
PER_COMMIT = 5
"""People in one commit, each with a session: a commit takes twenty records."""


def _address(number: int) -> str:
    return f"person{number}@example.org"


async def _people(site: Site, many: int) -> Iterator[list[Write]]:
    """So many people like one who came by the door, each with an address and a session."""
    signed_in = await site.signed_in()
    user = await site.storage.get(User, signed_in.user_id)
    session = await site.storage.get(Session, signed_in.session.session_id)
    assert user is not None
    assert session is not None
    roots, now = site.auth.core.roots, site.auth.core.clock.now()
    session = attrs.evolve(session, version=0, expires_at=now + timedelta(days=365))

    def person(number: int) -> list[Write]:
        suffix = f"{number:012d}"
        emails = [attrs.evolve(user.emails[0], email_id=f"email-test-{suffix}", address=_address(number))]
        made = attrs.evolve(user, id=f"user-test-{suffix}", version=0, emails=tuple(emails))
        theirs = attrs.evolve(session, session_id=f"session-test-{suffix}", subject_id=made.id, digest="")
        return [Insert(made), Insert(with_new_secret(roots, theirs, now))]

    def commits() -> Iterator[list[Write]]:
        for first in range(0, many, PER_COMMIT):
            numbers = range(first, min(many, first + PER_COMMIT))
            yield [write for number in numbers for write in person(number)]

    return commits()


async def filled(site: Site, many: int) -> Site:
    """The site with so many people more."""
    for writes in await _people(site, many):
        await site.storage.commit(*writes)
    return site


async def _works(site: Site, many: int) -> dict[str, Callable[[], Any]]:
    middle = many // 2
    session = await site.storage.get(Session, f"session-test-{middle:012d}")
    assert session is not None
    token = derive_token(site.auth.core.roots, session)
    found: dict[str, Any] = {"filter_name": "email_address", "filter_value": [_address(middle)]}
    query: Any = {"operator": "AND", "operands": [found]}
    auth, now = site.auth, site.auth.core.clock.now()
    calls: tuple[Callable[[], Any], ...] = (
        lambda: auth.guard._renewed(token or "", now),
        lambda: auth.users.get(user_id=f"user-test-{middle:012d}"),
        lambda: auth.users.search(query=query),
        lambda: _sign_in(site, f"user-test-{middle:012d}"),
    )
    return dict(zip(WORKS, calls, strict=True))


async def _sign_in(site: Site, user_id: str) -> None:
    link = await site.auth.magic_links.create(user_id=user_id)
    await site.auth.magic_links.authenticate(token=link.token, session_duration_minutes=60)


def grown(loop: asyncio.AbstractEventLoop, *, sizes: tuple[int, ...] = SIZES, times: int = 40, rounds: int = 15) -> Any:
    """By work: microseconds at each size, and how often the smallest size's the largest's are."""
    sites = {}
    for many in sizes:
        site = sqlite_site(clock=FixedClock())
        site.storage._connections._synchronous = "OFF"
        sites[many] = loop.run_until_complete(filled(site, many))
    works = {many: loop.run_until_complete(_works(site, many)) for many, site in sites.items()}

    def driven(work: Callable[[], Any]) -> Drive:
        async def several(times: int) -> None:
            for _ in range(times):
                await work()

        return lambda times: loop.run_until_complete(several(times))

    figures: dict[str, dict[str, float]] = {}
    for name in WORKS:
        # Storage that blocks is waited for in a thread, which is this process's too.
        drives = {str(many): driven(works[many][name]) for many in sizes}
        best = microseconds(drives, times=times, rounds=rounds, clock=process_time)
        figures[name] = {f"{many:,} people": best[str(many)] for many in sizes}
        figures[name]["largest over smallest"] = best[str(sizes[-1])] / best[str(sizes[0])]
    for site in sites.values():
        site.auth.close()
    return figures


def memory(loop: asyncio.AbstractEventLoop, *, many: int = 5_000) -> dict[str, dict[str, float]]:
    """Mebibytes that 100,000 live sessions take: stored in memory (with their people), and remembered by the guard of a process, which holds 10,000 at most."""
    site = Site(MemoryStorage(), clock=FixedClock())
    commits = list(loop.run_until_complete(_people(site, many)))

    async def fill() -> None:
        for writes in commits:
            await site.storage.commit(*writes)

    stored = _taken(lambda: loop.run_until_complete(fill()))
    signed_in = loop.run_until_complete(site.signed_in())
    cookie = site.cookie(signed_in)
    now = site.auth.core.clock.now()
    guard = site.auth.guard

    def meet() -> None:
        for number in range(many):
            guard.known(signed_in.session_token, signed_in.session_jwt, now, f"{cookie}; visitor={number:012d}")

    remembered = _taken(meet)
    scale = 100_000 / many / 2**20
    return {
        "100,000 live sessions": {
            "stored in memory, with their people": stored * scale,
            "Cookie headers remembered (10,000 at most)": remembered * scale / 10,
        }
    }


def _taken(act: Callable[[], None]) -> int:
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    act()
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return taken
