"""Asking other services: every request goes through the guarded fetcher, once a call of ours however often its body repeats.

Law: a failed request is one refusal, named by who asks, that says nothing of the other side's words.
"""

from __future__ import annotations

from typing import Any

import msgspec

from authmw import drive
from authmw.crypto import tokens
from authmw.errors import FetchFailed, Refused
from authmw.operations import Call
from authmw.ports import FetchAnswer, FetchRequest

JSON = {"accept": "application/json"}


async def fetch(
    call: Call, request: FetchRequest, *, refusal: str, unconfigured: str | None = None, key: str = ""
) -> FetchAnswer:
    """The answer to one request, with any status. `key` tells requests apart that have one URL and different content.

    Refused: `refusal` if no answer came that may be used, `unconfigured` (else the same) where the project has no fetcher.
    """
    fetcher = call.core.fetcher
    if fetcher is None:
        raise Refused(unconfigured or refusal)

    async def ask() -> FetchAnswer:
        try:
            return await drive.using(fetcher.io, fetcher.fetch, request)
        except FetchFailed:
            raise Refused(refusal) from None

    answer: FetchAnswer = await call.once(("fetch", request.url, tokens.digest(key) if key else ""), ask)
    return answer


def decoded_object(body: bytes, refusal: str) -> dict[str, Any]:
    """A JSON object of another service. Refused with `refusal` if it is none."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (ValueError, RecursionError):
        raise Refused(refusal) from None
