"""The storage port on a simulated store of conditional batches keeps the whole contract, in each way in which such a store treats batches that overlap."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest

from authmw.drive import step
from authmw.storage import IO, Insert, Storage, Update
from authmw.testing import interleave, turn
from authmw.testing.batch_store import BatchService, BatchStorage, Overlap
from authmw.testing.batch_store.service import Cancelled, Is, Put, Remove, Require
from authmw.testing.contracts import StorageContract
from authmw.testing.contracts.records import KINDS, NOW, Thing


class BatchContract(StorageContract):
    """The contract over one service for each test."""

    across_processes = False
    overlap: ClassVar[Overlap]
    io: ClassVar[IO] = "instant"

    def make_storage(self, folder: Path, namespace: str = "") -> Storage:
        held = vars(self).setdefault("services", dict[Path, BatchService]())
        service = held.get(folder)
        if service is None:
            service = held[folder] = BatchService(overlap=self.overlap, **self.waiting())
        return BatchStorage(service, namespace, io=self.io)

    def waiting(self) -> dict[str, Any]:
        return {"between": lambda: asyncio.sleep(0)} if self.io == "async" else {}


class TestSerialBatches(BatchContract):
    overlap = "serial"


class TestSharedBatches(BatchContract):
    overlap = "shared"
    io = "async"


class TestExclusiveBatches(BatchContract):
    overlap = "exclusive"
    io = "async"


class TestMutualBatches(BatchContract):
    overlap = "mutual"
    io = "async"


# What the store itself promises, or the adapter would prove nothing


def stores() -> tuple[BatchService, BatchStorage]:
    service = BatchService(overlap="exclusive", between=turn)
    service.declare(["p"])
    storage = BatchStorage(service)
    step(storage.prepare(KINDS))
    return service, storage


def test_a_commit_is_a_batch_of_as_many_actions_and_the_widest_is_a_hundred() -> None:
    service, storage = stores()
    widths: list[int] = []
    write = service.write

    async def measured(actions: Any) -> None:
        widths.append(len(actions))
        await write(actions)

    service.write = measured  # type: ignore[method-assign]
    expires = NOW + timedelta(days=1)
    things = [Thing(id=f"k{number}", tags=(f"t{number}", f"u{number}"), expires_at=expires) for number in range(20)]
    step(storage.commit(*map(Insert, things)))
    later = [attrs.evolve(thing, version=1, owner="bob", tags=(f"t{thing.id[1:]}",)) for thing in things]
    step(storage.commit(*map(Update, later)))
    # Each loses one tag and one pair, and its other pair becomes another one.
    assert widths == [100, 100]


def test_a_batch_has_a_hundred_actions_and_one_for_each_item() -> None:
    service, _ = stores()
    step(service.write([Put(("p", str(number)), b"", Is.ABSENT) for number in range(100)]))
    with pytest.raises(ValueError):
        step(service.write([Put(("p", f"x{number}"), b"", Is.ABSENT) for number in range(101)]))
    with pytest.raises(ValueError):
        step(service.write([Require(("p", "0"), b""), Remove(("p", "0"), b"")]))
    with pytest.raises(ValueError):
        step(service.get([("p", str(number)) for number in range(101)]))


def test_a_range_that_was_not_declared_is_refused() -> None:
    service, _ = stores()
    for request in (
        service.query("q", limit=1),
        service.get([("q", "0")]),
        service.write([Put(("q", "0"), b"", Is.ABSENT)]),
    ):
        with pytest.raises(KeyError):
            step(request)


def test_a_batch_with_one_unmet_condition_changes_nothing_and_says_which() -> None:
    service, _ = stores()
    step(service.write([Put(("p", "a"), b"1", Is.ABSENT)]))
    with pytest.raises(Cancelled) as met:
        step(
            service.write(
                [Put(("p", "b"), b"1", Is.ANYTHING), Remove(("p", "a"), b"2"), Require(("p", "c"), Is.ABSENT)]
            )
        )
    assert met.value.reasons == (None, "condition", None)
    assert step(service.get([("p", "a"), ("p", "b")])) == [b"1", None]


@pytest.mark.parametrize(("overlap", "cancelled"), [("serial", 0), ("shared", 0), ("exclusive", 1), ("mutual", 2)])
def test_two_checks_of_one_item_cancel_each_other_where_the_store_does_so(overlap: Overlap, cancelled: int) -> None:
    """Each order of the two batches' phases: those that overlap are cancelled as the mode says, the others both happen."""
    met: set[int] = set()
    for seed in range(20):
        service = BatchService(overlap=overlap, between=turn)
        service.declare(["p"])
        fates: list[bool] = []

        async def check(service: BatchService = service, fates: list[bool] = fates) -> None:
            try:
                await service.write([Require(("p", "a"), Is.ABSENT)])
            except Cancelled as told:
                assert set(told.reasons) == {"overlap"}
                fates.append(False)
            else:
                fates.append(True)

        interleave([check(), check()], seed)
        met.add(fates.count(False))
    assert met == {0, cancelled}
