"""The browser API as rows: which operation a browser reaches by which path, what it may say, what is taken from its session, and what is shown.

There is no second implementation: a row only names, hides and renames.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import msgspec

from authmw.auth import Auth
from authmw.operations import Method, Response

Shown = Callable[[Any], dict[str, Any]]


def whole(answer: Response) -> dict[str, Any]:
    """The whole answer."""
    shown: dict[str, Any] = msgspec.to_builtins(answer)
    return shown


def signed_in(answer: Response) -> dict[str, Any]:
    """A sign-in, with the user also under the name that the vendor's client refreshes its cache from."""
    shown = whole(answer)
    return {**shown, "__user": shown["user"]}


def changed_user(answer: Response) -> dict[str, Any]:
    """A change of the caller's user."""
    shown = whole(answer)
    return {**shown, "__user": shown["user"]}


def nothing(answer: Response) -> dict[str, Any]:
    """Only that it was done: nothing tells whether the address is known (PRV-03)."""
    return {"request_id": answer.request_id, "status_code": answer.status_code}


def method_only(answer: Any) -> dict[str, Any]:
    """The method id that the code must be presented with."""
    return {"request_id": answer.request_id, "status_code": answer.status_code, "method_id": answer.email_id}


@attrs.frozen(kw_only=True)
class Row:
    """One path of the browser API."""

    method: Method
    path: str
    call: Callable[..., Any]
    show: Shown = whole
    needs_session: bool = False
    hides: frozenset[str] = frozenset()
    requires: tuple[str, ...] = ()
    renames: dict[str, str] = attrs.field(factory=dict[str, str])
    own_user: str | None = None
    """The parameter that is the caller's own user, whatever the request says."""
    grants: bool = False
    """Whether the answer carries session tokens."""


SESSION = frozenset({"session_token", "session_jwt", "session_custom_claims", "user_id", "attributes", "options"})
SENDING = SESSION | {"create_user_as_pending"}


def rows(auth: Auth) -> tuple[Row, ...]:
    """Every row of the products there are."""
    links, codes, sessions, users = auth.magic_links, auth.otps, auth.sessions, auth.users
    duration = ("session_duration_minutes",)
    return (
        Row(
            method="POST",
            path="/sdk/v1/magic_links/email/login_or_create",
            call=links.email.login_or_create,
            show=nothing,
            hides=SENDING,
        ),
        Row(
            method="POST",
            path="/sdk/v1/magic_links/email/send/primary",
            call=links.email.send,
            show=nothing,
            hides=SENDING,
        ),
        Row(
            method="POST",
            path="/sdk/v1/magic_links/email/send/secondary",
            call=links.email.send,
            show=nothing,
            hides=SENDING,
            needs_session=True,
        ),
        Row(
            method="POST",
            path="/sdk/v1/magic_links/authenticate",
            call=links.authenticate,
            show=signed_in,
            hides=SESSION,
            requires=duration,
            grants=True,
        ),
        Row(
            method="POST",
            path="/sdk/v1/otps/email/login_or_create",
            call=codes.email.login_or_create,
            show=method_only,
            hides=SENDING,
        ),
        Row(
            method="POST",
            path="/sdk/v1/otps/email/send/primary",
            call=codes.email.send,
            show=method_only,
            hides=SENDING,
        ),
        Row(
            method="POST",
            path="/sdk/v1/otps/email/send/secondary",
            call=codes.email.send,
            show=method_only,
            hides=SENDING,
            needs_session=True,
        ),
        Row(
            method="POST",
            path="/sdk/v1/otps/authenticate",
            call=codes.authenticate,
            show=signed_in,
            hides=SESSION | {"code"},
            requires=duration,
            renames={"token": "code"},
            grants=True,
        ),
        Row(
            method="POST",
            path="/sdk/v1/sessions/authenticate",
            call=sessions.authenticate,
            show=signed_in,
            hides=SESSION | {"authorization_check"},
            needs_session=True,
            grants=True,
        ),
        Row(
            method="POST",
            path="/sdk/v1/sessions/revoke",
            call=sessions.revoke,
            hides=SESSION | {"session_id"},
            needs_session=True,
        ),
        Row(method="GET", path="/sdk/v1/users/me", call=users.get, needs_session=True, own_user="user_id"),
        Row(
            method="PUT",
            path="/sdk/v1/users/me",
            call=users.update,
            show=changed_user,
            needs_session=True,
            own_user="user_id",
            hides=frozenset({"user_id", "roles", "external_id", "attributes"}),
        ),
        Row(
            method="DELETE",
            path="/sdk/v1/users/emails/{email_id}",
            call=users.delete_email,
            show=changed_user,
            needs_session=True,
        ),
        Row(
            method="DELETE",
            path="/sdk/v1/users/phone_numbers/{phone_id}",
            call=users.delete_phone_number,
            show=changed_user,
            needs_session=True,
        ),
    )
