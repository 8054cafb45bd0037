"""Signing in as a user, for support: a token for five minutes and one use, and a session that says who is behind it.

Law: such a session lives an hour, is never extended, joins no other, and changes nothing of how the user signs in.
"""

from __future__ import annotations

from datetime import timedelta

import attrs

from authmw.consumer.answers import SignInResponse, sign_in_answer
from authmw.consumer.impersonation import browser
from authmw.crypto import tokens
from authmw.errors import Refused
from authmw.factors.challenges import Challenge, check_live
from authmw.identifiers import canonical_email
from authmw.ledger.commits import commit
from authmw.operations import Core, Product, Response, current_call, operation
from authmw.parameters import EmailAddress, Id, Token
from authmw.people.directory import user_by_reference
from authmw.people.records import Proved, User
from authmw.rows import Row
from authmw.signin.complete import Asked, Proof, complete
from authmw.signin.keys import KeyRing
from authmw.signin.rules import IMPERSONATED
from authmw.storage import Delete, Insert

PURPOSE = "impersonation"
TOKEN_LIFE = timedelta(minutes=5)
SESSION_MINUTES = 60
_FACTOR = "impersonated:impersonation"


class ImpersonationTokenResponse(Response, kw_only=True):
    """A token that signs its bearer in as the user, once, within five minutes."""

    user_id: str
    impersonation_token: str


class Impersonation(Product):
    """Signing in as a user. Off unless `Settings.impersonation` is on."""

    def __init__(self, core: Core, keys: KeyRing) -> None:
        super().__init__(core)
        self.keys = keys

    def rows(self) -> tuple[Row, ...]:
        """What browsers reach."""
        return browser.rows(self)

    @operation("POST", "/v1/impersonation/start", action="ImpersonationStart")
    async def start(
        self, *, user_id: Id, impersonator_id: Id, impersonator_email_address: EmailAddress
    ) -> ImpersonationTokenResponse:
        """Mint a token for somebody of the host's own staff, who is the actor of its events.

        Refused: `user_impersonation_not_allowed` where the project does not allow it, `user_not_found`.
        """
        call = current_call()
        if not call.settings.impersonation:
            raise Refused("user_impersonation_not_allowed")
        call.caller = attrs.evolve(call.caller, actor=impersonator_id)
        user = await user_by_reference(call.storage, user_id)
        token = tokens.token()
        challenge = Challenge(
            challenge_id=tokens.new_id("impersonation", call.settings.environment),
            purpose=PURPOSE,
            subject_id=user.id,
            method_id=impersonator_id,
            address=canonical_email(impersonator_email_address),
            digest=tokens.digest(token),
            created_at=call.now,
            expires_at=call.now + TOKEN_LIFE,
        )
        await commit(Insert(challenge), subject_id=user.id, factor=_FACTOR)
        return ImpersonationTokenResponse(user_id=user.id, impersonation_token=token)

    @operation("POST", "/v1/impersonation/authenticate", action="ImpersonationAuthenticate")
    async def authenticate(self, *, impersonation_token: Token) -> SignInResponse:
        """Sign in as the token's user for an hour. Refused: `unable_to_auth_impersonation_token` for one that is unknown, used or over."""
        call = current_call()
        challenge = await call.storage.find(Challenge, "digest", (tokens.digest(impersonation_token),))
        if challenge is None or challenge.purpose != PURPOSE:
            raise Refused("unable_to_auth_impersonation_token")
        check_live(challenge, call.now, "unable_to_auth_impersonation_token")
        user = await call.storage.get(User, challenge.subject_id)
        if user is None or not call.settings.impersonation:
            raise Refused("unable_to_auth_impersonation_token")
        call.caller = attrs.evolve(call.caller, actor=challenge.method_id)
        told = {"impersonator_id": challenge.method_id, "impersonator_email_address": challenge.address}
        factor = Proved(
            type=IMPERSONATED,
            delivery_method="impersonation",
            last_authenticated_at=call.now,
            created_at=call.now,
            updated_at=call.now,
            details={"impersonated_factor": told},
            category="account",
        )
        proof = Proof(before=user, after=user, factor=factor, writes=(Delete(challenge),))
        signed_in = await complete(proof, Asked(minutes=SESSION_MINUTES), self.keys)
        return sign_in_answer(SignInResponse, signed_in, call.now)
