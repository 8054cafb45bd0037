"""Keys that are withdrawn while others change them, and more keys than one page holds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
import pytest

from authmw.drive import step
from authmw.errors import Conflict, StorageError
from authmw.signin.keys import StoredKey
from authmw.storage import Delete, Insert, Write
from authmw_adapters.memory import MemoryStorage
from tests.authmw.signin.test_sessions import project


class Contested(MemoryStorage):
    """Memory in which somebody else is faster with a key, so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    async def commit(self, *writes: Write) -> None:
        if self.times and any(isinstance(one, Delete) and isinstance(one.record, StoredKey) for one in writes):
            self.times -= 1
            raise Conflict
        await super().commit(*writes)


@pytest.mark.parametrize(("times", "withdrawn"), [(0, True), (3, True), (100, None)])
def test_a_key_is_withdrawn_however_often_others_come_first_or_it_is_said_that_it_is_not(
    times: int, withdrawn: bool | None
) -> None:
    here = project(Contested(times))
    signed_in = here.sign_in()
    keys = here.auth.keys
    kid = step(keys.active()).kid
    if withdrawn is None:
        with pytest.raises(StorageError):
            step(keys.withdraw(kid))
        return
    assert step(keys.withdraw(kid)) is withdrawn
    assert kid not in keys.cached()
    assert step(here.auth.sessions.authenticate(session_token=signed_in.session_token)).session_jwt
    assert step(keys.withdraw(kid)) is False


def test_what_is_published_is_what_other_processes_made_and_withdrew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys change seldom and are read once a minute; who asks for them has met one that it does not know, and gets them as they stand, read at most once a second."""
    time = [1000.0]
    monkeypatch.setattr("authmw.signin.keys.ticks", lambda: time[0])
    storage = MemoryStorage()
    here, there = project(storage), project(storage)

    def published(by: Any) -> list[str]:
        return [key["kid"] for key in step(by.auth.keys.published())]

    here.sign_in()
    first = published(here)
    assert published(there) == first
    gone = step(here.auth.keys.active()).kid
    assert step(here.auth.keys.withdraw(gone)) is True
    here.sign_in("bob@example.org")
    second = published(here)
    assert {*first} - {*second} == {gone}
    assert step(here.auth.keys.active()).kid in {*second} - {*first}
    assert published(there) == first
    time[0] += 1.5
    assert published(there) == second


class Unwritable(MemoryStorage):
    """Memory that may be read only, from some moment on."""

    closed = False

    async def commit(self, *writes: Write) -> None:
        if self.closed:
            raise StorageError("read only")
        await super().commit(*writes)


def test_what_stands_is_published_while_storage_takes_no_new_key_and_where_nothing_stands_it_is_an_error() -> None:
    storage = Unwritable()
    here = project(storage)
    kid = step(here.auth.keys.active()).kid
    storage.closed = True
    assert [key["kid"] for key in step(here.auth.keys.published())] == [kid]
    nobody = project(Unwritable())
    assert isinstance(nobody.auth.storage, Unwritable)
    nobody.auth.storage.closed = True
    with pytest.raises(StorageError):
        step(nobody.auth.keys.published())


def test_keys_beyond_one_page_are_known_too() -> None:
    here = project()
    active = step(here.auth.keys.active())
    stored = step(here.auth.storage.get(StoredKey, active.kid))
    assert stored is not None
    over: dict[str, Any] = {"state": "retired", "expires_at": here.clock.now() - timedelta(days=1), "version": 0}
    for number in range(120):
        step(here.auth.storage.commit(Insert(attrs.evolve(stored, kid=f"a-key-{number:03}", **over))))
    step(here.auth.keys.load(force=True))
    assert list(here.auth.keys.cached()) == [active.kid]
    assert len(step(here.auth.keys.stored())) == 121
