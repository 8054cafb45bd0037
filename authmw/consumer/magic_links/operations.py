"""Magic links: mail a link, invite by one, mint one for the host's own delivery, and sign in by one."""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs

from authmw.consumer.answers import AuthenticateResponse, authenticate_response
from authmw.consumer.links import check_link, new_link
from authmw.consumer.magic_links import browser
from authmw.consumer.magic_links.responses import CreateResponse, EmptyResponse, LoginOrCreateResponse, SendResponse
from authmw.consumer.magic_links.rules import (
    ADDING,
    check_purpose,
    factor_of,
    invite_destination,
    login_destination,
    signup_destination,
    token_type_of,
)
from authmw.consumer.messages import Letter, mail_link, mail_nobody
from authmw.consumer.proofs import (
    Presented,
    asked_of,
    check_may_add_factor,
    claimed_by,
    is_claimed,
    is_taken,
    mailbox_proof,
    signed_in_caller,
)
from authmw.crypto import tokens
from authmw.errors import Refused
from authmw.factors.challenges import Challenge, check_live, checked_pkce_challenge
from authmw.identifiers import SANDBOX_EMAIL, canonical_email
from authmw.ledger.commits import commit
from authmw.operations import Call, Core, Product, current_call, operation
from authmw.parameters import (
    JWT,
    URL,
    Attributes,
    Claims,
    EmailAddress,
    Id,
    LinkMinutes,
    Locale,
    MatchOptions,
    Metadata,
    Name,
    SessionMinutes,
    TelemetryId,
    TemplateId,
    Text,
    Token,
)
from authmw.people.directory import new_email, new_user, stored_sandbox_user, user_by_email, user_by_reference
from authmw.people.purging import leave_purge
from authmw.people.records import Email, User
from authmw.people.rules import merged_metadata
from authmw.redirects import with_token
from authmw.rows import Row
from authmw.signin.complete import Proof, complete
from authmw.signin.keys import KeyRing
from authmw.signin.limits import charge, mailing
from authmw.storage import Delete, Insert, Update

WEEK = 10_080
_SANDBOX_TOKENS = {
    "DOYoip3rvIMMW5lgItikFK-Ak1CfMsgjuiCyI7uuU94=": None,
    "3pzjQpgksDlGKWEwUq2Up--hCHC_0oamfLHyfspKDFU=": "unable_to_auth_magic_link",
    "CprTtwhnRNiMBiUS2jSLcWYrfuO2POeBNdo5HhW6qTM=": "magic_link_not_found",
}


