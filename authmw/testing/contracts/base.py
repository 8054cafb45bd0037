"""What every part of the storage contract stands on: how a storage is made, and the fixtures that open and close it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Protocol

import pytest

from authmw.storage import Storage
from authmw.testing.contracts.driven import Driven


class Open(Protocol):
    """Opens a storage of the adapter over the folder of the test; it is closed when the test ends."""

    def __call__(self, namespace: str = "", *, prepared: bool = True) -> Driven:
        """One more storage."""
        ...


class Contract:
    """The one method and the declarations that a subclass provides."""

    shared: ClassVar[bool] = True
    """Whether storages made over one folder and namespace reach the same data."""
    across_processes: ClassVar[bool] = True
    """Whether they do so from other processes and after a fork too."""

    def make_storage(self, folder: Path, namespace: str = "") -> Storage:
        """A new storage over what lies in `folder`; another folder is other data.

        It may be called in another process, so what it needs of `self` must be picklable.
        """
        message = f"A subclass of StorageContract provides make_storage({folder}, {namespace})."
        raise AssertionError(message)

    @pytest.fixture
    def opened(self, tmp_path: Path) -> Iterator[Open]:
        """Opens storages over one folder."""
        made: list[Driven] = []

        def opened(namespace: str = "", *, prepared: bool = True) -> Driven:
            store = Driven(self.make_storage(tmp_path, namespace))
            made.append(store)
            if prepared:
                store.prepare()
            return store

        yield opened
        for store in made:
            store.close()

    @pytest.fixture
    def store(self, opened: Open) -> Driven:
        """A storage that is ready and empty."""
        return opened()
