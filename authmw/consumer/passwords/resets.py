"""A new password in the place of the old one: by mail, by the old one, or by a session whose factor is fresh.

Law: whichever way, every other session of the person ends in the same commit, their verified addresses are told, and the new session holds only what was proved for it:
a reset is no way around an enrolled second factor (ACC-08).
"""

from __future__ import annotations

import attrs

from authmw.consumer.answers import SignInResponse, sign_in_answer
from authmw.consumer.links import check_link, new_link
from authmw.consumer.messages import Letter, mail_reset
from authmw.consumer.passwords.knowing import about_person, who_knows
from authmw.consumer.passwords.responses import ResetStartResponse
from authmw.consumer.passwords.rules import REFUSAL, check_reset, fresh_enough, login_link, reset_link
from authmw.consumer.passwords.setting import with_new_password
from authmw.consumer.proofs import Presented, asked_of, mailbox_proof, signed_in_caller
from authmw.crypto import tokens
from authmw.errors import Refused
from authmw.factors.challenges import Challenge, check_live, checked_pkce_challenge
from authmw.factors.password.rules import check_length
from authmw.identifiers import canonical_email
from authmw.ledger.commits import commit
from authmw.operations import Call, Core, Product, current_call, operation
from authmw.parameters import (
    JWT,
    URL,
    Attributes,
    Claims,
    EmailAddress,
    LinkMinutes,
    Locale,
    MatchOptions,
    Password,
    SessionMinutes,
    TelemetryId,
    TemplateId,
    Text,
    Token,
)
from authmw.people.directory import new_email, new_user, user_by_email
from authmw.people.records import Subject, User
from authmw.signin.complete import Proof, complete
from authmw.signin.keys import KeyRing
from authmw.signin.limits import charge, mailing
from authmw.signin.passwords import FACTOR, choose, password_of, proved
from authmw.signin.rules import check_may_add, check_sensitive, is_impersonated, with_factor
from authmw.signin.sessions import Live
from authmw.storage import Insert, Update
from authmw.templates import TemplateType


