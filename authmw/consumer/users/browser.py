"""Users as browsers reach them: the caller's own one only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

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
        _removal("/sdk/v1/users/emails/{email_id}", users.delete_email),
        _removal("/sdk/v1/users/phone_numbers/{phone_id}", users.delete_phone_number),
        _removal("/sdk/v1/users/webauthn_registrations/{webauthn_registration_id}", users.delete_webauthn_registration),
        _removal(
            "/sdk/v1/users/biometric_registrations/{biometric_registration_id}", users.delete_biometric_registration
        ),
        _removal("/sdk/v1/users/totps/{totp_id}", users.delete_totp),
        _removal("/sdk/v1/users/crypto_wallets/{crypto_wallet_id}", users.delete_crypto_wallet),
        _removal("/sdk/v1/users/oauth/{oauth_user_registration_id}", users.delete_oauth_registration),
        Row(
            method="GET",
            path="/sdk/v1/users/connected_apps",
            call=users.connected_apps,
            needs_session=True,
            own_user="user_id",
        ),
        Row(
            method="POST",
            path="/sdk/v1/users/connected_apps/{connected_app_id}/revoke",
            call=users.revoke,
            needs_session=True,
            own_user="user_id",
            hides=frozenset({"user_id"}),
        ),
    )


def _removal(path: str, call: Callable[..., Any]) -> Row:
    return Row(method="DELETE", path=path, call=call, show=changed_user, needs_session=True)
