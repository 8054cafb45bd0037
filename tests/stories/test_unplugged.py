"""A storage that goes away in the middle of a call, at each of its steps: the answer says so, nothing is half done, and nobody is let in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pytest

from authmw.drive import step
from authmw.errors import OutcomeUnknown, StorageError
from authmw.people.records import Session
from authmw.storage import And, Storage
from authmw_adapters.memory import MemoryStorage
from authmw_adapters.sqlite import SQLiteStorage
from tests.world import PROJECT_ID, URL, Answer, World, make_world

How: TypeAlias = Literal["hiccups", "is gone", "forgets to answer"]
BOB = "bob@example.org"
MOST = 20
"""More steps no call takes."""


class Unplugged:
    """A storage that fails at the step that `fail` names."""

    def __init__(self, kept: Storage) -> None:
        self.kept = kept
        self.io = kept.io
        self.fail(0)

    def fail(self, at: int, how: How = "hiccups") -> None:
        """Fail at the step of this number from now on; 0 for none."""
        self.at, self.how, self.taken = at, how, 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.kept, name)
        return self._failing(method) if name in {"get", "find", "page", "count", "commit"} else method

    def _failing(self, method: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*arguments: Any, **named: Any) -> Any:
            self.taken += 1
            due = self.taken == self.at or (self.how == "is gone" and 0 < self.at < self.taken)
            if not due:
                return await method(*arguments, **named)
            if self.how == "forgets to answer" and method.__name__ == "commit":
                await method(*arguments, **named)
                raise OutcomeUnknown("no answer")
            raise StorageError("unplugged")

        return call


def _link(world: World) -> str:
    assert world.backend("POST", "/v1/magic_links/email/login_or_create", {"email": BOB}).status == 200
    world.clock.advance(seconds=2)
    return world.token()


def _code(world: World) -> dict[str, Any]:
    sent = world.backend("POST", "/v1/otps/email/login_or_create", {"email": BOB}).json
    world.clock.advance(seconds=2)
    return {"method_id": sent["email_id"], "code": world.code(), "session_duration_minutes": 60}


def _nothing(world: World) -> None:
    """Nothing goes before."""


Calls: TypeAlias = "dict[str, tuple[Callable[[World], Any], Callable[[World, Any, Any], Answer]]]"
CALLS: Calls = {
    "create": (_nothing, lambda world, ada, _: world.backend("POST", "/v1/users", {"email": BOB})),
    "update": (
        _nothing,
        lambda world, ada, _: world.backend("PUT", f"/v1/users/{ada['user_id']}", {"name": {"first_name": "Ada"}}),
    ),
    "search": (_nothing, lambda world, ada, _: world.backend("POST", "/v1/users/search", {})),
    "delete": (_nothing, lambda world, ada, _: world.backend("DELETE", f"/v1/users/{ada['user_id']}")),
    "send a link": (
        _nothing,
        lambda world, ada, _: world.backend("POST", "/v1/magic_links/email/login_or_create", {"email": BOB}),
    ),
    "invite": (_nothing, lambda world, ada, _: world.backend("POST", "/v1/magic_links/email/invite", {"email": BOB})),
    "ask for a link": (
        _nothing,
        lambda world, ada, _: world.browser(
            "POST", "/sdk/v1/magic_links/email/login_or_create", {"email": BOB}, origin=URL
        ),
    ),
    "follow a link": (_link, lambda world, ada, link: world.visit(f"/v1/magic_links/redirect?token={link}")),
    "sign in by a link": (
        _link,
        lambda world, ada, link: world.browser(
            "POST", "/sdk/v1/magic_links/authenticate", {"token": link, "session_duration_minutes": 60}, origin=URL
        ),
    ),
    "sign in by a code": (_code, lambda world, ada, code: world.backend("POST", "/v1/otps/authenticate", code)),
    "prove a session": (
        _nothing,
        lambda world, ada, _: world.backend(
            "POST",
            "/v1/sessions/authenticate",
            {"session_token": ada["session_token"], "session_duration_minutes": 500},
        ),
    ),
    "end a session": (
        _nothing,
        lambda world, ada, _: world.backend("POST", "/v1/sessions/revoke", {"session_token": ada["session_token"]}),
    ),
    "read the own user": (
        _nothing,
        lambda world, ada, _: world.browser("GET", "/sdk/v1/users/me", token=ada["session_token"], origin=URL),
    ),
    "read the keys": (_nothing, lambda world, ada, _: world.send("GET", f"/v1/sessions/jwks/{PROJECT_ID}")),
}


@pytest.mark.parametrize("how", ["hiccups", "is gone", "forgets to answer"])
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_at_whatever_step_storage_goes_away_the_call_fails_closed_and_says_so(
    host: str, name: str, how: How, tmp_path: Path
) -> None:
    """STO-03: 503 and nobody signed in, or the whole of what was asked for."""
    before, ask = CALLS[name]
    for at in range(1, MOST):
        folder = tmp_path / str(at)
        folder.mkdir()
        kept = MemoryStorage() if host == "asgi" else SQLiteStorage(folder / "world.sqlite3")
        storage = Unplugged(kept)
        world = make_world(folder, host, storage=storage)
        ada = world.sign_in()
        prepared = before(world)
        world.auth.notes.flush()
        sessions = len(step(kept.page(Session, And(), limit=100)).records)
        storage.fail(at, how)
        answer = ask(world, ada, prepared)
        taken = storage.taken
        storage.fail(0)
        if answer.status != 200 and answer.status != 303:
            assert answer.status == 503
            assert answer.json is None or answer.json["error_type"] == "server_unavailable"
            assert answer.header("set-cookie") == []
            if how != "forgets to answer":
                assert len(step(kept.page(Session, And(), limit=100)).records) == sessions
        world.auth.close()
        if taken < at:
            assert answer.status in {200, 303}
            return
    pytest.fail("a call takes more steps than this test thinks")
