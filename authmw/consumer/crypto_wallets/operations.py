"""Crypto wallets: a text to sign, and a sign-in by its signature.

Law: nobody becomes a user by being named; the wallet's user is made by the proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit

import attrs
import msgspec
from msgspec import Meta

from authmw.consumer.answers import sign_in_answer
from authmw.consumer.crypto_wallets import browser
from authmw.consumer.crypto_wallets.parts import KIND, part_of, proved
from authmw.consumer.crypto_wallets.responses import AuthenticateResponse, AuthenticateStartResponse, SIWEAnswer
from authmw.consumer.crypto_wallets.sandbox import in_sandbox, sandbox_proof
from authmw.consumer.proofs import asked_of, check_may_add_factor, signed_in_caller
from authmw.crypto import tokens
from authmw.errors import Refused
from authmw.factors.challenges import Challenge
from authmw.factors.wallet.rules import (
    HELD,
    LIFE,
    SignInText,
    WalletType,
    canonical_address,
    check_signature,
    check_time,
    checked,
    identity_of,
    written,
)
from authmw.ledger.commits import commit
from authmw.limits import Limit
from authmw.operations import Call, Core, Product, current_call, operation
from authmw.parameters import JWT, URL, Claims, Id, SessionMinutes, TelemetryId, Text, Token
from authmw.people.directory import new_user, user_by_identity, user_by_reference
from authmw.people.notices import notify_of
from authmw.people.records import Subject, User
from authmw.people.rules import with_part
from authmw.rows import Row
from authmw.signin.complete import Proof, complete
from authmw.signin.keys import KeyRing
from authmw.signin.limits import charge
from authmw.signin.rules import check_may_add
from authmw.signin.sessions import Live
from authmw.storage import Delete, Insert, Update, Write
from authmw.typed import convert

_FACTOR = "crypto:crypto_wallet"
Address = Annotated[str, Meta(min_length=20, max_length=128)]
Signature = Annotated[str, Meta(min_length=1, max_length=256)]


class SIWEParams(msgspec.Struct, kw_only=True):
    """What the message says beside what we say (EIP-4361). `uri` lies on `domain`; `chain_id` is EIP-155 in decimal; times are RFC 3339."""

    domain: Annotated[str, Meta(max_length=260)]
    uri: URL
    resources: Annotated[list[URL], Meta(max_length=10)] = []
    chain_id: Annotated[str, Meta(max_length=19)] | None = None
    statement: Text | None = None
    issued_at: Annotated[datetime, Meta(tz=True)] | None = None
    not_before: Annotated[datetime, Meta(tz=True)] | None = None
    message_request_id: Annotated[str, Meta(max_length=128)] | None = None


@attrs.frozen(kw_only=True)
class Waiting:
    """A text that waits for its signature: for whom, and for which session if one asked. `siwe` if the request chose what it says.

    `signs_in` is for the wallet's owner, `adds` for a user under this epoch who has it not, `makes` for somebody new under this id.
    """

    text: SignInText
    user_id: str
    session_id: str | None = None
    siwe: bool = False
    means: Literal["signs_in", "adds", "makes"] = "makes"
    epoch: int = 0


class CryptoWallets(Product):
    """Wallets of Ethereum (and every EVM-compatible chain) and Solana."""

    def __init__(self, core: Core, keys: KeyRing) -> None:
        super().__init__(core)
        self.keys = keys

    def rows(self) -> tuple[Row, ...]:
        """What browsers reach."""
        return browser.rows(self)

    @operation("POST", "/v1/crypto_wallets/authenticate/start", action="CryptoWalletsAuthenticateStart")
    async def authenticate_start(
        self,
        *,
        crypto_wallet_type: WalletType,
        crypto_wallet_address: Address,
        user_id: Id | None = None,
        session_token: Token | None = None,
        session_jwt: JWT | None = None,
        siwe_params: SIWEParams | None = None,
    ) -> AuthenticateStartResponse:
        """A text that names the project, for the wallet to sign within five minutes. With a user or a session the wallet is added there.

        Refused: `invalid_crypto_wallet_address`, `duplicate_wallet_address` for a wallet of another user, the `invalid_siwe_...` errors,
        `crypto_wallet_type_incompatible_with_siwe` for parameters beside a Solana wallet.
        """
        call = current_call()
        address = canonical_address(crypto_wallet_type, crypto_wallet_address)
        text = _text(call, crypto_wallet_type, address, siwe_params)
        identity = identity_of(crypto_wallet_type, address)
        await charge(call, Limit("wallet texts", (call.settings.project_id, *identity), 10, timedelta(minutes=1)))
        live = await signed_in_caller(call, self.keys, session_token, session_jwt)
        owner = await user_by_identity(call.storage, KIND, *identity)
        named = live.subject if live else await user_by_reference(call.storage, user_id) if user_id else owner
        _check_free(call, owner, named, live)
        waiting = Waiting(
            text=text,
            user_id=named.id if named else tokens.new_id("user", call.settings.environment),
            session_id=live.session.session_id if live else None,
            siwe=siwe_params is not None,
            means="signs_in" if owner else "adds" if named else "makes",
            epoch=named.asking_epoch if named else 0,
        )
        await commit(await _kept(call, identity, waiting), subject_id=waiting.user_id, factor=_FACTOR)
        return AuthenticateStartResponse(user_id=waiting.user_id, challenge=written(text), user_created=named is None)

    @operation("POST", "/v1/crypto_wallets/authenticate", action="CryptoWalletsAuthenticate")
    async def authenticate(
        self,
        *,
        crypto_wallet_type: WalletType,
        crypto_wallet_address: Address,
        signature: Signature,
        session_token: Token | None = None,
        session_jwt: JWT | None = None,
        session_duration_minutes: SessionMinutes | None = None,
        session_custom_claims: Claims | None = None,
        telemetry_id: TelemetryId | None = None,
    ) -> AuthenticateResponse:
        """Sign in by the signature of a text that waits for this address, once: its user, a new one, or the session's, who gets the wallet.

        An Ethereum signature is 65 bytes in hexadecimal (`personal_sign`), a Solana one 64 bytes in base58. Refused: `unable_to_authenticate_crypto_wallet` for
        anything that is not the signature of such a text by this address, `siwe_message_expired`, `siwe_message_not_valid_yet`, `duplicate_wallet_address`.
        """
        call = current_call()
        address = canonical_address(crypto_wallet_type, crypto_wallet_address)
        identity = identity_of(crypto_wallet_type, address)
        asked = asked_of(
            call,
            session_token=session_token,
            session_jwt=session_jwt,
            minutes=session_duration_minutes,
            custom_claims=session_custom_claims,
        )
        if in_sandbox(call, address, signature):
            signed_in = await complete(await sandbox_proof(call), asked, self.keys)
            return sign_in_answer(AuthenticateResponse, signed_in, call.now, siwe_params=None)
        challenge = await call.storage.get(Challenge, _key(identity))
        signed = _signed(challenge, signature)
        assert challenge is not None  # a text of it was signed
        check_time(signed.text, call.now)
        live = await signed_in_caller(call, self.keys, session_token, session_jwt)
        if signed.session_id is not None and (live is None or live.session.session_id != signed.session_id):
            raise Refused("unable_to_authenticate_crypto_wallet")
        proof = await self._proof(call, signed, live, Delete(challenge))
        signed_in = await complete(proof, asked, self.keys)
        siwe = _siwe_answer(call, signed.text) if signed.siwe else None
        return sign_in_answer(AuthenticateResponse, signed_in, call.now, siwe_params=siwe)

    async def _proof(self, call: Call, signed: Waiting, live: Live | None, spent: Write) -> Proof:
        """What the signature means: the owner signs in, somebody known gets the wallet, or a user is made."""
        text = signed.text
        identity = identity_of(text.wallet_type, text.address)
        owner = await user_by_identity(call.storage, KIND, *identity)
        asked_for = await call.storage.get(User, signed.user_id)
        _check_still_meant(signed, owner, asked_for)
        known = await call.storage.get(User, live.subject.id) if live else asked_for
        _check_free(call, owner, known, live)
        if owner is not None:
            part = next(part for part in owner.parts_of(KIND) if part.identity == identity)
            return Proof(before=owner, after=owner, factor=proved(part, call.now), writes=(spent,))
        wallet_id = tokens.new_id("crypto-wallet", call.settings.environment)
        part = part_of(wallet_id, text.wallet_type, text.address, call.now)
        factor = proved(part, call.now)
        if known is not None:
            after = with_part(known, part)
            notify_of(call, known, after)
            return Proof(before=known, after=after, factor=factor, writes=(spent,))
        made = with_part(attrs.evolve(new_user(call), id=signed.user_id), part)
        return Proof(before=made, after=made, factor=factor, writes=(spent, Insert(made)))


def _check_still_meant(signed: Waiting, owner: User | None, asked_for: User | None) -> None:
    """Refused for a text whose meaning is gone: its owner has the wallet no more, its user or their sessions are over, or its new user was there and is not the owner."""
    if owner is not None:
        return
    adds = signed.means == "adds" and asked_for is not None and asked_for.asking_epoch == signed.epoch
    makes = signed.means == "makes" and asked_for is None
    if not (adds or makes):
        raise Refused("unable_to_authenticate_crypto_wallet")


def _check_free(call: Call, owner: User | None, named: Subject | None, live: Live | None) -> None:
    """Refused for a wallet of somebody else, and where a factor may not be added to whom it is for (ACC-02, ACC-03)."""
    if owner is not None and named is not None and owner.id != named.id:
        raise Refused("duplicate_wallet_address")
    if owner is None and live is not None:
        check_may_add_factor(call, live)
    elif owner is None and named is not None:
        check_may_add(named)


def _text(call: Call, wallet_type: WalletType, address: str, params: SIWEParams | None) -> SignInText:
    """The text to sign: ours alone, or with what the request says where that is allowed."""
    if params is not None and wallet_type != "ethereum":
        raise Refused("crypto_wallet_type_incompatible_with_siwe")
    here = urlsplit(call.settings.public_url)
    said = params or SIWEParams(
        domain=here.netloc, uri=call.settings.public_url, statement=_statement(call.settings.name)
    )
    if call.caller.audience == "browser" and said.domain not in _own_domains(call):
        raise Refused("invalid_siwe_domain")
    issued = said.issued_at or call.now
    if abs(issued - call.now) > LIFE:
        raise Refused("bad_request", "`$.siwe_params.issued_at` must be now, give or take five minutes.")
    return checked(
        SignInText(
            wallet_type=wallet_type,
            address=address,
            domain=said.domain,
            uri=said.uri,
            nonce=tokens.letters(26),
            issued_at=issued,
            expires_at=call.now + LIFE,
            statement=said.statement or "",
            chain_id=said.chain_id or "1",
            not_before=said.not_before,
            message_request_id=said.message_request_id or "",
            resources=tuple(said.resources),
        )
    )


def _statement(project: str) -> str:
    """A sentence that names the project, as far as a message may."""
    plain = "".join(
        character for character in project if character.isascii() and (character.isalnum() or character in " ._-")
    )
    return f"Signing in with Project: {plain.strip()}"


def _own_domains(call: Call) -> frozenset[str]:
    return frozenset(urlsplit(origin).netloc for origin in (call.settings.origin, *call.settings.cors_origins))


async def _kept(call: Call, identity: tuple[str, str], waiting: Waiting) -> Write:
    """The write that keeps one more text for an address, and the newest of those that still wait."""
    standing = await call.storage.get(Challenge, _key(identity))
    held = [one for one in _texts(standing) if call.now < one.text.expires_at][-(HELD - 1) :] if standing else []
    challenge = Challenge(
        challenge_id=_key(identity),
        purpose=KIND,
        subject_id=waiting.user_id,
        method_id=identity[1],
        created_at=call.now,
        expires_at=waiting.text.expires_at,
        details={"texts": [msgspec.to_builtins(one) for one in (*held, waiting)]},
        version=standing.version if standing else 0,
    )
    return Update(challenge) if standing else Insert(challenge)


def _key(identity: tuple[str, str]) -> str:
    return "|".join((KIND, *identity))


def _texts(challenge: Challenge) -> Sequence[Waiting]:
    return convert(challenge.details["texts"], list[Waiting])


def _signed(challenge: Challenge | None, signature: str) -> Waiting:
    """The waiting text that this signature is of."""
    for waiting in _texts(challenge) if challenge is not None else ():
        try:
            check_signature(waiting.text, signature)
        except Refused:
            continue
        return waiting
    raise Refused("unable_to_authenticate_crypto_wallet")


def _siwe_answer(call: Call, text: SignInText) -> SIWEAnswer:
    return SIWEAnswer(
        status_code=200,
        request_id=call.id,
        domain=text.domain,
        uri=text.uri,
        chain_id=text.chain_id,
        resources=list(text.resources),
        issued_at=text.issued_at,
        message_request_id=text.message_request_id or None,
    )
