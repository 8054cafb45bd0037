"""Passwords: make a user with one, sign in by one, say how good one is, and take one over from another system."""

from __future__ import annotations

from datetime import timedelta

import attrs

from authmw.consumer.answers import SignInResponse, sign_in_answer, user_answer
from authmw.consumer.messages import mail_account_exists
from authmw.consumer.passwords import browser
from authmw.consumer.passwords.knowing import about_person, check_still_good, who_knows
from authmw.consumer.passwords.migrating import Arrival, arrived
from authmw.consumer.passwords.resets import EmailResets, ExistingPasswordResets, SessionResets
from authmw.consumer.passwords.responses import (
    CreateResponse,
    Feedback,
    LUDSRequirements,
    MigrateResponse,
    StrengthCheckResponse,
)
from authmw.consumer.passwords.setting import with_password
from authmw.consumer.proofs import asked_of
from authmw.errors import Refused
from authmw.factors.password.imports import (
    Argon2Config,
    Configs,
    DigestConfig,
    HashText,
    HashType,
    PBKDF2Config,
    ScryptConfig,
    read_hash,
)
from authmw.factors.password.rules import Strength, check_length, context_words
from authmw.identifiers import canonical_email
from authmw.ledger.commits import commit
from authmw.limits import Limit
from authmw.operations import Call, Core, Product, current_call, operation
from authmw.parameters import (
    JWT,
    Claims,
    EmailAddress,
    Id,
    Metadata,
    Name,
    Password,
    PhoneNumber,
    Roles,
    SessionMinutes,
    TelemetryId,
    Token,
)
from authmw.people.directory import new_email, new_user, user_by_email
from authmw.people.records import User
from authmw.people.rules import merged_metadata
from authmw.rows import Row
from authmw.signin.complete import Proof, complete
from authmw.signin.keys import KeyRing
from authmw.signin.limits import charge, mailing, of_visitor
from authmw.signin.passwords import FACTOR, choose, judge, proved, strengthened
from authmw.storage import Insert
from authmw.typed import convert


