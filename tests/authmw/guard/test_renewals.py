"""Renewals and caches as a host's visitors meet them, counted at the storage: ASGI and WSGI, over storage of every kind."""

from __future__ import annotations

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import attrs
import httpx2
import pytest
from werkzeug.test import Client

from authmw import Auth, Cookies, SessionRules, Settings
from authmw.crypto import jwts
from authmw.errors import StorageError
from authmw.guard.remembered import LONGEST, MOST, Remembered
from authmw.ledger.records import Event
from authmw.people.records import Session, User
from authmw.storage import And, Update, Write
from authmw.testing import FixedClock
from authmw_adapters.inbox import Inbox
from authmw_adapters.memory import MemoryLimiter, MemoryStorage
from tests.world import PROJECT_ID, PUBLIC_TOKEN, SECRET, URL, asgi_app, wsgi_app

OPAQUE, JWT = "authmw_session", "authmw_session_jwt"
WHO = f"{URL}/who"


class Counting(MemoryStorage):
    """Memory that counts what is asked of it, waits as its `io` says, and fails while told to."""

    def __init__(self, io: str) -> None:
        super().__init__()
        self.kind_of_io = io
        self.asked: Counter[str] = Counter()
        self.away = False

    @property
    def io(self) -> Any:
        return self.kind_of_io

    async def _count(self, name: str) -> None:
        self.asked[name] += 1
        if self.kind_of_io == "async":
            await asyncio.sleep(0)
        if self.away:
            raise StorageError("away")

    async def get(self, kind: Any, key: str) -> Any:
        await self._count(f"get {kind.__name__}")
        return await super().get(kind, key)

    async def find(self, kind: Any, index: str, value: Any) -> Any:
        await self._count(f"find {kind.__name__}")
        return await super().find(kind, index, value)

    async def page(self, kind: Any, where: Any, **more: Any) -> Any:
        await self._count(f"page {kind.__name__}")
        return await super().page(kind, where, **more)

    async def commit(self, *writes: Write) -> None:
        await self._count("commit")
        await super().commit(*writes)


class Site:
    """One project whose visitors are counted."""

    def __init__(self, io: str = "instant", **rules: Any) -> None:
        self.storage, self.inbox, self.clock = Counting(io), Inbox(), FixedClock()
        self.auth = Auth(
            Settings(
                project_id=PROJECT_ID,
                secret=SECRET,
                public_token=PUBLIC_TOKEN,
                cookies=Cookies(secure=False),
                sessions=SessionRules(**rules),
            ),
            storage=self.storage,
            limiter=MemoryLimiter(),
            email=self.inbox,
            clock=self.clock,
        )
        self.app = asgi_app(self.auth)

    async def sign_in(self, **more: Any) -> Any:
        self.clock.advance(seconds=2)
        await self.auth.start()
        await self.auth.magic_links.email.login_or_create(email="ada@example.org")
        token = self.inbox.entries()[0].links[0].split("token=")[-1]
        return await self.auth.magic_links.authenticate(token=token, session_duration_minutes=600, **more)

    async def visit(self, cookie: str, times: int = 1) -> list[httpx2.Response]:
        transport = httpx2.ASGITransport(app=self.app)
        async with httpx2.AsyncClient(transport=transport) as client:
            return await asyncio.gather(*(client.get(WHO, headers={"cookie": cookie}) for _ in range(times)))


def cookies(signed_in: Any) -> str:
    return f"{OPAQUE}={signed_in.session_token}; {JWT}={signed_in.session_jwt}"


@pytest.mark.parametrize("io", ["instant", "blocking", "async"])
def test_fifty_requests_with_one_expired_jwt_make_one_renewal(io: str) -> None:
    """SS-04. No event, no write; and the opaque token stays, so no tab signs another out."""

    async def story() -> None:
        site = Site(io)
        signed_in = await site.sign_in()
        events = await site.storage.count(Event, And(), at_most=100)
        site.clock.advance(seconds=301)
        site.storage.asked.clear()
        answers = await site.visit(cookies(signed_in), times=50)
        assert {answer.status_code for answer in answers} == {200}
        reads = {name: many for name, many in site.storage.asked.items() if not name.endswith("StoredKey")}
        assert reads == {"find Session": 1, "get User": 1}
        set_cookies = {one for answer in answers for one in answer.headers.get_list("set-cookie")}
        assert [one.partition("=")[0] for one in set_cookies] == [JWT]
        assert await site.storage.count(Event, And(), at_most=100) == events
        site.storage.asked.clear()
        fresh = set_cookies.pop().partition(";")[0]
        late, renewed = await site.visit(cookies(signed_in)), await site.visit(f"{OPAQUE}=other-tab; {fresh}")
        assert [late[0].status_code, renewed[0].status_code] == [200, 200]
        assert site.storage.asked == {}

    asyncio.run(story())


