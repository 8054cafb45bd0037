"""Whether a password was seen in a breach, found out without saying which password it is.

Law: what leaves is the first 5 of the 40 digits of its SHA-1, and nothing about the person (PWD-06). SHA-1 protects nothing here; it is what the sources are sorted by.
"""

from __future__ import annotations

import hashlib
from typing import Literal, TypeAlias

Breaches: TypeAlias = Literal["clean", "found", "not_checked", "unavailable"]
"""What is known: `not_checked` where the project has no source, `unavailable` where it gave no answer."""
PREFIX = 5


def named(password: str) -> tuple[str, str]:
    """What a source is asked for, and what is looked for in its answer. `password` is in its one form (`check_length`)."""
    name = hashlib.sha1(password.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest().upper()
    return name[:PREFIX], name[PREFIX:]