class Passwords(Product):
    """Passwords of users: hashed by argon2id, judged by a policy, reset by mail, by the present one or by a fresh session."""

    def __init__(self, core: Core, keys: KeyRing) -> None:
        super().__init__(core)
        self.keys = keys
        self.email = EmailResets(core, keys)
        self.existing_password = ExistingPasswordResets(core, keys)
        self.sessions = SessionResets(core, keys)

    def rows(self) -> tuple[Row, ...]:
        """What browsers reach."""
        return browser.rows(self)

    @operation("POST", "/v1/passwords", action="PasswordsCreate")
    async def create(
        self,
        *,
        email: EmailAddress,
        password: Password,
        session_duration_minutes: SessionMinutes | None = None,
        session_custom_claims: Claims | None = None,
        trusted_metadata: Metadata | None = None,
        untrusted_metadata: Metadata | None = None,
        name: Name | None = None,
        telemetry_id: TelemetryId | None = None,
    ) -> CreateResponse:
        """Make a user with an address, not verified yet, and a password; with a duration they are signed in.

        Refused: `weak_password` with words that say why (also for one that was seen in a breach), `duplicate_email`, `invalid_email`, the metadata errors. A browser
        is not told that an address is taken: it gets an answer of the same form without a session, and the address a message.
        """
        call = current_call()
        address = canonical_email(email)
        await charge(call, *_sign_ups(call, address))
        made = attrs.evolve(
            new_user(call, new_email(call, address)),
            first_name=name.first_name if name else "",
            middle_name=name.middle_name if name else "",
            last_name=name.last_name if name else "",
            trusted_metadata=merged_metadata({}, trusted_metadata),
            untrusted_metadata=merged_metadata({}, untrusted_metadata),
        )
        chosen = await choose(call, password, about_person(call, made))
        user, kept = await with_password(call, made, chosen)
        known = await user_by_email(call.storage, address)
        if known is not None:
            return await _taken(call, user, address)
        asked = asked_of(
            call,
            session_token=None,
            session_jwt=None,
            minutes=session_duration_minutes,
            custom_claims=session_custom_claims,
        )
        proof = Proof(before=user, after=user, factor=proved(call.now), writes=(Insert(user), kept))
        signed_in = await complete(proof, asked, self.keys)
        return sign_in_answer(CreateResponse, signed_in, call.now, email_id=user.emails[0].email_id)

    @operation("POST", "/v1/passwords/authenticate", action="PasswordsAuthenticate")
    async def authenticate(
        self,
        *,
        email: EmailAddress,
        password: Password,
        session_token: Token | None = None,
        session_duration_minutes: SessionMinutes | None = None,
        session_jwt: JWT | None = None,
        session_custom_claims: Claims | None = None,
        telemetry_id: TelemetryId | None = None,
    ) -> SignInResponse:
        """Sign in by an address and its password, or add the password to a session. A hash that is weaker than the project's own is made anew.

        Refused: `unauthorized_credentials` (one answer for a wrong password, none, and an address nobody has; only the backend API says `email_not_found`),
        `user_lock_limit_reached` after repeated failure, `reset_password` for a right one that signs nobody in until another is set by mail: it was set before
        somebody proved the address, or the user is pending. `weak_password` and `breached_password` where the project judges at sign-in.
        """
        call = current_call()
        known = await who_knows(call, canonical_email(email), password)
        await check_still_good(call, known, password)
        asked = asked_of(
            call,
            session_token=session_token,
            session_jwt=session_jwt,
            minutes=session_duration_minutes,
            custom_claims=session_custom_claims,
        )
        writes = await strengthened(call, known.credential, password)
        proof = Proof(before=known.user, after=known.user, factor=proved(call.now), writes=writes)
        return sign_in_answer(SignInResponse, await complete(proof, asked, self.keys), call.now)

    @operation("POST", "/v1/passwords/strength_check", action="PasswordsStrengthCheck")
    async def strength_check(self, *, password: Password, email: EmailAddress | None = None) -> StrengthCheckResponse:
        """Whether a password would be taken, and how to make it stronger; with the address also against that. Nothing is kept of it.

        `score` goes from 0 to 4. `breached_password` is true for one that the project's source of breaches knows; `breaches` says whether a source was asked.
        """
        call = current_call()
        form = check_length(password)
        await charge(call, *of_visitor(call, "passwords judged", 120, timedelta(minutes=1)))
        about = context_words(call.settings.name, canonical_email(email) if email else "")
        verdict = await judge(call, form, about)
        return StrengthCheckResponse(
            valid_password=verdict.valid and len(form) <= call.settings.passwords.maximum_length,
            score=verdict.strength.score,
            breached_password=verdict.breaches == "found",
            strength_policy=call.settings.passwords.policy,
            breach_detection_on_create=call.core.breaches is not None,
            breaches=verdict.breaches,
            feedback=_feedback(verdict.strength),
        )

    @operation("POST", "/v1/passwords/migrate", action="PasswordsMigrate")
    async def migrate(
        self,
        *,
        email: EmailAddress,
        hash: HashText,  # noqa: A002 -- the wire's name
        hash_type: HashType,
        md_5_config: DigestConfig | None = None,
        argon_2_config: Argon2Config | None = None,
        sha_1_config: DigestConfig | None = None,
        sha_512_config: DigestConfig | None = None,
        scrypt_config: ScryptConfig | None = None,
        pbkdf_2_config: PBKDF2Config | None = None,
        trusted_metadata: Metadata | None = None,
        untrusted_metadata: Metadata | None = None,
        set_email_verified: bool = False,
        name: Name | None = None,
        phone_number: PhoneNumber | None = None,
        set_phone_number_verified: bool = False,
        external_id: Id | None = None,
        roles: Roles | None = None,
    ) -> MigrateResponse:
        """Take over a user with the hash that another system kept of their password; it is replaced by argon2id when they first sign in.

        Taken are bcrypt (2a, 2b, 2y; cost 4 to 15), argon2i and argon2id (encoded, or in base64 with its parameters), scrypt and PBKDF2 (base64 with their parameters,
        or encoded), phpass, and MD5, SHA-1 and SHA-512 in hexadecimal, which are laid under argon2id at once. A user who is there already must have no password; what
        is given is added to them. The policy is not asked: nobody knows the password. A number that you say is verified is taken from an account that only named it.
        Refused: `password_already_exists`, `invalid_hash` and its kin, `duplicate_phone_number` (one that somebody else has proved, or named where you do not say that it is
        verified), `duplicate_user_external_id`.
        """
        call = current_call()
        configs = Configs(
            md5=md_5_config,
            sha1=sha_1_config,
            sha512=sha_512_config,
            argon2=argon_2_config,
            scrypt=scrypt_config,
            pbkdf2=pbkdf_2_config,
        )
        arrival = Arrival(
            address=canonical_email(email),
            hash=read_hash(hash_type, hash, configs),
            email_verified=set_email_verified,
            phone_number=phone_number,
            phone_verified=set_phone_number_verified,
            name=name,
            trusted_metadata=trusted_metadata,
            untrusted_metadata=untrusted_metadata,
            external_id=external_id,
            roles=roles,
        )
        user, created, writes = await arrived(call, arrival)
        await commit(*writes, subject_id=user.id, factor=FACTOR)
        standing = user.email_at(arrival.address)
        assert standing is not None  # found or made by this address
        return MigrateResponse(
            user_id=user.id, email_id=standing.email_id, user_created=created, user=user_answer(user, call.now)
        )


def _sign_ups(call: Call, address: str) -> tuple[Limit, ...]:
    """How often somebody may sign up from a browser: each time may send a message, and costs a hash."""
    if call.caller.audience != "browser":
        return ()
    return (*mailing(call, address), *of_visitor(call, "sign-ups by password", 30, timedelta(hours=1)))


async def _taken(call: Call, made: User, address: str) -> CreateResponse:
    """The answer for an address that stands on somebody. A browser gets the form of a sign-up, with a user who is nobody, and the address is told (A246)."""
    if call.caller.audience != "browser" or call.settings.reveal_unknown:
        raise Refused("duplicate_email")
    mail_account_exists(call, address)
    await commit(factor=FACTOR)
    return CreateResponse(
        user_id=made.id,
        email_id=made.emails[0].email_id,
        session_token="",
        session_jwt="",
        user=user_answer(made, call.now),
        session=None,
    )


def _feedback(strength: Strength) -> Feedback:
    luds = strength.luds
    return Feedback(
        warning=strength.warning,
        suggestions=list(strength.suggestions),
        luds_requirements=convert(attrs.asdict(luds), LUDSRequirements) if luds is not None else None,
    )
