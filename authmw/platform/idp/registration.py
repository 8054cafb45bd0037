"""Apps that make themselves known: registration by strangers (RFC 7591), and requests that are pushed before the browser comes (RFC 9126).

Law: a stranger gets no more than any third party that people must be asked about, at a limited rate, and is forgotten after a day in which nobody used it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import attrs
from msgspec import UNSET, Meta, UnsetType

from authmw.crypto import client_secrets, tokens
from authmw.crypto.client_secrets import ClientSecrets
from authmw.errors import Refused
from authmw.ledger.commits import commit
from authmw.limits import Limit
from authmw.operations import Call, Core, Product, Response, current_call, operation
from authmw.parameters import URL, ClientId, Id, ResourceList, Text
from authmw.people.apps import ConnectedApp
from authmw.platform.connected_apps.rules import check_redirect_url, check_urls
from authmw.platform.idp.asking import client_of
from authmw.platform.idp.client_documents import Documents
from authmw.platform.idp.pushed import REQUEST_URI, pushed_request
from authmw.platform.idp.records import PushedRequest
from authmw.platform.idp.rules import asked_scopes, check_request, checked_challenge, checked_prompt, checked_resources
from authmw.scopes import parted
from authmw.signin.limits import charge, network_of
from authmw.storage import Insert

UNUSED = timedelta(days=1)
"""How long an app that a stranger registered waits for its first use."""
PUSHED = timedelta(minutes=10)
"""How long a pushed request waits for its browser, sign-in included."""
_GRANTS = ("authorization_code", "refresh_token")
_SECRET_METHODS = ("client_secret_basic", "client_secret_post")

Opaque = Annotated[str, Meta(max_length=1024)]
ScopeList = Annotated[str, Meta(max_length=8192)]


class RegisterResponse(Response, kw_only=True):
    """What a stranger is registered as (RFC 7591 section 3.2.1). The secret, if it asked for one, is shown this one time."""

    status_code: int = 201
    client_id: str
    client_id_issued_at: int
    client_name: str
    redirect_uris: list[str]
    grant_types: list[str]
    response_types: list[str]
    token_endpoint_auth_method: str
    client_secret: str | UnsetType = UNSET
    client_secret_expires_at: int | UnsetType = UNSET


class PushedResponse(Response, kw_only=True):
    """Where the browser finds a pushed request. `expires_in` is in seconds."""

    status_code: int = 201
    request_uri: str
    expires_in: int


class Registration(Product):
    """What apps do before people come."""

    def __init__(self, core: Core, documents: Documents) -> None:
        super().__init__(core)
        self._documents = documents

    @operation("POST", "/v1/public/{project_id}/oauth2/register", action="IDPRegister", door="oauth")
    async def register(
        self,
        *,
        redirect_uris: Annotated[list[URL], Meta(max_length=50)],
        client_name: Annotated[str, Meta(max_length=128)] = "",
        grant_types: Annotated[list[Text], Meta(max_length=10)] | None = None,
        response_types: Annotated[list[Text], Meta(max_length=10)] | None = None,
        token_endpoint_auth_method: Text = "",
        project_id: Id | None = None,
    ) -> RegisterResponse:
        """Register an app as a third party (RFC 7591). Only if the project allows it. Without a method it is a public one, as the apps are that register themselves.

        Refused: `dynamic_client_registration_not_enabled`, `invalid_redirect_uri`, `invalid_client_metadata`, `too_many_requests`.
        """
        call = current_call()
        _check_project(call, project_id)
        if not call.settings.provider.dynamic_registration:
            raise Refused("dynamic_client_registration_not_enabled")
        await _charge(call)
        method = token_endpoint_auth_method or "none"
        grants = grant_types or ["authorization_code"]
        if method not in ("none", *_SECRET_METHODS) or not set(grants) <= set(_GRANTS):
            raise Refused("invalid_client_metadata")
        if "authorization_code" not in grants or (response_types or ["code"]) != ["code"]:
            raise Refused("invalid_client_metadata")
        app = _registered(call, client_name, redirect_uris, public=method == "none")
        secret = None if app.public else tokens.token()
        if secret is not None:
            kept = client_secrets.keep(call.core.roots, app.client_id, secret)
            app = attrs.evolve(app, secrets=ClientSecrets(current=kept))
        await commit(Insert(app), subject_id=app.client_id)
        return RegisterResponse(
            client_id=app.client_id,
            client_id_issued_at=int(call.now.timestamp()),
            client_name=app.client_name,
            redirect_uris=list(app.redirect_urls),
            grant_types=[grant for grant in _GRANTS if grant in {*grants, "authorization_code"}],
            response_types=["code"],
            token_endpoint_auth_method=method,
            client_secret=UNSET if secret is None else secret,
            client_secret_expires_at=UNSET if secret is None else 0,
        )

    @operation("POST", "/v1/public/{project_id}/oauth2/par", action="IDPPushRequest", door="oauth")
    async def push(
        self,
        *,
        client_id: ClientId,
        redirect_uri: URL,
        response_type: Text,
        client_secret: Opaque | None = None,
        scope: ScopeList = "",
        state: Opaque | None = None,
        nonce: Opaque | None = None,
        code_challenge: Text | None = None,
        code_challenge_method: Text | None = None,
        resource: ResourceList | None = None,
        prompt: Text | None = None,
        max_age: Text | None = None,
        dpop_key: Text | None = None,
        project_id: Id | None = None,
    ) -> PushedResponse:
        """Push an authorization request ahead of the browser (RFC 9126), which then names it by `request_uri`; what stands in its URL counts no more.

        The codes of a request that was pushed with a DPoP proof are bound to its key. Refused: `invalid_client`, `invalid_request` and what the authorization endpoint refuses.
        """
        call = current_call()
        _check_project(call, project_id)
        app = await client_of(call, client_id, client_secret, self._documents)
        _check(call, app, redirect_uri, response_type, scope, code_challenge, code_challenge_method, resource, prompt)
        values = {
            "client_id": client_id,
            "redirect_uri": redirect_uri,
            "response_type": response_type,
            "scope": scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": code_challenge,
            "code_challenge_method": code_challenge_method,
            "resource": resource,
            "prompt": prompt,
            "max_age": max_age,
            "dpop_jkt": dpop_key,
        }
        name = tokens.token()
        pushed = PushedRequest(
            digest=tokens.digest(name),
            client_id=client_id,
            parameters={key: value for key, value in values.items() if value},
            expires_at=call.now + PUSHED,
        )
        await commit(Insert(pushed), subject_id=client_id)
        return PushedResponse(request_uri=REQUEST_URI + name, expires_in=int(PUSHED.total_seconds()))

    async def pushed(self, request_uri: str, client_id: str) -> dict[str, str]:
        """The parameters of a request that this client pushed. Refused: `invalid_request_uri`."""
        kept = await pushed_request(self.core.storage, request_uri, client_id, self.core.clock.now())
        return {key: str(value) for key, value in kept.parameters.items()}


def _check_project(call: Call, project_id: str | None) -> None:
    if project_id not in (None, call.settings.project_id):
        raise Refused("project_not_found")


async def _charge(call: Call) -> None:
    """Ten registrations an hour from one address, a hundred from all."""
    project, hour = call.settings.project_id, timedelta(hours=1)
    await charge(
        call,
        Limit("registration", (project, network_of(call.caller.ip_address)), 10, hour),
        Limit("registrations", (project,), 100, hour),
    )


def _registered(call: Call, name: str, redirect_uris: list[str], *, public: bool) -> ConnectedApp:
    try:
        urls = check_urls(redirect_uris)
        for url in urls:
            check_redirect_url(url, public=public, live=call.settings.live)
    except Refused:
        raise Refused("invalid_redirect_uri") from None
    if not urls:
        raise Refused("invalid_redirect_uri")
    return ConnectedApp(
        client_id=tokens.new_id("connected-app", call.settings.environment),
        client_type="third_party_public" if public else "third_party",
        client_name=name,
        redirect_urls=urls,
        creation_method="dynamic_client_registration",
        created_at=call.now,
        expires_at=call.now + UNUSED,
    )


def _check(
    call: Call,
    app: ConnectedApp,
    redirect_uri: str,
    response_type: str,
    scope: str,
    challenge: str | None,
    method: str | None,
    resource: str | None,
    prompt: str | None,
) -> None:
    """Refuse at once what the authorization endpoint would refuse later (RFC 9126 section 2.1)."""
    try:
        check_request(app, redirect_uri, response_type, call.now)
        if method != "S256":
            raise Refused("pkce_required_for_idp_authorization_flow")
        checked_challenge(challenge)
    except Refused as refused:
        raise Refused("bad_request", refused.message) from None
    checked_prompt(prompt)
    checked_resources(call.settings, parted(resource))
    try:
        asked_scopes(call.settings, parted(scope))
    except Refused:
        raise Refused("invalid_scope") from None
