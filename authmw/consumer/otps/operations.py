"""One-time passcodes: mail a code, and sign in by one of any channel."""

from __future__ import annotations

from datetime import timedelta

from authmw.consumer.answers import AuthenticateResponse, authenticate_response
from authmw.consumer.magic_links.responses import LoginOrCreateResponse, SendResponse
from authmw.consumer.messages import Letter, mail_code, mail_nobody
from authmw.consumer.otps import browser
from authmw.consumer.otps.codes import Sent, code_key, decoy, guess_at, is_code_of, new_code, proved_by
from authmw.consumer.otps.phones import SMSPasscodes, WhatsAppPasscodes
from authmw.consumer.proofs import (
    Presented,
    asked_of,
    check_may_add_factor,
    is_claimed,
    is_taken,
    mailbox_proof,
    phone_proof,
    signed_in_caller,
)
from authmw.errors import Refused
from authmw.factors.challenges import Challenge, check_attributes, check_live
from authmw.identifiers import canonical_email
from authmw.ledger.commits import commit
from authmw.operations import Call, Core, Product, current_call, operation
from authmw.parameters import (
    JWT,
    Attributes,
    Claims,
    CodeMinutes,
    EmailAddress,
    Id,
    Locale,
    MatchOptions,
    SessionMinutes,
    TelemetryId,
    TemplateId,
    Text,
    Token,
)
from authmw.people.directory import new_email, new_user, user_by_email, user_by_reference
from authmw.people.records import User
from authmw.rows import Row
from authmw.signin.attempts import check_open, count_guess, forget_guesses, refuse_guess
from authmw.signin.complete import complete
from authmw.signin.keys import KeyRing
from authmw.signin.limits import charge, mailing
from authmw.storage import Delete, Insert
from authmw.templates import TemplateType

_PURPOSE = "email_otp"
_FACTOR = "otp:email"


class EmailPasscodes(Product):
    """Codes by e-mail."""

    def __init__(self, core: Core, keys: KeyRing) -> None:
        super().__init__(core)
        self.keys = keys

    @operation("POST", "/v1/otps/email/login_or_create", action="OTPsEmailLoginOrCreate")
    async def login_or_create(
        self,
        *,
        email: EmailAddress,
        expiration_minutes: CodeMinutes = 2,
        attributes: Attributes | None = None,
        create_user_as_pending: bool = False,
        locale: Locale | None = None,
        login_template_id: TemplateId | None = None,
        signup_template_id: TemplateId | None = None,
    ) -> LoginOrCreateResponse:
        """Mail a code (1 to 10 minutes) to the user of this address, creating one if there is none. A new code ends the one before."""
        call = current_call()
        address = canonical_email(email)
        templates = call.settings.templates
        login = templates.choose(login_template_id, TemplateType.ONE_TIME_PASSCODE)
        signup = templates.choose(signup_template_id, TemplateType.ONE_TIME_PASSCODE_SIGNUP)
        await charge(call, *mailing(call, address, attributes))
        known = await user_by_email(call.storage, address)
        user = known or new_user(call, new_email(call, address), pending=create_user_as_pending)
        standing = user.email_at(address)
        assert standing is not None  # found or made by this address
        life = timedelta(minutes=expiration_minutes)
        code, write = await new_code(
            call, user, Sent(purpose=_PURPOSE, method_id=standing.email_id, address=address, life=life), attributes
        )
        mail_code(call, Letter(address=address, template=login if known else signup, locale=locale, life=life), code)
        await commit(*(() if known else (Insert(user),)), write, subject_id=user.id, factor=_FACTOR)
        return LoginOrCreateResponse(user_id=user.id, email_id=standing.email_id, user_created=known is None)

    @operation("POST", "/v1/otps/email/send", action="OTPsEmailSend")
    async def send(
        self,
        *,
        email: EmailAddress,
        expiration_minutes: CodeMinutes = 2,
        attributes: Attributes | None = None,
        locale: Locale | None = None,
        user_id: Id | None = None,
        session_token: Token | None = None,
        session_jwt: JWT | None = None,
        login_template_id: TemplateId | None = None,
        signup_template_id: TemplateId | None = None,
    ) -> SendResponse:
        """Mail a code to the user of this address, or to an address that a named or signed-in user is adding. Refused on the backend: `email_not_found`."""
        call = current_call()
        address = canonical_email(email)
        template = call.settings.templates.choose(login_template_id, TemplateType.ONE_TIME_PASSCODE)
        await charge(call, *mailing(call, address, attributes))
        live = await signed_in_caller(call, self.keys, session_token, session_jwt)
        holder = await user_by_email(call.storage, address)
        user = live.subject if live else await user_by_reference(call.storage, user_id) if user_id else holder
        if user is None:
            return await self._nobody(call, address)
        standing = user.email_at(address)
        claimed = bool(live or user_id) and is_claimed(user, standing)
        if claimed and live:
            check_may_add_factor(call, live)
        if standing is None:
            if is_taken(call, holder, address):
                mail_nobody(call)
                await commit(subject_id=user.id, factor=_FACTOR)
                return SendResponse(user_id=user.id, email_id=new_email(call, address).email_id)
        standing = standing or new_email(call, address)
        life = timedelta(minutes=expiration_minutes)
        code, write = await new_code(
            call,
            user,
            Sent(purpose=_PURPOSE, method_id=standing.email_id, address=address, life=life),
            attributes,
            claimed=claimed,
            live=live,
        )
        mail_code(call, Letter(address=address, template=template, locale=locale, life=life), code)
        await commit(write, subject_id=user.id, factor=_FACTOR)
        return SendResponse(user_id=user.id, email_id=standing.email_id)

    async def _nobody(self, call: Call, address: str) -> SendResponse:
        if call.caller.audience != "browser" or call.settings.reveal_unknown:
            await commit(refusal=Refused("email_not_found"))
        mail_nobody(call)
        await commit(factor=_FACTOR)
        return SendResponse(user_id="", email_id=decoy(call, "email", address))


