"""Pure decisions of recovery codes: how one is written, and which is spent.

Law: a code is used once; every code is compared, so that the time tells nothing of its place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from authmw.crypto import tokens
from authmw.errors import Refused

COUNT = 10
"""How many codes there are."""
CHARACTERS = 12
"""Of 36 each: 62 bits, more than the 48 that OTP-07 asks for."""

_WRITTEN = re.compile(r"[0-9a-z]{12}")
_SHOWN = re.compile(r"[0-9a-z]{4}(-[0-9a-z]{4}){2}")
_SEPARATORS = str.maketrans("", "", " -")


def written(characters: str) -> str:
    """Twelve characters as a code is shown: `xxxx-xxxx-xxxx`."""
    return "-".join(characters[at : at + 4] for at in range(0, CHARACTERS, 4))


def canonical(code: str) -> str:
    """A code as it is shown, whatever case, dashes and spaces a person wrote. Refused if it cannot be one: `unable_to_authenticate_recovery_code`."""
    plain = code.translate(_SEPARATORS).lower() if code.isascii() and len(code) <= 64 else ""
    if not _WRITTEN.fullmatch(plain):
        raise Refused("unable_to_authenticate_recovery_code")
    return written(plain)


def listed(kept: Sequence[str]) -> list[str]:
    """The kept codes, to be shown again. Refused if they are digests, which nobody reads: a set that was made where codes are shown once stays so, whatever the project does since: `recovery_codes_not_listed`."""
    if not all(_SHOWN.fullmatch(one) for one in kept):
        raise Refused("recovery_codes_not_listed", "These recovery codes were shown once, when they were made.")
    return [*kept]


def without(kept: Sequence[str], *given: str) -> tuple[str, ...]:
    """What is left of the kept codes (or digests of them) when the one is spent that may be kept in any of these forms. Refused if it is none of them."""
    held = [sum(tokens.same(one, form) for form in given) > 0 for one in kept]
    if not any(held):
        raise Refused("unable_to_authenticate_recovery_code")
    return tuple(one for one, is_given in zip(kept, held, strict=True) if not is_given)
