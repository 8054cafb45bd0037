"""Granting access: what a consent page needs to know, the person's answer, and signing out at the wish of an app."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from authmw.crypto import tokens
from authmw.errors import Refused
from authmw.ledger.commits import commit
from authmw.operations import Call, Core, Product, current_call, operation
from authmw.parameters import JWT, URL, ClientId, Id, Text, Token
from authmw.people.apps import ConnectedApp, Consent, consent_key
from authmw.people.records import Subject
from authmw.platform.connected_apps.responses import shown_to_people
from authmw.platform.idp.agreeing import agreed, grantable, proved_at
from authmw.platform.idp.asking import Person, person_of
from authmw.platform.idp.claims import hinted_subject
from authmw.platform.idp.client_documents import Documents
from authmw.platform.idp.pushed import check_as_pushed, pushed_request
from authmw.platform.idp.records import AuthorizationCode, PushedRequest
from authmw.platform.idp.responses import (
    AuthorizeResponse,
    AuthorizeStartResponse,
    LogoutStartResponse,
    ScopeResult,
)
from authmw.platform.idp.rules import (
    CODE_LIFE,
    answer_url,
    asked_scopes,
    check_request,
    checked_challenge,
    checked_resources,
    consent_required,
    words_of,
)
from authmw.signin.keys import KeyRing
from authmw.storage import Delete, Insert, Write

ScopeText = Annotated[str, Meta(max_length=128)]
Scopes = Annotated[list[ScopeText], Meta(max_length=50)]
Resources = Annotated[list[URL], Meta(max_length=20)]
State = Annotated[str, Meta(max_length=1024)]


class OAuth(Product):
    """The steps of an authorization."""

    def __init__(
        self, core: Core, keys: KeyRing, documents: Documents, show: Callable[[Subject, datetime], Any]
    ) -> None:
        super().__init__(core)
        self.keys = keys
        self._documents = documents
        self._show = show

    @operation("POST", "/v1/idp/oauth/authorize/start", action="IDPOAuthAuthorizeStart")
    async def authorize_start(
        self,
        *,
        client_id: ClientId,
        redirect_uri: URL,
        response_type: Text,
        scopes: Scopes,
        user_id: Id | None = None,
        session_token: Token | None = None,
        session_jwt: JWT | None = None,
        prompt: Text | None = None,
    ) -> AuthorizeStartResponse:
        """Look a request for access over: who asks, for what, and whether the person must be asked. Changes nothing.

        Exactly one of `user_id`, `session_token` and `session_jwt` names the person. Refused: `connected_app_not_found`,
        `connected_app_supplied_redirect_url_not_found_in_client`, `unsupported_response_type`, `oauth_invalid_scope_requested`, `no_oauth_authorize_user_selector`.
        """
        call = current_call()
        app = check_request(await self._documents.app(call, client_id), redirect_uri, response_type, call.now)
        person = await person_of(call, self.keys, user_id=user_id, session_token=session_token, session_jwt=session_jwt)
        asked = asked_scopes(call.settings, scopes)
        consent = await call.storage.get(Consent, consent_key(person.subject.id, app.client_id))
        words, can = words_of(call.settings), grantable(call, app, person, asked)
        return AuthorizeStartResponse(
            user_id=person.subject.id,
            user=msgspec.to_builtins(self._show(person.subject, call.now)),
            client=shown_to_people(app),
            consent_required=consent_required(app, consent, can, redirect_uri, prompt),
            scope_results=[
                ScopeResult(scope=scope, description=words[scope], is_grantable=scope in can) for scope in asked
            ],
        )

    @operation("POST", "/v1/idp/oauth/authorize", action="IDPOAuthAuthorize")
    async def authorize(
        self,
        *,
        consent_granted: bool,
        scopes: Scopes,
        client_id: ClientId,
        redirect_uri: URL,
        response_type: Text,
        user_id: Id | None = None,
        session_token: Token | None = None,
        session_jwt: JWT | None = None,
        prompt: Text | None = None,
        state: State | None = None,
        nonce: State | None = None,
        code_challenge: Text | None = None,
        resources: Resources | None = None,
        dpop_key: Text | None = None,
        request_uri: Text | None = None,
    ) -> AuthorizeResponse:
        """The person's answer to a request for access: a code that lives five minutes and is good once, or the refusal, as the URL that the browser goes back to.

        In a browser `consent_granted` counts where the person must be asked; where nobody asked them, the vendor's page says false and goes on.
        `code_challenge` is S256 and required of every app (RFC 7636, RFC 9700). Scopes that the person cannot grant are left out. `resources` are what tokens
        shall be for (RFC 8707), `dpop_key` the thumbprint of the key they shall be bound to (RFC 9449 section 10). `request_uri` names the pushed request that this is
        the one answer to (RFC 9126). Refused: as `authorize_start`, and `pkce_required_for_idp_authorization_flow`, `invalid_pkce_code_challenge`, `invalid_target`,
        `invalid_request_uri`.
        """
        call = current_call()
        app = check_request(await self._documents.app(call, client_id), redirect_uri, response_type, call.now)
        person = await person_of(call, self.keys, user_id=user_id, session_token=session_token, session_jwt=session_jwt)
        challenge = checked_challenge(code_challenge)
        targets = checked_resources(call.settings, resources or ())
        asked = asked_scopes(call.settings, scopes)
        granted = grantable(call, app, person, asked)
        pushed = await _pushed(call, request_uri, client_id)
        if pushed is not None:
            said = {"redirect_uri": redirect_uri, "state": state, "nonce": nonce, "code_challenge": code_challenge}
            check_as_pushed(pushed, asked, targets, dpop_jkt=dpop_key, **said)
        used: tuple[Write, ...] = (Delete(pushed),) if pushed is not None else ()
        if not consent_granted and await _may_refuse(call, app, person, granted, redirect_uri, prompt):
            if used:
                await commit(*used, subject_id=person.subject.id)
            denied = answer_url(redirect_uri, error="access_denied", state=state, iss=call.settings.provider_issuer)
            return AuthorizeResponse(redirect_uri=denied, authorization_code=None)
        if asked and not granted:
            raise Refused("oauth_invalid_scope_requested")
        consent, writes = await agreed(call, app, person, granted)
        code = tokens.token()
        session = person.session
        kept = AuthorizationCode(
            digest=tokens.digest(code),
            client_id=app.client_id,
            subject_id=person.subject.id,
            subject_epoch=person.subject.session_epoch,
            consent_id=consent.consent_id,
            session_id=session.session_id if session else None,
            proved_at=proved_at(person),
            redirect_uri=redirect_uri,
            scopes=granted,
            resources=targets,
            challenge=challenge,
            nonce=nonce,
            key=dpop_key,
            created_at=call.now,
            expires_at=call.now + CODE_LIFE,
        )
        await commit(Insert(kept), *writes, *used, subject_id=person.subject.id)
        url = answer_url(redirect_uri, code=code, state=state, iss=call.settings.provider_issuer)
        return AuthorizeResponse(redirect_uri=url, authorization_code=code)

    @operation("POST", "/v1/idp/oauth/logout/start", action="IDPOAuthLogoutStart")
    async def logout_start(
        self,
        *,
        client_id: ClientId,
        post_logout_redirect_uri: URL,
        state: State | None = None,
        id_token_hint: JWT | None = None,
        session_token: Token | None = None,
        session_jwt: JWT | None = None,
    ) -> LogoutStartResponse:
        """Look an app's wish over that the person be signed out (OpenID Connect RP-Initiated Logout). Ends nothing: whoever shows the page revokes the session.

        The person must be asked unless the hint is an ID token that we gave this app about the person of this session. Refused: `connected_app_not_found`,
        `connected_app_supplied_redirect_url_not_found_in_client`.
        """
        call = current_call()
        app = await call.storage.get(ConnectedApp, client_id)
        if app is None:
            raise Refused("connected_app_not_found")
        if post_logout_redirect_uri not in app.post_logout_redirect_urls:
            raise Refused("connected_app_supplied_redirect_url_not_found_in_client")
        hinted = await hinted_subject(call.settings, self.keys, id_token_hint or "", client_id, call.now)
        present: str | None = None
        if hinted is not None:
            person = await person_of(
                call, self.keys, user_id=None, session_token=session_token, session_jwt=session_jwt
            )
            present = person.subject.id
        return LogoutStartResponse(
            redirect_uri=answer_url(post_logout_redirect_uri, state=state) if state else post_logout_redirect_uri,
            consent_required=hinted is None or hinted != present,
        )


async def _pushed(call: Call, request_uri: str | None, client_id: str) -> PushedRequest | None:
    """The pushed request that is answered. Refused without one where the project takes no others."""
    if request_uri is not None:
        return await pushed_request(call.storage, request_uri, client_id, call.now)
    if call.settings.provider.require_pushed_requests:
        raise Refused("bad_request", "The app must push its request ahead of the browser.")
    return None


async def _may_refuse(
    call: Call, app: ConnectedApp, person: Person, granted: tuple[str, ...], redirect_uri: str, prompt: str | None
) -> bool:
    """Whether a no is a no: always from a backend, and from a browser where the person was to be asked."""
    if call.caller.audience != "browser":
        return True
    consent = await call.storage.get(Consent, consent_key(person.subject.id, app.client_id))
    return consent_required(app, consent, granted, redirect_uri, prompt)
