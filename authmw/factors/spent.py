"""Foreign or stateless tokens that are good once: what was spent is remembered until the token itself is over.

Law: a token is spent by the commit that grants something for it, so of two who present it at once one is refused.
"""

from __future__ import annotations

from datetime import datetime

import attrs

from authmw.crypto import tokens
from authmw.errors import Refused
from authmw.operations import Call
from authmw.storage import Insert, Record, Write, record


@record("spent_tokens", key="token_key", expires="expires_at")
@attrs.frozen(kw_only=True)
class SpentToken(Record):
    """A token that was used. It belongs to nobody, so that it outlives the user it made."""

    token_key: str
    spent_at: datetime
    expires_at: datetime


async def spend(call: Call, *name: str, until: datetime, refusal: str) -> Write:
    """The write that spends the token of this name (purpose, issuer, id), which is over at `until`. Refused with `refusal` if it is spent."""
    key = tokens.digest("\0".join(name))
    if await call.storage.get(SpentToken, key) is not None:
        raise Refused(refusal)
    return Insert(SpentToken(token_key=key, spent_at=call.now, expires_at=until))
