"""The 30,000 passwords that everybody tries first.

`common_passwords.bin` holds the first 8 bytes of the SHA-1 of each, sorted, so that the list can be searched where it lies and read by nobody at a glance. It was made
from the list of passwords of the Python package zxcvbn 4.5.0 (its license stands beside the file). SHA-1 here protects nothing; it only names.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("common_passwords.bin")
_WIDTH = 8


class _Names:
    """The sorted names of a file, as a sequence that needs no objects of its own."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __len__(self) -> int:
        return len(self._content) // _WIDTH

    def __getitem__(self, place: int) -> bytes:
        return self._content[place * _WIDTH : (place + 1) * _WIDTH]


@cache
def _names() -> _Names:
    return _Names(_FILE.read_bytes())


def is_common(password: str) -> bool:
    """Whether a password, its letters in lower case, is on the list. Lone surrogates are on no list."""
    names = _names()
    wanted = hashlib.sha1(password.lower().encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()[:_WIDTH]
    place = bisect_left(names, wanted)
    return place < len(names) and names[place] == wanted


def listed() -> int:
    """How many passwords the list has."""
    return len(_names())
