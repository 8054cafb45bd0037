"""What a guard remembers of requests: values by the text that proved them, each until its time, bounded, forgotten at a revocation.

Law: what was judged before a revocation is never remembered after it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Generic, TypeVar

from authmw import drive

T = TypeVar("T")

MOST = 10_000
"""How many values are held; the oldest tenth makes room."""
LONGEST = 8192
"""Characters of a text that is remembered. A longer one is judged each time, so that nobody fills the memory by long headers."""

SAMPLE = slice(None, None, 16)
"""The part of a long text that finds it, where hashing all of it would cost more than all else that is done for a request: whoever finds something compares the whole."""


class Remembered(Generic[T]):
    """Values by text. Reading takes no lock."""

    def __init__(self) -> None:
        self._lock = drive.Lock()
        self._held: dict[str | bytes, tuple[T, float]] = {}
        self.find = self._held.get
        """The value of a text and when its time is over, in seconds since 1970: whoever asks looks whether it is."""
        self.revocations = 0
        """How often something was forgotten: whoever judges reads it first and hands it to `put`."""

    def get(self, text: str | bytes, now: datetime) -> T | None:
        """The value of a text, while its time is not over."""
        held = self._held.get(text)
        return held[0] if held is not None and now.timestamp() < held[1] else None

    def put(self, text: str | bytes, value: T, until: datetime, revocations: int) -> None:
        """Remember a value, unless something was revoked since it was judged."""
        if len(text) > LONGEST:
            return
        with self._lock:
            if revocations != self.revocations:
                return
            if len(self._held) >= MOST:
                for old in list(self._held)[: MOST // 10]:
                    del self._held[old]
            self._held[text] = (value, until.timestamp())

    def forget(self, text: str) -> None:
        """Forget one value."""
        with self._lock:
            self.revocations += 1
            self._held.pop(text, None)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self.revocations += 1
            self._held.clear()
