"""What every adapter must do, as tests: `StorageContract` and `LimiterContract`. The author of an adapter subclasses them with one method.

    class TestMyStorage(StorageContract):
        def make_storage(self, folder, namespace=""):
            return MyStorage(folder / "data", namespace)

    class TestMyLimiter(LimiterContract):
        def make_limiter(self, folder):
            return MyLimiter(folder / "counts")

Adapters of every `io` are run as they declare; `shared = False` says that two storages over one folder share nothing,
`across_processes = False` that they do so in one process only. What a server needs (a database of its
own for each test, say) stands in a fixture of the subclass with `autouse=True`. Needs pytest and hypothesis.

Writing an adapter
==================

1. Read `authmw.storage`: the port is eight methods and its docstrings are the promise. `authmw_adapters.memory` is its meaning in three hundred lines, and
   `authmw.testing.batch_store.items` shows the port on a store that knows nothing but conditional batches. `docs/writing-an-adapter.md` in the source builds one on etcd.
2. A record tells how it is kept: `description(kind)` names its key, its indexes and the field it expires by. Keep the key, the version, the record
   (`authmw.storage.encode` and `decode`, or columns), and the values of each index. An index that is `aside` needs items or rows of its own; the others stand on a field. A key has up to
   160 characters, an indexed text up to 255, all texts of an index value up to 600.
3. `commit` is one transaction: call `authmw.storable.check_commit` first; compare every record's version as you write it (`UPDATE ... WHERE key = ? AND version = ?`; a `Check`
   locks or compares too); call `check_actions`; remove the index values that go before you add those that come, so that a value may move. A version that differs is `Conflict`,
   a taken value `Duplicate(kind, index)`. What the database undid because of others (deadlock, serialization failure, overlapping batch) is `Conflict` too. An answer that was
   lost on the way is `OutcomeUnknown`; everything else is `StorageError`, without the database's text. Never try again by yourself.
4. Compare text by its code points (a binary collation), and keep times as `authmw.storage.moment` spells them or with their zone.
5. A filter runs on declared indexes or raises; a page may end early as long as it gives a cursor; what has expired is given until `sweep` drops it.
6. Say how the methods wait by `io`. On a loop, a caller may be cancelled at any await: bring the work to its end, or let go of what it held.
7. Subclass the contract, and run it with several seeds and under load. `tests/adapters/sloppy_storages.py` and `sloppy_answers.py` in the source show which test catches which fault.
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
