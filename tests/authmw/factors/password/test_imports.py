"""Hashes at import: read whole, or refused by name; nothing that is sent makes anything else of them."""

from __future__ import annotations

import base64
import hashlib
from typing import Any, get_args

from hypothesis import given
from hypothesis import strategies as st

from authmw import Refused
from authmw.crypto.passwords import memory_of
from authmw.factors.password.breaches import named
from authmw.factors.password.imports import (
    Argon2Config,
    Configs,
    DigestConfig,
    HashType,
    PBKDF2Config,
    ScryptConfig,
    read_hash,
)

NUMBERS = st.integers(0, 2**31 - 1) | st.sampled_from([1, 2, 8, 16, 32, 64, 1024, 16_384])
TEXTS = st.text(max_size=200) | st.binary(max_size=80).map(lambda octets: base64.b64encode(octets).decode())
CONFIGS = st.builds(
    Configs,
    md5=st.none() | st.builds(DigestConfig, prepend_salt=st.text(max_size=20), append_salt=st.text(max_size=20)),
    argon2=st.none()
    | st.builds(
        Argon2Config, salt=TEXTS, iteration_amount=NUMBERS, memory=NUMBERS, threads=NUMBERS, key_length=NUMBERS
    ),
    scrypt=st.none()
    | st.builds(
        ScryptConfig, salt=TEXTS, n_parameter=NUMBERS, r_parameter=NUMBERS, p_parameter=NUMBERS, key_length=NUMBERS
    ),
    pbkdf2=st.none()
    | st.builds(
        PBKDF2Config,
        salt=TEXTS,
        iteration_amount=NUMBERS,
        key_length=NUMBERS,
        algorithm=st.sampled_from(["sha1", "sha256", "sha512", "md5", ""]),
    ),
)
KINDS = list(get_args(HashType))
BEGINNINGS = [
    "",
    "$2b$05$",
    "$P$9",
    "$argon2id$v=19$m=1024,t=2,p=1$",
    "$argon2i$v=19$",
    "$scrypt$ln=4,r=8,p=1$",
    "pbkdf2_sha256$",
]


@given(st.sampled_from(KINDS), st.sampled_from(BEGINNINGS), TEXTS, CONFIGS)
def test_a_hash_is_taken_within_bounds_or_refused_by_name(kind: Any, before: str, text: str, configs: Configs) -> None:
    """PWD-07."""
    try:
        taken = read_hash(kind, before + text, configs)
    except Refused as refused:
        assert "hash" in refused.error_type or kind.partition("_")[0] in refused.error_type
        assert len(text) < 12 or text not in refused.message
        return
    assert bool(taken.text) != bool(taken.digest)
    if taken.text:
        assert memory_of(taken.text) <= 2**20


@given(st.binary(min_size=8, max_size=40), st.binary(min_size=16, max_size=64), st.booleans())
def test_an_argon2_hash_in_parts_is_the_encoded_one(salt: bytes, key: bytes, hexadecimal: bool) -> None:
    config = Argon2Config(
        salt=base64.b64encode(salt).decode(), iteration_amount=2, memory=64, threads=1, key_length=len(key)
    )
    text = key.hex() if hexadecimal else base64.urlsafe_b64encode(key).decode()
    taken = read_hash("argon_2id", text, Configs(argon2=config)).text
    assert read_hash("argon_2id", taken, Configs()).text == taken
    _, _, _, parameters, kept_salt, kept_key = taken.split("$")
    assert parameters == "m=64,t=2,p=1"
    assert base64.b64decode(kept_salt + "=" * (-len(kept_salt) % 4)) == salt
    assert base64.b64decode(kept_key + "=" * (-len(kept_key) % 4)) == key


@given(st.text(max_size=60))
def test_five_digits_of_forty_are_what_a_source_is_told(password: str) -> None:
    """PWD-06."""
    prefix, suffix = named(password)
    whole = hashlib.sha1(password.encode("utf-8", "surrogatepass")).hexdigest().upper()
    assert (len(prefix), prefix + suffix) == (5, whole)
