"""Devices without a browser: a person lets the app on them in from another device (RFC 8628).

Law: a device gets nothing before the person was shown which app asks and under which code, and said yes. Whoever tries codes is slowed down, and whoever asks too often is
told so before anything else.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote

import attrs
import msgspec
from msgspec import Meta

from authmw.crypto import tokens
from authmw.errors import Refused
from authmw.ledger.commits import commit
from authmw.limits import Limit
from authmw.operations import Call, Core, Product, current_call, operation
from authmw.parameters import JWT, ClientId, Id, ResourceList, Text, Token
from authmw.people.apps import ConnectedApp, Grant, live_grant
from authmw.people.records import Subject
from authmw.platform.connected_apps.responses import shown_to_people
from authmw.platform.idp.agreeing import agreed, grantable, proved_at
from authmw.platform.idp.asking import client_of, person_of
from authmw.platform.idp.client_documents import Documents
from authmw.platform.idp.issuing import end_family, issued, new_grant
from authmw.platform.idp.records import DeviceRequest
from authmw.platform.idp.responses import (
    DeviceAuthorizationResponse,
    DeviceStartResponse,
    Done,
    ScopeResult,
    TokenResponse,
)
from authmw.platform.idp.rules import (
    DEVICE_GRANT,
    DEVICE_INTERVAL,
    DEVICE_LIFE,
    asked_scopes,
    audience_of,
    canonical_user_code,
    check_device,
    check_key,
    checked_resources,
    spelled_user_code,
    words_of,
)
from authmw.scopes import parted
from authmw.settings import Settings
from authmw.signin.keys import KeyRing
from authmw.signin.limits import charge, network_of, of_visitor
from authmw.storage import Insert, Update

LETTERS = 8
"""Letters of a user code: 34 bits, of which 20 tries in ten minutes find nothing (RFC 8628 section 5.1)."""
_FORGIVEN = timedelta(seconds=1)
"""How much sooner than the interval a device may ask: the network is not always equally slow."""

_MINUTE = timedelta(minutes=1)

Secret = Annotated[str, Meta(max_length=512)]
ScopeList = Annotated[str, Meta(max_length=8192)]
Opaque = Annotated[str, Meta(max_length=512)]
UserCode = Annotated[str, Meta(max_length=64)]


class Devices(Product):
    """The steps of letting a device in."""

    def __init__(
        self, core: Core, keys: KeyRing, documents: Documents, show: Callable[[Subject, datetime], Any]
    ) -> None:
        super().__init__(core)
        self.keys = keys
        self._documents = documents
        self._show = show

    @operation(
        "POST",
        "/v1/public/{project_id}/oauth2/device_authorization",
        action="IDPDeviceAuthorization",
        door="oauth",
    )
    async def authorize(
        self,
        *,
        client_id: ClientId,
        client_secret: Secret | None = None,
        scope: ScopeList = "",
        resource: ResourceList | None = None,
        project_id: Id | None = None,
    ) -> DeviceAuthorizationResponse:
        """Begin on a device (RFC 8628 section 3.1). It shows the user code and the address, and asks the token endpoint by the device code.

        Refused: `invalid_client`, `invalid_scope`, `invalid_target`; `unsupported_grant_type` unless the project allows devices.
        """
        call = current_call()
        _check(call, project_id)
        app = await client_of(call, client_id, client_secret, self._documents)
        asked_from = network_of(call.caller.ip_address)
        await charge(call, Limit("device requests", (call.settings.project_id, asked_from), 60, _MINUTE))
        try:
            scopes = asked_scopes(call.settings, parted(scope))
        except Refused:
            raise Refused("invalid_scope") from None
        resources = checked_resources(call.settings, parted(resource))
        code, shown = tokens.token(), tokens.consonants(LETTERS)
        request = DeviceRequest(
            digest=tokens.digest(code),
            user_code=_kept(call, shown),
            client_id=app.client_id,
            scopes=scopes,
            resources=resources,
            created_at=call.now,
            expires_at=call.now + DEVICE_LIFE,
        )
        await commit(Insert(request), subject_id=app.client_id)
        where, spelled = verification_uri(call.settings), spelled_user_code(shown)
        return DeviceAuthorizationResponse(
            device_code=code,
            user_code=spelled,
            verification_uri=where,
            verification_uri_complete=f"{where}?user_code={quote(spelled, safe='')}",
            expires_in=int(DEVICE_LIFE.total_seconds()),
            interval=int(DEVICE_INTERVAL.total_seconds()),
        )

    @operation(
        "POST",
        "/v1/public/{project_id}/oauth2/token",
        action="IDPTokenDevice",
        door="oauth",
        grant=DEVICE_GRANT,
    )
    async def exchange(
        self,
        *,
        client_id: ClientId,
        device_code: Opaque,
        client_secret: Secret | None = None,
        resource: ResourceList | None = None,
        dpop_key: Text | None = None,
        project_id: Id | None = None,
    ) -> TokenResponse:
        """Tokens for a device code, once the person has agreed (RFC 8628 section 3.4). Presented again, all that came of it is revoked.

        Refused: `authorization_pending`, `slow_down`, `access_denied`, `expired_token`, `invalid_grant`, `invalid_client`, `invalid_target`, `invalid_dpop_proof`.
        """
        call = current_call()
        _check(call, project_id)
        app = await client_of(call, client_id, client_secret)
        digest = tokens.digest(device_code)
        asking = Limit("device questions", (call.settings.project_id, digest), 1, DEVICE_INTERVAL - _FORGIVEN)
        await charge(call, asking, refusal="slow_down")
        request = await call.storage.get(DeviceRequest, digest)
        use = check_device(request, client_id=app.client_id, now=call.now)
        assert request is not None  # the rule refuses what is not there
        if use == "replayed":
            await end_family(call, await call.storage.get(Grant, request.used_grant or ""))
        key = check_key(None, dpop_key, required=call.settings.provider.require_dpop)
        audience = audience_of(app, request.resources, resource)
        grant = new_grant(call, app, request, key)
        live = await live_grant(call.storage, grant, call.now)
        if live is None:
            raise Refused("invalid_grant")
        await commit(
            Insert(grant), Update(attrs.evolve(request, used_grant=grant.grant_id)), subject_id=grant.subject_id
        )
        return await issued(call, self.keys, live, scopes=grant.scopes, audience=audience)

    @operation("POST", "/v1/idp/oauth/device/start", action="IDPDeviceStart")
    async def start(
        self,
        *,
        user_code: UserCode,
        user_id: Id | None = None,
        session_token: Token | None = None,
        session_jwt: JWT | None = None,
    ) -> DeviceStartResponse:
        """What a device under this code asks this person for. Changes nothing. Exactly one of `user_id`, `session_token` and `session_jwt` names the person.

        Refused: `user_code_not_found`, `too_many_requests` for who tries codes, and as `authorize_start`.
        """
        call = current_call()
        person = await person_of(call, self.keys, user_id=user_id, session_token=session_token, session_jwt=session_jwt)
        request, app = await self._waiting(call, user_code, person.subject.id)
        words, can = words_of(call.settings), grantable(call, app, person, request.scopes)
        return DeviceStartResponse(
            user_code=spelled_user_code(canonical_user_code(user_code)),
            user_id=person.subject.id,
            user=msgspec.to_builtins(self._show(person.subject, call.now)),
            client=shown_to_people(app),
            scope_results=[
                ScopeResult(scope=scope, description=words[scope], is_grantable=scope in can)
                for scope in request.scopes
            ],
        )

    @operation("POST", "/v1/idp/oauth/device", action="IDPDevice")
    async def decide(
        self,
        *,
        user_code: UserCode,
        consent_granted: bool,
        user_id: Id | None = None,
        session_token: Token | None = None,
        session_jwt: JWT | None = None,
    ) -> Done:
        """The person's answer, once. Scopes that the person cannot grant are left out. Refused: as `start`, and `oauth_invalid_scope_requested` if none of them is left."""
        call = current_call()
        person = await person_of(call, self.keys, user_id=user_id, session_token=session_token, session_jwt=session_jwt)
        request, app = await self._waiting(call, user_code, person.subject.id)
        if not consent_granted:
            await commit(Update(attrs.evolve(request, denied=True)), subject_id=person.subject.id)
            return Done()
        granted = grantable(call, app, person, request.scopes)
        if request.scopes and not granted:
            raise Refused("oauth_invalid_scope_requested")
        consent, writes = await agreed(call, app, person, granted)
        answered = attrs.evolve(
            request,
            scopes=granted,
            subject_id=person.subject.id,
            subject_epoch=person.subject.session_epoch,
            consent_id=consent.consent_id,
            session_id=person.session.session_id if person.session else None,
            proved_at=proved_at(person),
        )
        await commit(Update(answered), *writes, subject_id=person.subject.id)
        return Done()

    async def _waiting(self, call: Call, user_code: str, subject_id: str) -> tuple[DeviceRequest, ConnectedApp]:
        """The undecided request of a code, and its app; tries are counted before the code is looked up."""
        project = call.settings.project_id
        await charge(
            call,
            Limit("device codes of a person", (project, subject_id), 20, DEVICE_LIFE),
            *of_visitor(call, "device codes from an address", 100, DEVICE_LIFE),
        )
        canonical = canonical_user_code(user_code)
        request = await _request_of(call, canonical)
        app = await self._documents.app(call, request.client_id) if request is not None else None
        decided = request is None or request.denied or bool(request.subject_id) or call.now >= request.expires_at
        if decided or request is None or app is None or not app.stands(call.now):
            raise Refused("user_code_not_found")
        return request, app


def verification_uri(settings: Settings) -> str:
    """Where people type a user code: our page at the mount."""
    return f"{settings.public_url}{settings.mount}/oauth/device"


def _check(call: Call, project_id: str | None) -> None:
    if project_id not in (None, call.settings.project_id):
        raise Refused("project_not_found")
    if not call.settings.provider.device_grant:
        raise Refused("unsupported_grant_type")


def _kept(call: Call, user_code: str, version: int | None = None) -> str:
    """What is stored of a user code: it is short enough to be guessed from a mere digest."""
    return call.core.roots.token("device user code", user_code, version=version)


async def _request_of(call: Call, user_code: str) -> DeviceRequest | None:
    """The request of a code, whichever root key stood in front when the device began."""
    for version in call.core.roots.versions:
        found = await call.storage.find(DeviceRequest, "user_code", (_kept(call, user_code, version),))
        if found is not None:
            return found
    return None
