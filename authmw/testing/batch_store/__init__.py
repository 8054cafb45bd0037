"""A simulated store of conditional batches, and the storage port on it: the proof that the port asks of a store no more than such stores can do.

    service = BatchService(overlap="exclusive")
    storage = BatchStorage(service)
    service.cut(service.shard_of(User))     # a partition of the network
    service.acknowledgement = lambda number: "lost" if number % 7 == 0 else "given"

Such stores hold items under a partition and a sort key, and change up to 100 of them in one batch, each item by one action with a condition on that item alone. They
read an item, or a range of one partition that was declared, and nothing else. Indexes over fields of an item they keep by themselves. How a record becomes items is told in
`items`; a commit within `authmw.storage.MAX_ACTIONS` is a batch of as many actions.
"""

from authmw.testing.batch_store.service import Acknowledgement, BatchService, Overlap
from authmw.testing.batch_store.storage import BatchStorage

__all__ = ["Acknowledgement", "BatchService", "BatchStorage", "Overlap"]