class EmailMagicLinks(Product):
    """Links by e-mail."""

    def __init__(self, core: Core, keys: KeyRing) -> None:
        super().__init__(core)
        self.keys = keys

    @operation("POST", "/v1/magic_links/email/login_or_create", action="MagicLinksEmailLoginOrCreate")
    async def login_or_create(
        self,
        *,
        email: EmailAddress,
        login_magic_link_url: URL | None = None,
        signup_magic_link_url: URL | None = None,
        login_expiration_minutes: LinkMinutes = 60,
        signup_expiration_minutes: LinkMinutes = WEEK,
        login_template_id: TemplateId | None = None,
        signup_template_id: TemplateId | None = None,
        attributes: Attributes | None = None,
        create_user_as_pending: bool = False,
        code_challenge: Text | None = None,
        locale: Locale | None = None,
    ) -> LoginOrCreateResponse:
        """Mail a login link to the user of this address, or create one and mail a sign-up link.

        Link lives are in minutes, 5 to 10080. Refused: `invalid_email`, a redirect URL or template that is not registered for its type, `too_many_requests` for more
        than one mail a second to one address.
        """
        call = current_call()
        address = canonical_email(email)
        login = login_destination(call.settings.redirects, login_magic_link_url, login_expiration_minutes)
        signup = signup_destination(call.settings.redirects, signup_magic_link_url, signup_expiration_minutes)
        templates = call.settings.templates
        chosen = (
            templates.choose(login_template_id, login.template),
            templates.choose(signup_template_id, signup.template),
        )
        pkce = _required_pkce(call, code_challenge)
        await charge(call, *mailing(call, address, attributes))
        known = await user_by_email(call.storage, address)
        user = known or new_user(call, new_email(call, address), pending=create_user_as_pending)
        destination, template = (login, chosen[0]) if known else (signup, chosen[1])
        standing = _standing(user, address)
        challenge, token = new_link(call, user, standing, destination, pkce=pkce, attributes=attributes)
        mail_link(call, Letter(address=address, template=template, locale=locale, life=destination.life), token)
        await commit(
            *(() if known else (Insert(user),)), Insert(challenge), subject_id=user.id, factor="magic_link:email"
        )
        return LoginOrCreateResponse(user_id=user.id, email_id=standing.email_id, user_created=known is None)

    @operation("POST", "/v1/magic_links/email/send", action="MagicLinksEmailSend")
    async def send(
        self,
        *,
        email: EmailAddress,
        login_magic_link_url: URL | None = None,
        signup_magic_link_url: URL | None = None,
        login_expiration_minutes: LinkMinutes = 60,
        signup_expiration_minutes: LinkMinutes = WEEK,
        login_template_id: TemplateId | None = None,
        signup_template_id: TemplateId | None = None,
        attributes: Attributes | None = None,
        code_challenge: Text | None = None,
        user_id: Id | None = None,
        session_token: Token | None = None,
        session_jwt: JWT | None = None,
        locale: Locale | None = None,
    ) -> SendResponse:
        """Mail a login link to the user of this address, or to an address that a named or signed-in user is adding.

        An address that is being added must be proved within 5 minutes and stands on the user only then. Refused on the backend: `email_not_found`; the browser
        gets the same answer for everybody.
        """
        call = current_call()
        address = canonical_email(email)
        login = login_destination(call.settings.redirects, login_magic_link_url, login_expiration_minutes)
        template = call.settings.templates.choose(login_template_id, login.template)
        pkce = _required_pkce(call, code_challenge)
        await charge(call, *mailing(call, address, attributes))
        live = await signed_in_caller(call, self.keys, session_token, session_jwt)
        holder = await user_by_email(call.storage, address)
        adder = live.subject if live else await user_by_reference(call.storage, user_id) if user_id else None
        if adder is None and holder is None:
            return await self._nobody(call)
        user = adder or holder
        assert user is not None  # one of the two stands
        standing = user.email_at(address)
        claimed = adder is not None and is_claimed(adder, standing)
        if claimed and live:
            check_may_add_factor(call, live)
        if standing is None:
            if is_taken(call, holder, address):
                mail_nobody(call)
                await commit(subject_id=user.id, factor="magic_link:email")
                return SendResponse(user_id=user.id, email_id=new_email(call, address).email_id)
            login = attrs.evolve(login, life=min(login.life, ADDING))
        standing = standing or new_email(call, address)
        challenge, token = new_link(call, user, standing, login, pkce=pkce, attributes=attributes)
        if claimed:
            challenge = claimed_by(call, challenge, user, live)
        mail_link(call, Letter(address=address, template=template, locale=locale, life=login.life), token)
        await commit(Insert(challenge), subject_id=user.id, factor="magic_link:email")
        return SendResponse(user_id=user.id, email_id=standing.email_id)

    async def _nobody(self, call: Call) -> SendResponse:
        refusal = Refused("email_not_found")
        if call.caller.audience != "browser" or call.settings.reveal_unknown:
            await commit(refusal=refusal)
        mail_nobody(call)
        await commit(factor="magic_link:email")
        return SendResponse(user_id="", email_id="")

    @operation("POST", "/v1/magic_links/email/invite", action="MagicLinksEmailInvite")
    async def invite(
        self,
        *,
        email: EmailAddress,
        invite_template_id: TemplateId | None = None,
        attributes: Attributes | None = None,
        name: Name | None = None,
        invite_magic_link_url: URL | None = None,
        invite_expiration_minutes: LinkMinutes = WEEK,
        locale: Locale | None = None,
        trusted_metadata: Metadata | None = None,
        untrusted_metadata: Metadata | None = None,
    ) -> SendResponse:
        """Create a pending user ahead of time and mail an invitation; inviting a pending user again sends another. Refused: `user_already_invited` for an active user."""
        call = current_call()
        address = canonical_email(email)
        invite = invite_destination(call.settings.redirects, invite_magic_link_url, invite_expiration_minutes)
        template = call.settings.templates.choose(invite_template_id, invite.template)
        await charge(call, *mailing(call, address, attributes))
        known = await user_by_email(call.storage, address)
        if known is not None and known.status == "active":
            raise Refused("user_already_invited")
        user = known or new_user(call, new_email(call, address), pending=True)
        after = attrs.evolve(
            user,
            first_name=name.first_name if name else user.first_name,
            middle_name=name.middle_name if name else user.middle_name,
            last_name=name.last_name if name else user.last_name,
            trusted_metadata=merged_metadata(user.trusted_metadata, trusted_metadata),
            untrusted_metadata=merged_metadata(user.untrusted_metadata, untrusted_metadata),
        )
        standing = _standing(after, address)
        challenge, token = new_link(call, after, standing, invite, attributes=attributes)
        mail_link(call, Letter(address=address, template=template, locale=locale, life=invite.life), token)
        stored = Insert(after) if known is None else Update(after)
        await commit(stored, Insert(challenge), subject_id=user.id, factor="magic_link:email")
        return SendResponse(user_id=user.id, email_id=standing.email_id)

    @operation("POST", "/v1/magic_links/email/revoke_invite", action="MagicLinksEmailRevokeInvite")
    async def revoke_invite(self, *, email: EmailAddress) -> EmptyResponse:
        """Take an invitation back: the pending user goes, and with it every link to it. Refused: `email_not_found` if nobody pending has the address."""
        call = current_call()
        user = await user_by_email(call.storage, canonical_email(email))
        if user is None or user.status != "pending":
            raise Refused("email_not_found")
        leave_purge(call, user.id)
        await commit(Delete(user), subject_id=user.id)
        return EmptyResponse()


