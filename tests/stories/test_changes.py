"""The host hears of every change of its people: at least once, in order, from the commit that made it."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from authmw import Auth, Change, Settings
from authmw.crypto.sealing import seal
from authmw.drive import finish, step
from authmw.guard.verified import Seen
from authmw.ledger.deriving import PURPOSE
from authmw.ledger.records import Delivery
from authmw.ledger.telling import tell_all
from authmw.operations import Visit, visit
from authmw.storage import And, Insert
from authmw.testing import FixedClock, TakingTurns, interleave
from authmw_adapters.memory import MemoryLimiter, MemoryStorage
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage
from tests.world import PROJECT_ID, SECRET, World, asgi_app, make_world


class Host:
    """A host that listens."""

    def __init__(self, auth: Auth, *types: str, name: str | None = None) -> None:
        self.heard: list[Change] = []
        self.failing = 0
        self._came = threading.Condition()
        # A test client ends its loop with the answer, and with it what waits for a thread there; on a loop that stays nothing is lost.
        listen = self.wait if auth.storage.io == "instant" else self.listen
        auth.on(*(types or ("*.user.*",)), name=name or "host")(listen)

    async def wait(self, change: Change) -> None:
        self.listen(change)

    def listen(self, change: Change) -> None:
        if self.failing:
            self.failing -= 1
            raise RuntimeError("canary: the host's own trouble")
        with self._came:
            self.heard.append(change)
            self._came.notify_all()

    def types(self, many: int) -> list[str]:
        """What was heard, once it is so many."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.heard) >= many, timeout=10)
        return [change.type for change in self.heard]


def waiting(auth: Auth) -> int:
    return step(auth.storage.count(Delivery, And(), at_most=1000))


def settled(world: World) -> int:
    """How many wait, once nothing is told any more."""
    assert finish(10)
    return waiting(world.auth)


def create(world: World, address: str = "ada@example.org") -> str:
    answer = world.backend("POST", "/v1/users", {"email": address})
    assert answer.status == 201 or answer.status == 200
    user_id: str = answer.json["user_id"]
    return user_id


def test_a_user_made_changed_and_deleted_by_the_api_is_heard_of_as_direct(world: World) -> None:
    """WH-04, WH-05, WH-06, WH-09, WH-11 for users: the object after the change, and none after a deletion."""
    host = Host(world.auth)
    user_id = create(world)
    world.backend("PUT", f"/v1/users/{user_id}", {"name": {"first_name": "Ada"}})
    shown = world.backend("GET", f"/v1/users/{user_id}").json
    world.backend("DELETE", f"/v1/users/{user_id}")
    assert host.types(3) == ["direct.user.create", "direct.user.update", "direct.user.delete"]
    created, updated, deleted = host.heard
    assert {change.id for change in host.heard} == {user_id}
    assert len({change.event_id for change in host.heard}) == 3
    assert all(change.event_id.startswith("webhook-event-test-") for change in host.heard)
    assert created.version < updated.version < deleted.version
    assert updated.object == {name: shown[name] for name in updated.object or ()}
    assert deleted.object is None
    assert settled(world) == 0


def test_a_sign_in_that_changes_nobody_is_no_change(world: World) -> None:
    host = Host(world.auth)
    world.sign_in()
    assert host.types(2) == ["direct.user.create", "direct.user.update"]
    assert settled(world) == 0
    world.sign_in()
    assert settled(world) == 0
    assert len(host.heard) == 2


def test_a_browsers_own_change_is_heard_of_too(world: World) -> None:
    signed_in = world.sign_in()
    host = Host(world.auth, "direct.user.update")
    answer = world.browser("PUT", "/sdk/v1/users/me", {"name": {"first_name": "Ada"}}, token=signed_in["session_token"])
    assert answer.status == 200
    host.types(1)
    assert host.heard[0].object is not None
    assert host.heard[0].object["name"]["first_name"] == "Ada"


