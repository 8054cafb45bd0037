"""What several consumer products answer with: users and sessions as the wire shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

import msgspec

from authmw.operations import Response
from authmw.people.records import Part, Session, Subject
from authmw.people.rules import REQUIRES_RESET, live_locks
from authmw.signin.complete import SignedIn
from authmw.signin.rules import roles_of
from authmw.signin.sessions import factor_on_the_wire


class EmailAnswer(msgspec.Struct, kw_only=True, rename={"address": "email"}):
    """An e-mail address of a user."""

    email_id: str
    address: str
    verified: bool


class PhoneAnswer(msgspec.Struct, kw_only=True, rename={"number": "phone_number"}):
    """A phone number of a user."""

    phone_id: str
    number: str
    verified: bool


class NameAnswer(msgspec.Struct, kw_only=True):
    """A user's name."""

    first_name: str = ""
    middle_name: str = ""
    last_name: str = ""


class WebAuthnAnswer(msgspec.Struct, kw_only=True):
    """A WebAuthn registration of a user."""

    webauthn_registration_id: str
    domain: str
    user_agent: str
    verified: bool
    authenticator_type: str
    name: str


class ProviderAnswer(msgspec.Struct, kw_only=True):
    """An OAuth registration of a user."""

    provider_type: str
    provider_subject: str
    profile_picture_url: str
    locale: str
    oauth_user_registration_id: str


class TOTPAnswer(msgspec.Struct, kw_only=True):
    """A TOTP of a user."""

    totp_id: str
    verified: bool


class WalletAnswer(msgspec.Struct, kw_only=True):
    """A crypto wallet of a user."""

    crypto_wallet_id: str
    crypto_wallet_address: str
    crypto_wallet_type: str
    verified: bool


class BiometricAnswer(msgspec.Struct, kw_only=True):
    """A biometric registration of a user."""

    biometric_registration_id: str
    verified: bool


class PasswordAnswer(msgspec.Struct, kw_only=True):
    """A user's password, by its id only."""

    password_id: str
    requires_reset: bool


class UserAnswer(msgspec.Struct, kw_only=True):
    """A user as answers show it."""

    user_id: str
    emails: list[EmailAnswer]
    status: str
    phone_numbers: list[PhoneAnswer]
    webauthn_registrations: list[WebAuthnAnswer]
    providers: list[ProviderAnswer]
    totps: list[TOTPAnswer]
    crypto_wallets: list[WalletAnswer]
    biometric_registrations: list[BiometricAnswer]
    is_locked: bool
    roles: list[str]
    name: NameAnswer
    created_at: datetime
    password: PasswordAnswer | None
    trusted_metadata: dict[str, Any]
    untrusted_metadata: dict[str, Any]
    external_id: str | None
    lock_created_at: datetime | None
    lock_expires_at: datetime | None


class SessionAnswer(msgspec.Struct, kw_only=True):
    """A session as answers show it."""

    session_id: str
    user_id: str
    authentication_factors: list[dict[str, Any]]
    roles: list[str]
    started_at: datetime
    last_accessed_at: datetime
    expires_at: datetime
    attributes: dict[str, str]
    custom_claims: dict[str, Any]


