"""Pages as answers show them. A cursor is opaque text, signed, so that nobody can have a page begin where no page ended."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from authmw.errors import Refused
from authmw.storage import Cursor

COUNTED = 10_000
"""Totals are exact up to this number."""


class ResultsMetadata(msgspec.Struct, kw_only=True):
    """How many there are (exact up to 10,000) and where the next page begins."""

    total: int
    next_cursor: str | None


def sign_cursor(cursor: Cursor | None, keys: Sequence[bytes]) -> str | None:
    """A cursor as opaque text that only we can have made, by the last of the keys (`RootKeys.every`)."""
    from itsdangerous import URLSafeSerializer

    if cursor is None:
        return None
    return URLSafeSerializer(keys, salt="cursor").dumps([list(cursor.value), cursor.key])


def read_cursor(text: str | None, keys: Sequence[bytes], refusal: str = "user_search_invalid_cursor") -> Cursor | None:
    """The cursor behind the text, whichever of the keys it was made by. Refused with `refusal` if it is none of ours."""
    from itsdangerous import BadData, URLSafeSerializer

    if not text:
        return None
    try:
        value, record = URLSafeSerializer(keys, salt="cursor").loads(text)
    except BadData:
        raise Refused(refusal) from None
    return Cursor(tuple(value), record)