def test_an_administrative_tool_is_told_apart(world: World) -> None:
    """WH-05, WH-08."""
    host = Host(world.auth, "dashboard.*.*")
    with world.auth.acting_as(attrs.evolve(_caller(), source="DASHBOARD")):
        world.auth.run(world.auth.users.create(email="ada@example.org"))
    world.auth.run(world.auth.users.create(email="eve@example.org"))
    assert host.types(1) == ["dashboard.user.create"]
    assert settled(world) == 0
    assert len(host.heard) == 1


def _caller() -> Any:
    from authmw.operations import PROJECT

    return PROJECT


def test_what_nobody_wants_is_not_stored(world: World) -> None:
    create(world, "eve@example.org")
    Host(world.auth, "scim.user.*")
    create(world)
    assert waiting(world.auth) == 0


def test_a_change_that_was_refused_is_not_told(world: World) -> None:
    create(world)
    host = Host(world.auth)
    assert world.backend("POST", "/v1/users", {"email": "ada@example.org"}).status == 400
    assert settled(world) == 0
    assert host.heard == []


def test_a_listener_that_fails_is_told_again_in_order_and_holds_up_nobody_else(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    other = Host(world.auth, name="other")
    host = Host(world.auth)
    host.failing = 2
    user_id = create(world)
    assert settled(world) == 1
    world.backend("PUT", f"/v1/users/{user_id}", {"name": {"first_name": "Ada"}})
    assert settled(world) == 2
    eve = create(world, "eve@example.org")
    assert other.types(3) == ["direct.user.create", "direct.user.update", "direct.user.create"]
    assert settled(world) == 3 or host.heard != []
    world.clock.advance(seconds=6)
    world.auth.run(world.auth.work())
    world.clock.advance(seconds=60)
    world.auth.run(world.auth.work())
    assert waiting(world.auth) == 0
    assert [change.type for change in host.heard if change.id == user_id] == [
        "direct.user.create",
        "direct.user.update",
    ]
    assert [change.type for change in host.heard if change.id == eve] == ["direct.user.create"]
    assert "listener_failed" in caplog.text
    assert "canary" not in caplog.text
    assert "example.org" not in caplog.text


def test_changes_that_wait_behind_a_failed_one_stand_in_nobodys_way(tmp_path: Path) -> None:
    world = make_world(tmp_path, "asgi")
    host = Host(world.auth)
    host.failing = 1000
    user_id = create(world)
    for number in range(60):
        world.backend("PUT", f"/v1/users/{user_id}", {"name": {"first_name": f"Ada {number}"}})
        assert finish(10)
    host.failing = 0
    world.clock.advance(seconds=4)
    create(world, "eve@example.org")
    assert host.types(1) == ["direct.user.create"]
    host.failing = 1
    world.clock.advance(hours=3)
    while world.auth.run(world.auth.work()):
        """Until nothing is due."""
    world.clock.advance(hours=3)
    while world.auth.run(world.auth.work()):
        """Until nothing is due."""
    assert waiting(world.auth) == 0
    versions = [change.version for change in host.heard if change.id == user_id]
    assert versions == sorted(versions)
    assert len(versions) == 61


def test_what_one_process_did_not_live_to_tell_another_tells(tmp_path: Path) -> None:
    """At least once: the change is in the commit, so it outlives the process."""
    clock, stuck, told = FixedClock(), threading.Event(), threading.Event()

    def process() -> Auth:
        storage, limiter = SQLiteStorage(tmp_path / "two.db"), SQLiteLimiter(tmp_path / "two.db")
        made = Auth(Settings(project_id=PROJECT_ID, secret=SECRET), storage=storage, limiter=limiter, clock=clock)
        return made

    first, second = process(), process()

    @first.on("*.user.create", name="mirror")
    def never_done(change: Change) -> None:
        told.set()
        stuck.wait(60)

    host = Host(second, name="mirror")
    first.run(first.users.create(email="ada@example.org"))
    assert told.wait(10)
    assert second.run(second.work()) == 0
    clock.advance(seconds=121)
    assert second.run(second.work()) == 1
    assert host.types(1) == ["direct.user.create"]
    stuck.set()
    assert finish(10)
    assert waiting(second) == 0
    first.close()
    second.close()


def test_a_listener_that_fails_for_a_week_is_given_up_and_that_is_logged(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    host = Host(world.auth)
    host.failing = 1000
    create(world)
    assert settled(world) == 1
    for _ in range(100):
        world.clock.advance(hours=2)
        world.auth.run(world.auth.work())
    assert waiting(world.auth) == 0
    assert [record.message for record in caplog.records].count("change_given_up") == 1
    late = world.auth.run(world.auth.health())
    assert [finding.status for finding in late.findings if finding.part == "changes"] == ["ok"]


def test_a_listener_nobody_serves_is_seen_in_the_health(world: World) -> None:
    host = Host(world.auth)
    host.failing = 1
    create(world)
    assert settled(world) == 1
    world.clock.advance(minutes=20)
    found = world.auth.run(world.auth.health())
    assert [finding.status for finding in found.findings if finding.part == "changes"] == ["warning"]


@pytest.mark.parametrize("waits", [True, False])
def test_a_listener_runs_outside_of_the_request_that_made_the_change(waits: bool) -> None:
    auth = _auth(MemoryStorage())
    came: list[Any] = []

    async def make() -> None:
        done = asyncio.Event()
        loop = asyncio.get_running_loop()

        def note() -> None:
            came.append(visit.get())
            loop.call_soon_threadsafe(done.set)

        async def wait(change: Change) -> None:
            note()

        auth.on("direct.user.create", name="waits")(wait if waits else lambda change: note())
        here = Visit()
        here.seen = Seen(None, auth.core.clock, auth.guard)
        visit.set(here)
        await auth.users.create(email="ada@example.org")
        await asyncio.wait_for(done.wait(), 10)

    asyncio.run(make())
    assert came == [None]


def test_an_asynchronous_listener_finds_a_loop_where_the_host_runs_none(tmp_path: Path) -> None:
    world = make_world(tmp_path, "wsgi")
    done = threading.Event()

    @world.auth.on("direct.user.create", name="waits")
    async def wait(change: Change) -> None:
        assert asyncio.get_running_loop().is_running()
        done.set()

    create(world)
    assert done.wait(10)
    assert settled(world) == 0


def test_a_listener_may_call_operations(world: World) -> None:
    done = threading.Event()

    @world.auth.on("direct.user.create")
    def tag(change: Change) -> None:
        world.auth.run(world.auth.users.update(user_id=change.id, trusted_metadata={"own_id": 7}))
        done.set()

    user_id = create(world)
    # The loop of the request may have ended before it told; then a worker does.
    world.clock.advance(seconds=121)
    world.auth.run(world.auth.work())
    assert done.wait(10)
    assert world.backend("GET", f"/v1/users/{user_id}").json["trusted_metadata"] == {"own_id": 7}


def test_a_plain_function_that_waits_does_not_hold_up_the_loop(tmp_path: Path) -> None:
    world = make_world(tmp_path, "asgi")
    began, go_on = threading.Event(), threading.Event()

    @world.auth.on("direct.user.create")
    def slow(change: Change) -> None:
        began.set()
        go_on.wait(60)

    with TestClient(asgi_app(world.auth)) as client:
        headers = {"authorization": "Basic " + base64.b64encode(f"{PROJECT_ID}:{SECRET}".encode()).decode()}
        assert client.post("/v1/users", json={"email": "ada@example.org"}, headers=headers).status_code == 200
        assert began.wait(10)
        assert client.post("/v1/users", json={"email": "eve@example.org"}, headers=headers).status_code == 200
        go_on.set()


def test_a_change_rests_sealed(tmp_path: Path) -> None:
    world = make_world(tmp_path, "wsgi")
    host = Host(world.auth)
    host.failing = 1
    create(world, "a-canary@example.org")
    assert settled(world) == 1
    page = step(world.auth.storage.page(Delivery, And(), limit=1))
    assert b"canary" not in page.records[0].sealed
    assert "canary" not in repr(page.records[0])


# Order, whatever the interleaving


def _auth(storage: Any) -> Auth:
    return Auth(
        Settings(project_id=PROJECT_ID, secret=SECRET), storage=storage, limiter=MemoryLimiter(), clock=FixedClock()
    )


@pytest.mark.parametrize("seed", range(150))
def test_three_processes_tell_one_object_in_order_each_change_once(seed: int) -> None:
    memory = MemoryStorage()
    auth = _auth(memory)
    heard: list[int] = []
    auth.on("*.user.*", name="mirror")(lambda change: heard.append(change.version))
    now = auth.core.clock.now()
    deliveries = []
    for version in (1, 2, 3):
        change = Change(
            event_id=f"webhook-event-test-{version}",
            project_id=PROJECT_ID,
            action="UPDATE",
            object_type="user",
            source="DIRECT",
            id="user-test-1",
            timestamp=now,
            version=version,
        )
        name = f"{change.event_id}/mirror"
        sealed = seal(auth.core.roots, PURPOSE, name, msgspec.msgpack.encode(change))
        deliveries.append(
            Delivery(
                delivery_id=name,
                listener="mirror",
                object_id=change.id,
                position=f"{version:019}",
                sealed=sealed,
                due_at=attrs.evolve(change).timestamp.replace(year=now.year + 1),
                expires_at=now.replace(year=now.year + 2),
            )
        )
    step(memory.commit(*(Insert(one) for one in deliveries)))
    auth.core.storage = TakingTurns(memory)
    interleave([tell_all(auth.core, [one]) for one in deliveries], seed)
    assert heard == [1, 2, 3]
    assert step(memory.count(Delivery, And(), at_most=10)) == 0


Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(["create", "rename", "address", "delete", "fail", "work"]), st.integers(0, 3)),
    max_size=25,
)