class MagicLinks(Product):
    """Magic links of every delivery."""

    def __init__(self, core: Core, keys: KeyRing) -> None:
        super().__init__(core)
        self.keys = keys
        self.email = EmailMagicLinks(core, keys)

    def rows(self) -> tuple[Row, ...]:
        """What browsers reach."""
        return browser.rows(self)

    @operation("POST", "/v1/magic_links", action="MagicLinksCreate")
    async def create(
        self, *, user_id: Id, expiration_minutes: LinkMinutes = 60, attributes: Attributes | None = None
    ) -> CreateResponse:
        """Mint a link token for the host's own delivery (5 to 10080 minutes). Anybody who holds it is signed in as this user."""
        call = current_call()
        user = await user_by_reference(call.storage, user_id)
        token = tokens.token()
        challenge = Challenge(
            challenge_id=tokens.new_id("magic-link", call.settings.environment),
            purpose="embedded",
            subject_id=user.id,
            method_id=user.id,
            digest=tokens.digest(token),
            created_at=call.now,
            expires_at=call.now + timedelta(minutes=expiration_minutes),
            ip_address=attributes.ip_address if attributes else "",
            user_agent=attributes.user_agent if attributes else "",
        )
        await commit(Insert(challenge), subject_id=user.id, factor="magic_link:embedded")
        return CreateResponse(user_id=user.id, token=token)

    @operation("POST", "/v1/magic_links/authenticate", action="MagicLinksAuthenticate")
    async def authenticate(
        self,
        *,
        token: Token,
        attributes: Attributes | None = None,
        options: MatchOptions | None = None,
        session_token: Token | None = None,
        session_jwt: JWT | None = None,
        session_duration_minutes: SessionMinutes | None = None,
        session_custom_claims: Claims | None = None,
        code_verifier: Text | None = None,
        telemetry_id: TelemetryId | None = None,
    ) -> AuthenticateResponse:
        """Sign in by a link's token, once.

        Refused: `unable_to_auth_magic_link` (unknown, used, expired or for something else: one answer for all), the PKCE errors, `attribute_mismatch`. A refusal of
        these last two does not use the link up; ten of them do.
        """
        call = current_call()
        asked = asked_of(
            call,
            session_token=session_token,
            session_jwt=session_jwt,
            minutes=session_duration_minutes,
            custom_claims=session_custom_claims,
            attributes=attributes,
        )
        if not call.settings.live and call.settings.sandbox and token in _SANDBOX_TOKENS:
            proof = await self._sandbox(call, token)
        else:
            presented = Presented(self.keys, asked)
            proof = await self._proof(call, token, attributes, options, code_verifier, presented)
        signed_in = await complete(proof, asked, self.keys)
        method = proof.factor.details.get("email_factor", {}).get("email_id") or signed_in.subject.id
        return authenticate_response(signed_in, method, call.now)

    async def destination(self, token: str, now: datetime) -> str | None:
        """Where a mailed link leads, with the token; None if it leads nowhere any more. Consumes nothing."""
        challenge = await self.core.storage.find(Challenge, "digest", (tokens.digest(token),))
        if challenge is None or not challenge.redirect_url or challenge.spent_at or now >= challenge.expires_at:
            return None
        return with_token(challenge.redirect_url, token_type_of(challenge), token)

    async def _proof(
        self,
        call: Call,
        token: str,
        attributes: Attributes | None,
        options: MatchOptions | None,
        verifier: str | None,
        presented: Presented,
    ) -> Proof:
        challenge = check_purpose(await call.storage.find(Challenge, "digest", (tokens.digest(token),)))
        check_live(challenge, call.now, "unable_to_auth_magic_link")
        await check_link(call, challenge, "unable_to_auth_magic_link", attributes, options, verifier)
        factor = factor_of(challenge, call.now)
        spent = Update(attrs.evolve(challenge, spent_at=call.now))
        if challenge.purpose != "embedded":
            return await mailbox_proof(call, challenge, factor, spent, "unable_to_auth_magic_link", presented)
        user = await call.storage.get(User, challenge.subject_id)
        if user is None:
            raise Refused("unable_to_auth_magic_link")
        after = attrs.evolve(user, status="active")
        return Proof(before=user, after=after, factor=factor, writes=(spent,))

    async def _sandbox(self, call: Call, token: str) -> Proof:
        refusal = _SANDBOX_TOKENS[token]
        if refusal is not None:
            raise Refused(refusal)
        subject, writes = await stored_sandbox_user(call)
        email = next(email for email in subject.emails if email.address == SANDBOX_EMAIL)
        challenge = Challenge(
            challenge_id="sandbox",
            purpose="login",
            subject_id=subject.id,
            method_id=email.email_id,
            address=email.address,
            created_at=call.now,
            expires_at=call.now,
        )
        return Proof(before=subject, after=subject, factor=factor_of(challenge, call.now), writes=writes)


def _standing(user: User, address: str) -> Email:
    standing = user.email_at(address)
    assert standing is not None  # the user was found or made by this address
    return standing


def _required_pkce(call: Call, code_challenge: str | None) -> str | None:
    if code_challenge is None and call.caller.audience == "browser" and call.settings.pkce_for_magic_links:
        raise Refused("bad_request", "`$.code_challenge` is required.")
    return checked_pkce_challenge(code_challenge)
