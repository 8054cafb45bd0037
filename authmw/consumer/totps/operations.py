"""Authenticator apps: enrol one, sign in by its codes, and by recovery codes on the day it is lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import attrs
import msgspec
from msgspec import Meta

from authmw.consumer.answers import sign_in_answer, user_answer
from authmw.consumer.proofs import asked_of, check_may_change_factors
from authmw.consumer.totps import browser
from authmw.consumer.totps.responses import (
    CreateResponse,
    RecoveryCodesResponse,
    TOTPSignInResponse,
    TOTPWithCodes,
)
from authmw.crypto import tokens
from authmw.errors import Refused
from authmw.factors.recovery_codes.rules import CHARACTERS, COUNT, canonical, listed, without, written
from authmw.factors.totp.rules import SEED_BYTES, STEP, accepted_step, base32, provisioning_uri, step_of
from authmw.ledger.commits import commit
from authmw.messages import Notice
from authmw.operations import Call, Core, Product, current_call, operation
from authmw.parameters import JWT, Claims, Id, SessionMinutes, TelemetryId, Text, Token
from authmw.people.credentials import new_credential, secret_of, with_secret
from authmw.people.directory import in_sandbox_of, stored_sandbox_user, user_by_reference
from authmw.people.notices import notify_of
from authmw.people.records import Credential, Part, Proved, Subject, User
from authmw.people.rules import with_part
from authmw.rows import Row
from authmw.signin.attempts import Guess, compared, count_guess, forget_guesses
from authmw.signin.complete import Asked, Proof, complete
from authmw.signin.ending import end_all
from authmw.signin.keys import KeyRing
from authmw.storage import Delete, Insert, Update, Write

KIND = "totp"
_FACTOR = "totp:authenticator_app"
_RECOVERY = "recovery_codes:recovery_code"
_SANDBOX_CODE = "000000"
_SANDBOX_RECOVERY = "a1b2-c3d4-e5f6"
SANDBOX_TOTP = "totp-test-00000000-0000-4000-8000-000000000000"
TOTPMinutes = Annotated[int, Meta(ge=5, le=1440)]


class Seed(msgspec.Struct, frozen=True):
    """What is sealed of an instance: the seed that the app shares, and what is left of its recovery codes (or of keyed digests of them)."""

    seed: bytes
    codes: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Instance:
    """A user's TOTP: the part, its credential and what is sealed in it."""

    user: User
    part: Part
    credential: Credential
    secret: Seed = attrs.field(repr=False)


