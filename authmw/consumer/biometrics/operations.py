"""Device keys: an app registers a key that its device keeps behind a fingerprint or a face, and signs in by signing a challenge.

Law: a key is registered by who is signed in, under the MFA rule, and proves itself at once; each sign-in signs a challenge of its own (WAL-04).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated

import attrs
import msgspec
from msgspec import Meta

from authmw.consumer.answers import sign_in_answer
from authmw.consumer.binding import agent_of, is_bound, own_session
from authmw.consumer.biometrics import browser
from authmw.consumer.biometrics.responses import BiometricSignInResponse, BiometricStartResponse
from authmw.consumer.proofs import asked_of, check_may_change_factors, signed_in_caller
from authmw.crypto import tokens
from authmw.errors import Refused
from authmw.factors.biometric.rules import HELD, KEYS, LIFE, is_signed, read_public_key, read_signature, written
from authmw.factors.challenges import Challenge
from authmw.ledger.commits import commit
from authmw.limits import Limit
from authmw.operations import Call, Core, Product, current_call, operation
from authmw.parameters import JWT, Claims, Id, SessionMinutes, TelemetryId, Token
from authmw.people.credentials import new_credential, secret_of
from authmw.people.directory import user_by_identity, user_by_reference
from authmw.people.notices import notify_of
from authmw.people.records import Credential, Part, Proved, User
from authmw.people.rules import with_part
from authmw.rows import Row
from authmw.signin.complete import Proof, complete
from authmw.signin.keys import KeyRing
from authmw.signin.limits import charge
from authmw.signin.sessions import Live
from authmw.storage import Delete, Insert, Update, Write
from authmw.typed import convert

KIND = "biometric"
_FACTOR = "signature_challenge:biometric"
_UNMADE, _UNABLE = "unable_to_register_biometric_registration", "unable_to_auth_biometric_registration"
PublicKey = Annotated[str, Meta(min_length=1, max_length=128)]
Signature = Annotated[str, Meta(min_length=1, max_length=256)]


class Key(msgspec.Struct, frozen=True):
    """What is kept of a device, sealed: its public key."""

    public_key: bytes


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A challenge (32 bytes in base64) that waits for its signature, and where it was asked for."""

    challenge: str
    expires_at: datetime
    session_id: str | None
    agent: str


