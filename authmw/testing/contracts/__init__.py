"""What every adapter must do, as tests: `StorageContract` and `LimiterContract`. The author of an adapter subclasses them with one method.

    class TestMyStorage(StorageContract):
        def make_storage(self, folder, namespace=""):
            return MyStorage(folder / "data", namespace)

Adapters of every `io` are run as they declare; `shared = False` says that two storages over one folder share nothing,
`across_processes = False` that they do so in one process only. What a server needs (a database of its
own for each test, say) stands in a fixture of the subclass with `autouse=True`. Needs pytest and hypothesis.
"""

from __future__ import annotations

from authmw.testing.contracts.life import LifeContract
from authmw.testing.contracts.limits import LimiterContract
from authmw.testing.contracts.machine import MachineContract
from authmw.testing.contracts.pages import PagesContract
from authmw.testing.contracts.races import RacesContract
from authmw.testing.contracts.values import ValuesContract
from authmw.testing.contracts.writes import WritesContract

__all__ = ["LimiterContract", "StorageContract"]


class StorageContract(ValuesContract, WritesContract, PagesContract, LifeContract, RacesContract, MachineContract):
    """The whole contract of `authmw.storage.Storage`."""
