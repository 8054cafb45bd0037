"""Machine to machine: clients of a project's own making, their secrets, and the tokens they get for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import attrs
import msgspec
from msgspec import Meta

from authmw.crypto import client_secrets as secrets
from authmw.crypto import tokens
from authmw.crypto.client_secrets import ClientSecrets
from authmw.crypto.jwts import InvalidToken
from authmw.errors import Refused
from authmw.ledger.commits import commit
from authmw.operations import Call, Core, Product, current_call, operation
from authmw.paging import COUNTED, ResultsMetadata, read_cursor, sign_cursor
from authmw.parameters import JWT, URL, Id, Metadata, Text
from authmw.people.rules import merged_metadata
from authmw.platform.authentication import authenticate_secret
from authmw.platform.idp.rules import check_key
from authmw.platform.m2m.records import M2MClient
from authmw.platform.m2m.responses import (
    CreateResponse,
    DeleteResponse,
    M2MClientAnswer,
    M2MClientResponse,
    M2MClientWithClientSecretAnswer,
    M2MClientWithNextClientSecretAnswer,
    RotateStartResponse,
    SearchResponse,
    TokenResponse,
    shown,
)
from authmw.platform.m2m.rules import ScopeCheck, checked_client_id, checked_scopes, covers, filter_of, granted_scopes
from authmw.scopes import parted
from authmw.signin.access_tokens import MACHINE_LIFETIME, sign_access_token, verify_access_token
from authmw.signin.keys import KeyRing
from authmw.storage import Delete, Insert, Order, Update

ScopeText = Annotated[str, Meta(max_length=512)]
Scopes = Annotated[list[ScopeText], Meta(max_length=200)]
ClientName = Annotated[str, Meta(max_length=128)]
Description = Annotated[str, Meta(max_length=1024)]
ClientSecret = Annotated[str, Meta(max_length=512)]
BEARER = "bearer"
PageLimit = Annotated[int, Meta(ge=1, le=1000)]


class SearchQuery(msgspec.Struct, kw_only=True):
    """Operands, all (AND) or any (OR) of which must hold."""

    operator: Literal["AND", "OR"]
    operands: Annotated[list[dict[str, Any]], Meta(max_length=20)] = []


@attrs.frozen(kw_only=True)
class M2MClaims:
    """What a machine's access token says."""

    client_id: str
    scopes: tuple[str, ...]
    custom_claims: dict[str, Any]


class Secrets(Product):
    """Exchanging a client's secret in two phases."""

    @operation("POST", "/v1/m2m/clients/{client_id}/secrets/rotate/start", action="M2MRotateSecretStart")
    async def rotate_start(self, *, client_id: Id) -> RotateStartResponse:
        """Make a second secret, shown this one time; both hold until the rotation ends. Refused: `m2m_client_not_found`, `m2m_client_already_rotating_secret`."""
        call = current_call()
        client, secret = await _client(call, client_id), tokens.token()
        following = secrets.keep(call.core.roots, client_id, secret)
        after = attrs.evolve(
            client, secrets=secrets.started(client.secrets, following, "m2m_client_already_rotating_secret")
        )
        await commit(Update(after), subject_id=client_id)
        return RotateStartResponse(
            m2m_client=M2MClientWithNextClientSecretAnswer(**shown(after), next_client_secret=secret)
        )

    @operation("POST", "/v1/m2m/clients/{client_id}/secrets/rotate/cancel", action="M2MRotateSecretCancel")
    async def rotate_cancel(self, *, client_id: Id) -> M2MClientResponse:
        """Drop the second secret. Refused: `m2m_client_not_found`, `m2m_client_not_rotating_secret`."""
        call = current_call()
        client = await _client(call, client_id)
        kept = secrets.cancelled(client.secrets, "m2m_client_not_rotating_secret")
        return await _changed(attrs.evolve(client, secrets=kept))

    @operation("POST", "/v1/m2m/clients/{client_id}/secrets/rotate", action="M2MRotateSecret")
    async def rotate(self, *, client_id: Id) -> M2MClientResponse:
        """Drop the first secret; the second one is the client's. Refused: `m2m_client_not_found`, `m2m_client_not_rotating_secret`."""
        call = current_call()
        client = await _client(call, client_id)
        kept = secrets.rotated(client.secrets, "m2m_client_not_rotating_secret")
        return await _changed(attrs.evolve(client, secrets=kept))


