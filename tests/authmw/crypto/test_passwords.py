"""Password hashes: ours, and those of other systems."""

from __future__ import annotations

import base64
import hashlib
import json
import unicodedata
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authmw.crypto import imported_hashes as imported
from authmw.crypto import passwords
from authmw.crypto.passwords import Cost, StoredHash, UnusableHash, hashed, is_weaker, matches, read_argon2, wrapped
from authmw.crypto.roots import RootKeys

CORPUS = json.loads((Path(__file__).parents[2] / "corpus" / "passwords.json").read_text())
FOREIGN = json.loads((Path(__file__).parents[2] / "corpus" / "foreign_hashes.json").read_text())
CHEAP = Cost(memory_kib=64, iterations=1)
TYPED = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def stored(case: dict[str, Any]) -> StoredHash:
    """A hash of the corpus, as it is imported."""
    kept, scheme = case["stored"], case["scheme"]
    if scheme.startswith("argon2"):
        read_argon2(kept)
        return StoredHash(text=kept)
    if scheme in {"md5", "sha1", "sha512"}:
        value = imported.digest_of(kept["hash_hex"], scheme)
        return wrapped(scheme, value, kept["prepend_salt"], kept["append_salt"], CHEAP, None)
    readers = {"bcrypt": imported.bcrypt_hash, "phpass": imported.phpass_hash, "django_pbkdf2": imported.django_hash}
    if scheme in readers:
        return StoredHash(text=readers[scheme](kept))
    salt, key = bytes.fromhex(kept["salt_hex"]), bytes.fromhex(kept["hash_hex"])
    if scheme == "scrypt":
        return StoredHash(text=imported.scrypt_hash(kept["n"], kept["r"], kept["p"], salt, key))
    return StoredHash(text=imported.pbkdf2_hash(kept["digest"], kept["iterations"], salt, key))


@pytest.mark.parametrize("case", CORPUS["migration"], ids=lambda case: case["id"])
def test_a_hash_of_the_corpus_verifies_as_its_source_did(case: dict[str, Any]) -> None:
    """A051, A054, A055, PWD-02, PWD-07."""
    typed = bytes.fromhex(case["password_hex"])
    try:
        kept = stored(case)
    except UnusableHash:
        assert not case["verifies"]
        return
    try:
        found = matches(kept, typed.decode())
    except UnicodeDecodeError:
        found = imported.matches(
            kept.text, typed
        )  # nothing that the wire can carry; the function is exact all the same
    assert found == case["verifies"]
    assert is_weaker(kept, Cost()) == (case["scheme"] != "argon2id")


@pytest.mark.parametrize("vector", FOREIGN["vectors"], ids=lambda vector: ascii(vector["password"])[:20])
def test_a_hash_that_another_implementation_made_verifies(vector: dict[str, str]) -> None:
    """PWD-02: the vectors were made by node's crypto."""
    salt = base64.b64decode(FOREIGN["salt"])

    def raw(name: str) -> bytes:
        return base64.b64decode(vector[name])

    def encoded(name: str) -> str:
        return base64.b64encode(raw(name)).decode().rstrip("=")

    salted = base64.b64encode(salt).decode().rstrip("=")
    kept = [
        StoredHash(text=imported.scrypt_hash(1024, 8, 2, salt, raw("scrypt"))),
        StoredHash(text=imported.scrypt_encoded(f"$scrypt$ln=10,r=8,p=2${salted}${encoded('scrypt')}")),
        *(
            StoredHash(text=imported.pbkdf2_hash(name, 2000, salt, raw(f"pbkdf2_{name}")))
            for name in ("sha1", "sha256", "sha512")
        ),
        *(
            wrapped(name, imported.digest_of(vector[name].upper(), name), "before", "áfter", CHEAP, None)
            for name in ("md5", "sha1", "sha512")
        ),
        *(StoredHash(text=f"${name}$v=19$m=256,t=3,p=2${salted}${encoded(name)}") for name in ("argon2i", "argon2id")),
    ]
    for one in kept:
        assert matches(one, vector["password"])
        assert not matches(one, vector["password"] + "!")


@pytest.mark.parametrize("vector", FOREIGN["bcrypt"]["vectors"])
def test_a_bcrypt_hash_of_the_operating_system_verifies(vector: dict[str, str]) -> None:
    assert matches(StoredHash(text=imported.bcrypt_hash(vector["stored"])), vector["password"])