class Biometrics(Product):
    """Keys of devices (Ed25519). Public keys, challenges and signatures are base64."""

    def __init__(self, core: Core, keys: KeyRing) -> None:
        super().__init__(core)
        self.keys = keys

    def rows(self) -> tuple[Row, ...]:
        """What browsers reach."""
        return browser.rows(self)

    @operation("POST", "/v1/biometrics/register/start", action="BiometricsRegisterStart")
    async def register_start(self, *, user_id: Id, public_key: PublicKey) -> BiometricStartResponse:
        """A challenge for a new device key (32 bytes) to sign within five minutes; the key is registered by the signature.

        Refused: `invalid_public_key`, `duplicate_biometric_registration`, `too_many_biometric_registrations_for_user`, `cannot_use_biometrics_with_pending_user`,
        `email_verification_required`, and from a browser the MFA rule's refusals.
        """
        call = current_call()
        key = read_public_key(public_key)
        user = await user_by_reference(call.storage, user_id)
        await _check_may_register(call, self.keys, user)
        _check_free(user, await user_by_identity(call.storage, KIND, _identity(key)))
        await _charge(call, user)
        registration = tokens.new_id("biometric-registration", call.settings.environment)
        waiting = _new_waiting(call, await own_session(call, self.keys))
        sealed = new_credential(
            call, part_id=registration, subject_id=user.id, kind=KIND, secret=Key(public_key=key)
        ).sealed
        challenge = Challenge(
            challenge_id=_pending(registration),
            purpose="biometric_register",
            subject_id=user.id,
            method_id=registration,
            created_at=call.now,
            expires_at=waiting.expires_at,
            details={"sealed": written(sealed), "waiting": [msgspec.to_builtins(waiting)]},
        )
        await commit(Insert(challenge), subject_id=user.id, factor=_FACTOR)
        return BiometricStartResponse(biometric_registration_id=registration, challenge=waiting.challenge)

    @operation("POST", "/v1/biometrics/register", action="BiometricsRegister")
    async def register(
        self,
        *,
        user_id: Id,
        biometric_registration_id: Id,
        signature: Signature,
        session_token: Token | None = None,
        session_jwt: JWT | None = None,
        session_duration_minutes: SessionMinutes | None = None,
        session_custom_claims: Claims | None = None,
    ) -> BiometricSignInResponse:
        """Register the key that signed its challenge, and add it to the session as a factor; every verified address is told. A wrong signature ends the registration.

        Refused: `unable_to_register_biometric_registration`, `could_not_parse_biometric_signature`, `signature_is_incorrect_size`, `duplicate_biometric_registration`.
        """
        call = current_call()
        signed = read_signature(signature)
        user = await user_by_reference(call.storage, user_id)
        await _check_may_register(call, self.keys, user)
        live = await signed_in_caller(call, self.keys, session_token, session_jwt)
        challenge = await call.storage.get(Challenge, _pending(biometric_registration_id))
        waiting = next(_open(call, challenge, live), None)
        if challenge is None or waiting is None or challenge.subject_id != user.id:
            raise Refused(_UNMADE)
        credential = Credential(
            part_id=biometric_registration_id,
            subject_id=user.id,
            kind=KIND,
            sealed=base64.b64decode(challenge.details["sealed"]),
            changed_at=call.now,
        )
        key = secret_of(call, credential, Key, _UNMADE).public_key
        if not is_signed(key, waiting.challenge, signed):
            refusal = Refused(_UNMADE)
            await commit(Delete(challenge), subject_id=user.id, factor=_FACTOR, refusal=refusal)
        _check_free(user, await user_by_identity(call.storage, KIND, _identity(key)))
        part = Part(
            part_id=biometric_registration_id,
            kind=KIND,
            verified=True,
            created_at=call.now,
            identity=(_identity(key),),
        )
        after = with_part(user, part)
        notify_of(call, user, after)
        asked = asked_of(
            call,
            session_token=session_token,
            session_jwt=session_jwt,
            minutes=session_duration_minutes,
            custom_claims=session_custom_claims,
        )
        writes = (Delete(challenge), Insert(credential))
        proof = Proof(before=user, after=after, factor=_proved(call.now, part.part_id), writes=writes)
        signed_in = await complete(proof, asked, self.keys)
        return sign_in_answer(BiometricSignInResponse, signed_in, call.now, biometric_registration_id=part.part_id)

    @operation("POST", "/v1/biometrics/authenticate/start", action="BiometricsAuthenticateStart")
    async def authenticate_start(self, *, public_key: PublicKey) -> BiometricStartResponse:
        """A challenge for a registered device key to sign within five minutes. Refused: `invalid_public_key`, `biometric_registration_not_found` (the app forgets its key then)."""
        call = current_call()
        key = read_public_key(public_key)
        user = await user_by_identity(call.storage, KIND, _identity(key))
        part = next((one for one in user.parts_of(KIND) if one.identity == (_identity(key),)), None) if user else None
        if user is None or part is None:
            raise Refused("biometric_registration_not_found")
        await _charge(call, user)
        waiting = _new_waiting(call, await own_session(call, self.keys))
        write = await _kept(call, user, part, waiting)
        await commit(write, subject_id=user.id, factor=_FACTOR)
        return BiometricStartResponse(biometric_registration_id=part.part_id, challenge=waiting.challenge)

    @operation("POST", "/v1/biometrics/authenticate", action="BiometricsAuthenticate")
    async def authenticate(
        self,
        *,
        biometric_registration_id: Id,
        signature: Signature,
        session_token: Token | None = None,
        session_jwt: JWT | None = None,
        session_duration_minutes: SessionMinutes | None = None,
        session_custom_claims: Claims | None = None,
        telemetry_id: TelemetryId | None = None,
    ) -> BiometricSignInResponse:
        """Sign in by the signature of a challenge that waits for this key, once, or add it to the user's session.

        Refused: `unable_to_auth_biometric_registration`, `could_not_parse_biometric_signature`, `signature_is_incorrect_size`.
        """
        call = current_call()
        signed = read_signature(signature)
        live = await signed_in_caller(call, self.keys, session_token, session_jwt)
        user = await call.storage.find(User, "part", (biometric_registration_id,))
        part = user.part(biometric_registration_id) if user else None
        credential = await call.storage.get(Credential, biometric_registration_id) if part else None
        if user is None or part is None or part.kind != KIND or credential is None or credential.subject_id != user.id:
            raise Refused(_UNABLE)
        challenge = await call.storage.get(Challenge, _waits(part.part_id))
        key = secret_of(call, credential, Key, _UNABLE).public_key
        if challenge is None or not any(is_signed(key, one.challenge, signed) for one in _open(call, challenge, live)):
            refusal = Refused(_UNABLE)
            await commit(subject_id=user.id, factor=_FACTOR, refusal=refusal)
            raise refusal
        asked = asked_of(
            call,
            session_token=session_token,
            session_jwt=session_jwt,
            minutes=session_duration_minutes,
            custom_claims=session_custom_claims,
        )
        proof = Proof(before=user, after=user, factor=_proved(call.now, part.part_id), writes=(Delete(challenge),))
        signed_in = await complete(proof, asked, self.keys)
        return sign_in_answer(BiometricSignInResponse, signed_in, call.now, biometric_registration_id=part.part_id)