class Clients(Product):
    """The machines of a project."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.secrets = Secrets(core)

    @operation("GET", "/v1/m2m/clients/{client_id}", action="M2MGetClient")
    async def get(self, *, client_id: Id) -> M2MClientResponse:
        """A client. Refused: `m2m_client_not_found`."""
        return M2MClientResponse(m2m_client=M2MClientAnswer(**shown(await _client(current_call(), client_id))))

    @operation("POST", "/v1/m2m/clients/search", action="M2MSearchClients")
    async def search(
        self, *, cursor: Text | None = None, limit: PageLimit = 100, query: SearchQuery | None = None
    ) -> SearchResponse:
        """Clients in the order they were created, up to `limit` (1 to 1000) a page, by `client_id`, `client_name` and `scopes`. Refused: the `m2m_search_...` errors."""
        call = current_call()
        where = filter_of(query.operator if query else "AND", query.operands if query else [])
        keys = call.core.roots.every("paging cursor")
        after = read_cursor(cursor, keys, "invalid_argument")
        page = await call.storage.page(M2MClient, where, order=Order("created"), after=after, limit=limit)
        total = await call.storage.count(M2MClient, where, at_most=COUNTED)
        return SearchResponse(
            m2m_clients=[M2MClientAnswer(**shown(client)) for client in page.records],
            results_metadata=ResultsMetadata(total=total, next_cursor=sign_cursor(page.cursor, keys)),
        )

    @operation("POST", "/v1/m2m/clients", action="M2MCreateClient")
    async def create(
        self,
        *,
        scopes: Scopes,
        client_id: Id | None = None,
        client_secret: ClientSecret | None = None,
        client_name: ClientName = "",
        client_description: Description = "",
        trusted_metadata: Metadata | None = None,
    ) -> CreateResponse:
        """Create a client. Its secret is shown this one time; id and secret may be brought along, the secret with at least 8 characters that are not easily guessed.

        Refused: `duplicate_m2m_client_id`, `m2m_client_invalid_client_id`, `m2m_client_invalid_client_secret`, `insecure_m2m_client_secret`,
        `client_secret_too_long`, `invalid_m2m_client_scope`, `too_many_m2m_client_scopes`, the metadata errors.
        """
        call = current_call()
        name = checked_client_id(client_id) if client_id else tokens.new_id("m2m-client", call.settings.environment)
        if client_secret is not None:
            secrets.check_strength(
                client_secret,
                short="m2m_client_invalid_client_secret",
                long="client_secret_too_long",
                weak="insecure_m2m_client_secret",
            )
        if await call.storage.get(M2MClient, name) is not None:
            raise Refused("duplicate_m2m_client_id")
        secret = client_secret or tokens.token()
        client = M2MClient(
            client_id=name,
            client_name=client_name,
            client_description=client_description,
            scopes=checked_scopes(scopes),
            trusted_metadata=merged_metadata({}, trusted_metadata),
            secrets=ClientSecrets(current=secrets.keep(call.core.roots, name, secret)),
            created_at=call.now,
        )
        await commit(Insert(client), subject_id=name)
        return CreateResponse(m2m_client=M2MClientWithClientSecretAnswer(**shown(client), client_secret=secret))

    @operation("PUT", "/v1/m2m/clients/{client_id}", action="M2MUpdateClient")
    async def update(
        self,
        *,
        client_id: Id,
        client_name: ClientName | None = None,
        client_description: Description | None = None,
        status: Text | None = None,
        scopes: Scopes | None = None,
        trusted_metadata: Metadata | None = None,
    ) -> M2MClientResponse:
        """Change a client; metadata is merged at the top level, null deletes a key. An inactive client gets no tokens; those it has live out their hour.

        Refused: `m2m_client_not_found`, `m2m_client_invalid_status`, `invalid_m2m_client_scope`, `too_many_m2m_client_scopes`, the metadata errors.
        """
        call = current_call()
        client = await _client(call, client_id)
        if status not in (None, "active", "inactive"):
            raise Refused("m2m_client_invalid_status")
        return await _changed(
            attrs.evolve(
                client,
                client_name=client.client_name if client_name is None else client_name,
                client_description=client.client_description if client_description is None else client_description,
                status=status or client.status,
                scopes=client.scopes if scopes is None else checked_scopes(scopes),
                trusted_metadata=merged_metadata(client.trusted_metadata, trusted_metadata),
            )
        )

    @operation("DELETE", "/v1/m2m/clients/{client_id}", action="M2MDeleteClient")
    async def delete(self, *, client_id: Id) -> DeleteResponse:
        """Delete a client; the tokens it has live out their hour. Refused: `m2m_client_not_found`."""
        client = await _client(current_call(), client_id)
        await commit(Delete(client), subject_id=client_id)
        return DeleteResponse(client_id=client_id)


class M2M(Product):
    """Machines that call a project's APIs."""

    def __init__(self, core: Core, keys: KeyRing) -> None:
        super().__init__(core)
        self.keys = keys
        self.clients = Clients(core)

    @operation(
        "POST", "/v1/public/{project_id}/oauth2/token", action="M2MToken", door="oauth", grant="client_credentials"
    )
    async def token(
        self,
        *,
        client_id: Text,
        client_secret: ClientSecret,
        scope: Annotated[str, Meta(max_length=8192)] = "",
        resource: URL | None = None,
        dpop_key: Text | None = None,
        project_id: Id | None = None,
    ) -> TokenResponse:
        """An access token for one hour (RFC 6749 section 4.4). `scope` is separated by spaces; without it, all scopes of the client.

        With a `resource` (RFC 8707) that the project declares, the token is for that API alone. `dpop_key` is the thumbprint of a key that the caller has proved and the
        token is bound to (RFC 9449). Refused: `invalid_client`, `invalid_scope`, `invalid_target`, `invalid_dpop_proof`.
        """
        call = current_call()
        if project_id not in (None, call.settings.project_id):
            raise Refused("project_not_found")
        client = await call.storage.get(M2MClient, client_id) if client_id else None
        await authenticate_secret(call, client_id, client, client_secret)
        if client is None or client.status != "active":
            raise Refused("invalid_client")
        if resource is not None and call.settings.provider.resource(resource) is None:
            raise Refused("invalid_target")
        key = check_key(None, dpop_key, required=call.settings.provider.require_dpop)
        scopes = granted_scopes(client.scopes, parted(scope))
        token = await sign_access_token(
            call.settings,
            self.keys,
            speaker="machine",
            subject_id=client.client_id,
            client_id=client.client_id if resource else None,
            scopes=scopes,
            audience=(resource,) if resource else (),
            now=call.now,
            lifetime=MACHINE_LIFETIME,
            more={"cnf": {"jkt": key}} if key else None,
        )
        return TokenResponse(
            access_token=token,
            token_type="DPoP" if key else BEARER,
            expires_in=int(MACHINE_LIFETIME.total_seconds()),
            scope=" ".join(scopes),
        )

    async def authenticate_token(
        self,
        *,
        access_token: JWT,
        required_scopes: Sequence[str] = (),
        max_token_age: int | None = None,
        scope_check: ScopeCheck = covers,
        dpop_key: str | None = None,
    ) -> M2MClaims:
        """What a machine's access token says, by its signature alone; storage is read only for the keys.

        `max_token_age` is in seconds since it was issued; 0 refuses every token. A required scope is held as it is written, or by `action:*`. `dpop_key` is the
        thumbprint of the key that the caller has proved, which a bound token needs and no other has. Refused: `invalid_token`,
        `insufficient_scope`.
        """
        now = self.core.clock.now()
        try:
            said = await verify_access_token(self.core.settings, self.keys, access_token, now=now, speaker="machine")
        except InvalidToken:
            raise Refused("invalid_token") from None
        if said.key != dpop_key:
            raise Refused("invalid_token")
        if max_token_age is not None and (now - said.issued_at).total_seconds() >= max_token_age:
            raise Refused("invalid_token")
        if not scope_check(said.scopes, tuple(required_scopes)):
            raise Refused("insufficient_scope")
        return M2MClaims(client_id=said.subject_id, scopes=said.scopes, custom_claims=said.custom_claims)


async def _client(call: Call, client_id: str) -> M2MClient:
    client = await call.storage.get(M2MClient, client_id)
    if client is None:
        raise Refused("m2m_client_not_found")
    return client


async def _changed(client: M2MClient) -> M2MClientResponse:
    await commit(Update(client), subject_id=client.client_id)
    return M2MClientResponse(m2m_client=M2MClientAnswer(**shown(client)))
