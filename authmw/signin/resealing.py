"""After a root key was put in front: what rests sealed under another is sealed anew, so that the other can be taken out.

Law: each record in a commit of its own, on the condition that nobody changed it since; what cannot be opened is counted and left as it is, since a process with another list
may still open it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping

import attrs

from authmw.crypto.sealing import SealBroken, needs_resealing
from authmw.errors import StorageError
from authmw.ledger.commits import settle
from authmw.operations import Core
from authmw.people.credentials import resealed
from authmw.people.records import Credential
from authmw.signin.keys import StoredKey, resealed_key
from authmw.storage import And, Cursor, Update

_AGAIN = 3
"""How often a record is looked at that others change at the same time."""


@attrs.frozen(kw_only=True)
class Resealed:
    """What was found, by kind: `signing_key`, or that of a factor (`password`, `totp`, `webauthn`, `oauth` ...)."""

    older: Mapping[str, int]
    """How many were sealed under another root key than the newest and could be opened: sealed anew, unless it was only asked how many there are."""
    unreadable: Mapping[str, int]
    """How many could not be opened: their root key is not in the list, or they were changed. What they prove is refused; they are mended by being set anew."""


async def reseal(core: Core, *, write: bool = True) -> Resealed:
    """Seal every signing key and every secret of a factor under the newest root key; with `write=False` only count them. May be repeated, and stopped at any point."""
    older: Counter[str] = Counter()
    unreadable: Counter[str] = Counter()
    for kind in (StoredKey, Credential):
        async for record in _every(core, kind):
            name = record.kind if isinstance(record, Credential) else "signing_key"
            try:
                older[name] += await _is_older(core, record, write=write)
            except SealBroken:
                unreadable[name] += 1
    return Resealed(older=dict(+older), unreadable=dict(+unreadable))


async def _every(core: Core, kind: type[StoredKey | Credential]) -> AsyncIterator[StoredKey | Credential]:
    after: Cursor | None = None
    while True:
        page = await core.storage.page(kind, And(), after=after, limit=100)
        for record in page.records:
            yield record
        after = page.cursor
        if after is None:
            return


async def _is_older(core: Core, record: StoredKey | Credential, *, write: bool) -> bool:
    """Whether a record was sealed under another root key than the newest; sealed anew where asked. SealBroken if it cannot be opened."""
    for _ in range(_AGAIN):
        after = resealed(core.roots, record) if isinstance(record, Credential) else resealed_key(core, record)
        if not needs_resealing(core.roots, record.sealed):
            return False
        if not write or await settle(core, Update(after)):
            return True
        key = record.part_id if isinstance(record, Credential) else record.kid
        standing = await core.storage.get(type(record), key)
        if standing is None:
            return False  # Nothing of it rests any more.
        record = standing
    raise StorageError("A sealed value was changed by others each time.")
