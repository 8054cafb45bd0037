"""Password hashes: how a password is kept, compared and made stronger over time.

Law: the whole password counts. It is normalised once (NFC, SP 800-63B-4 section 3.1.1.2) and nothing else happens to it: no cutting, no trimming, NUL and every code
point kept. New hashes are argon2id (RFC 9106) with their parameters in the hash. Whatever is read back is bounded before it costs anything (PWD-07), because a row of
a database is not trusted with the machine's memory.

The functions here hold a core for tens of milliseconds: operations call them through `drive.heavy`, never directly.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Literal, TypeAlias

import attrs
import msgspec

from authmw.crypto import tokens
from authmw.crypto.roots import RootKeys

MAXIMUM_POINTS = 1024
"""Code points of the longest password; it has then at most 4096 bytes (PWD-04)."""
SALT_BYTES = 16
HASH_BYTES = 32

Digest: TypeAlias = Literal["", "md5", "sha1", "sha512"]
_PEPPER = "password"
_ARGON2 = re.compile(
    r"\$(argon2id?)\$v=(\d{1,2})\$m=(\d{1,10}),t=(\d{1,10}),p=(\d{1,3})\$([A-Za-z0-9+/]{11,128})\$([A-Za-z0-9+/]{22,342})",
    re.ASCII,
)


class UnusableHash(ValueError):
    """A hash is malformed, or its parameters would cost more than a record may cost. Holds nothing of it."""


@attrs.frozen(kw_only=True)
class Cost:
    """What one argon2id hash costs: memory in KiB, passes over it, lanes (RFC 9106 section 3.1)."""

    memory_kib: int = 19_456
    iterations: int = 2
    parallelism: int = 1


class StoredHash(msgspec.Struct, frozen=True, omit_defaults=True):
    """A password as it rests, sealed, in its credential.

    `text` is the hash in the form of its scheme (`$argon2id$...` for every hash of ours). `pepper` is the version of the pepper that went in. `digest` with its two salts says that
    argon2id was laid over a fast hash that was imported: what is verified is the digest of the password, not the password. `as_typed` says that another system made the hash, of what was typed.
    """

    text: str
    pepper: int | None = None
    digest: Digest = ""
    before: str = ""
    after: str = ""
    as_typed: bool = False

    def __repr__(self) -> str:
        return "StoredHash(***)"


@attrs.frozen(kw_only=True)
class Argon2:
    """The parameters of one argon2 hash, within bounds."""

    kind: Literal["argon2id", "argon2i"]
    memory_kib: int
    iterations: int
    parallelism: int
    salt_bytes: int
    hash_bytes: int


def normalized(password: str) -> str:
    """The one form in which a password is set and checked: NFC, so that two keyboards type the same one; a ligature or a full-width letter stays what it is."""
    return unicodedata.normalize("NFC", password)


def hashed(password: str, cost: Cost, peppers: RootKeys | None = None) -> StoredHash:
    """A new hash of a password, under the newest pepper if there is one."""
    version = peppers.newest if peppers else None
    return StoredHash(text=_argon2id(_seasoned(normalized(password), peppers, version), cost), pepper=version)


def decoy(cost: Cost, peppers: RootKeys | None = None) -> StoredHash:
    """A hash of no password that costs what one of ours does to compare with: what is compared where nobody is known (ENU-02)."""
    text = f"$argon2id$v=19$m={cost.memory_kib},t={cost.iterations},p={cost.parallelism}${_nothing(SALT_BYTES)}${_nothing(HASH_BYTES)}"
    return StoredHash(text=text, pepper=peppers.newest if peppers else None)


def _nothing(count: int) -> str:
    return "A" * (-(-count * 8 // 6))


def wrapped(digest: Digest, value: bytes, before: str, after: str, cost: Cost, peppers: RootKeys | None) -> StoredHash:
    """A fast hash of another system, laid under argon2id at import, so that no dump holds a hash that can be guessed fast (PWD-02)."""
    version = peppers.newest if peppers else None
    text = _argon2id(_peppered(value, peppers, version), cost)
    return StoredHash(text=text, pepper=version, digest=digest, before=before, after=after)


def matches(stored: StoredHash, password: str, peppers: RootKeys | None = None) -> bool:
    """Whether a password is the one that was hashed. False also for a hash whose pepper is gone, and UnusableHash for one that is none of ours.

    A hash of ours compares the normalised password; one that was imported compares what was typed, exactly as its source did.
    """
    if not stored.text.startswith("$argon2"):
        from authmw.crypto import imported_hashes

        return imported_hashes.matches(stored.text, password)
    read_argon2(stored.text)
    if stored.pepper is not None and (peppers is None or stored.pepper not in peppers.versions):
        return False
    if stored.digest:
        typed = hashlib.new(stored.digest, usedforsecurity=False)
        typed.update(tokens.octets(stored.before + password + stored.after))
        return _is_argon2(stored.text, _peppered(typed.digest(), peppers, stored.pepper))
    imported = stored.as_typed or stored.text.startswith("$argon2i$")
    return _is_argon2(stored.text, _seasoned(password if imported else normalized(password), peppers, stored.pepper))


def is_weaker(stored: StoredHash, cost: Cost, peppers: RootKeys | None = None) -> bool:
    """Whether a hash should be made anew when its password is next known: another scheme than argon2id, an older or no pepper, or parameters below the policy.

    One that is stronger stays: a sign-in never makes a hash weaker, which the library's own comparison would do.
    """
    if stored.digest or not stored.text.startswith("$argon2id$"):
        return True
    if peppers is not None and stored.pepper != peppers.newest:
        return True
    found = read_argon2(stored.text)
    return (
        found.memory_kib < cost.memory_kib
        or found.iterations < cost.iterations
        or found.salt_bytes < SALT_BYTES
        or found.hash_bytes < HASH_BYTES
    )


def memory_of(text: str) -> int:
    """KiB of memory that comparing with a stored hash takes. UnusableHash if it cannot be compared with."""
    if text.startswith("$argon2"):
        return read_argon2(text).memory_kib
    from authmw.crypto import imported_hashes

    return imported_hashes.memory_of(text)


def read_argon2(text: str) -> Argon2:
    """The parameters of an encoded argon2 hash (PHC string format). UnusableHash for argon2d, and for more than 1 GiB, 20 passes or 4 GiB of memory passed over."""
    found = _ARGON2.fullmatch(text) if len(text) <= 512 else None
    if found is None:
        raise UnusableHash("The argon2 hash is malformed.")
    memory, iterations, lanes = (int(found[place]) for place in (3, 4, 5))
    salt_bytes, hash_bytes = (len(found[place]) * 3 // 4 for place in (6, 7))
    within = 8 * lanes <= memory <= 2**20 and 1 <= iterations <= 20 and 1 <= lanes <= 16
    if not within or memory * iterations > 2**22 or salt_bytes < 8 or hash_bytes < 16 or int(found[2]) not in {16, 19}:
        raise UnusableHash("The parameters of the argon2 hash are out of bounds.")
    return Argon2(
        kind="argon2id" if found[1] == "argon2id" else "argon2i",
        memory_kib=memory,
        iterations=iterations,
        parallelism=lanes,
        salt_bytes=salt_bytes,
        hash_bytes=hash_bytes,
    )


def _seasoned(password: str, peppers: RootKeys | None, version: int | None) -> bytes:
    return _peppered(tokens.octets(password), peppers, version)


def _peppered(secret: bytes, peppers: RootKeys | None, version: int | None) -> bytes:
    """What argon2 is given: the secret, or its HMAC under the pepper."""
    if peppers is None or version is None:
        return secret
    return peppers.mac(_PEPPER, secret, version=version)


def _argon2id(secret: bytes, cost: Cost) -> str:
    from argon2.low_level import Type, hash_secret

    encoded = hash_secret(
        secret,
        tokens.random_bytes(SALT_BYTES),
        time_cost=cost.iterations,
        memory_cost=cost.memory_kib,
        parallelism=cost.parallelism,
        hash_len=HASH_BYTES,
        type=Type.ID,
    )
    return encoded.decode("ascii")


def _is_argon2(text: str, secret: bytes) -> bool:
    from argon2.exceptions import Argon2Error
    from argon2.low_level import Type, verify_secret

    kind = Type.ID if text.startswith("$argon2id$") else Type.I
    try:
        return verify_secret(text.encode("ascii"), secret, kind)
    except Argon2Error:
        return False
