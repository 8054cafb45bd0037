"""Authorization requests that an app pushed ahead of the browser (RFC 9126): found again by their name, held to what was pushed, used up by their answer.

Law: a pushed request belongs to its client, lives ten minutes, and gets one answer: the commit of the code, or of the refusal, takes it away.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from authmw.crypto import tokens
from authmw.errors import Refused
from authmw.platform.idp.records import PushedRequest
from authmw.scopes import parted
from authmw.storage import Storage

REQUEST_URI = "urn:ietf:params:oauth:request_uri:"


async def pushed_request(storage: Storage, request_uri: str, client_id: str, now: datetime) -> PushedRequest:
    """The request of this name that this client pushed and nobody answered yet. Refused: `invalid_request_uri`."""
    kept = await storage.get(PushedRequest, tokens.digest(request_uri.removeprefix(REQUEST_URI)))
    if kept is None or kept.client_id != client_id or now >= kept.expires_at:
        raise Refused("invalid_request_uri")
    return kept


def check_as_pushed(pushed: PushedRequest, scopes: Sequence[str], resources: Sequence[str], **said: str | None) -> None:
    """Refused `invalid_request_uri` unless an answer is to what was pushed: fewer scopes are, another value of anything else is not."""
    held = pushed.parameters
    same = all((value or None) == held.get(name) for name, value in said.items())
    fewer = set(scopes) <= set(parted(held.get("scope")))
    if not same or not fewer or list(resources) != parted(held.get("resource")):
        raise Refused("invalid_request_uri")