class OTPs(Product):
    """One-time passcodes of every channel."""

    def __init__(self, core: Core, keys: KeyRing) -> None:
        super().__init__(core)
        self.keys = keys
        self.email = EmailPasscodes(core, keys)
        self.sms = SMSPasscodes(core, keys)
        self.whatsapp = WhatsAppPasscodes(core, keys)

    def rows(self) -> tuple[Row, ...]:
        """What browsers reach."""
        return browser.rows(self)

    @operation("POST", "/v1/otps/authenticate", action="OTPsAuthenticate")
    async def authenticate(
        self,
        *,
        method_id: Id,
        code: Text,
        attributes: Attributes | None = None,
        options: MatchOptions | None = None,
        session_token: Token | None = None,
        session_jwt: JWT | None = None,
        session_duration_minutes: SessionMinutes | None = None,
        session_custom_claims: Claims | None = None,
        telemetry_id: TelemetryId | None = None,
    ) -> AuthenticateResponse:
        """Sign in by a code, once. Five wrong guesses end a code, 100 failures in a row the method, and repeated failure locks sign-in by code for a while.

        Refused: `unable_to_auth_otp_code` (one answer for wrong, used, expired and never sent), `user_lock_limit_reached`, `attribute_mismatch`.
        """
        call = current_call()
        challenge = await call.storage.get(Challenge, code_key(method_id))
        if challenge is None:
            raise Refused("unable_to_auth_otp_code")
        user = await call.storage.get(User, challenge.subject_id)
        if user is None:
            raise Refused("unable_to_auth_otp_code")
        asked = asked_of(
            call,
            session_token=session_token,
            session_jwt=session_jwt,
            minutes=session_duration_minutes,
            custom_claims=session_custom_claims,
            attributes=attributes,
        )
        presented = Presented(self.keys, asked)
        own = call.caller.audience == "browser" and await presented.is_of(call, user)
        guess = guess_at(challenge, user, by_own_session=own)
        check_open(call, guess)
        check_live(challenge, call.now, "unable_to_auth_otp_code")
        await count_guess(call, guess)
        matching, given = options or MatchOptions(), attributes or Attributes()
        check_attributes(
            challenge,
            ip_address=given.ip_address,
            user_agent=given.user_agent,
            ip=matching.ip_match_required,
            agent=matching.user_agent_match_required,
        )
        if not is_code_of(call, challenge, code):
            await refuse_guess(guess)
        factor = proved_by(challenge, call.now)
        prove = phone_proof if factor.category == "phone" else mailbox_proof
        proof = await prove(call, challenge, factor, Delete(challenge), "unable_to_auth_otp_code", presented)
        forget_guesses(call, guess)
        signed_in = await complete(proof, asked, self.keys)
        return authenticate_response(signed_in, challenge.method_id, call.now)
