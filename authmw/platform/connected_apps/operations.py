"""Connected apps: made, found, changed, and their secrets exchanged."""

from __future__ import annotations

from typing import Annotated, Any

import attrs
from msgspec import Meta

from authmw.crypto import client_secrets, tokens
from authmw.crypto.client_secrets import ClientSecrets
from authmw.errors import Refused
from authmw.ledger.commits import commit
from authmw.operations import Call, Core, Product, current_call, operation
from authmw.paging import COUNTED, ResultsMetadata, read_cursor, sign_cursor
from authmw.parameters import URL, ClientId, Text
from authmw.people.apps import ConnectedApp
from authmw.platform.connected_apps.responses import (
    ConnectedAppAnswer,
    ConnectedAppResponse,
    ConnectedAppWithClientSecretAnswer,
    ConnectedAppWithNextClientSecretAnswer,
    CreateResponse,
    DeleteResponse,
    RotateStartResponse,
    SearchResponse,
    shown,
)
from authmw.platform.connected_apps.rules import check_app, check_urls
from authmw.platform.connected_apps.templates import checked_template
from authmw.storage import EVERYTHING, Delete, Insert, Order, Update

AppName = Annotated[str, Meta(max_length=128)]
Description = Annotated[str, Meta(max_length=1024)]
URLs = Annotated[list[URL], Meta(max_length=200)]
Template = Annotated[str, Meta(max_length=16384)]
PageLimit = Annotated[int, Meta(ge=1, le=1000)]


class Secrets(Product):
    """Exchanging an app's secret in two phases."""

    @operation(
        "POST", "/v1/connected_apps/clients/{client_id}/secrets/rotate/start", action="ConnectedAppRotateSecretStart"
    )
    async def rotate_start(self, *, client_id: ClientId) -> RotateStartResponse:
        """Make a second secret, shown this one time; both hold until the rotation ends.

        Refused: `connected_app_not_found`, `public_connected_apps_do_not_have_secrets`, `connected_app_already_rotating_secret`.
        """
        call = current_call()
        app, secret = await _with_secret(call, client_id), tokens.token()
        following = client_secrets.keep(call.core.roots, client_id, secret)
        kept = client_secrets.started(app.secrets, following, "connected_app_already_rotating_secret")
        after = attrs.evolve(app, secrets=kept)
        await commit(Update(after), subject_id=client_id)
        return RotateStartResponse(
            connected_app=ConnectedAppWithNextClientSecretAnswer(**shown(after), next_client_secret=secret)
        )

    @operation(
        "POST", "/v1/connected_apps/clients/{client_id}/secrets/rotate/cancel", action="ConnectedAppRotateSecretCancel"
    )
    async def rotate_cancel(self, *, client_id: ClientId) -> ConnectedAppResponse:
        """Drop the second secret. Refused: `connected_app_not_found`, `connected_app_not_rotating_secret`."""
        app = await _with_secret(current_call(), client_id)
        kept = client_secrets.cancelled(app.secrets, "connected_app_not_rotating_secret")
        return await _changed(attrs.evolve(app, secrets=kept))

    @operation("POST", "/v1/connected_apps/clients/{client_id}/secrets/rotate", action="ConnectedAppRotateSecret")
    async def rotate(self, *, client_id: ClientId) -> ConnectedAppResponse:
        """Drop the first secret; the second one is the app's. Refused: `connected_app_not_found`, `connected_app_not_rotating_secret`."""
        app = await _with_secret(current_call(), client_id)
        kept = client_secrets.rotated(app.secrets, "connected_app_not_rotating_secret")
        return await _changed(attrs.evolve(app, secrets=kept))