class EmailResets(Product):
    """Resets by mail."""

    def __init__(self, core: Core, keys: KeyRing) -> None:
        super().__init__(core)
        self.keys = keys

    @operation("POST", "/v1/passwords/email/reset/start", action="PasswordsEmailResetStart")
    async def reset_start(
        self,
        *,
        email: EmailAddress,
        reset_password_redirect_url: URL | None = None,
        reset_password_expiration_minutes: LinkMinutes = 30,
        code_challenge: Text | None = None,
        attributes: Attributes | None = None,
        login_redirect_url: URL | None = None,
        locale: Locale | None = None,
        reset_password_template_id: TemplateId | None = None,
    ) -> ResetStartResponse:
        """Mail a link to set a new password (5 to 10080 minutes) and one to sign in without, to the user of this address, whether or not they have a password.

        Nobody is signed in and nothing is changed by it. Refused on the backend: `email_not_found`; a browser gets the same answer for everybody. Both URLs must be
        registered for their type, or have a default.
        """
        call = current_call()
        address = canonical_email(email)
        template = call.settings.templates.choose(reset_password_template_id, TemplateType.RESET_PASSWORD)
        pkce = _required_pkce(call, code_challenge)
        await charge(call, *mailing(call, address, attributes))
        known = await user_by_email(call.storage, address)
        # For a stranger all of it is made for a user who is nobody, and nothing is sent (ENU-02).
        user = known or new_user(call, new_email(call, address))
        standing = user.email_at(address)
        assert standing is not None  # found or made by this address
        minutes, epoch = reset_password_expiration_minutes, user.asking_epoch
        redirects = call.settings.redirects
        links = (
            reset_link(redirects, reset_password_redirect_url, minutes, epoch),
            login_link(redirects, login_redirect_url, minutes, epoch),
        )
        if known is None and (call.caller.audience != "browser" or call.settings.reveal_unknown):
            await commit(factor=FACTOR, refusal=Refused("email_not_found"))
        (reset, token), (login, login_token) = (
            new_link(call, user, standing, link, pkce=pkce, attributes=attributes) for link in links
        )
        letter = Letter(address=address, template=template, locale=locale, life=links[0].life)
        mail_reset(call, letter, token, login_token, to_nobody=known is None)
        await commit(Insert(reset), Insert(login), subject_id=known.id if known else "", factor=FACTOR)
        return ResetStartResponse(user_id=user.id, email_id=standing.email_id)

    @operation("POST", "/v1/passwords/email/reset", action="PasswordsEmailReset")
    async def reset(
        self,
        *,
        token: Token,
        password: Password,
        session_token: Token | None = None,
        session_duration_minutes: SessionMinutes | None = None,
        session_jwt: JWT | None = None,
        code_verifier: Text | None = None,
        session_custom_claims: Claims | None = None,
        attributes: Attributes | None = None,
        options: MatchOptions | None = None,
        telemetry_id: TelemetryId | None = None,
    ) -> SignInResponse:
        """Set a new password by a mailed link's token, once. The address is proved by it; every other session, and every older link of this kind, is dead.

        Refused: `unable_to_auth_password_reset_token` (unknown, used, expired or for something else: one answer for all), `weak_password`, the PKCE errors,
        `attribute_mismatch`. A weak password does not use the link up.
        """
        call = current_call()
        check_length(password, call.settings.passwords)
        challenge = check_reset(await call.storage.find(Challenge, "digest", (tokens.digest(token),)))
        check_live(challenge, call.now, REFUSAL)
        holder = await call.storage.get(User, challenge.subject_id)
        if holder is None:
            raise Refused(REFUSAL)
        chosen = await choose(call, password, about_person(call, holder, challenge.address))
        # Only now, so that somebody who tries weak passwords does not use their link up.
        await check_link(call, challenge, REFUSAL, attributes, options, code_verifier)
        spent = Update(attrs.evolve(challenge, spent_at=call.now))
        asked = asked_of(
            call,
            session_token=session_token,
            session_jwt=session_jwt,
            minutes=session_duration_minutes,
            custom_claims=session_custom_claims,
            attributes=attributes,
        )
        proof = await mailbox_proof(call, challenge, proved(call.now), spent, REFUSAL, Presented(self.keys, asked))
        before, proved_one = proof.before, proof.after
        assert isinstance(before, User)  # the holder, or somebody new whom the address is
        assert isinstance(proved_one, User)
        after, kept = await with_new_password(call, before, proved_one, chosen)
        proof = attrs.evolve(proof, after=after, writes=(*proof.writes, kept), reset_sessions=True)
        return sign_in_answer(SignInResponse, await complete(proof, asked, self.keys), call.now)


class ExistingPasswordResets(Product):
    """Changes of a password by the one before."""

    def __init__(self, core: Core, keys: KeyRing) -> None:
        super().__init__(core)
        self.keys = keys

    @operation("POST", "/v1/passwords/existing_password/reset", action="PasswordsExistingPasswordReset")
    async def reset(
        self,
        *,
        email: EmailAddress,
        existing_password: Password,
        new_password: Password,
        session_token: Token | None = None,
        session_duration_minutes: SessionMinutes | None = None,
        session_jwt: JWT | None = None,
        session_custom_claims: Claims | None = None,
        telemetry_id: TelemetryId | None = None,
    ) -> SignInResponse:
        """Change a password by whoever knows the present one; every other session is over.

        Refused: what `passwords.authenticate` refuses, `weak_password`, `cannot_reset_password_with_existing_password` for the same one again, and from a browser the
        MFA rule's refusals for somebody who has a second factor.
        """
        call = current_call()
        new_form = check_length(new_password, call.settings.passwords, field="new_password")
        known = await who_knows(call, canonical_email(email), existing_password)
        user = known.user
        live = await _own_session(call, self.keys, user, session_token, session_jwt)
        await _check_may_change(call, user, live)
        if check_length(existing_password) == new_form:
            same = Refused("cannot_reset_password_with_existing_password")
            await commit(subject_id=user.id, factor=FACTOR, refusal=same)
        chosen = await choose(call, new_password, about_person(call, user))
        after, kept = await with_new_password(call, user, user, chosen)
        asked = asked_of(
            call,
            session_token=session_token,
            session_jwt=session_jwt,
            minutes=session_duration_minutes,
            custom_claims=session_custom_claims,
        )
        proof = Proof(before=user, after=after, factor=proved(call.now), writes=(kept,), reset_sessions=True)
        return sign_in_answer(SignInResponse, await complete(proof, asked, self.keys), call.now)