@settings(max_examples=60)
@given(STEPS)
def test_a_host_that_applies_every_change_has_the_same_users(steps: list[Step]) -> None:
    """WH-12: nothing missing, in order, whatever fails in between."""
    clock = FixedClock()
    auth = Auth(
        Settings(project_id=PROJECT_ID, secret=SECRET), storage=MemoryStorage(), limiter=MemoryLimiter(), clock=clock
    )
    mirror: dict[str, Any] = {}
    failures = iter(())

    @auth.on("*.user.*")
    def apply(change: Change) -> None:
        if next(failing, False):
            raise ValueError
        if change.object is None:
            mirror.pop(change.id, None)
        else:
            mirror[change.id] = change.object

    failing: Iterator[bool] = failures
    users: list[str] = []
    for number, (what, which) in enumerate(steps):
        chosen = users[which % len(users)] if users else None
        if what == "create":
            users.append(auth.run(auth.users.create(email=f"p{number}@example.org")).user_id)
        elif what == "fail":
            failing = iter([True] * (which + 1))
        elif what == "work":
            clock.advance(seconds=20)
            auth.run(auth.work())
        elif chosen and what == "rename":
            auth.run(auth.users.update(user_id=chosen, name={"first_name": f"n{number % 3}"}))
        elif chosen and what == "delete":
            users.remove(chosen)
            auth.run(auth.users.delete(user_id=chosen))
        if which == 0:
            assert finish(10)
    assert finish(10)
    failing = iter(())
    for _ in range(3):
        clock.advance(hours=2)
        while auth.run(auth.work()):
            """Until nothing is due."""
    found = auth.run(auth.users.search(limit=1000)).results
    assert mirror == {user.user_id: msgspec.json.decode(msgspec.json.encode(user)) for user in found}
