"""The corpus of attacks on session JWTs: A001 to A019."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from authmw.crypto import jwts
from authmw.crypto.jwts import ExpiredToken, InvalidToken
from authmw.crypto.signing import PublicKey

CORPUS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "corpus" / "jwt_attacks.json").read_text(encoding="utf-8")
)
VERIFIER = CORPUS["verifier"]


@attrs.frozen
class PublicHalf:
    """A key as somebody holds it who cannot sign."""

    public_key: PublicKey
    algorithm: str = "RS256"
    purpose: str = "session"


def token_of(case: dict[str, Any]) -> str:
    """The token of a case; over-long ones are kept as a list of texts and repetitions."""
    parts: list[Any] = case.get("generator") or [case["token"]]
    return "".join(part if isinstance(part, str) else part["repeat"] * part["times"] for part in parts)


@functools.cache
def corpus_keys() -> dict[str, PublicHalf]:
    public = load_pem_public_key(VERIFIER["rsa_pub_pem"].encode())
    assert isinstance(public, rsa.RSAPublicKey)
    return {VERIFIER["kid"]: PublicHalf(public)}


def judged(token: str, **changes: Any) -> jwts.VerifiedClaims:
    now = datetime.fromtimestamp(VERIFIER["now"], UTC)
    arguments = {"issuers": VERIFIER["iss"], "audience": VERIFIER["aud"], "now": now} | changes
    return jwts.verify(token, corpus_keys(), **arguments)


def cases(expected: str) -> list[Any]:
    return [
        pytest.param(case, id=str(number))
        for number, case in enumerate(CORPUS["cases"])
        if case["expected"] == expected
    ]


def test_the_corpus_is_whole() -> None:
    assert (len(cases("accept")), len(cases("reject")), len(CORPUS["cases"])) == (4, 111, 115)
    lengths = sorted(len(token_of(case)) for case in CORPUS["cases"])
    assert lengths[-2:] == [134_258, 267_603]


@pytest.mark.parametrize("case", cases("accept"))
def test_a_good_token_of_the_corpus_is_accepted(case: dict[str, Any]) -> None:
    claims = judged(token_of(case))
    assert (claims.subject_id, claims.session.id, claims.kid) == ("user-test-1", "session-test-1", "k1")


@pytest.mark.parametrize("case", cases("reject"))
def test_an_attack_of_the_corpus_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        judged(token_of(case))


@pytest.mark.parametrize("case", cases("reject"))
def test_an_attack_is_refused_even_where_expired_tokens_are_accepted(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken) as refusal:
        judged(token_of(case), allow_expired=True)
    assert not isinstance(refusal.value, ExpiredToken)


@pytest.mark.parametrize("case", cases("reject"))
def test_a_refusal_never_holds_a_part_of_the_token(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken) as refusal:
        judged(token_of(case))
    assert str(refusal.value) == f"The token is not valid ({refusal.value.reason_code})."
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


@contextmanager
def watched() -> Iterator[list[str]]:
    """The files, sockets, databases and programs that are opened meanwhile."""
    seen: list[str] = []
    watching = [True]

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if watching[0] and event.split(".")[0] in {"open", "socket", "sqlite3", "subprocess", "os", "urllib"}:
            seen.append(event)

    sys.addaudithook(watch)
    try:
        yield seen
    finally:
        watching[0] = False  # a hook cannot be taken away again


def test_a_key_id_reaches_no_file_socket_or_database() -> None:
    """A007, A008: the key's id is looked up in our own map and nowhere else."""
    tokens = [token_of(case) for case in CORPUS["cases"]]
    for token in tokens:  # whatever is imported at first use is imported now
        attempt(token)
    jwts._header.cache_clear()
    with watched() as opened:
        for token in tokens:
            attempt(token)
    assert opened == []
    with watched() as opened, Path(__file__).open():
        pass
    assert opened == ["open"]


def attempt(token: str) -> None:
    try:
        judged(token)
    except InvalidToken:
        return
