"""Sessions in exchange for what others gave out: a trusted token, a session of the system before this one, an access token of one of our own apps.

Law: an exchange proves nothing anew. The factor it leaves is as old as the other side says, and a token that is good once is spent by the commit that makes the session.
"""

from __future__ import annotations

from datetime import timedelta

import attrs

from authmw.consumer.answers import SignInResponse, sign_in_answer
from authmw.consumer.proofs import asked_of
from authmw.consumer.sessions.linking import attested_proof, migrated_proof
from authmw.crypto.jwts import InvalidToken
from authmw.errors import Refused
from authmw.factors.key_sets import KeySets
from authmw.factors.oauth.id_tokens import InvalidIDToken
from authmw.factors.spent import spend
from authmw.factors.trusted_token.rules import Attested, check_by_listed_keys, check_trusted_token
from authmw.fetching import JSON, decoded_object, fetch
from authmw.identifiers import canonical_email
from authmw.operations import Call, Core, Product, current_call, operation
from authmw.parameters import JWT, Claims, Id, SessionMinutes, TelemetryId, Token
from authmw.people.apps import LiveGrant
from authmw.people.records import Proved
from authmw.ports import FetchRequest
from authmw.signin.access_tokens import AccessToken, live_access_token
from authmw.signin.complete import Proof, complete
from authmw.signin.keys import KeyRing
from authmw.trusted_tokens import TrustedTokenProfile

FULL_ACCESS = "full_access"
EXCHANGED_WITHIN = timedelta(minutes=5)
"""How old an access token may be when it is exchanged."""
_UNEXPECTED = "migrate_from_external_unexpected_response"
_INVALID = "invalid_trusted_auth_token"


