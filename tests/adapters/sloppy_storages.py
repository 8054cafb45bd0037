"""Adapters with one fault each, as the contract sees them: what each forgets is a fault that adapters have. Run by `test_sloppy_storages`, never by themselves."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import attrs
from hypothesis import Phase, settings

from authmw.errors import Conflict, Duplicate
from authmw.storable import check_commit
from authmw.storage import (
    IO,
    Check,
    Cursor,
    Delete,
    Filter,
    Order,
    Page,
    Update,
    encode,
    key_of,
)
from authmw.testing.contracts import StorageContract
from authmw.testing.contracts.machine import MachineContract
from authmw.testing.contracts.records import Thing
from authmw_adapters.memory import MemoryStorage
from authmw_adapters.sqlite import SQLiteStorage
from tests.adapters.suspending import SuspendingStorage


def alone(adapter: type) -> staticmethod:
    """An adapter that needs nothing."""
    return staticmethod(lambda folder, namespace: adapter())


def in_file(adapter: type) -> staticmethod:
    """An adapter over a file."""
    return staticmethod(lambda folder, namespace: adapter(folder / "data.sqlite3", namespace))


class Sloppy(StorageContract):
    """The contract over a sloppy adapter; `caught_by` names the tests that have to fail."""

    shared = False
    machine = settings(MachineContract.machine, max_examples=5, phases=[Phase.generate])
    adapter: ClassVar[Callable[[Path, str], Any]]
    caught_by: ClassVar[tuple[str, ...]]
    says: ClassVar[str] = ""
    """What the first of these tests says."""
    nothing_else = True
    """Whether a test outside of `caught_by` and the state machine may not fail."""

    def make_storage(self, folder: Path, namespace: str = "") -> Any:
        return type(self).adapter(folder, namespace)


class _Split(MemoryStorage):
    """Memory whose commit is cut into its judgement and its deed."""

    def _judge(self, writes: Any) -> list[Any]:
        check_commit(writes)
        after = [self._judged(write) for write in writes]
        self._bounded(writes, after)
        self._unique(writes, after)
        return after

    def _do(self, writes: Any, after: Any) -> None:
        for write in writes:
            table = self._table(type(write.record))
            if isinstance(write, Update | Delete) and key_of(write.record) in table.rows:
                table.remove(key_of(write.record))
        for write, row in zip(writes, after, strict=True):
            table = self._table(type(write.record))
            if row is not None:
                if key_of(write.record) in table.rows:
                    table.remove(key_of(write.record))
                table.add(key_of(write.record), row)


# Commits


class _ReadThenWrite(_Split):
    async def commit(self, *writes: Any) -> None:
        with self._lock:
            after = self._judge(writes)
        threading.Event().wait(0.001)
        with self._lock:
            self._do(writes, after)


class ReadThenWrite(Sloppy):
    """Looks, and then writes: the way of SELECT and UPDATE without a condition."""

    adapter = alone(_ReadThenWrite)
    caught_by = (
        "test_a_token_is_spent_by_one_of_many_threads",
        "test_no_update_of_many_threads_is_lost",
        "test_one_value_is_taken_by_one_of_many_threads",
        "test_two_commits_that_check_each_others_record_do_not_both_happen",
    )
    nothing_else = False


class _LostVersionCheck(MemoryStorage):
    def _judged(self, write: Any) -> Any:
        row = self._table(type(write.record)).rows.get(key_of(write.record))
        if isinstance(write, Update) and row is not None:
            write = Update(attrs.evolve(write.record, version=row.version))
        return super()._judged(write)


class LostVersionCheck(Sloppy):
    """Updates whatever version is there: the last writer wins."""

    adapter = alone(_LostVersionCheck)
    caught_by = (
        "test_a_write_on_another_version_conflicts[Update]",
        "test_a_record_that_came_back_is_another_one_if_its_version_is[Update]",
        "test_no_update_of_many_threads_is_lost",
    )
    nothing_else = False


class _IgnoredChecks(MemoryStorage):
    def _judged(self, write: Any) -> Any:
        return None if isinstance(write, Check) else super()._judged(write)


class IgnoredChecks(Sloppy):
    """Takes a check for a wish: write skew."""

    adapter = alone(_IgnoredChecks)
    caught_by = (
        "test_a_write_on_another_version_conflicts[Check]",
        "test_a_write_on_a_missing_record_conflicts[0-Check]",
        "test_a_write_on_a_missing_record_conflicts[1-Check]",
        "test_a_record_that_came_back_is_another_one_if_its_version_is[Check]",
        "test_one_failing_write_undoes_all[0]",
        "test_one_failing_write_undoes_all[1]",
        "test_one_failing_write_undoes_all[2]",
        "test_one_failing_write_undoes_all[3]",
        "test_two_commits_that_check_each_others_record_do_not_both_happen",
    )
    nothing_else = False


class _PartialCommit(MemoryStorage):
    async def commit(self, *writes: Any) -> None:
        check_commit(writes)
        with self._lock:
            after = [self._judged(write) for write in writes[:1]]
            self._bounded(writes[:1], after)
        for write in writes:
            await super().commit(write)


class PartialCommit(Sloppy):
    """Writes one after the other, each by itself."""

    adapter = alone(_PartialCommit)
    caught_by = (
        "test_one_failing_write_undoes_all[1]",
        "test_one_failing_write_undoes_all[2]",
        "test_one_failing_write_undoes_all[3]",
        "test_a_duplicate_undoes_all_of_every_kind",
    )
    nothing_else = False


class _FalseDuplicate(MemoryStorage):
    def _unique(self, writes: Any, after: Any) -> None:
        super()._unique(writes, after)
        for write, row in zip(writes, after, strict=True):
            table = self._table(type(write.record))
            for name, held in table.unique.items():
                for value in row.values[name] if row else ():
                    if held.get(value, key_of(write.record)) != key_of(write.record):
                        raise Duplicate(table.description.kind, name)


class FalseDuplicate(Sloppy):
    """Judges uniqueness write by write: a value that moves within a commit is a duplicate to it."""

    adapter = alone(_FalseDuplicate)
    caught_by = (
        "test_values_swap_between_two_records_in_one_commit[False]",
        "test_values_swap_between_two_records_in_one_commit[True]",
        "test_values_go_round_three_records_in_one_commit",
        "test_a_deleted_value_is_free_in_the_same_commit[False]",
        "test_a_deleted_value_is_free_in_the_same_commit[True]",
        "test_values_that_many_threads_swap_stay_unique",
    )


class _TriesAgain(MemoryStorage):
    async def commit(self, *writes: Any) -> None:
        try:
            await super().commit(*writes)
        except Duplicate:
            raise
        except Conflict:
            fresh = []
            for write in writes:
                held = await self.get(type(write.record), key_of(write.record))
                fresh.append(
                    type(write)(attrs.evolve(write.record, version=held.version))
                    if held and isinstance(write, Update | Delete)
                    else write
                )
            await super().commit(*fresh)


class TriesAgain(Sloppy):
    """Answers a conflict by doing it again on the version of now."""

    adapter = alone(_TriesAgain)
    caught_by = (
        "test_a_write_on_another_version_conflicts[Update]",
        "test_a_write_on_another_version_conflicts[Delete]",
        "test_a_record_that_came_back_is_another_one_if_its_version_is[Update]",
        "test_a_record_that_came_back_is_another_one_if_its_version_is[Delete]",
    )
    nothing_else = False


class _Unbounded(MemoryStorage):
    def _bounded(self, writes: Any, after: Any) -> None:
        return


class Unbounded(Sloppy):
    """Takes more at once than other stores can."""

    adapter = alone(_Unbounded)
    caught_by = (
        "test_more_actions_than_the_bound_are_refused[insert]",
        "test_more_actions_than_the_bound_are_refused[replace]",
        "test_more_actions_than_the_bound_are_refused[delete]",
        "test_more_actions_than_the_bound_are_refused[check]",
    )


# Values and times


class _NaiveTime(MemoryStorage):
    async def get(self, kind: Any, key: str) -> Any:
        found = await super().get(kind, key)
        if not isinstance(found, Thing):
            return found
        return attrs.evolve(found, made_at=found.made_at.astimezone().replace(tzinfo=None))


class NaiveTime(Sloppy):
    """Gives times back in the zone of the machine and does not say so."""

    adapter = alone(_NaiveTime)
    caught_by = (
        "test_times_come_back_as_the_same_moment_with_a_zone",
        "test_what_was_stored_is_read_back_with_the_next_version",
    )
    nothing_else = False


class _TimesAsText(MemoryStorage):
    async def page(
        self, kind: Any, where: Filter, *, order: Order = Order(), after: Any = None, limit: int
    ) -> Page[Any]:
        if kind is not Thing or order.index != "made" or after is not None:
            return await super().page(kind, where, order=order, after=after, limit=limit)
        found = await super().page(kind, where, limit=1000)
        said = sorted(found.records, key=lambda one: (self.spelled[one.id], one.id), reverse=order.descending)
        return Page(
            tuple(said[:limit]), Cursor((said[limit - 1].made_at.isoformat(),), "~") if len(said) > limit else None
        )

    async def commit(self, *writes: Any) -> None:
        await super().commit(*writes)
        self.spelled.update(
            {write.record.id: write.record.made_at.isoformat() for write in writes if isinstance(write.record, Thing)}
        )

    def __init__(self) -> None:
        super().__init__()
        self.spelled: dict[str, str] = {}


class TimesAsText(Sloppy):
    """Orders times as they were spelled, each in its own zone."""

    adapter = alone(_TimesAsText)
    caught_by = ("test_times_of_several_zones_are_in_the_order_of_time",)
    nothing_else = False


class _SharedValues(MemoryStorage):
    def __init__(self) -> None:
        super().__init__()
        self.given: dict[Any, Any] = {}

    async def get(self, kind: Any, key: str) -> Any:
        found = await super().get(kind, key)
        return self.given.setdefault((kind, encode(found)), found) if found else None


class SharedValues(Sloppy):
    """Gives everybody the same value, so that whoever changes it changes what is read by others."""

    adapter = alone(_SharedValues)
    caught_by = ("test_changing_what_was_read_does_not_change_what_is_stored",)


class _FoldedCase(MemoryStorage):
    async def find(self, kind: Any, index: str, value: Any) -> Any:
        found = await super().find(kind, index, value)
        if found is None:
            for text in (value[0].lower(), value[0].upper(), value[0].rstrip()):
                found = found or await super().find(kind, index, (text,))
        return found

    def _unique(self, writes: Any, after: Any) -> None:
        super()._unique(writes, after)
        for write, row in zip(writes, after, strict=True):
            table = self._table(type(write.record))
            for name, held in table.unique.items():
                taken = {tuple(text.casefold() for text in value): key for value, key in held.items()}
                for value in row.values[name] if row else ():
                    holder = taken.get(tuple(text.casefold() for text in value))
                    if holder is not None and holder not in {key_of(one.record) for one in writes}:
                        raise Duplicate(table.description.kind, name)


class FoldedCase(Sloppy):
    """Compares text as many databases do unless they are told otherwise: without case, without blanks at the end."""

    adapter = alone(_FoldedCase)
    caught_by = ("test_keys_and_values_are_told_apart_by_every_code_point",)
    nothing_else = False


# Waiting


class _InstantFile(SQLiteStorage):
    io: IO = "instant"


class DeclaredInstantButBlocks(Sloppy):
    """A database that says it never waits."""

    shared = True
    adapter = in_file(_InstantFile)
    caught_by = ("test_it_waits_only_as_it_declares",)
    says = "declared instant, but reaches out"


class _BlockingLoop(SuspendingStorage):
    io: IO = "blocking"


class DeclaredBlockingButSuspends(Sloppy):
    """An asynchronous client that says it holds its thread."""

    adapter = alone(_BlockingLoop)
    caught_by = ("test_it_waits_only_as_it_declares",)
    says = "declared blocking, but waits on a loop"
    nothing_else = False


class _NeverSuspends(MemoryStorage):
    io: IO = "async"


class DeclaredAsyncButNeverSuspends(Sloppy):
    """A blocking client behind `async def`: it holds up the loop."""

    adapter = alone(_NeverSuspends)
    caught_by = ("test_it_waits_only_as_it_declares",)
    says = "it never suspends"