@given(TYPED, st.binary(min_size=1, max_size=20), st.text("aä", max_size=3), st.text("bß", max_size=3))
@settings(max_examples=30, deadline=None)
def test_an_imported_hash_is_that_of_the_standard_library(password: str, salt: bytes, before: str, after: str) -> None:
    typed = password.encode()
    key = hashlib.pbkdf2_hmac("sha256", typed, salt, 7)
    assert matches(StoredHash(text=imported.pbkdf2_hash("sha256", 7, salt, key)), password)
    key = hashlib.scrypt(typed, salt=salt, n=4, r=1, p=1, dklen=16)
    assert matches(StoredHash(text=imported.scrypt_hash(4, 1, 1, salt, key)), password)
    for name in ("md5", "sha1", "sha512"):
        value = hashlib.new(name, before.encode() + typed + after.encode()).digest()
        assert matches(wrapped(name, value, before, after, CHEAP, None), password)


def test_a_new_hash_is_argon2id_and_no_two_are_alike() -> None:
    """A052, PWD-01."""
    one, two = hashed("correct horse battery", Cost()), hashed("correct horse battery", Cost())
    found = read_argon2(one.text)
    assert (found.kind, found.memory_kib, found.iterations, found.parallelism) == ("argon2id", 19_456, 2, 1)
    assert (found.salt_bytes, found.hash_bytes) == (16, 32)
    assert one.text != two.text
    assert not is_weaker(one, Cost())
    assert matches(one, "correct horse battery")


@pytest.mark.parametrize("pair", CORPUS["equivalence"], ids=lambda pair: pair["why"])
def test_two_ways_to_type_are_one_password_only_if_they_are_in_nfc(pair: dict[str, Any]) -> None:
    """A060, A061, PWD-03."""
    assert matches(hashed(pair["a"], CHEAP), pair["b"]) == pair["same"]


@given(TYPED, TYPED)
@settings(max_examples=40, deadline=None)
def test_only_the_whole_password_matches(one: str, other: str) -> None:
    """PWD-03: no cutting, no trimming, NUL kept."""
    kept = hashed(one, CHEAP)
    assert matches(kept, one)
    assert matches(kept, unicodedata.normalize("NFD", one))
    assert matches(kept, other) == (unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other))


def test_nul_and_what_follows_it_count() -> None:
    """A055."""
    assert not matches(hashed("abc\0def", CHEAP), "abc\0xyz")


def test_a_hash_below_the_policy_is_weaker_and_one_above_it_is_not() -> None:
    """A sign-in never makes a hash weaker."""
    policy = Cost(memory_kib=128, iterations=2)
    assert is_weaker(hashed("x", Cost(memory_kib=64, iterations=2)), policy)
    assert is_weaker(hashed("x", Cost(memory_kib=128, iterations=1)), policy)
    assert not is_weaker(hashed("x", Cost(memory_kib=256, iterations=3)), policy)
    assert is_weaker(StoredHash(text="$argon2id$v=19$m=128,t=2,p=1$MDEyMzQ1Njc4OWE$" + "A" * 43), policy)


def test_a_pepper_goes_in_and_an_older_one_is_replaced() -> None:
    old, new = RootKeys((b"o" * 32,)), RootKeys((b"n" * 32, b"o" * 32))
    kept = hashed("secret", CHEAP, old)
    assert matches(kept, "secret", old)
    assert matches(kept, "secret", new)
    assert not is_weaker(kept, CHEAP, old)
    assert is_weaker(kept, CHEAP, new)
    plain = hashed("secret", CHEAP)
    assert is_weaker(plain, CHEAP, new)
    assert matches(plain, "secret", new)
    digest = wrapped("md5", hashlib.md5(b"secret").digest(), "", "", CHEAP, new)
    assert matches(digest, "secret", new)
    for lost in (None, RootKeys((b"z" * 32,))):
        assert not matches(kept, "secret", lost)
        assert not matches(digest, "secret", lost)