class SessionResets(Product):
    """Changes of a password by a session."""

    def __init__(self, core: Core, keys: KeyRing) -> None:
        super().__init__(core)
        self.keys = keys

    @operation("POST", "/v1/passwords/session/reset", action="PasswordsSessionReset")
    async def reset(
        self,
        *,
        password: Password,
        session_token: Token | None = None,
        session_jwt: JWT | None = None,
        session_duration_minutes: SessionMinutes | None = None,
        session_custom_claims: Claims | None = None,
        telemetry_id: TelemetryId | None = None,
    ) -> SignInResponse:
        """Set the password of the user of a live session, which goes on under a new secret; every other session is over.

        The session must hold the password, an e-mail link or an e-mail code that was proved less than five minutes ago; whoever has a password already needs no proved
        address to change it (ACC-03 is about what is added). Refused, in this order: `no_session_arguments`, `session_not_mutable` for an impersonated one, from a browser
        the MFA rule's refusals, `session_too_old_to_reset_password`, `email_verification_required` for a user without an address, `weak_password`.
        """
        call = current_call()
        check_length(password, call.settings.passwords)
        live = await signed_in_caller(call, self.keys, session_token, session_jwt)
        if live is None:
            raise Refused("no_session_arguments")
        user = live.subject
        assert isinstance(user, User)  # consumer sessions are of users
        if is_impersonated(live.session.factors):
            raise Refused("session_not_mutable")
        if call.caller.audience == "browser":
            check_sensitive(user, live.session.factors, call.now)
        fresh = fresh_enough(live.session.factors, call.now)
        if password_of(user) is None:
            check_may_add(user)
        if not user.emails:
            raise Refused("email_verification_required")
        chosen = await choose(call, password, about_person(call, user))
        after, kept = await with_new_password(call, user, user, chosen)
        asked = asked_of(
            call,
            session_token=session_token,
            session_jwt=session_jwt,
            minutes=session_duration_minutes,
            custom_claims=session_custom_claims,
        )
        # The factor that was there, as old as it is: setting a password proves nothing (SES-05).
        proof = Proof(before=user, after=after, factor=fresh, writes=(kept,), reset_sessions=True)
        return sign_in_answer(SignInResponse, await complete(proof, asked, self.keys), call.now)


def _required_pkce(call: Call, code_challenge: str | None) -> str | None:
    if code_challenge is None and call.caller.audience == "browser" and call.settings.pkce_for_password_resets:
        raise Refused("bad_request", "`$.code_challenge` is required.")
    return checked_pkce_challenge(code_challenge)


async def _own_session(
    call: Call, keys: KeyRing, user: Subject, session_token: str | None, session_jwt: str | None
) -> Live | None:
    """The session that the request carries, if it is this user's own."""
    if call.caller.audience != "browser":
        return None
    try:
        live = await signed_in_caller(call, keys, session_token, session_jwt)
    except Refused:
        return None  # What a browser still carries of an ended session.
    return live if live is not None and live.subject.id == user.id else None


async def _check_may_change(call: Call, user: Subject, live: Live | None) -> None:
    """From a browser, whoever has a second factor changes the password only where both were proved (ACC-02). What is refused was a right password all the same."""
    if call.caller.audience != "browser":
        return
    factors = live.session.factors if live is not None else ()
    try:
        check_sensitive(user, with_factor(factors, proved(call.now)), call.now)
    except Refused as refused:
        await commit(subject_id=user.id, factor=FACTOR, refusal=refused)
