"""The apps that a user lets act for them: seen, and ended."""

from __future__ import annotations

import msgspec

from authmw.errors import Refused
from authmw.ledger.commits import commit
from authmw.operations import Product, Response, current_call, operation
from authmw.parameters import ClientId, Id
from authmw.people.apps import ConnectedApp, Consent, consent_key
from authmw.people.directory import user_by_reference
from authmw.storage import Delete, Equals


class UserConnectedAppAnswer(msgspec.Struct, kw_only=True):
    """An app, and what the user agreed to, separated by spaces."""

    connected_app_id: str
    name: str
    description: str
    client_type: str
    scopes_granted: str
    logo_url: str | None


class ConnectedAppsResponse(Response, kw_only=True):
    """The apps of a user."""

    connected_apps: list[UserConnectedAppAnswer]


class RevokeResponse(Response, kw_only=True):
    """An app lost its access."""


class AppsOfUsers(Product):
    """What `users` offers of connected apps."""

    @operation("GET", "/v1/users/{user_id}/connected_apps", action="UsersConnectedApps")
    async def connected_apps(self, *, user_id: Id) -> ConnectedAppsResponse:
        """The apps that a user agreed to, at most 100. Refused: `user_not_found`."""
        call = current_call()
        user = await user_by_reference(call.storage, user_id)
        page = await call.storage.page(Consent, Equals("subject", (user.id,)), limit=100)
        apps: list[UserConnectedAppAnswer] = []
        for consent in page.records:
            app = await call.storage.get(ConnectedApp, consent.client_id)
            if app is not None:
                apps.append(_shown(app, consent))
        return ConnectedAppsResponse(connected_apps=apps)

    @operation("POST", "/v1/users/{user_id}/connected_apps/{connected_app_id}/revoke", action="UsersRevokeConnectedApp")
    async def revoke(self, *, user_id: Id, connected_app_id: ClientId) -> RevokeResponse:
        """End what a user agreed to with an app, and every token that it refreshes by. Refused: `user_not_found`, `connected_app_not_found`."""
        call = current_call()
        user = await user_by_reference(call.storage, user_id)
        consent = await call.storage.get(Consent, consent_key(user.id, connected_app_id))
        if consent is None:
            raise Refused("connected_app_not_found")
        await commit(Delete(consent), subject_id=user.id)
        return RevokeResponse()


def _shown(app: ConnectedApp, consent: Consent) -> UserConnectedAppAnswer:
    return UserConnectedAppAnswer(
        connected_app_id=app.client_id,
        name=app.client_name,
        description=app.client_description,
        client_type=app.client_type,
        scopes_granted=" ".join(consent.scopes),
        logo_url=app.logo_url,
    )
