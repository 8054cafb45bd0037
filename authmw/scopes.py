"""How OAuth writes several values in one parameter: `scope`, `resource`, `prompt` (RFC 6749 section 3.3).

Law: only U+0020 parts them. Python's own `split()` parts at tabs, no-break spaces and line separators as well: a scope that holds one would be read as two others.
"""

from __future__ import annotations

LONGEST = 128
"""Characters of the longest scope of our own."""


def parted(text: str | None) -> list[str]:
    """The values of a parameter, in their order; none for one that is absent. Spaces may stand together, before the first and behind the last."""
    return [one for one in (text or "").split(" ") if one]


def is_scope(text: str, longest: int = LONGEST) -> bool:
    """Whether a text is one scope token of at most so many characters: printable ASCII without space, quote and backslash (RFC 6749 section 3.3)."""
    return 0 < len(text) <= longest and all("!" <= letter <= "~" and letter not in '"\\' for letter in text)
