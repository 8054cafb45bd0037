"""Password hashes of other systems: read at import, bounded, and compared exactly as their source did.

Law: everything about a hash is bounded before any of it is used (PWD-07): length, form, and what it would cost. What is not understood to the last character is refused
at import, not at the sign-in of a person who cannot help it. The text that is kept is one of ours, written from what was read.

bcrypt counts the first 72 bytes only, and so does the comparison here; the first sign-in replaces the hash by one in which the whole password counts.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from typing import Literal

from authmw.crypto import tokens
from authmw.crypto.passwords import UnusableHash

BCRYPT_BYTES = 72
MAXIMUM_SCRYPT = 512 * 1024
"""KiB of memory that one scrypt hash may take."""
MAXIMUM_ROUNDS = 5_000_000
_BCRYPT = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}", re.ASCII)
_PHPASS = re.compile(r"\$[PH]\$([./0-9A-Za-z])[./0-9A-Za-z]{30}", re.ASCII)
_PBKDF2 = re.compile(
    r"\$pbkdf2-(sha1|sha256|sha512)\$i=(\d{1,10})\$([A-Za-z0-9+/]{1,342})\$([A-Za-z0-9+/]{22,86})", re.ASCII
)
_SCRYPT = re.compile(
    r"\$scrypt\$ln=(\d{1,2}),r=(\d{1,4}),p=(\d{1,4})\$([A-Za-z0-9+/]{1,342})\$([A-Za-z0-9+/]{22,171})", re.ASCII
)
_DJANGO = re.compile(
    r"pbkdf2_(sha1|sha256|sha512)\$(\d{1,10})\$([A-Za-z0-9_.-]{1,128})\$([A-Za-z0-9+/]{20,88}={0,2})", re.ASCII
)
_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DIGEST_BYTES: Mapping[str, int] = {"md5": 16, "sha1": 20, "sha512": 64}

Algorithm = Literal["sha1", "sha256", "sha512"]


def bcrypt_hash(text: str) -> str:
    """A bcrypt hash of the forms 2a, 2b and 2y, cost 4 to 15. UnusableHash; 2x, which was made by a broken implementation, is refused too."""
    found = _BCRYPT.fullmatch(text)
    if found is None or not 4 <= int(found[1]) <= 15:
        raise UnusableHash("The bcrypt hash is malformed, or its cost is not from 4 to 15.")
    return text


def phpass_hash(text: str) -> str:
    """A portable phpass hash (`$P$`, `$H$`), 2^7 to 2^16 rounds of MD5. UnusableHash."""
    found = _PHPASS.fullmatch(text)
    if found is None or not 7 <= _ALPHABET.index(found[1]) <= 16:
        raise UnusableHash("The phpass hash is malformed, or its cost is not from 7 to 16.")
    return text


def digest_of(text: str, digest: str) -> bytes:
    """The bytes of an MD5, SHA-1 or SHA-512 in hexadecimal, either case. UnusableHash for any other length."""
    if len(text) != 2 * _DIGEST_BYTES[digest] or not text.isascii():
        raise UnusableHash("The digest has another length than its algorithm gives.")
    try:
        return bytes.fromhex(text) if text.isalnum() else _not_hexadecimal()
    except ValueError:
        raise UnusableHash("The digest is not hexadecimal.") from None


def _not_hexadecimal() -> bytes:
    raise ValueError


def pbkdf2_hash(algorithm: str, rounds: int, salt: bytes, key: bytes) -> str:
    """PBKDF2 (RFC 8018) in the one form that is kept. UnusableHash over 5,000,000 rounds, or for a key of fewer than 16 or more than 64 bytes."""
    within = 1 <= rounds <= MAXIMUM_ROUNDS and 16 <= len(key) <= 64 and 1 <= len(salt) <= 256
    if algorithm not in {"sha1", "sha256", "sha512"} or not within:
        raise UnusableHash("The parameters of the PBKDF2 hash are out of bounds.")
    return f"$pbkdf2-{algorithm}$i={rounds}${to_base64(salt)}${to_base64(key)}"


def django_hash(text: str) -> str:
    """Django's own writing of PBKDF2, `pbkdf2_sha256$rounds$salt$hash`. UnusableHash."""
    found = _DJANGO.fullmatch(text) if len(text) <= 512 else None
    if found is None:
        raise UnusableHash("The PBKDF2 hash is malformed.")
    return pbkdf2_hash(found[1], int(found[2]), found[3].encode("ascii"), from_base64(found[4]))


