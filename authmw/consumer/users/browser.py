"""Users as browsers reach them: the caller's own one only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authmw.rows import Row, changed_user

if TYPE_CHECKING:
    from authmw.consumer.users.operations import Users


def rows(users: Users) -> tuple[Row, ...]:
    """The rows of this product."""
    return (
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