def user_answer(user: Subject, now: datetime) -> UserAnswer:
    """A user on the wire; `now` decides whether a lock still holds."""
    lock = max(live_locks(user, now), key=lambda one: one.expires_at, default=None)
    password = next((part for part in user.parts if part.kind == "password"), None)
    return UserAnswer(
        user_id=user.id,
        emails=[EmailAnswer(email_id=e.email_id, address=e.address, verified=e.verified) for e in user.emails],
        status=user.status,
        phone_numbers=[PhoneAnswer(phone_id=p.phone_id, number=p.number, verified=p.verified) for p in user.phones],
        webauthn_registrations=[webauthn_answer(part) for part in _of(user, "webauthn")],
        providers=[_provider(part) for part in _of(user, "oauth")],
        totps=[TOTPAnswer(totp_id=part.part_id, verified=part.verified) for part in _of(user, "totp")],
        crypto_wallets=[_wallet(part) for part in _of(user, "crypto_wallet")],
        biometric_registrations=[
            BiometricAnswer(biometric_registration_id=part.part_id, verified=part.verified)
            for part in _of(user, "biometric")
        ],
        is_locked=lock is not None,
        roles=list(roles_of(user)),
        name=NameAnswer(first_name=user.first_name, middle_name=user.middle_name, last_name=user.last_name),
        created_at=user.created_at,
        password=PasswordAnswer(password_id=password.part_id, requires_reset=bool(password.details.get(REQUIRES_RESET)))
        if password
        else None,
        trusted_metadata=user.trusted_metadata,
        untrusted_metadata=user.untrusted_metadata,
        external_id=user.external_id,
        lock_created_at=lock.created_at if lock else None,
        lock_expires_at=lock.expires_at if lock else None,
    )


def _of(user: Subject, kind: str) -> list[Part]:
    return [part for part in user.parts if part.kind == kind]


def webauthn_answer(part: Part) -> WebAuthnAnswer:
    """A WebAuthn registration on the wire."""
    shown = part.details
    return WebAuthnAnswer(
        webauthn_registration_id=part.part_id,
        domain=str(shown.get("domain", "")),
        user_agent=str(shown.get("user_agent", "")),
        verified=part.verified,
        authenticator_type=str(shown.get("authenticator_type", "")),
        name=str(shown.get("name", "")),
    )


def _provider(part: Part) -> ProviderAnswer:
    shown = part.details
    return ProviderAnswer(
        provider_type=str(shown.get("provider_type", "")),
        provider_subject=str(shown.get("provider_subject", "")),
        profile_picture_url=str(shown.get("profile_picture_url", "")),
        locale=str(shown.get("locale", "")),
        oauth_user_registration_id=part.part_id,
    )


def _wallet(part: Part) -> WalletAnswer:
    shown = part.details
    return WalletAnswer(
        crypto_wallet_id=part.part_id,
        crypto_wallet_address=str(shown.get("address", "")),
        crypto_wallet_type=str(shown.get("wallet_type", "")),
        verified=part.verified,
    )


def session_answer(session: Session) -> SessionAnswer:
    """A session on the wire."""
    return SessionAnswer(
        session_id=session.session_id,
        user_id=session.subject_id,
        authentication_factors=[factor_on_the_wire(factor) for factor in session.factors],
        roles=list(session.roles),
        started_at=session.started_at,
        last_accessed_at=session.last_accessed_at,
        expires_at=session.expires_at,
        attributes={"ip_address": session.ip_address, "user_agent": session.user_agent},
        custom_claims=session.custom_claims,
    )


class SignInResponse(Response, kw_only=True):
    """A sign-in: the user, and the session with both tokens if a duration was asked for (else empty tokens and null)."""

    user_id: str
    session_token: str
    session_jwt: str
    user: UserAnswer
    session: SessionAnswer | None


class AuthenticateResponse(SignInResponse, kw_only=True):
    """A sign-in by something that was sent, and whether it ended other sessions."""

    method_id: str
    reset_sessions: bool


A = TypeVar("A", bound=SignInResponse)


def sign_in_answer(answer: type[A], signed_in: SignedIn, now: datetime, **more: Any) -> A:
    """The answer to a proof: what every sign-in tells, and what this product adds."""
    return answer(
        user_id=signed_in.subject.id,
        session_token=signed_in.session_token,
        session_jwt=signed_in.session_jwt,
        user=user_answer(signed_in.subject, now),
        session=session_answer(signed_in.session) if signed_in.session else None,
        **more,
    )


def authenticate_response(signed_in: SignedIn, method_id: str, now: datetime) -> AuthenticateResponse:
    """The answer to a proof of something that was sent."""
    return sign_in_answer(
        AuthenticateResponse, signed_in, now, method_id=method_id, reset_sessions=signed_in.reset_sessions
    )
