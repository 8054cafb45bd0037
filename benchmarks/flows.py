"""Deterministic figures: how many commits and rows each sign-in of a known user takes. A later product adds one line to FLOWS."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from authmw.testing import FixedClock
from benchmarks.site import Counting, Counts, Site

ADDRESS = "ada@example.org"
Flow = Callable[[Site, str], Awaitable[Callable[[], Awaitable[Any]]]]
"""Prepares a sign-in of a known user, and gives what is counted: the call that ends in a session."""


async def _mailed_link(site: Site, user_id: str) -> Callable[[], Awaitable[Any]]:
    await site.auth.magic_links.email.login_or_create(email=ADDRESS)
    token = site.token()
    return lambda: site.auth.magic_links.authenticate(token=token, session_duration_minutes=60)


async def _embedded_link(site: Site, user_id: str) -> Callable[[], Awaitable[Any]]:
    link = await site.auth.magic_links.create(user_id=user_id)
    return lambda: site.auth.magic_links.authenticate(token=link.token, session_duration_minutes=60)


async def _code(site: Site, user_id: str) -> Callable[[], Awaitable[Any]]:
    sent = await site.auth.otps.email.login_or_create(email=ADDRESS)
    code = site.code()
    return lambda: site.auth.otps.authenticate(method_id=sent.email_id, code=code, session_duration_minutes=60)


async def _step_up(site: Site, user_id: str) -> Callable[[], Awaitable[Any]]:
    first = await (await _embedded_link(site, user_id))()
    link = await site.auth.magic_links.create(user_id=user_id)
    return lambda: site.auth.magic_links.authenticate(
        token=link.token, session_token=first.session_token, session_duration_minutes=60
    )


FLOWS: dict[str, Flow] = {
    "mailed link": _mailed_link,
    "embedded link": _embedded_link,
    "code by e-mail": _code,
    "step-up by link": _step_up,
}


async def count(flow: Flow) -> Counts:
    """What the sign-in asks of storage, with the signing key at hand."""
    storage = Counting()
    site = Site(storage, clock=FixedClock())
    user_id = await site.user()
    await site.auth.keys.active()
    sign_in = await flow(site, user_id)
    storage.counts = Counts()
    await sign_in()
    return storage.counts


async def counts() -> dict[str, Counts]:
    """Every flow's figures."""
    return {name: await count(flow) for name, flow in FLOWS.items()}