@pytest.mark.parametrize("io", ["instant", "blocking", "async"])
def test_under_wsgi_threads_share_one_renewal(io: str) -> None:
    site = Site(io)
    signed_in = site.auth.run(site.sign_in())
    site.clock.advance(seconds=301)
    site.storage.asked.clear()
    client = Client(wsgi_app(site.auth), use_cookies=False)
    with ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(client.get, "/who", headers={"Cookie": cookies(signed_in)}) for _ in range(50)]
        assert {one.result(10).status_code for one in asked} == {200}
    assert site.storage.asked["find Session"] == site.storage.asked["get User"] == 1
    assert site.storage.asked["commit"] == 0


@pytest.mark.parametrize("io", ["blocking", "async"])
def test_a_cancelled_request_does_not_take_the_renewal_of_the_others_along(io: str) -> None:
    async def story() -> None:
        site = Site(io)
        signed_in = await site.sign_in()
        site.clock.advance(seconds=301)
        leader = asyncio.create_task(site.visit(cookies(signed_in)))
        others = asyncio.create_task(site.visit(cookies(signed_in), times=10))
        for _ in range(3):
            await asyncio.sleep(0)
        leader.cancel()
        assert {answer.status_code for answer in await others} == {200}

    asyncio.run(story())


@pytest.mark.parametrize("io", ["instant", "blocking", "async"])
def test_a_failed_renewal_is_told_to_all_and_the_next_request_tries_again(io: str) -> None:
    async def story() -> None:
        site = Site(io)
        signed_in = await site.sign_in()
        site.clock.advance(seconds=301)
        site.storage.away = True
        site.storage.asked.clear()
        answers = await site.visit(cookies(signed_in), times=10)
        assert {answer.status_code for answer in answers} == {401}
        # What is instant is over before the next one asks: nobody waits who could be told.
        assert site.storage.asked["find Session"] <= (10 if io == "instant" else 1)
        assert not any("set-cookie" in answer.headers for answer in answers)  # nobody is signed out by it
        site.storage.away = False
        assert [answer.status_code for answer in await site.visit(cookies(signed_in))] == [200]

    asyncio.run(story())


def test_a_revocation_clears_what_is_remembered_by_header_jwt_and_token() -> None:
    """SES-06, TOK-08."""

    async def story() -> None:
        site = Site()
        signed_in = await site.sign_in()
        opaque, jwt = f"{OPAQUE}={signed_in.session_token}", f"{JWT}={signed_in.session_jwt}"
        for cookie in (opaque, jwt, f"{opaque}; {jwt}"):
            assert (await site.visit(cookie))[0].status_code == 200
        await site.auth.sessions.revoke(session_id=signed_in.session.session_id)
        for cookie in (opaque, jwt, f"{opaque}; {jwt}"):
            assert (await site.visit(cookie))[0].status_code == 401

    asyncio.run(story())


def test_a_step_up_ends_the_secret_that_was_remembered() -> None:
    """SES-01, A030."""

    async def story() -> None:
        site = Site()
        signed_in = await site.sign_in()
        assert (await site.visit(f"{OPAQUE}={signed_in.session_token}"))[0].status_code == 200
        again = await site.sign_in(session_token=signed_in.session_token)
        assert (await site.visit(f"{OPAQUE}={signed_in.session_token}"))[0].status_code == 401
        assert (await site.visit(f"{OPAQUE}={again.session_token}"))[0].status_code == 200

    asyncio.run(story())


@pytest.mark.parametrize("known_by", ["both", "jwt", "token"])
def test_exact_revocation_reads_on_each_request_and_knows_what_another_process_ended(known_by: str) -> None:
    async def story() -> None:
        site = Site(exact_revocation=True)
        signed_in = await site.sign_in()
        opaque, jwt = cookies(signed_in).split("; ")
        cookie = {"both": f"{opaque}; {jwt}", "jwt": jwt, "token": opaque}[known_by]
        for _ in range(3):
            site.storage.asked.clear()
            answer = (await site.visit(cookie))[0]
            assert answer.status_code == 200
            assert site.storage.asked["get Session"] + site.storage.asked["find Session"] == 1
            assert ("set-cookie" in answer.headers) == (known_by == "token")
        user = await site.storage.get(User, signed_in.user_id)
        assert user is not None
        await site.storage.commit(Update(attrs.evolve(user, session_epoch=user.session_epoch + 1)))
        assert (await site.visit(cookie))[0].status_code == 401

    asyncio.run(story())