class ForeignSessions(Product):
    """What `sessions` takes for a session that is no factor of its own."""

    def __init__(self, core: Core, keys: KeyRing) -> None:
        super().__init__(core)
        self.keys = keys
        self._published = KeySets()

    @operation("POST", "/v1/sessions/attest", action="SessionsAttest")
    async def attest(
        self,
        *,
        profile_id: Id,
        token: JWT,
        session_duration_minutes: SessionMinutes | None = None,
        session_custom_claims: Claims | None = None,
        session_token: Token | None = None,
        session_jwt: JWT | None = None,
        telemetry_id: TelemetryId | None = None,
    ) -> SignInResponse:
        """Sign in by a token of a service that the project trusts (`Settings.trusted_tokens`), once: the user it names, or a new one where the profile makes them.

        Refused: `trusted_token_profile_not_found`; `invalid_trusted_auth_token` for a token that does not count or was used; `invalid_jwks_url` if the issuer's keys
        cannot be read; `user_not_found`; `duplicate_email` if its address belongs to a user of another external id.
        """
        call = current_call()
        profile = next((one for one in call.settings.trusted_tokens if one.profile_id == profile_id), None)
        if profile is None:
            raise Refused("trusted_token_profile_not_found")
        said = await self._attested(call, profile, token)
        spent = await spend(
            call, "trusted token", profile.issuer, said.token_id, until=said.expires_at, refusal=_INVALID
        )
        proof = await attested_proof(call, profile, said, spent)
        asked = asked_of(
            call,
            session_token=session_token,
            session_jwt=session_jwt,
            minutes=session_duration_minutes,
            custom_claims=session_custom_claims,
        )
        return sign_in_answer(SignInResponse, await complete(proof, asked, self.keys), call.now)

    async def _attested(self, call: Call, profile: TrustedTokenProfile, token: str) -> Attested:
        try:
            if not profile.jwks_url:
                return check_by_listed_keys(token, profile, call.now)
            return await self._published.try_keys(
                call,
                profile.jwks_url,
                lambda keys: check_trusted_token(token, keys, profile, call.now),
                refusal="invalid_jwks_url",
            )
        except InvalidIDToken:
            raise Refused(_INVALID) from None

    @operation("POST", "/v1/sessions/migrate", action="SessionsMigrate")
    async def migrate(
        self,
        *,
        session_token: JWT,
        session_duration_minutes: SessionMinutes | None = None,
        session_custom_claims: Claims | None = None,
        telemetry_id: TelemetryId | None = None,
    ) -> SignInResponse:
        """Sign in the user whom the system before this one knows by its own session token: its UserInfo address (`Settings.session_migration_url`) is asked for their e-mail.

        The user must be there already. Refused: `migrate_from_external_missing_userinfo` where no address is set, `migrate_from_external_unexpected_response` for any
        answer but 200 with an address that is not said to be unverified (the project chose whom it asks, so its word is proof), `migrate_from_external_email_does_not_exist`.
        """
        call = current_call()
        address = await _asked_address(call, session_token)
        proof = await migrated_proof(call, address)
        asked = asked_of(
            call,
            session_token=None,
            session_jwt=None,
            minutes=session_duration_minutes,
            custom_claims=session_custom_claims,
        )
        return sign_in_answer(SignInResponse, await complete(proof, asked, self.keys), call.now)

    @operation("POST", "/v1/sessions/exchange_access_token", action="SessionsExchangeAccessToken")
    async def exchange_access_token(
        self,
        *,
        access_token: JWT,
        session_duration_minutes: SessionMinutes | None = None,
        session_custom_claims: Claims | None = None,
        telemetry_id: TelemetryId | None = None,
    ) -> SignInResponse:
        """A session of the person who gave one of the project's own apps full access, for an access token of that app: once, within five minutes of its making.

        Refused: `oauth_access_token_exchange_token_invalid_grant` for a token that is not good now, or is bound to a key; `oauth_access_token_exchange_missing_full_access`;
        `oauth_access_token_exchange_token_too_old`; `idp_access_token_could_not_be_exchanged` for one that was exchanged.
        """
        call = current_call()
        said, live = await self._granted(call, access_token)
        spent = await spend(
            call,
            "access token",
            said.token_id,
            until=said.issued_at + EXCHANGED_WITHIN,
            refusal="idp_access_token_could_not_be_exchanged",
        )
        factor = Proved(
            type="oauth",
            delivery_method="oauth_access_token_exchange",
            last_authenticated_at=live.grant.proved_at or live.grant.created_at,
            created_at=call.now,
            updated_at=call.now,
            details={"oauth_access_token_exchange_factor": {"client_id": said.client_id}},
            category="account",
        )
        proof = Proof(before=live.subject, after=live.subject, factor=factor, writes=(spent,))
        asked = asked_of(
            call,
            session_token=None,
            session_jwt=None,
            minutes=session_duration_minutes,
            custom_claims=session_custom_claims,
        )
        # It makes a session of its own: the one that a browser carries is another app's.
        asked = attrs.evolve(asked, session_token=None)
        return sign_in_answer(SignInResponse, await complete(proof, asked, self.keys), call.now)

    async def _granted(self, call: Call, token: str) -> tuple[AccessToken, LiveGrant]:
        try:
            said, live = await live_access_token(call.settings, self.keys, call.storage, token, now=call.now)
        except InvalidToken:
            raise Refused("oauth_access_token_exchange_token_invalid_grant") from None
        if said.key is not None:
            # A token bound to a key is worth nothing without a proof of the key (RFC 9449 section 7), and this operation takes none.
            raise Refused("oauth_access_token_exchange_token_invalid_grant")
        app = live.app
        if FULL_ACCESS not in said.scopes or not (app.first_party and app.full_access_allowed):
            raise Refused("oauth_access_token_exchange_missing_full_access")
        if call.now - said.issued_at >= EXCHANGED_WITHIN:
            raise Refused("oauth_access_token_exchange_token_too_old")
        return said, live


async def _asked_address(call: Call, token: str) -> str:
    """The canonical address that the system before this one says its token belongs to."""
    url = call.settings.session_migration_url
    if not url:
        raise Refused("migrate_from_external_missing_userinfo")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise Refused(_UNEXPECTED)  # It goes into a header as it is (RFC 6750 section 2.1).
    request = FetchRequest(url=url, headers={**JSON, "authorization": f"Bearer {token}"})
    answer = await fetch(call, request, refusal=_UNEXPECTED, key=token)
    said = decoded_object(answer.body, _UNEXPECTED) if answer.status == 200 else {}
    verified = said.get("email_verified", True)
    if verified is not True and verified != "true":
        raise Refused(_UNEXPECTED)
    try:
        return canonical_email(said.get("email"))
    except Refused:
        raise Refused(_UNEXPECTED) from None