class Clients(Product):
    """The apps of a project."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.secrets = Secrets(core)

    @operation("GET", "/v1/connected_apps/clients/{client_id}", action="ConnectedAppGet")
    async def get(self, *, client_id: ClientId) -> ConnectedAppResponse:
        """An app. Refused: `connected_app_not_found`."""
        return ConnectedAppResponse(connected_app=ConnectedAppAnswer(**shown(await _app(current_call(), client_id))))

    @operation("POST", "/v1/connected_apps/clients/search", action="ConnectedAppSearch")
    async def search(self, *, cursor: Text | None = None, limit: PageLimit = 100) -> SearchResponse:
        """Apps in the order they were created, up to `limit` (1 to 1000) a page."""
        call = current_call()
        keys = call.core.roots.every("paging cursor")
        after = read_cursor(cursor, keys, "invalid_argument")
        page = await call.storage.page(ConnectedApp, EVERYTHING, order=Order("created"), after=after, limit=limit)
        total = await call.storage.count(ConnectedApp, EVERYTHING, at_most=COUNTED)
        return SearchResponse(
            connected_apps=[ConnectedAppAnswer(**shown(app)) for app in page.records],
            results_metadata=ResultsMetadata(total=total, next_cursor=sign_cursor(page.cursor, keys)),
        )

    @operation("POST", "/v1/connected_apps/clients", action="ConnectedAppCreate")
    async def create(
        self,
        *,
        client_type: Text,
        client_name: AppName = "",
        client_description: Description = "",
        redirect_urls: URLs | None = None,
        full_access_allowed: bool = False,
        access_token_expiry_minutes: int = 60,
        access_token_custom_audience: Text | None = None,
        access_token_template_content: Template = "",
        post_logout_redirect_urls: URLs | None = None,
        logo_url: URL | None = None,
        bypass_consent_for_offline_access: bool = False,
        id_token_template_content: Template = "",
    ) -> CreateResponse:
        """Create an app of type `first_party`, `first_party_public`, `third_party` or `third_party_public`. The secret of one that is not public is shown this one time.

        Access tokens live 5 to 1440 minutes. `full_access_allowed` and `bypass_consent_for_offline_access` are for first parties. Refused: the `connected_app_...`,
        `third_party_clients_...` and `idp_invalid_...` errors, `invalid_connected_app_type`, `duplicate_redirect_url`, `too_many_redirect_urls`.
        """
        call = current_call()
        client_id = tokens.new_id("connected-app", call.settings.environment)
        app = ConnectedApp(
            client_id=client_id,
            client_type=client_type,
            client_name=client_name,
            client_description=client_description,
            redirect_urls=check_urls(redirect_urls or ()),
            full_access_allowed=full_access_allowed,
            access_token_expiry_minutes=access_token_expiry_minutes,
            access_token_custom_audience=access_token_custom_audience or None,
            access_token_template_content=checked_template(
                access_token_template_content, "idp_invalid_access_token_jwt_template"
            ),
            post_logout_redirect_urls=check_urls(post_logout_redirect_urls or ()),
            logo_url=logo_url or None,
            bypass_consent_for_offline_access=bypass_consent_for_offline_access,
            id_token_template_content=checked_template(
                id_token_template_content, "idp_invalid_access_token_jwt_template"
            ),
            created_at=call.now,
        )
        check_app(app, live=call.settings.live)
        secret = None if app.public else tokens.token()
        if secret is not None:
            kept = client_secrets.keep(call.core.roots, client_id, secret)
            app = attrs.evolve(app, secrets=ClientSecrets(current=kept))
        await commit(Insert(app), subject_id=client_id)
        return CreateResponse(connected_app=ConnectedAppWithClientSecretAnswer(**shown(app), client_secret=secret))

    @operation("PUT", "/v1/connected_apps/clients/{client_id}", action="ConnectedAppUpdate")
    async def update(
        self,
        *,
        client_id: ClientId,
        client_name: AppName | None = None,
        client_description: Description | None = None,
        redirect_urls: URLs | None = None,
        full_access_allowed: bool | None = None,
        access_token_expiry_minutes: int | None = None,
        access_token_custom_audience: Text | None = None,
        access_token_template_content: Template | None = None,
        post_logout_redirect_urls: URLs | None = None,
        logo_url: URL | None = None,
        bypass_consent_for_offline_access: bool | None = None,
        id_token_template_content: Template | None = None,
    ) -> ConnectedAppResponse:
        """Change what is given of an app; type, id and secret stay. An empty audience or logo removes it. Refused: as `create`, and `connected_app_not_found`."""
        call = current_call()
        app = await _app(call, client_id)
        template = "idp_invalid_access_token_jwt_template"
        given: dict[str, Any] = {
            "client_name": client_name,
            "client_description": client_description,
            "redirect_urls": None if redirect_urls is None else check_urls(redirect_urls),
            "full_access_allowed": full_access_allowed,
            "access_token_expiry_minutes": access_token_expiry_minutes,
            "access_token_template_content": None
            if access_token_template_content is None
            else checked_template(access_token_template_content, template),
            "post_logout_redirect_urls": None
            if post_logout_redirect_urls is None
            else check_urls(post_logout_redirect_urls),
            "bypass_consent_for_offline_access": bypass_consent_for_offline_access,
            "id_token_template_content": None
            if id_token_template_content is None
            else checked_template(id_token_template_content, template),
        }
        changes = {name: value for name, value in given.items() if value is not None}
        if access_token_custom_audience is not None:
            changes["access_token_custom_audience"] = access_token_custom_audience or None
        if logo_url is not None:
            changes["logo_url"] = logo_url or None
        after = attrs.evolve(app, **changes)
        check_app(after, live=call.settings.live)
        return await _changed(after)

    @operation("DELETE", "/v1/connected_apps/clients/{client_id}", action="ConnectedAppDelete")
    async def delete(self, *, client_id: ClientId) -> DeleteResponse:
        """Delete an app; every token it refreshes by is dead with it. Refused: `connected_app_not_found`."""
        app = await _app(current_call(), client_id)
        await commit(Delete(app), subject_id=client_id)
        return DeleteResponse(client_id=client_id)


class ConnectedApps(Product):
    """Apps that people may let act for them."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.clients = Clients(core)


async def _app(call: Call, client_id: str) -> ConnectedApp:
    app = await call.storage.get(ConnectedApp, client_id)
    if app is None:
        raise Refused("connected_app_not_found")
    return app


async def _with_secret(call: Call, client_id: str) -> ConnectedApp:
    app = await _app(call, client_id)
    if app.public:
        raise Refused("public_connected_apps_do_not_have_secrets")
    return app


async def _changed(app: ConnectedApp) -> ConnectedAppResponse:
    await commit(Update(app), subject_id=app.client_id)
    return ConnectedAppResponse(connected_app=ConnectedAppAnswer(**shown(app)))
