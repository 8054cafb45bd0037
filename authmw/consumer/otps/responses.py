"""The answers of passcodes by phone."""

from __future__ import annotations

from authmw.operations import Response


class PhoneSendResponse(Response, kw_only=True):
    """A text is on its way."""

    user_id: str
    phone_id: str


class PhoneLoginOrCreateResponse(Response, kw_only=True):
    """A text is on its way, and whether a user was made for it."""

    user_id: str
    phone_id: str
    user_created: bool
