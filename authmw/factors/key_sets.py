"""Key sets that other services publish (RFC 7517), as one process remembers them.

Law: a set is kept for an hour, and read again for a key that it does not know, but never within a minute (OAU-05); what is remembered is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias, TypeVar, cast

import attrs

from authmw.errors import AuthError, Refused
from authmw.fetching import JSON, decoded_object, fetch
from authmw.operations import Call
from authmw.ports import FetchRequest

KEPT = timedelta(hours=1)
AGAIN = timedelta(seconds=60)
MAXIMUM_SETS = 256
"""Sets that are remembered; the one that was read longest ago makes room."""
T = TypeVar("T")
Keys: TypeAlias = Sequence[Mapping[str, Any]]


class UnknownKey(AuthError):
    """No key of a set fits: the set may be old."""


@attrs.frozen
class _Kept:
    at: datetime
    keys: Keys

    def fresh(self, now: datetime, within: timedelta) -> bool:
        # A clock that was set back makes the age negative, and is no reason to believe for longer.
        return timedelta(0) <= now - self.at < within


class KeySets:
    """The sets of one `Auth`."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    async def try_keys(self, call: Call, url: str, check: Callable[[Keys], T], *, refusal: str) -> T:
        """What `check` makes of the keys at this address; if it raises UnknownKey they are read again, unless that was done just now. UnknownKey if they still have none.

        Refused: `refusal` if the address gives no key set.
        """
        kept = self._kept.get(url)
        if kept is None or not kept.fresh(call.now, KEPT):
            kept = await self._load(call, url, refusal)
        try:
            return check(kept.keys)
        except UnknownKey:
            if kept.fresh(call.now, AGAIN):
                raise
        kept = await self._load(call, url, refusal)
        return check(kept.keys)

    async def _load(self, call: Call, url: str, refusal: str) -> _Kept:
        answer = await fetch(call, FetchRequest(url=url, headers=JSON), refusal=refusal)
        listed = decoded_object(answer.body, refusal).get("keys") if answer.status == 200 else None
        if not isinstance(listed, list):
            raise Refused(refusal)
        kept = _Kept(
            call.now, [cast("dict[str, Any]", key) for key in cast("list[object]", listed) if isinstance(key, dict)]
        )
        self._kept.pop(url, None)
        self._kept[url] = kept
        while len(self._kept) > MAXIMUM_SETS:
            del self._kept[next(iter(self._kept))]
        return kept
