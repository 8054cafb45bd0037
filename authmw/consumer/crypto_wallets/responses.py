"""The answers of crypto wallets."""

from __future__ import annotations

from datetime import datetime

import msgspec

from authmw.consumer.answers import SignInResponse
from authmw.operations import Response


class AuthenticateStartResponse(Response, kw_only=True):
    """The text to sign, and the user it signs in: a known one, or the id of one who is created by the proof."""

    user_id: str
    challenge: str
    user_created: bool


class SIWEAnswer(msgspec.Struct, kw_only=True):
    """What the signed message said, where the request chose it."""

    status_code: int
    request_id: str
    domain: str
    uri: str
    chain_id: str
    resources: list[str]
    issued_at: datetime
    message_request_id: str | None


class AuthenticateResponse(SignInResponse, kw_only=True):
    """A sign-in by a wallet."""

    siwe_params: SIWEAnswer | None