def scrypt_hash(n: int, r: int, p: int, salt: bytes, key: bytes) -> str:
    """Scrypt (RFC 7914) in the one form that is kept. UnusableHash unless N is a power of two from 2 to 262144, r at most 32, p at most 16, and all of it within 512 MiB."""
    power = n > 1 and n & (n - 1) == 0
    within = power and n <= 262_144 and 1 <= r <= 32 and 1 <= p <= 16 and n * r // 8 <= MAXIMUM_SCRYPT
    if not within or not 16 <= len(key) <= 128 or not 1 <= len(salt) <= 256:
        raise UnusableHash("The parameters of the scrypt hash are out of bounds.")
    return f"$scrypt$ln={n.bit_length() - 1},r={r},p={p}${to_base64(salt)}${to_base64(key)}"


def scrypt_encoded(text: str) -> str:
    """An encoded scrypt hash (PHC string format: `$scrypt$ln=..,r=..,p=..$salt$hash`). UnusableHash."""
    n, r, p, salt, key = _scrypt(text)
    return scrypt_hash(n, r, p, salt, key)


def matches(text: str, password: str | bytes) -> bool:
    """Whether a password, as it was typed, is the one of a kept hash of another system. UnusableHash for a text that is none."""
    typed = tokens.octets(password)
    if text.startswith("$2"):
        return _is_bcrypt(bcrypt_hash(text), typed)
    if text.startswith("$pbkdf2-"):
        algorithm, rounds, salt, key = _pbkdf2(text)
        return tokens.same(hashlib.pbkdf2_hmac(algorithm, typed, salt, rounds, len(key)), key)
    if text.startswith("$scrypt$"):
        return _is_scrypt(text, typed)
    return _is_phpass(phpass_hash(text), typed)


def memory_of(text: str) -> int:
    """KiB of memory that a comparison takes. UnusableHash."""
    if text.startswith("$scrypt$"):
        n, r, _, _, _ = _scrypt(text)
        return n * r // 8
    return 1


def from_base64(text: str) -> bytes:
    """Bytes of base64 in either alphabet, padded or not. UnusableHash."""
    plain = text.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise UnusableHash("A part of the hash is not base64.") from None


def to_base64(value: bytes) -> str:
    """Base64 without padding, as encoded hashes hold it."""
    return base64.b64encode(value).rstrip(b"=").decode("ascii")


def _is_bcrypt(text: str, typed: bytes) -> bool:
    import bcrypt

    try:
        # What bcrypt itself ignores: newer libraries refuse longer passwords instead of cutting, as the source of this hash did.
        return bcrypt.checkpw(typed[:BCRYPT_BYTES], text.encode("ascii"))
    except ValueError:
        raise UnusableHash("The bcrypt hash is malformed.") from None


def _pbkdf2(text: str) -> tuple[str, int, bytes, bytes]:
    found = _PBKDF2.fullmatch(text)
    if found is None or not 1 <= int(found[2]) <= MAXIMUM_ROUNDS:
        raise UnusableHash("The PBKDF2 hash is malformed.")
    return found[1], int(found[2]), from_base64(found[3]), from_base64(found[4])


def _scrypt(text: str) -> tuple[int, int, int, bytes, bytes]:
    found = _SCRYPT.fullmatch(text) if len(text) <= 1024 else None
    if found is None:
        raise UnusableHash("The scrypt hash is malformed.")
    log, r, p = (int(found[place]) for place in (1, 2, 3))
    if not 1 <= log <= 18 or not 1 <= r <= 32 or not 1 <= p <= 16 or 2**log * r // 8 > MAXIMUM_SCRYPT:
        raise UnusableHash("The parameters of the scrypt hash are out of bounds.")
    return 2**log, r, p, from_base64(found[4]), from_base64(found[5])


def _is_scrypt(text: str, typed: bytes) -> bool:
    n, r, p, salt, key = _scrypt(text)
    # The default ceiling of OpenSSL is 32 MiB, less than what common parameters take.
    ceiling = 128 * n * r + 128 * r * p + 2**20
    return tokens.same(hashlib.scrypt(typed, salt=salt, n=n, r=r, p=p, dklen=len(key), maxmem=ceiling), key)


def _is_phpass(text: str, typed: bytes) -> bool:
    """The portable hash of phpass: MD5 over and over, written in an alphabet of its own."""
    value = hashlib.md5(text[4:12].encode("ascii") + typed, usedforsecurity=False).digest()
    for _ in range(1 << _ALPHABET.index(text[3])):
        value = hashlib.md5(value + typed, usedforsecurity=False).digest()
    return tokens.same(text[12:], _phpass_letters(value))


def _phpass_letters(value: bytes) -> str:
    """Sixteen bytes as 22 letters: three bytes at a time, the lowest first, six bits a letter."""
    written = ""
    for start in range(0, len(value), 3):
        three = value[start : start + 3]
        number = int.from_bytes(three, "little")
        written += "".join(_ALPHABET[number >> 6 * place & 0x3F] for place in range(len(three) + 1))
    return written
