"""OAuth: sign in with a provider, or add one to a user.

`start` and `callback` are addresses that a browser is led to; they hand nothing out but a token of five minutes, and the sign-in itself is `authenticate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta

from authmw.consumer.oauth import browser
from authmw.consumer.oauth.flow import (
    ATTACH,
    FLOW,
    RESULT,
    FlowRefused,
    Result,
    attaching,
    binding_of,
    browser_of,
    by_callback,
    callback_id,
    configured,
    destinations,
    flow_of,
    form_of,
    made_of,
    new_flow,
    parked,
    result_of,
    spent,
)
from authmw.consumer.oauth.id_tokens import IDTokens
from authmw.consumer.oauth.landing import answered, check_public, check_same_session, factor_of, land, starts
from authmw.consumer.oauth.linking import proof_by, waiting_of
from authmw.consumer.oauth.one_tap import GoogleOneTap, one_tapped
from authmw.consumer.oauth.responses import AttachResponse, AuthenticateResponse, LeadResponse
from authmw.consumer.oauth.sandbox import SANDBOX_TOKEN, sandbox_proof
from authmw.consumer.proofs import asked_of, check_may_add_factor, signed_in_caller
from authmw.crypto import tokens
from authmw.errors import Refused
from authmw.factors.challenges import Challenge, check_pkce, checked_pkce_challenge
from authmw.factors.oauth.exchange import Directory, Known
from authmw.factors.oauth.rules import LIFE, TOKEN_LIFE, authorization_url, check_callback_issuer, scopes_of
from authmw.ledger.commits import commit
from authmw.limits import Limit
from authmw.operations import SKEW, Call, Core, Product, current_call, operation
from authmw.parameters import JWT, URL, Claims, Id, SessionMinutes, TelemetryId, Text, Token
from authmw.people.directory import user_by_reference
from authmw.rows import Row
from authmw.signin.keys import KeyRing
from authmw.signin.limits import charge
from authmw.signin.rules import check_may_add
from authmw.storage import Insert, Update, Write

Code = Annotated[str, Meta(max_length=8192)]
Scopes = Annotated[str, Meta(max_length=2048)]


class OAuth(Product):
    """Sign-in with the providers of `Settings.oauth`."""

    def __init__(self, core: Core, keys: KeyRing) -> None:
        super().__init__(core)
        self.keys = keys
        self.directory = Directory()
        self.google_one_tap = GoogleOneTap(core, self.directory)
        self.id_tokens = IDTokens(core, keys, self.directory)

    def rows(self) -> tuple[Row, ...]:
        """What browsers reach."""
        return browser.rows(self)

    def callback_url(self, provider: str) -> str:
        """The redirect URI to register at a provider. It never changes while project, public address and mount stay."""
        settings = self.core.settings
        mount = "" if settings.claim_roots else settings.mount
        ident = callback_id(settings.project_id, settings.environment, provider)
        return f"{settings.public_url}{mount}/v1/oauth/callback/{ident}"

    @operation("GET", "/v1/public/oauth/{provider}/start", action="OAuthStart", door="navigation")
    async def start(
        self,
        *,
        provider: Id,
        public_token: Token,
        login_redirect_url: URL | None = None,
        signup_redirect_url: URL | None = None,
        custom_scopes: Scopes | None = None,
        code_challenge: Text | None = None,
        oauth_attach_token: Token | None = None,
        provider_parameters: dict[str, Text] | None = None,
        binding: Text | None = None,
    ) -> LeadResponse:
        """Lead a browser to a provider's authorization page.

        `custom_scopes` (separated by spaces) are asked for beside the base ones; `provider_parameters` are passed on. `binding` is what the browser's pre-login cookie
        holds. Refused: `oauth_config_not_found`, redirect URLs that are not registered for their type, `oauth_invalid_scope_requested` (Apple takes none),
        `invalid_oauth_attach_token`.
        """
        call = current_call()
        check_public(call, public_token)
        setup = configured(call, provider)
        await charge(call, starts(call))
        details: dict[str, Any] = destinations(call, login_redirect_url, signup_redirect_url)
        attached: tuple[Write, ...] = ()
        if oauth_attach_token is not None:
            attach = await attaching(call, oauth_attach_token, setup.name)
            details["attach"], attached = attach.challenge_id, (Update(spent(call, attach)),)
        scopes = scopes_of(setup.row(), setup, custom_scopes)
        known = await self.directory.known(call, setup)
        visitor = browser_of(call, binding) or tokens.token()
        pkce = checked_pkce_challenge(code_challenge)
        flow, state = new_flow(call, FLOW, setup.name, visitor, {**details, "scopes": list(scopes)}, pkce)
        url = authorization_url(
            known.row,
            setup,
            redirect_uri=self.callback_url(setup.name),
            state=state,
            nonce=made_of(call, flow, state, "nonce"),
            verifier=made_of(call, flow, state, "verifier"),
            scopes=scopes,
            parameters=provider_parameters or {},
        )
        await commit(Insert(flow), *attached, factor=factor_of(setup.name))
        return LeadResponse(redirect_url=url, binding=binding_of(call, visitor))

    @operation("GET", "/v1/oauth/callback/{oauth_callback_id}", action="OAuthCallback", door="navigation")
    async def callback(
        self,
        *,
        oauth_callback_id: Id,
        state: Text | None = None,
        code: Code | None = None,
        iss: Text | None = None,
        error: Text | None = None,
        parked: Token | None = None,
        binding: Text | None = None,
        csrf_cookie: Text | None = None,
    ) -> LeadResponse:
        """Take a browser back from a provider and lead it to the app, with a token for `authenticate`.

        Refused without a flow of this browser: `oauth_invalid_state`, `oauth_state_mismatch`, `oauth_state_used`. What fails after that uses the flow up and leads to the
        login URL with a fixed code in `error`.
        """
        call = current_call()
        setup = by_callback(call, oauth_callback_id)
        visitor = browser_of(call, binding)
        said: Mapping[str, str | None] = {"state": state, "code": code, "iss": iss, "error": error}
        forms: tuple[Write, ...] = ()
        if parked is not None:
            form, kept = await form_of(call, setup.name, parked)
            said, forms = form, (Update(spent(call, kept)),)
            if setup.name == "google" and "credential" in form:
                if not csrf_cookie or not tokens.same(csrf_cookie, form.get("g_csrf_token", "")):
                    raise Refused("oauth_state_mismatch")
                places = destinations(call, None, None)
                return await one_tapped(call, self.directory, form["credential"], visitor, None, places, forms)
        flow = await flow_of(call, FLOW, setup.name, said.get("state"), visitor)
        # A browser may load its way back twice, and the code is good once: the one that the provider refuses must not use the flow up for the other.
        once = Limit("oauth callback", (call.settings.project_id, flow.challenge_id), 1, LIFE)
        await charge(call, once, refusal="oauth_state_used")
        try:
            result = await self._came_back(call, await self.directory.known(call, setup), flow, said)
            return await land(call, flow, result, forms)
        except Refused as refused:
            if call.committed:
                raise
            refusal = FlowRefused(refused, str(flow.details["login"]))
            await commit(Update(spent(call, flow)), *forms, refusal=refusal, factor=factor_of(setup.name))
            raise

    @operation("POST", "/v1/oauth/callback/{oauth_callback_id}", action="OAuthCallbackForm", door="navigation")
    async def callback_form(self, *, oauth_callback_id: Id, form: dict[str, Code]) -> LeadResponse:
        """Keep a form that a provider's page posted (Apple, One Tap with a login URI) for a minute, and lead the browser to our own GET, which brings its cookie.

        A cross-site POST carries no Lax cookie, so nothing is decided here. Refused for providers that post none.
        """
        call = current_call()
        setup = by_callback(call, oauth_callback_id)
        if not setup.row().form_post and not (setup.name == "google" and "credential" in form):
            raise Refused("oauth_invalid_callback_request")
        await charge(call, starts(call))
        kept, handle = parked(call, setup.name, form)
        await commit(Insert(kept), factor=factor_of(setup.name))
        return LeadResponse(redirect_url=f"{self.callback_url(setup.name)}?parked={handle}")

    @operation("POST", "/v1/oauth/attach", action="OAuthAttach")
    async def attach(
        self,
        *,
        provider: Id,
        user_id: Id | None = None,
        session_token: Token | None = None,
        session_jwt: JWT | None = None,
    ) -> AttachResponse:
        """A token (10 minutes, once) for `start`, so that the identity is added to this user, whatever address it has. Two users are never merged.

        Refused: `oauth_config_not_found`, `user_not_found`, `email_verification_required` for somebody who has proved nothing yet, and in a browser the MFA rule.
        """
        call = current_call()
        setup = configured(call, provider.lower())
        live = await signed_in_caller(call, self.keys, session_token, session_jwt)
        if live is None and user_id is None:
            raise Refused("no_user_selection_arguments")
        user = live.subject if live else await user_by_reference(call.storage, user_id or "")
        if live is not None:
            check_may_add_factor(call, live)
        else:
            check_may_add(user)
        token = tokens.token()
        attach = Challenge(
            challenge_id=tokens.new_id("oauth-attach", call.settings.environment),
            purpose=ATTACH,
            subject_id=user.id,
            method_id=setup.name,
            digest=tokens.digest(token),
            created_at=call.now,
            expires_at=call.now + LIFE,
            session_id=live.session.session_id if live else None,
            details={"session_epoch": user.asking_epoch, "browser": call.caller.audience == "browser"},
        )
        await commit(Insert(attach), subject_id=user.id, factor=factor_of(setup.name))
        return AttachResponse(oauth_attach_token=token)

    @operation("POST", "/v1/oauth/authenticate", action="OAuthAuthenticate")
    async def authenticate(
        self,
        *,
        token: Token,
        session_token: Token | None = None,
        session_duration_minutes: SessionMinutes | None = None,
        session_jwt: JWT | None = None,
        session_custom_claims: Claims | None = None,
        code_verifier: Text | None = None,
        telemetry_id: TelemetryId | None = None,
    ) -> AuthenticateResponse:
        """Sign in by the token of the landing URL, once, within five minutes.

        Refused: `oauth_token_not_found` (unknown, used, expired: one answer), the PKCE errors (which do not use the token up; ten do), `duplicate_oauth_registration`.
        """
        call = current_call()
        asked = asked_of(
            call,
            session_token=session_token,
            session_jwt=session_jwt,
            minutes=session_duration_minutes,
            custom_claims=session_custom_claims,
        )
        if token == SANDBOX_TOKEN and call.settings.sandbox and not call.settings.live:
            proof, part, granted = await sandbox_proof(call)
            return await answered(call, self.keys, proof, part, granted, asked)
        waiting = waiting_of(await call.storage.find(Challenge, "digest", (tokens.digest(token),)), call, RESULT)
        ident = call.settings.project_id, waiting.challenge_id
        tries = Limit.during(TOKEN_LIFE + SKEW, "oauth token", ident, 10)
        await charge(call, tries, refusal="oauth_token_not_found", tells_wait=False)
        check_pkce(waiting.pkce, code_verifier)
        result = result_of(call, waiting)
        await check_same_session(call, self.keys, result, session_token, session_jwt)
        proof, part = await proof_by(call, result, Update(spent(call, waiting)))
        return await answered(call, self.keys, proof, part, result.granted, asked)

    async def _came_back(self, call: Call, known: Known, flow: Challenge, said: Mapping[str, str | None]) -> Result:
        check_callback_issuer(known.row, said.get("iss"), known.provider.tenants)
        if said.get("error") is not None:
            raise Refused("unable_to_authorize_oauth_provider")
        code, state = said.get("code"), said.get("state")
        if not code or not state:
            raise Refused("oauth_invalid_callback_request")
        profile, granted = await self.directory.exchange(
            call,
            known,
            code=code,
            redirect_uri=self.callback_url(known.provider.name),
            verifier=made_of(call, flow, state, "verifier"),
            nonce=made_of(call, flow, state, "nonce"),
            user=said.get("user"),
            scopes=flow.details["scopes"],
        )
        return Result(
            provider=known.provider.name,
            profile=profile,
            granted=granted,
            attach_id=str(flow.details.get("attach", "")),
        )
