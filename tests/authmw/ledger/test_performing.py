"""How an operation runs: what is repeated, what is done once, and what fails closed.

Storage here is the real one in memory; what a race or a lost connection would do happens inside its `commit`.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from authmw import Auth, Refused, Settings, drive
from authmw.drive import step
from authmw.errors import Duplicate, OutcomeUnknown, StorageError
from authmw.ledger.commits import commit
from authmw.ledger.notes import HELD
from authmw.ledger.performing import SWEPT, SWEPT_EVERY, SWEPT_ON
from authmw.ledger.records import Event
from authmw.limits import Limit
from authmw.operations import Product, Response, current_call, operation
from authmw.people.directory import new_email, new_user
from authmw.people.records import User
from authmw.signin.limits import charge, forget_later
from authmw.storage import And, Between, Insert, Update, Write
from authmw.testing import FixedClock
from authmw_adapters.memory import MemoryLimiter, MemoryStorage
from authmw_adapters.sqlite import SQLiteStorage

Act = Callable[["Racing"], None]


class Racing(MemoryStorage):
    """Memory in which something happens just before each of the next commits."""

    def __init__(self) -> None:
        super().__init__()
        self.before: list[Act] = []
        self.tries = 0

    async def commit(self, *writes: Write) -> None:
        if any(isinstance(write.record, User) for write in writes):
            self.tries += 1
            if self.before:
                self.before.pop(0)(self)
        await super().commit(*writes)

    def put(self, write: Write) -> None:
        """Commit from elsewhere, unnoticed."""
        step(super().commit(write))


class Trials(Product):
    """Operations made for these tests."""

    bodies = 0

    @operation("POST", "/v1/trials/rename", action="Rename")
    async def rename(self, *, user_id: str, name: str) -> Response:
        self.bodies += 1
        call = current_call()
        await charge(call, Limit("trials", (user_id,), 1, timedelta(minutes=1)))
        user = await call.storage.get(User, user_id)
        assert user is not None
        await commit(Update(attrs.evolve(user, first_name=name)))
        return Response()

    @operation("POST", "/v1/trials/witness", action="Witness")
    async def witness(self, *, user_id: str) -> Response:
        """Makes another user, resting on what it read of the first."""
        self.bodies += 1
        call = current_call()
        read = await call.storage.get(User, user_id)
        assert read is not None
        other = new_user(call, new_email(call, f"witness{self.bodies}@example.org"))
        await commit(Insert(attrs.evolve(other, last_name=read.first_name)))
        return Response()

    @operation("POST", "/v1/trials/blind", action="Blind")
    async def blind(self, *, address: str) -> Response:
        """Inserts without looking."""
        self.bodies += 1
        call = current_call()
        await commit(Insert(new_user(call, new_email(call, address))))
        return Response()

    @operation("POST", "/v1/trials/twice", action="Twice")
    async def twice(self, *, address: str) -> Response:
        self.bodies += 1
        call = current_call()
        await commit(Insert(new_user(call, new_email(call, address))))
        await commit(Insert(new_user(call, new_email(call, "second" + address))))
        return Response()

    @operation("POST", "/v1/trials/remember", action="Remember")
    async def remember(self, *, address: str) -> Response:
        """Refuses, and commits what the refusal must remember."""
        call = current_call()
        forget_later(call, Limit("trials", (address,), 1, timedelta(minutes=1)))
        await charge(call, Limit("trials", (address,), 1, timedelta(minutes=1)))
        await commit(Insert(new_user(call, new_email(call, address))), refusal=Refused("user_lock_limit_reached"))
        return Response()


@attrs.define(eq=False)
class Trial:
    storage: Racing
    auth: Auth
    trials: Trials
    user: str

    def users(self) -> list[User]:
        return list(step(self.storage.page(User, And(), limit=100)).records)

    def events(self, action: str) -> list[Event]:
        self.auth.notes.flush()
        return [one for one in step(self.storage.page(Event, And(), limit=100)).records if one.action == action]


@pytest.fixture
def trial() -> Trial:
    storage = Racing()
    settings = Settings(project_id="project-test-1", secret="a secret of these tests")
    auth = Auth(settings, storage=storage, limiter=MemoryLimiter(), clock=FixedClock())
    made = auth.run(auth.users.create(email="ada@example.org"))
    storage.tries = 0
    return Trial(storage, auth, Trials(auth.core), made.user_id)


def changed(user_id: str, name: str) -> Act:
    """Somebody else renames the user."""

    def act(storage: Racing) -> None:
        user = step(storage.get(User, user_id))
        assert user is not None
        storage.put(Update(attrs.evolve(user, middle_name=name)))

    return act


def raising(error: Exception) -> Act:
    def act(storage: Racing) -> None:
        raise error

    return act


def test_a_conflict_repeats_the_body_with_one_charge_and_one_event(trial: Trial) -> None:
    trial.storage.before = [changed(trial.user, "x"), changed(trial.user, "y")]
    trial.auth.run(trial.trials.rename(user_id=trial.user, name="Ada"))
    assert (trial.trials.bodies, trial.storage.tries) == (3, 3)
    assert (trial.users()[0].first_name, trial.users()[0].middle_name) == ("Ada", "y")
    assert [one.status for one in trial.events("Rename")] == ["success"]


def test_the_one_charge_was_taken(trial: Trial) -> None:
    trial.auth.run(trial.trials.rename(user_id=trial.user, name="Ada"))
    with pytest.raises(Refused) as refused:
        trial.auth.run(trial.trials.rename(user_id=trial.user, name="Eve"))
    assert refused.value.error_type == "too_many_requests"
    assert trial.users()[0].first_name == "Ada"


def test_a_record_that_was_only_read_is_checked_in_the_commit(trial: Trial) -> None:
    """STO-02: what a decision rests on cannot change under it."""

    def rename(storage: Racing) -> None:
        user = step(storage.get(User, trial.user))
        assert user is not None
        storage.put(Update(attrs.evolve(user, first_name="Changed")))

    trial.storage.before = [rename]
    trial.auth.run(trial.trials.witness(user_id=trial.user))
    assert trial.trials.bodies == 2
    assert [one.last_name for one in trial.users() if one.id != trial.user] == ["Changed"]


def test_endless_conflict_fails_closed_after_eight_repeats(trial: Trial) -> None:
    trial.storage.before = [changed(trial.user, str(number)) for number in range(20)]
    with pytest.raises(Refused) as refused:
        trial.auth.run(trial.trials.rename(user_id=trial.user, name="Ada"))
    assert refused.value.error_type == "server_unavailable"
    assert trial.trials.bodies <= 9
    assert trial.users()[0].first_name == ""
    assert [one.error_type for one in trial.events("Rename")] == ["server_unavailable"]


def test_a_duplicate_met_twice_is_the_refusal_declared_for_its_index(trial: Trial) -> None:
    with pytest.raises(Refused) as refused:
        trial.auth.run(trial.trials.blind(address="ada@example.org"))
    assert refused.value.error_type == "duplicate_email"
    assert trial.trials.bodies == 2
    assert len(trial.users()) == 1


def test_a_duplicate_that_is_gone_at_the_second_try_is_none(trial: Trial) -> None:
    trial.storage.before = [raising(Duplicate("users", "email"))]
    trial.auth.run(trial.trials.blind(address="new@example.org"))
    assert trial.trials.bodies == 2
    assert len(trial.users()) == 2


@pytest.mark.parametrize("error", [OutcomeUnknown("lost"), StorageError("down")], ids=["unknown", "down"])
def test_what_storage_cannot_say_fails_closed_and_is_not_repeated(trial: Trial, error: StorageError) -> None:
    trial.storage.before = [raising(error)]
    with pytest.raises(Refused) as refused:
        trial.auth.run(trial.trials.blind(address="new@example.org"))
    assert refused.value.error_type == "server_unavailable"
    assert trial.trials.bodies == 1


def test_a_second_commit_is_refused_and_the_first_stands(trial: Trial) -> None:
    with pytest.raises(Refused) as refused:
        trial.auth.run(trial.trials.twice(address="new@example.org"))
    assert refused.value.error_type == "server_unavailable"
    assert trial.trials.bodies == 1
    assert sorted(one.emails[0].address for one in trial.users()) == ["ada@example.org", "new@example.org"]
    assert len(trial.events("Twice")) == 1


def test_a_refusal_stands_with_what_it_remembers_and_what_follows_its_commit(trial: Trial) -> None:
    for address in ("new@example.org", "newer@example.org"):
        with pytest.raises(Refused) as refused:
            trial.auth.run(trial.trials.remember(address=address))
        assert refused.value.error_type == "user_lock_limit_reached"
        assert refused.value.request_id.startswith("request-id-test-")
    assert len(trial.users()) == 3
    assert [one.status for one in trial.events("Remember")] == ["error", "error"]


def test_an_operation_cannot_change_storage_past_the_ledger(trial: Trial) -> None:
    class Bypass(Product):
        @operation("POST", "/v1/trials/bypass", action="Bypass")
        async def bypass(self) -> Response:
            call = current_call()
            await call.storage.commit(Insert(new_user(call)))
            return Response()

    with pytest.raises(Refused) as refused:
        trial.auth.run(Bypass(trial.auth.core).bypass())
    assert refused.value.error_type == "server_unavailable"
    assert len(trial.users()) == 1


class Ends(Product):
    """Operations that end in other ways than by an answer, or late."""

    notes: Any = None

    @operation("POST", "/v1/trials/raise", action="Raise")
    async def fail(self, *, after_commit: bool = False) -> Response:
        if after_commit:
            await commit()
        raise ZeroDivisionError

    @operation("POST", "/v1/trials/cancel", action="Cancel")
    async def cancel(self) -> Response:
        raise asyncio.CancelledError

    @operation("POST", "/v1/trials/behind", action="Behind")
    async def behind(self) -> Response:
        async def act() -> None:
            raise ZeroDivisionError

        current_call().after.append(act)
        await commit()
        return Response()

    @operation("POST", "/v1/trials/long", action="Long")
    async def long(self, *, dies: bool = False) -> Response:
        """Takes two seconds; meanwhile the process writes its notes."""
        clock, notes = current_call().core.clock, self.notes
        assert isinstance(clock, FixedClock)
        clock.advance(seconds=2)
        notes.flush()
        if dies:
            notes.forget()
            notes.note = lambda write: None  # type: ignore[method-assign]  # the process is gone, and with it its notes
        return Response()


def ends(trial: Trial, action: str) -> list[tuple[str, str]]:
    return [(one.status, one.error_type) for one in trial.events(action)]


def test_a_call_that_raises_leaves_one_event(trial: Trial) -> None:
    with pytest.raises(ZeroDivisionError):
        trial.auth.run(Ends(trial.auth.core).fail())
    assert ends(trial, "Raise") == [("error", "internal_server_error")]


def test_a_call_that_raises_after_its_commit_is_one_error(trial: Trial) -> None:
    with pytest.raises(ZeroDivisionError):
        trial.auth.run(Ends(trial.auth.core).fail(after_commit=True))
    assert ends(trial, "Raise") == [("error", "internal_server_error")]


def test_a_call_that_is_cancelled_leaves_one_event(trial: Trial) -> None:
    with pytest.raises(asyncio.CancelledError):
        trial.auth.run(Ends(trial.auth.core).cancel())
    assert ends(trial, "Cancel") == [("error", "client_closed_request")]


def test_what_fails_behind_a_commit_fails_no_answer(trial: Trial, caplog: pytest.LogCaptureFixture) -> None:
    assert trial.auth.run(Ends(trial.auth.core).behind()).status_code == 200
    assert ends(trial, "Behind") == [("success", "")]
    assert trial.auth.notes.failed == 1
    assert [record.message for record in caplog.records] == ["failed_after_commit"]


def statuses(trial: Trial, action: str) -> list[str]:
    trial.auth.notes.flush()
    return [entry.status for entry in trial.auth.run(trial.auth.events.list(action=action)).events]


def test_a_long_call_reads_as_one_start_and_one_end(trial: Trial) -> None:
    product = Ends(trial.auth.core)
    product.notes = trial.auth.notes
    trial.auth.run(product.long())
    assert statuses(trial, "Long") == ["success", "start"]


def test_a_long_call_whose_process_died_reads_as_interrupted_after_ten_minutes(trial: Trial) -> None:
    product = Ends(trial.auth.core)
    product.notes = trial.auth.notes
    trial.auth.run(product.long(dies=True))
    del trial.auth.notes.note
    clock = trial.auth.core.clock
    assert isinstance(clock, FixedClock)
    assert statuses(trial, "Long") == ["start"]
    clock.advance(minutes=10)
    assert statuses(trial, "Long") == ["interrupted", "start"]


def test_a_commit_whose_outcome_was_lost_has_one_event_whether_it_happened_or_not(trial: Trial) -> None:
    happened = trial.storage.commit

    async def lost(*writes: Write) -> None:
        await happened(*writes)
        if any(isinstance(write.record, User) for write in writes):
            raise OutcomeUnknown("lost")

    trial.storage.commit = lost  # type: ignore[method-assign]  # the acknowledgement is lost on its way
    with pytest.raises(Refused):
        trial.auth.run(trial.trials.blind(address="new@example.org"))
    assert len(trial.users()) == 2
    assert len(trial.events("Blind")) == 1


def test_notes_over_their_bound_are_counted_and_lost(trial: Trial) -> None:
    noted = trial.events("CreateUser")[0]
    for number in range(5 * HELD):
        trial.auth.notes.note(Insert(attrs.evolve(noted, version=0, event_id=f"event-{number}")))
    assert 0 < trial.auth.notes.lost <= 4 * HELD


def test_one_commit_in_256_drops_what_is_over(trial: Trial) -> None:
    clock = trial.auth.core.clock
    assert isinstance(clock, FixedClock)
    before = len(trial.events("CreateUser"))
    clock.advance(days=32)
    for number in range(SWEPT_EVERY):
        trial.auth.run(trial.trials.rename(user_id=trial.user, name=str(number)))
        clock.advance(minutes=1)
    assert drive.finish(10)
    assert (before, len(trial.events("CreateUser"))) == (1, 0)


def test_as_long_as_more_is_over_than_one_sweep_drops_it_goes_on(trial: Trial) -> None:
    clock = trial.auth.core.clock
    assert isinstance(clock, FixedClock)
    noted = trial.events("CreateUser")[0]
    for number in range(3 * SWEPT):
        step(trial.storage.commit(Insert(attrs.evolve(noted, version=0, event_id=f"event-{number}"))))
    clock.advance(days=32)
    left = []
    for number in range(SWEPT_EVERY + 3 * SWEPT_ON):
        trial.auth.run(trial.trials.rename(user_id=trial.user, name=str(number)))
        assert drive.finish(10)
        clock.advance(minutes=1)
        left.append(
            step(trial.storage.count(Event, Between("action", ("CreateUser",), ("CreateUser", "~")), at_most=1000))
        )
    assert left[0] == left[SWEPT_EVERY - 3] == 3 * SWEPT + 1
    assert [left[SWEPT_EVERY + SWEPT_ON * turn] for turn in range(3)] == [2 * SWEPT + 1, SWEPT + 1, 1]
    assert left[-1] == 0


def test_a_forked_child_writes_its_own_notes_and_not_those_of_its_parent(tmp_path: Path) -> None:
    storage = SQLiteStorage(tmp_path / "forked.sqlite3")
    settings = Settings(project_id="project-test-1", secret="a secret of these tests")
    auth = Auth(settings, storage=storage, limiter=MemoryLimiter())
    script = """
import os, sys
from pathlib import Path
from authmw import Auth, Refused, Settings
from authmw_adapters.memory import MemoryLimiter
from authmw_adapters.sqlite import SQLiteStorage

settings = Settings(project_id="project-test-1", secret="a secret of these tests")
auth = Auth(settings, storage=SQLiteStorage(Path(sys.argv[1])), limiter=MemoryLimiter())

def ask(name):
    try:
        auth.run(auth.users.get(user_id=name))
    except Refused:
        pass

ask("parent")
child = os.fork()
if child == 0:
    ask("child")
    auth.notes.flush()
    os._exit(0)
os.waitpid(child, 0)
"""
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, str(tmp_path / "forked.sqlite3")], check=True, timeout=60
    )
    rows = auth.run(auth.events.list(action="GetUser", status="error")).events
    assert len({row.request_id for row in rows}) == 2