def test_several_cookie_headers_are_read_together_and_a_second_session_cookie_is_none() -> None:
    """A032, SES-03. HTTP/2 may split cookies into several headers (RFC 9113 section 8.2.3)."""

    async def story() -> None:
        site = Site()
        signed_in = await site.sign_in()
        opaque, jwt = cookies(signed_in).split("; ")
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=site.app)) as client:
            for headers, status in (
                ([opaque, jwt], 200),
                (["a=1", jwt, "b=2"], 200),
                ([opaque, opaque], 401),
                ([jwt, f"{jwt}; {opaque}"], 401),
            ):
                answer = await client.get(WHO, headers=[("cookie", one) for one in headers])
                assert answer.status_code == status

    asyncio.run(story())


@pytest.mark.parametrize(("idle", "seconds", "touched"), [(None, 899, 0), (None, 900, 1), (60, 359, 0), (60, 360, 1)])
def test_use_is_noted_after_a_quarter_of_an_hour_or_a_tenth_of_the_idle_limit(
    idle: int | None, seconds: int, touched: int
) -> None:
    async def story() -> None:
        site = Site(idle_minutes=idle)
        signed_in = await site.sign_in()
        now = site.clock.advance(seconds=seconds)
        site.storage.asked.clear()
        assert (await site.visit(f"{OPAQUE}={signed_in.session_token}"))[0].status_code == 200
        assert site.storage.asked["commit"] == touched
        session = await site.storage.get(Session, signed_in.session.session_id)
        assert session is not None
        assert (session.last_accessed_at == now) == bool(touched)

    asyncio.run(story())


def test_a_session_in_use_never_seems_idle_however_short_the_limit() -> None:
    async def story() -> None:
        site = Site(idle_minutes=5)
        cookie = cookies(await site.sign_in())
        for _ in range(20):
            site.clock.advance(seconds=60)
            assert (await site.visit(cookie))[0].status_code == 200
        site.clock.advance(minutes=5)
        assert (await site.visit(cookie))[0].status_code == 401

    asyncio.run(story())


def test_an_extension_by_less_than_a_minute_writes_nothing() -> None:
    async def story() -> None:
        site = Site()
        signed_in = await site.sign_in()
        for seconds, written in ((59, 0), (1, 1)):
            site.clock.advance(seconds=seconds)
            site.storage.asked.clear()
            await site.auth.sessions.authenticate(session_token=signed_in.session_token, session_duration_minutes=600)
            assert site.storage.asked["commit"] == written

    asyncio.run(story())


def test_what_is_remembered_is_bounded_ends_in_time_and_never_outlives_a_revocation() -> None:
    now = FixedClock().now()
    later = now + timedelta(seconds=1)
    held = Remembered[int]()
    for number in range(MOST + 5):
        held.put(str(number), number, later, 0)
    assert held.get(str(MOST + 4), now) == MOST + 4
    assert held.get(str(MOST + 4), later) is None
    assert held.get("0", now) is None
    assert len(held._held) <= MOST
    held.put("x" * (LONGEST + 1), 1, later, 0)
    assert held.get("x" * (LONGEST + 1), now) is None
    held.forget("7000")
    assert (held.get("7000", now), held.get("7001", now)) == (None, 7001)
    held.put("judged before", 1, later, 0)
    assert held.get("judged before", now) is None
    held.clear()
    assert held.get("7001", now) is None
    held.put("judged after", 1, later, held.revocations)
    assert held.get("judged after", now) == 1


def test_a_token_that_says_it_is_over_is_never_accepted_and_one_that_says_nothing_is_judged() -> None:
    now = FixedClock().now()
    assert jwts.says_it_is_over("a.eyJleHAiOjF9.c", now)
    for token in ("", "a", "a.b", "a.!.c", "a.e30.c", "a.eyJleHAiOiJ4In0.c", "a.eyJleHAiOjk5OTk5OTk5OTl9.c"):
        assert not jwts.says_it_is_over(token, now)
