"""Whether a password was seen in a breach: a public service asked by ranges of hashes.

Law: what leaves is 5 digits of 40 and a wish for padding, so that neither the question nor the length of the answer says which password it is about (PWD-06). An answer
that is not one to its last line is none.
"""

from __future__ import annotations

import re

from authmw.errors import BreachSourceFailed, FetchFailed, Misconfigured
from authmw.ports import IO, FetchAnswer, Fetcher, FetchRequest

DEADLINE = 1.0
"""Seconds that a source has for its answer, at most."""
_PREFIX = re.compile(r"[0-9A-F]{5}", re.ASCII)
_LINE = re.compile(r"([0-9A-F]{35}):([0-9]{1,12})", re.ASCII)


class PwnedPasswords:
    """The ranges of Have I Been Pwned, or of a mirror that answers in the same form at `base_url`. Raises Misconfigured for an address with a slash at its end.

    `least` is how often a password must have been seen to count.
    """

    name = "pwned_passwords"

    def __init__(self, fetcher: Fetcher, *, base_url: str = "https://api.pwnedpasswords.com", least: int = 1) -> None:
        if base_url.endswith("/") or not base_url.startswith(("https://", "http://")) or least < 1:
            raise Misconfigured("base_url must be an address without a slash at its end, and least at least 1.")
        self._fetcher = fetcher
        self._base_url = base_url
        self._least = least
        self.io: IO = fetcher.io

    async def suffixes(self, prefix: str) -> frozenset[str]:
        """The rest of every hash that begins with these 5 digits and was seen often enough. Raises BreachSourceFailed."""
        if not _PREFIX.fullmatch(prefix):
            raise BreachSourceFailed("a range is named by 5 hexadecimal digits in capitals")
        request = FetchRequest(
            url=f"{self._base_url}/range/{prefix}", headers={"Add-Padding": "true"}, deadline=DEADLINE
        )
        try:
            answer = await self._fetcher.fetch(request)
        except FetchFailed as failed:
            reason: str = failed.reason
        else:
            return self._read(answer)
        raise BreachSourceFailed(reason)

    def _read(self, answer: FetchAnswer) -> frozenset[str]:
        if answer.status != 200:
            raise BreachSourceFailed(f"status {answer.status}")
        lines = answer.body.decode("ascii", "replace").split("\r\n" if b"\r\n" in answer.body else "\n")
        if lines and not lines[-1]:
            lines.pop()
        found = [_LINE.fullmatch(line) for line in lines]
        if not found or None in found:
            raise BreachSourceFailed("the answer is no list of hashes")
        # A line that was seen 0 times is padding.
        return frozenset(one[1] for one in found if one is not None and int(one[2]) >= self._least)
