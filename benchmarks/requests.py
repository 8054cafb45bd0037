"""What a request costs over the bare application, in this process: with a live session, without one, on a path that is not ours, and at a renewal."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Any

from authmw.crypto import jwts
from authmw.signin.sessions import claims_of, live_by_token
from authmw.testing import FixedClock
from benchmarks.apps import FRAMEWORKS, PRIVATE, PUBLIC, starlette_app
from benchmarks.clients import Drive, asgi, microseconds, wsgi
from benchmarks.site import OTHER_COOKIES, Site, sqlite_site


def over_bare(loop: asyncio.AbstractEventLoop, *, times: int, rounds: int) -> dict[str, dict[str, float]]:
    """By framework: microseconds of the bare request, and what each kind of request costs more."""
    site = Site()
    cookie = site.cookie(loop.run_until_complete(site.signed_in()))
    figures: dict[str, dict[str, float]] = {}
    for name, make in FRAMEWORKS.items():
        bare, ours = make(None), make(site)

        def driven(app: Any, path: str, cookie: str | None, flask: bool = name == "Flask") -> Drive:
            return wsgi(app, path, cookie) if flask else asgi(app, path, cookie, loop)

        drives = {
            "bare": driven(bare, PUBLIC, OTHER_COOKIES),
            # FastAPI parses every cookie of a request, whoever it is for.
            "bare with the session's cookies": driven(bare, PRIVATE, cookie),
            "live session": driven(ours, PRIVATE, cookie),
            "no session": driven(ours, PUBLIC, OTHER_COOKIES),
            "bare without cookies": driven(bare, PUBLIC, None),
            "path that is not ours": driven(ours, PUBLIC, None),
        }
        best = microseconds(drives, times=times, rounds=rounds)
        figures[name] = {
            "bare": best["bare"],
            "live session": best["live session"] - best["bare with the session's cookies"],
            "no session": best["no session"] - best["bare"],
            "path that is not ours": best["path that is not ours"] - best["bare without cookies"],
        }
    return figures


def renewals(loop: asyncio.AbstractEventLoop, *, times: int) -> dict[str, dict[str, float]]:
    """By storage: microseconds that a renewal adds to a request with a live session, its signature, and what is left per record read (two are)."""
    figures: dict[str, dict[str, float]] = {}
    for name, make in {"memory": Site, "SQLite": sqlite_site}.items():
        clock = FixedClock()
        site = make(clock=clock)
        signed_in = loop.run_until_complete(site.signed_in())
        cookie = site.cookie(signed_in)
        app = starlette_app(site)
        live = asgi(app, PRIVATE, cookie, loop)
        plain = microseconds({"live": live}, times=times, rounds=5)["live"]
        clock.advance(seconds=301)
        one = asgi(app, PRIVATE, cookie, loop)
        best = float("inf")
        for _ in range(times):
            site.auth.guard.forget()
            began = perf_counter()
            one(1)
            best = min(best, (perf_counter() - began) * 1e6)
        signature = _signature(site, signed_in.session_token, loop, times)
        figures[name] = {
            "renewal": best - plain,
            "signature": signature,
            "per record read": (best - plain - signature) / 2,
        }
        site.auth.close()
    return figures


def _signature(site: Site, token: str, loop: asyncio.AbstractEventLoop, times: int) -> float:
    auth = site.auth
    now = auth.core.clock.now()
    live = loop.run_until_complete(live_by_token(auth.storage, token, auth.settings, now))
    key = loop.run_until_complete(auth.keys.active())
    claims = claims_of(auth.settings, live.session, live.subject, now)
    return microseconds(
        {"sign": lambda many: [jwts.sign(key, claims) for _ in range(many)] and None}, times=times, rounds=3
    )["sign"]
