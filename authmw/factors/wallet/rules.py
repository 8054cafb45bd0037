"""Pure decisions of wallets: the text that is signed, and whether a signature of it signs in.

Law: the text is ours from its first to its last character (EIP-4361), kept, and what is verified; the client says only which address it has (WAL-01).
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from types import ModuleType
from typing import Literal, TypeAlias

import attrs

from authmw.errors import Refused
from authmw.factors.wallet import ethereum, solana

WalletType: TypeAlias = Literal["ethereum", "solana"]
LIFE = timedelta(minutes=5)
SKEW = timedelta(minutes=1)
HELD = 5
"""Texts that wait for one address: whoever asks for somebody else's address does not push out the text its owner is signing."""

_NAMES: dict[str, str] = {"ethereum": "Ethereum", "solana": "Solana"}
_FAMILIES: dict[str, ModuleType] = {"ethereum": ethereum, "solana": solana}
_DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?")
_URI = re.compile(r"[a-z][a-z0-9+.-]*:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]{1,2000}")
_STATEMENT = re.compile(r"[A-Za-z0-9 ._~:/?#\[\]@!$&'()*+,;=-]{1,512}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%-]{1,128}")
_CHAIN = re.compile(r"[1-9][0-9]{0,18}")
_MAXIMUM_CHAIN = 9_223_372_036_854_775_771


@attrs.frozen(kw_only=True)
class SignInText:
    """What an EIP-4361 message says. Times are aware; `address` is canonical."""

    wallet_type: WalletType
    address: str
    domain: str
    uri: str
    nonce: str
    issued_at: datetime
    expires_at: datetime
    statement: str = ""
    chain_id: str = "1"
    not_before: datetime | None = None
    message_request_id: str = ""
    resources: tuple[str, ...] = ()


def canonical_address(wallet_type: WalletType, text: str) -> str:
    """An address in the one spelling of its family. Refused: `invalid_crypto_wallet_address`."""
    canonical: str = _FAMILIES[wallet_type].canonical_address(text)
    return canonical


def identity_of(wallet_type: WalletType, address: str) -> tuple[str, str]:
    """What finds a wallet's owner: letters of an Ethereum address carry a checksum only, those of a Solana address the key."""
    return wallet_type, address.lower() if wallet_type == "ethereum" else address


def checked(text: SignInText) -> SignInText:
    """The text, if nothing in it can be read as something else. Refused: the `invalid_siwe_...` error of the first fault."""
    authority = text.uri.partition("://")[2].partition("/")[0].partition("?")[0].partition("#")[0]
    faults = (
        (not _DOMAIN.fullmatch(text.domain), "invalid_siwe_domain"),
        (not _URI.fullmatch(text.uri) or authority != text.domain, "invalid_siwe_uri"),
        (not _CHAIN.fullmatch(text.chain_id) or int(text.chain_id) > _MAXIMUM_CHAIN, "invalid_siwe_chain_id"),
        (bool(text.statement) and not _STATEMENT.fullmatch(text.statement), "invalid_siwe_statement"),
        (
            bool(text.message_request_id) and not _REQUEST_ID.fullmatch(text.message_request_id),
            "invalid_siwe_message_request_id",
        ),
        (not all(_URI.fullmatch(resource) for resource in text.resources), "invalid_siwe_resource"),
    )
    for wrong, refusal in faults:
        if wrong:
            raise Refused(refusal)
    return text


def written(text: SignInText) -> str:
    """The message a person is shown and signs (EIP-4361; Solana wallets show the same form)."""
    lines = [
        f"{text.domain} wants you to sign in with your {_NAMES[text.wallet_type]} account:",
        text.address,
        "",
        *((text.statement, "") if text.statement else ("",)),
        f"URI: {text.uri}",
        "Version: 1",
        f"Chain ID: {text.chain_id}",
        f"Nonce: {text.nonce}",
        f"Issued At: {_moment(text.issued_at)}",
        f"Expiration Time: {_moment(text.expires_at)}",
    ]
    if text.not_before is not None:
        lines.append(f"Not Before: {_moment(text.not_before)}")
    if text.message_request_id:
        lines.append(f"Request ID: {text.message_request_id}")
    if text.resources:
        lines.append("Resources:")
        lines += [f"- {resource}" for resource in text.resources]
    return "\n".join(lines)


def check_time(text: SignInText, now: datetime) -> None:
    """Refused before a text is valid (`siwe_message_not_valid_yet`) and from its expiry on (`siwe_message_expired`)."""
    begins = max(text.issued_at, text.not_before or text.issued_at)
    if now + SKEW < begins:
        raise Refused("siwe_message_not_valid_yet")
    if now >= text.expires_at:
        raise Refused("siwe_message_expired")


def check_signature(text: SignInText, signature: str) -> None:
    """Refused: `unable_to_authenticate_crypto_wallet` unless the text's own address signed it."""
    _FAMILIES[text.wallet_type].check_signature(text.address, written(text), signature)


def _moment(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