class TOTPs(Product):
    """Time-based one-time passwords (RFC 6238: HMAC-SHA-1, six digits, 30 seconds) with ten recovery codes."""

    def __init__(self, core: Core, keys: KeyRing) -> None:
        super().__init__(core)
        self.keys = keys

    def rows(self) -> tuple[Row, ...]:
        """What browsers reach."""
        return browser.rows(self)

    @operation("POST", "/v1/totps", action="TOTPsCreate")
    async def create(self, *, user_id: Id, expiration_minutes: TOTPMinutes | None = None) -> CreateResponse:
        """Enrol an authenticator app; it is a factor once its first code is authenticated, within `expiration_minutes` (5 to 1440, else the project's setting: 60).

        An instance that still waits is replaced. Refused: `active_totp_exists`, `email_verification_required` before any primary factor is verified, and from a
        browser the MFA rule's refusals.
        """
        call = current_call()
        user = await user_by_reference(call.storage, user_id)
        await check_may_change_factors(call, self.keys, user)
        standing = user.parts_of(KIND)
        if any(part.verified for part in standing):
            raise Refused("active_totp_exists")
        waits = timedelta(minutes=expiration_minutes or call.settings.totp.expiration_minutes)
        part = Part(
            part_id=tokens.new_id("totp", call.settings.environment),
            kind=KIND,
            created_at=call.now,
            details={"expires_at": (call.now + waits).isoformat()},
        )
        codes = tuple(written(tokens.letters(CHARACTERS)) for _ in range(COUNT))
        secret = Seed(
            seed=tokens.random_bytes(SEED_BYTES), codes=tuple(_kept(call, part.part_id, one) for one in codes)
        )
        credential = new_credential(call, part_id=part.part_id, subject_id=user.id, kind=KIND, secret=secret)
        after = with_part(attrs.evolve(user, parts=tuple(p for p in user.parts if p not in standing)), part)
        await commit(*await _replaced(call, standing), Update(after), Insert(credential), subject_id=user.id)
        return CreateResponse(
            totp_id=part.part_id,
            secret=base32(secret.seed),
            qr_code=_picture(call, user, secret.seed),
            recovery_codes=list(codes),
            user=user_answer(after, call.now),
            user_id=user.id,
        )

    @operation("POST", "/v1/totps/authenticate", action="TOTPsAuthenticate")
    async def authenticate(
        self,
        *,
        user_id: Id,
        totp_code: Text,
        session_token: Token | None = None,
        session_jwt: JWT | None = None,
        session_duration_minutes: SessionMinutes | None = None,
        session_custom_claims: Claims | None = None,
        telemetry_id: TelemetryId | None = None,
    ) -> TOTPSignInResponse:
        """Sign in by a code of the app, or add it to a session. The first code makes the instance a factor. A step of 30 seconds is accepted once.

        Refused: `unable_to_authenticate_totp`, `invalid_totp_code` (not six digits), `totp_code_already_authenticated`, `expired_totp`, `totps_not_found_for_user`,
        `user_lock_limit_reached`, and for a first code as `create`.
        """
        call = current_call()
        asked = asked_of(
            call,
            session_token=session_token,
            session_jwt=session_jwt,
            minutes=session_duration_minutes,
            custom_claims=session_custom_claims,
        )
        if in_sandbox_of(call, user_id) and totp_code == _SANDBOX_CODE:
            return await self._sandbox(call, asked, _proved_by_app(call.now, SANDBOX_TOTP))
        user = await user_by_reference(call.storage, user_id)
        held = await _instance(call, user, "unable_to_authenticate_totp")
        if not held.part.verified:
            # It becomes a factor now, so the rule is that of now: another one may have been enrolled since it was asked for.
            await check_may_change_factors(call, self.keys, user)
        guess = _guess(call, held, _FACTOR, "unable_to_authenticate_totp")
        await count_guess(call, guess)
        step = await compared(guess, lambda: _accepted(call, held, totp_code))
        forget_guesses(call, guess)
        credential = attrs.evolve(held.credential, counter=step, changed_at=call.now)
        after = user if held.part.verified else _confirmed(user, held.part)
        notify_of(call, user, after)
        factor = _proved_by_app(call.now, held.part.part_id)
        proof = Proof(before=user, after=after, factor=factor, writes=(Update(credential),))
        signed_in = await complete(proof, asked, self.keys)
        return sign_in_answer(TOTPSignInResponse, signed_in, call.now, totp_id=held.part.part_id)

    @operation("POST", "/v1/totps/recovery_codes", action="TOTPsRecoveryCodes")
    async def recovery_codes(self, *, user_id: Id) -> RecoveryCodesResponse:
        """The recovery codes that are left. Refused: `totps_not_found_for_user`, `recovery_codes_not_listed` where a project shows them once, or did so when they were made, `recovery_codes_not_found` if their root key is gone, and from a browser the MFA rule's refusals."""
        call = current_call()
        user = await user_by_reference(call.storage, user_id)
        await check_may_change_factors(call, self.keys, user)
        held = await _instance(call, user, "recovery_codes_not_found")
        if call.settings.totp.recovery_codes != "listed":
            raise Refused("recovery_codes_not_listed")
        shown = TOTPWithCodes(
            totp_id=held.part.part_id, verified=held.part.verified, recovery_codes=listed(held.secret.codes)
        )
        return RecoveryCodesResponse(user_id=user.id, totps=[shown])

    @operation("POST", "/v1/totps/recover", action="TOTPsRecover")
    async def recover(
        self,
        *,
        user_id: Id,
        recovery_code: Text,
        session_token: Token | None = None,
        session_jwt: JWT | None = None,
        session_duration_minutes: SessionMinutes | None = None,
        session_custom_claims: Claims | None = None,
        telemetry_id: TelemetryId | None = None,
    ) -> TOTPSignInResponse:
        """Sign in by a recovery code, once; the user's other sessions end, and every verified address is told how many codes are left.

        Refused: `unable_to_authenticate_recovery_code`, `totps_not_found_for_user`, `user_lock_limit_reached`.
        """
        call = current_call()
        asked = asked_of(
            call,
            session_token=session_token,
            session_jwt=session_jwt,
            minutes=session_duration_minutes,
            custom_claims=session_custom_claims,
        )
        if in_sandbox_of(call, user_id) and recovery_code == _SANDBOX_RECOVERY:
            return await self._sandbox(call, asked, _proved_by_code(call.now, SANDBOX_TOTP))
        user = await user_by_reference(call.storage, user_id)
        held = await _instance(call, user, "unable_to_authenticate_recovery_code")
        if not held.part.verified:
            raise Refused("totps_not_found_for_user")
        guess = _guess(call, held, _RECOVERY, "unable_to_authenticate_recovery_code")
        await count_guess(call, guess)
        left = await compared(
            guess, lambda: without(held.secret.codes, *_forms(call, held.part.part_id, canonical(recovery_code)))
        )
        forget_guesses(call, guess)
        credential = with_secret(call, held.credential, Seed(seed=held.secret.seed, codes=left))
        notify_of(call, user, user, Notice.RECOVERY_CODE_USED, remaining=len(left))
        factor = _proved_by_code(call.now, held.part.part_id)
        proof = Proof(before=user, after=end_all(call, user), factor=factor, writes=(Update(credential),))
        signed_in = await complete(proof, asked, self.keys)
        return sign_in_answer(TOTPSignInResponse, signed_in, call.now, totp_id=held.part.part_id)

    async def _sandbox(self, call: Call, asked: Asked, factor: Proved) -> TOTPSignInResponse:
        """The sandbox user's fixed codes, in Test only; nothing is spent and nobody else has them."""
        user, writes = await stored_sandbox_user(call)
        proof = Proof(before=user, after=user, factor=factor, writes=writes)
        signed_in = await complete(proof, asked, self.keys)
        return sign_in_answer(TOTPSignInResponse, signed_in, call.now, totp_id=SANDBOX_TOTP)