UNUSABLE = {
    "argon2d": lambda: read_argon2("$argon2d$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$" + "A" * 43),
    "argon2 without salt": lambda: read_argon2("$argon2id$v=19$m=64,t=1,p=1$$" + "A" * 43),
    "argon2 of 2^32 passes": lambda: read_argon2(f"$argon2id$v=19$m=64,t={2**32},p=1$MDEyMzQ1Njc4OWFiY2RlZg$" + "A" * 43),
    "argon2 of 4 TiB passed over": lambda: read_argon2("$argon2id$v=19$m=1048576,t=20,p=1$MDEyMzQ1Njc4OWFiY2RlZg$" + "A" * 43),
    "argon2 of unknown version": lambda: read_argon2("$argon2id$v=20$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$" + "A" * 43),
    "argon2 too long": lambda: read_argon2("$argon2id$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$" + "A" * 600),
    "bcrypt 2x": lambda: imported.bcrypt_hash("$2x$05$" + "a" * 53),
    "bcrypt with a newline": lambda: imported.bcrypt_hash("$2b$05$" + "a" * 53 + "\n"),
    "bcrypt cost 16": lambda: imported.bcrypt_hash("$2b$16$" + "a" * 53),
    "phpass cost 17": lambda: imported.phpass_hash("$P$F" + "a" * 30),
    "phpass of another kind": lambda: imported.phpass_hash("$S$6" + "a" * 30),
    "md5 of another length": lambda: imported.digest_of("a" * 40, "md5"),
    "md5 with a space": lambda: imported.digest_of("ab " + "a" * 29, "md5"),
    "md5 not hexadecimal": lambda: imported.digest_of("g" * 32, "md5"),
    "md5 in other digits": lambda: imported.digest_of("１" * 32, "md5"),
    "pbkdf2 of another digest": lambda: imported.pbkdf2_hash("md5", 1, b"s", b"k" * 16),
    "pbkdf2 of a short key": lambda: imported.pbkdf2_hash("sha1", 1, b"s", b"k" * 15),
    "pbkdf2 without rounds": lambda: imported.pbkdf2_hash("sha1", 0, b"s", b"k" * 16),
    "django malformed": lambda: imported.django_hash("pbkdf2_sha256$1$$aaaa"),
    "scrypt N of 3": lambda: imported.scrypt_hash(3, 8, 1, b"s", b"k" * 32),
    "scrypt N of 2^19": lambda: imported.scrypt_hash(2**19, 1, 1, b"s", b"k" * 32),
    "scrypt over 512 MiB": lambda: imported.scrypt_hash(2**18, 17, 1, b"s", b"k" * 32),
    "scrypt without salt": lambda: imported.scrypt_hash(2, 1, 1, b"", b"k" * 32),
    "scrypt malformed": lambda: imported.scrypt_encoded("$scrypt$ln=4$x$y"),
    "scrypt encoded over bounds": lambda: imported.scrypt_encoded("$scrypt$ln=63,r=8,p=1$AAAA$" + "A" * 43),
    "base64": lambda: imported.from_base64("not*base64"),
    "a kept hash of no scheme": lambda: matches(StoredHash(text="plain text"), "plain text"),
    "a kept pbkdf2 out of bounds": lambda: matches(StoredHash(text="$pbkdf2-sha1$i=9999999999$AAAA$" + "A" * 22), "x"),
    "a kept scrypt out of bounds": lambda: passwords.memory_of("$scrypt$ln=30,r=8,p=1$AAAA$" + "A" * 43),
    "a kept bcrypt with a salt of half bits": lambda: matches(StoredHash(text="$2b$05$" + "/" * 22 + "a" * 31), "x"),
    "a kept bcrypt with a salt that is none": lambda: matches(StoredHash(text="$2b$05$" + "." * 21 + "_" + "a" * 31), "x"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_hash_out_of_form_or_bounds_is_refused_before_any_work(name: str) -> None:
    """PWD-07."""
    with pytest.raises(UnusableHash) as fault:
        UNUSABLE[name]()
    assert not any(char.isdigit() and len(word) > 5 for word in str(fault.value).split() for char in word[:1])


def test_the_memory_that_a_comparison_takes_is_known_before() -> None:
    assert passwords.memory_of("$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$" + "A" * 43) == 19_456
    assert passwords.memory_of(imported.scrypt_hash(262_144, 8, 1, b"salt", b"k" * 32)) == 256 * 1024
    assert passwords.memory_of("$2b$05$" + "a" * 53) == 1


def test_a_stored_hash_is_kept_whole_and_never_printed() -> None:
    kept = wrapped("sha1", hashlib.sha1(b"x").digest(), "before", "after", CHEAP, RootKeys((b"p" * 32,)))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(kept), type=StoredHash) == kept
    assert "argon2" not in repr(kept)
    assert "before" not in str(kept)


@pytest.mark.parametrize("text", ["YWJj", "YWJj====", "-_8=", "+/8"])
def test_base64_is_read_in_either_alphabet_padded_or_not(text: str) -> None:
    assert imported.from_base64(text) in {b"abc", b"\xfb\xff"}
