"""Passkeys and security keys: registered by who is signed in, and then a second factor, or a sign-in by themselves.

Law: a passkey alone opens a session only if its authenticator verified the person (ruling X-14); what is asked for a sign-in tells nobody who is known (ENU-03).
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from authmw.consumer.answers import sign_in_answer, webauthn_answer
from authmw.consumer.binding import agent_of, check_own, joins, own_session
from authmw.consumer.proofs import asked_of, check_may_change_factors, signed_in_caller
from authmw.consumer.webauthn import browser
from authmw.consumer.webauthn.ceremonies import (
    FACTOR,
    KIND,
    REGISTERING,
    SIGNING_IN,
    charge_ceremony,
    judged,
    new_challenge,
    party_of,
    waiting,
)
from authmw.consumer.webauthn.credentials import (
    handle_of,
    held_by,
    identity_of,
    known,
    new_part,
    proved,
    registrations,
    remembered,
    renamed,
    shown_credential,
    used_by,
)
from authmw.consumer.webauthn.responses import (
    AuthenticateStartResponse,
    ListCredentialsResponse,
    RegisterStartResponse,
    UpdateResponse,
    WebAuthnSignInResponse,
)
from authmw.errors import Refused
from authmw.factors.challenges import Challenge
from authmw.factors.webauthn.answers import Attestation, read_assertion, read_attestation
from authmw.factors.webauthn.rules import (
    AGENT,
    REGISTRATIONS,
    AuthenticatorType,
    Registrant,
    check_counter,
    check_worth,
    checked_name,
    creation_options,
    given_handle,
    request_options,
)
from authmw.factors.webauthn.verification import Registered, Used, verify_registration
from authmw.ledger.commits import commit
from authmw.operations import Call, Core, Product, current_call, operation
from authmw.parameters import JWT, Claims, Id, SessionMinutes, TelemetryId, Token
from authmw.people.credentials import new_credential
from authmw.people.directory import user_by_identity, user_by_part, user_by_reference
from authmw.people.notices import notify_of
from authmw.people.records import User
from authmw.people.rules import with_part
from authmw.rows import Row
from authmw.signin.complete import Proof, complete
from authmw.signin.keys import KeyRing
from authmw.storage import Delete, Insert, Update, Write

Domain = Annotated[str, Meta(min_length=1, max_length=253)]
UserAgent = Annotated[str, Meta(max_length=1024)]
PublicKeyCredential = Annotated[str, Meta(min_length=2, max_length=65536)]
Handle = Annotated[str, Meta(min_length=1, max_length=64)]
Shown = Annotated[str, Meta(min_length=1, max_length=128)]
RegistrationName = Annotated[str, Meta(max_length=256)]


class WebAuthn(Product):
    """Passkeys and security keys (W3C Web Authentication). A domain is one of the project's (`Settings.webauthn`)."""

    def __init__(self, core: Core, keys: KeyRing) -> None:
        super().__init__(core)
        self.keys = keys

    def rows(self) -> tuple[Row, ...]:
        """What browsers reach."""
        return browser.rows(self)

    @operation("POST", "/v1/webauthn/register/start", action="WebAuthnRegisterStart")
    async def register_start(
        self,
        *,
        user_id: Id,
        domain: Domain,
        user_agent: UserAgent = "",
        authenticator_type: AuthenticatorType | None = None,
        return_passkey_credential_options: bool = False,
        override_id: Handle | None = None,
        override_name: Shown | None = None,
        override_display_name: Shown | None = None,
        use_base64_url_encoding: bool = False,
    ) -> RegisterStartResponse:
        """What to ask the browser for a new credential of this user, within five minutes.

        `return_passkey_credential_options` asks for one that later signs in without naming its user. Binary values are base64, or base64url as browsers' own parsers take it.
        Refused: `invalid_webauthn_registration_domain`, `cannot_use_webauthn_with_pending_user`, `email_verification_required`, `too_many_user_registrations_for_domain`,
        and from a browser the MFA rule's refusals.
        """
        call = current_call()
        user = await user_by_reference(call.storage, user_id)
        await _check_may_register(call, self.keys, user)
        party = party_of(call, domain)
        standing = registrations(user, party.domain)
        if len(standing) >= REGISTRATIONS:
            raise Refused("too_many_user_registrations_for_domain")
        await charge_ceremony(call, user)
        handle = given_handle(override_id) if override_id else handle_of(standing)
        details = {
            "domain": party.domain,
            "handle": handle,
            "user_agent": (user_agent or agent_of(call))[:AGENT],
            "authenticator_type": authenticator_type or "",
            "passkey": return_passkey_credential_options,
        }
        live = await own_session(call, self.keys)
        challenge, kept = new_challenge(call, REGISTERING, user, live, details)
        await commit(Insert(kept), subject_id=user.id, factor=FACTOR)
        options = creation_options(
            domain=party.domain,
            project=call.settings.name,
            challenge=challenge,
            registrant=_registrant(user, handle, override_name, override_display_name),
            known=known(standing),
            authenticator_type=authenticator_type,
            passkey=return_passkey_credential_options,
            verification=call.settings.webauthn.user_verification,
            attested=bool(call.settings.webauthn.attestation_roots),
            base64url=use_base64_url_encoding,
        )
        return RegisterStartResponse(user_id=user.id, public_key_credential_creation_options=options)

    @operation("POST", "/v1/webauthn/register", action="WebAuthnRegister")
    async def register(
        self,
        *,
        user_id: Id,
        public_key_credential: PublicKeyCredential,
        session_token: Token | None = None,
        session_jwt: JWT | None = None,
        session_duration_minutes: SessionMinutes | None = None,
        session_custom_claims: Claims | None = None,
        telemetry_id: TelemetryId | None = None,
    ) -> WebAuthnSignInResponse:
        """Add the credential that the browser made to its user, and to their session as a factor; every verified address is told.

        Refused: `no_pending_webauthn_registration`, `unable_to_register_webauthn_registration`, `duplicate_webauthn_registration`, the `invalid_public_key_credential...`
        errors, `webauthn_user_verification_required` where it would open a session by itself, and from a browser the MFA rule's refusals.
        """
        call = current_call()
        answer = read_attestation(public_key_credential)
        user = await user_by_reference(call.storage, user_id)
        await _check_may_register(call, self.keys, user)
        live = await signed_in_caller(call, self.keys, session_token, session_jwt)
        challenge = await waiting(call, REGISTERING, answer.client.challenge, live, "no_pending_webauthn_registration")
        if challenge.subject_id != user.id:
            raise Refused("no_pending_webauthn_registration")
        asked = asked_of(
            call,
            session_token=session_token,
            session_jwt=session_jwt,
            minutes=session_duration_minutes,
            custom_claims=session_custom_claims,
        )
        owner = await user_by_identity(call.storage, KIND, *identity_of(answer.credential_id))

        def judge() -> Registered:
            registered = _verified(call, challenge, answer)
            if owner is not None:
                raise Refused("duplicate_webauthn_registration")
            if len(registrations(user, str(challenge.details["domain"]))) >= REGISTRATIONS:
                raise Refused("too_many_user_registrations_for_domain")
            verified, always = registered.key.user_verified, _always_verified(call)
            check_worth(user_verified=verified, always=always, joins=joins(live, user), opens=asked.minutes is not None)
            return registered

        registered = await judged(challenge, user.id, judge)
        part = new_part(call, challenge, answer)
        factor = proved(call.now, part, user_verified=registered.key.user_verified)
        credential = new_credential(
            call,
            part_id=part.part_id,
            subject_id=user.id,
            kind=KIND,
            secret=registered.key,
            counter=registered.counter,
        )
        after = with_part(user, part)
        notify_of(call, user, after)
        proof = Proof(before=user, after=after, factor=factor, writes=(Delete(challenge), Insert(credential)))
        signed_in = await complete(proof, asked, self.keys)
        return sign_in_answer(WebAuthnSignInResponse, signed_in, call.now, webauthn_registration_id=part.part_id)

    @operation("POST", "/v1/webauthn/authenticate/start", action="WebAuthnAuthenticateStart")
    async def authenticate_start(
        self,
        *,
        domain: Domain,
        user_id: Id | None = None,
        return_passkey_credential_options: bool = False,
        use_base64_url_encoding: bool = False,
    ) -> AuthenticateStartResponse:
        """What to ask the browser for a signature, within five minutes: of a named user's credentials, or of any passkey, which then says whose it is.

        Whether a PIN or biometric is required follows from that, not from `return_passkey_credential_options`. Refused: `invalid_webauthn_registration_domain`, `user_not_found`, `no_active_webauthn_registrations`, `too_many_requests`.
        """
        call = current_call()
        party = party_of(call, domain)
        user = await user_by_reference(call.storage, user_id) if user_id else None
        standing = registrations(user, party.domain) if user else []
        if user is not None and not standing:
            raise Refused("no_active_webauthn_registrations")
        await charge_ceremony(call, user)
        live = await own_session(call, self.keys) if user else None
        challenge, kept = new_challenge(call, SIGNING_IN, user, live, {"domain": party.domain})
        await commit(Insert(kept), subject_id=user.id if user else "", factor=FACTOR)
        options = request_options(
            domain=party.domain,
            challenge=challenge,
            known=known(standing),
            verification=call.settings.webauthn.user_verification if user else "required",
            base64url=use_base64_url_encoding,
        )
        return AuthenticateStartResponse(user_id=user.id if user else "", public_key_credential_request_options=options)

    @operation("POST", "/v1/webauthn/authenticate", action="WebAuthnAuthenticate")
    async def authenticate(
        self,
        *,
        public_key_credential: PublicKeyCredential,
        session_token: Token | None = None,
        session_jwt: JWT | None = None,
        session_duration_minutes: SessionMinutes | None = None,
        session_custom_claims: Claims | None = None,
        telemetry_id: TelemetryId | None = None,
    ) -> WebAuthnSignInResponse:
        """Sign in by the signature of a known credential, or add it to its user's session.

        Refused: `unable_to_auth_webauthn_registration` for anything but the signature of a challenge that waits, by a credential of whom it was made for;
        `webauthn_user_verification_required` where it would open a session without PIN or biometric; `webauthn_counter_not_increased`; the
        `invalid_public_key_credential...` errors.
        """
        call = current_call()
        answer = read_assertion(public_key_credential)
        live = await signed_in_caller(call, self.keys, session_token, session_jwt)
        challenge = await waiting(
            call, SIGNING_IN, answer.client.challenge, live, "unable_to_auth_webauthn_registration"
        )
        held = await held_by(call, challenge, answer)
        asked = asked_of(
            call,
            session_token=session_token,
            session_jwt=session_jwt,
            minutes=session_duration_minutes,
            custom_claims=session_custom_claims,
        )

        def judge() -> Used:
            used = used_by(call, challenge, answer, held)
            check_counter(held.credential.counter, used.counter)
            check_worth(
                user_verified=used.user_verified,
                always=_always_verified(call),
                joins=joins(live, held.user),
                opens=asked.minutes is not None,
            )
            return used

        used = await judged(challenge, held.user.id, judge)
        factor = proved(call.now, held.part, user_verified=used.user_verified)
        writes: tuple[Write, ...] = (Delete(challenge), *remembered(call, held, used))
        proof = Proof(before=held.user, after=held.user, factor=factor, writes=writes)
        signed_in = await complete(proof, asked, self.keys)
        return sign_in_answer(WebAuthnSignInResponse, signed_in, call.now, webauthn_registration_id=held.part.part_id)

    @operation("PUT", "/v1/webauthn/{webauthn_registration_id}", action="WebAuthnUpdate")
    async def update(self, *, webauthn_registration_id: Id, name: RegistrationName) -> UpdateResponse:
        """Name a registration (1 to 64 characters). Refused: `webauthn_registration_not_found`, `empty_webauthn_registration_name`."""
        call = current_call()
        named = checked_name(name)
        user = await user_by_part(call.storage, webauthn_registration_id, "webauthn_registration_not_found")
        live = await own_session(call, self.keys)
        part = user.part(webauthn_registration_id)
        if part is None or part.kind != KIND:
            raise Refused("webauthn_registration_not_found")
        check_own(call, live, user, "webauthn_registration_not_found")
        after = renamed(user, part, named)
        await commit(*((Update(after),) if after != user else ()), subject_id=user.id)
        shown = after.part(part.part_id)
        return UpdateResponse(webauthn_registration=webauthn_answer(shown) if shown else None)

    @operation("GET", "/v1/webauthn/credentials/{user_id}/{domain}", action="WebAuthnListCredentials")
    async def list_credentials(self, *, user_id: Id, domain: Domain) -> ListCredentialsResponse:
        """A user's credentials for a domain, oldest first. Refused: `user_not_found`."""
        call = current_call()
        user = await user_by_reference(call.storage, user_id)
        shown = [await shown_credential(call, user, part) for part in registrations(user, domain.lower())]
        return ListCredentialsResponse(credentials=[one for one in shown if one is not None])


async def _check_may_register(call: Call, keys: KeyRing, user: User) -> None:
    """The rule before a passkey is added: no pending user, an owner (ACC-03), and from a browser the MFA rule (ACC-02, WA-08)."""
    if user.status == "pending":
        raise Refused("cannot_use_webauthn_with_pending_user")
    await check_may_change_factors(call, keys, user)


def _registrant(user: User, handle: str, name: str | None, display_name: str | None) -> Registrant:
    address = user.emails[0].address if user.emails else user.phones[0].number if user.phones else user.id
    full = " ".join(part for part in (user.first_name, user.middle_name, user.last_name) if part)
    shown = name or address
    return Registrant(handle=handle, name=shown, display_name=display_name or full or shown)


def _always_verified(call: Call) -> bool:
    return call.settings.webauthn.user_verification == "required"


def _verified(call: Call, challenge: Challenge, answer: Attestation) -> Registered:
    return verify_registration(
        answer,
        party_of(call, str(challenge.details["domain"])),
        user_verification=_always_verified(call),
        roots=call.settings.webauthn.attestation_roots,
        formats=call.settings.webauthn.attestation_formats,
        now=call.now,
    )