def _guess(call: Call, held: Instance, factor: str, refusal: str) -> Guess:
    """A guess at a code: five of them for each step of 30 seconds, beside the failures in a row and the lock."""
    return Guess(
        subject=held.user,
        factor=factor,
        authenticator=held.part.part_id,
        challenge=(factor, held.part.part_id, str(step_of(call.now))),
        life=timedelta(seconds=STEP),
        refusal=refusal,
        by_own_session=call.caller.audience == "browser",
    )


def _accepted(call: Call, held: Instance, code: str) -> int:
    window = call.settings.totp.window
    return accepted_step(held.secret.seed, code, call.now, last_step=held.credential.counter, window=window)


def _kept(call: Call, totp_id: str, code: str) -> str:
    """What is sealed of a recovery code: itself, so that it can be listed again, or a keyed digest where a project shows it once (OTP-07)."""
    if call.settings.totp.recovery_codes == "listed":
        return code
    return call.core.roots.mac("recovery code", totp_id, code).hex()


def _forms(call: Call, totp_id: str, code: str) -> tuple[str, ...]:
    """Everything that may be kept of a code: what a root key in front of the one of its day, or another setting, makes of it is still the code."""
    roots = call.core.roots
    macs = (roots.mac("recovery code", totp_id, code, version=version).hex() for version in roots.versions)
    return (code, *macs)


async def _instance(call: Call, user: User, unreadable: str) -> Instance:
    """The user's TOTP. Refused: `totps_not_found_for_user`, `expired_totp` for one whose first code never came, and as said if its seed cannot be read."""
    part = next(iter(user.parts_of(KIND)), None)
    credential = await call.storage.get(Credential, part.part_id) if part else None
    if part is None or credential is None or credential.subject_id != user.id:
        raise Refused("totps_not_found_for_user")
    if not part.verified and call.now >= datetime.fromisoformat(str(part.details["expires_at"])):
        raise Refused("expired_totp")
    return Instance(user=user, part=part, credential=credential, secret=secret_of(call, credential, Seed, unreadable))


def _confirmed(user: User, part: Part) -> User:
    return with_part(user, attrs.evolve(part, verified=True, details={}))


async def _replaced(call: Call, standing: tuple[Part, ...]) -> list[Write]:
    """The removal of what still waits for its first code."""
    found = [await call.storage.get(Credential, part.part_id) for part in standing]
    return [Delete(credential) for credential in found if credential is not None]


def _picture(call: Call, user: Subject, seed: bytes) -> str:
    """The secret as a QR picture: a PNG as data URL."""
    import segno

    account = user.emails[0].address if user.emails else user.phones[0].number if user.phones else user.id
    issuer = call.settings.totp.issuer or call.settings.name
    code = segno.make(provisioning_uri(seed, account=account, issuer=issuer), error="m", micro=False)
    return code.png_data_uri(scale=5)


def _proved_by_app(now: datetime, totp_id: str) -> Proved:
    return _proved(now, "totp", "authenticator_app", {"authenticator_app_factor": {"totp_id": totp_id}})


def _proved_by_code(now: datetime, totp_id: str) -> Proved:
    return _proved(now, "recovery_codes", "recovery_code", {"recovery_code_factor": {"totp_recovery_code_id": totp_id}})


def _proved(now: datetime, type_: str, method: str, details: dict[str, object]) -> Proved:
    return Proved(
        type=type_,
        delivery_method=method,
        last_authenticated_at=now,
        created_at=now,
        updated_at=now,
        details=details,
        category="dedicated",
    )