async def _check_may_register(call: Call, keys: KeyRing, user: User) -> None:
    """The rule before a device key is added: no pending user, an owner (ACC-03), and from a browser the MFA rule (ACC-02, WAL-04)."""
    if user.status == "pending":
        raise Refused("cannot_use_biometrics_with_pending_user")
    await check_may_change_factors(call, keys, user)


def _check_free(user: User, owner: User | None) -> None:
    if owner is not None:
        raise Refused("duplicate_biometric_registration")
    if len(user.parts_of(KIND)) >= KEYS:
        raise Refused("too_many_biometric_registrations_for_user")


async def _charge(call: Call, user: User) -> None:
    """Count a challenge: 30 a minute for one user. Refused: `too_many_requests`."""
    limit = Limit("device challenges", (call.settings.project_id, user.id), 30, timedelta(minutes=1))
    await charge(call, limit)


def _new_waiting(call: Call, live: Live | None) -> Waiting:
    return Waiting(
        challenge=written(tokens.random_bytes(32)),
        expires_at=call.now + LIFE,
        session_id=live.session.session_id if live else None,
        agent=agent_of(call),
    )


async def _kept(call: Call, user: User, part: Part, waiting: Waiting) -> Write:
    """The write that keeps one more challenge for a key, and the newest of those that still wait."""
    standing = await call.storage.get(Challenge, _waits(part.part_id))
    held = [one for one in _all(standing) if call.now < one.expires_at][-(HELD - 1) :]
    challenge = Challenge(
        challenge_id=_waits(part.part_id),
        purpose="biometric_authenticate",
        subject_id=user.id,
        method_id=part.part_id,
        created_at=call.now,
        expires_at=waiting.expires_at,
        details={"waiting": [msgspec.to_builtins(one) for one in (*held, waiting)]},
    )
    return Update(attrs.evolve(challenge, version=standing.version)) if standing else Insert(challenge)


def _all(challenge: Challenge | None) -> list[Waiting]:
    return convert(challenge.details["waiting"], list[Waiting]) if challenge else []


def _open(call: Call, challenge: Challenge | None, live: Live | None) -> Iterator[Waiting]:
    """The challenges whose time is not over and that were asked for from here."""
    for one in _all(challenge):
        if call.now < one.expires_at and is_bound(call, live, session_id=one.session_id, agent=one.agent):
            yield one


def _pending(registration_id: str) -> str:
    return f"biometric_register|{registration_id}"


def _waits(registration_id: str) -> str:
    return f"biometric_authenticate|{registration_id}"


def _identity(key: bytes) -> str:
    """What finds the owner of a key: a digest, so that who reads the store cannot even ask in its name."""
    return tokens.digest(written(key))


def _proved(now: datetime, registration_id: str) -> Proved:
    return Proved(
        type="signature_challenge",
        delivery_method="biometric",
        last_authenticated_at=now,
        created_at=now,
        updated_at=now,
        details={"biometric_factor": {"biometric_registration_id": registration_id}},
        category="dedicated",
    )
