"""The answers of magic links."""

from __future__ import annotations

from authmw.operations import Response


class SendResponse(Response, kw_only=True):
    """A mail is on its way."""

    user_id: str
    email_id: str


class LoginOrCreateResponse(Response, kw_only=True):
    """A mail is on its way, and whether a user was made for it."""

    user_id: str
    email_id: str
    user_created: bool


class CreateResponse(Response, kw_only=True):
    """A token for the host's own delivery."""

    user_id: str
    token: str


class EmptyResponse(Response, kw_only=True):
    """Done; there is nothing to say."""
