"""The rules of wallets, with the shared corpus and real keys."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.errors import Refused
from authmw.factors.wallet import base58, ethereum, solana
from authmw.factors.wallet.rules import (
    SignInText,
    canonical_address,
    check_signature,
    check_time,
    checked,
    identity_of,
    written,
)
from authmw.testing import EthereumWallet, SolanaWallet

CORPUS = json.loads((Path(__file__).parents[3] / "corpus" / "wallet_vectors.json").read_text())
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def text_of(wallet: EthereumWallet | SolanaWallet, **more: Any) -> SignInText:
    said: dict[str, Any] = {
        "wallet_type": wallet.wallet_type,
        "address": wallet.address,
        "domain": "app.example.com",
        "uri": "https://app.example.com/login",
        "nonce": "k3Jd9sQ0Zx81VbNm27LpTq",
        "issued_at": NOW,
        "expires_at": NOW + timedelta(minutes=5),
        "statement": "Sign in to Example",
        **more,
    }
    return SignInText(**said)


def corpus_text(family: str) -> SignInText:
    stored = CORPUS[family]["stored_challenge"]
    wallet = EthereumWallet(7) if family == "ethereum" else SolanaWallet(7)
    text = attrs.evolve(text_of(wallet), address=stored.split("\n")[1])
    assert written(text) == stored
    return text


@pytest.mark.parametrize("case", CORPUS["ethereum"]["cases"], ids=lambda case: case["id"])
def test_the_corpus_of_ethereum_signatures(case: dict[str, Any]) -> None:
    """WAL-01, WAL-02. `replay` is the record's to refuse and told as a story. The address and signature of `bad_checksum` are `ok`'s but for the checksum."""
    text, now = corpus_text("ethereum"), datetime.fromisoformat(case["at"])

    def sign_in() -> None:
        address = canonical_address("ethereum", case["address"])
        if identity_of("ethereum", address) != identity_of("ethereum", text.address):
            raise Refused("unable_to_authenticate_crypto_wallet")  # there is no text that waits for it
        check_signature(text, case["signature"])
        check_time(text, now)

    if case["expected"] == "accept" or case["id"] == "replay":
        sign_in()
    else:
        with pytest.raises(Refused):
            sign_in()


@pytest.mark.parametrize("case", CORPUS["solana"]["cases"], ids=lambda case: case["id"])
def test_the_corpus_of_solana_signatures(case: dict[str, Any]) -> None:
    """WAL-03."""
    text = corpus_text("solana")
    if case["expected"] == "accept":
        check_signature(text, case["signature_base58"])
    else:
        with pytest.raises(Refused):
            check_signature(text, case["signature_base58"])


@pytest.mark.parametrize("wallet", [EthereumWallet(3), SolanaWallet(3)], ids=["ethereum", "solana"])
@given(st.data())
def test_a_signature_holds_for_its_own_text_only(wallet: EthereumWallet | SolanaWallet, data: st.DataObject) -> None:
    text = text_of(wallet)
    check_signature(text, wallet.sign(written(text)))
    changed = attrs.evolve(
        text,
        **data.draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "domain": st.just("evil.example.com"),
                    "nonce": st.text("0123456789abcdef", min_size=8, max_size=20),
                    "chain_id": st.integers(2, 10**6).map(str),
                    "statement": st.just("Sign in to Evil"),
                    "expires_at": st.just(NOW + timedelta(days=1)),
                    "resources": st.just(("https://app.example.com/x",)),
                },
            ).filter(bool)
        ),
    )
    with pytest.raises(Refused, match="unable_to_authenticate_crypto_wallet"):
        check_signature(changed, wallet.sign(written(text)))


def test_an_address_has_one_spelling() -> None:
    address = EthereumWallet(1).address
    assert canonical_address("ethereum", address.lower()) == address
    assert canonical_address("ethereum", "0x" + address[2:].upper()) == address
    wrong = "".join(
        c.swapcase() if at == address.index(next(c for c in address[2:] if c.isalpha()), 2) else c
        for at, c in enumerate(address)
    )
    for bad in (
        wrong,
        address[:-1],
        address + "0",
        "0X" + address[2:],
        address + "\n",
        "0x" + "0" * 40,
        "0x" + "é" * 40,
        "",
    ):
        with pytest.raises(Refused, match="invalid_crypto_wallet_address"):
            canonical_address("ethereum", bad)
    sol = SolanaWallet(1).address
    assert canonical_address("solana", sol) == sol
    for bad in (
        sol + "1",
        "1" + sol,
        sol + " ",
        base58.encode(bytes(32)),
        base58.encode((1).to_bytes(32, "little")),
        "0OIl",
        "",
        "z" * 100_000,
    ):
        with pytest.raises(Refused, match="invalid_crypto_wallet_address"):
            canonical_address("solana", bad)


@given(st.binary(min_size=32, max_size=32))
def test_base58_reads_what_it_writes(data: bytes) -> None:
    assert base58.decode(base58.encode(data), 32) == data
    assert base58.decode(base58.encode(data), 31) is None


@given(st.one_of(st.text(max_size=200), st.binary(max_size=70).map(bytes.hex)))
def test_no_signature_raises_anything_but_a_refusal(signature: str) -> None:
    for family, wallet in ((ethereum, EthereumWallet(2)), (solana, SolanaWallet(2))):
        with pytest.raises(Refused, match="unable_to_authenticate_crypto_wallet"):
            family.check_signature(wallet.address, "text", signature)


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"domain": "app.example.com\nevil"}, "invalid_siwe_domain"),
        ({"domain": "user@app.example.com"}, "invalid_siwe_domain"),
        ({"uri": "https://other.example.com/"}, "invalid_siwe_uri"),
        ({"uri": "https://app.example.com/\nVersion: 2"}, "invalid_siwe_uri"),
        ({"uri": "https://app.example.com@evil.example/"}, "invalid_siwe_uri"),
        ({"chain_id": "0"}, "invalid_siwe_chain_id"),
        ({"chain_id": "9223372036854775772"}, "invalid_siwe_chain_id"),
        ({"statement": "two\nlines"}, "invalid_siwe_statement"),
        ({"statement": "é"}, "invalid_siwe_statement"),
        ({"message_request_id": "a b"}, "invalid_siwe_message_request_id"),
        ({"resources": ("https://a.example/\n- x",)}, "invalid_siwe_resource"),
    ],
)
def test_nothing_in_a_text_can_be_read_as_another_line(change: dict[str, Any], refusal: str) -> None:
    with pytest.raises(Refused, match=refusal):
        checked(attrs.evolve(text_of(EthereumWallet(1)), **change))


def test_a_text_holds_from_its_beginning_to_its_end() -> None:
    text = text_of(EthereumWallet(1), not_before=NOW + timedelta(minutes=2))
    check_time(text, NOW + timedelta(minutes=1))
    check_time(text, NOW + timedelta(minutes=4, seconds=59))
    with pytest.raises(Refused, match="siwe_message_not_valid_yet"):
        check_time(text, NOW + timedelta(seconds=59))
    with pytest.raises(Refused, match="siwe_message_expired"):
        check_time(text, NOW + timedelta(minutes=5))


def test_a_text_says_everything_it_was_asked_to() -> None:
    text = text_of(
        EthereumWallet(1),
        statement="",
        not_before=NOW + timedelta(minutes=1),
        message_request_id="r-1",
        resources=("https://app.example.com/a",),
    )
    assert written(checked(text)).split("\n")[2:] == [
        "",
        "",
        "URI: https://app.example.com/login",
        "Version: 1",
        "Chain ID: 1",
        "Nonce: k3Jd9sQ0Zx81VbNm27LpTq",
        "Issued At: 2026-01-01T00:00:00Z",
        "Expiration Time: 2026-01-01T00:05:00Z",
        "Not Before: 2026-01-01T00:01:00Z",
        "Request ID: r-1",
        "Resources:",
        "- https://app.example.com/a",
    ]
