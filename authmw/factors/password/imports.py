"""Hashes that another system kept, as they arrive at import: read into the one form that is kept, or refused by a name that says what is wrong.

Law: a hash is read to its last character and bounded now, or not at all (PWD-07). The words of a refusal hold nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, TypeAlias, TypeVar

import attrs
import msgspec
from msgspec import Meta

from authmw.crypto import imported_hashes as imported
from authmw.crypto.passwords import Digest, UnusableHash, read_argon2
from authmw.errors import Refused

T = TypeVar("T")
HashType: TypeAlias = Literal[
    "bcrypt", "md_5", "argon_2i", "argon_2id", "sha_1", "sha_512", "scrypt", "phpass", "pbkdf_2"
]
HashText: TypeAlias = Annotated[str, Meta(min_length=1, max_length=1024)]
Salt: TypeAlias = Annotated[str, Meta(max_length=512)]
Number: TypeAlias = Annotated[int, Meta(ge=0, le=2**31 - 1)]
_DIGESTS: dict[HashType, tuple[Digest, str]] = {
    "md_5": ("md5", "invalid_md_5_hash"),
    "sha_1": ("sha1", "invalid_sha_1_hash"),
    "sha_512": ("sha512", "invalid_sha_512_hash"),
}


class DigestConfig(msgspec.Struct, kw_only=True):
    """What was hung before and behind a password before it was hashed; text, as it was typed."""

    prepend_salt: Salt = ""
    append_salt: Salt = ""


class Argon2Config(msgspec.Struct, kw_only=True):
    """The parameters of an argon2 hash that is not encoded: `salt` in base64, `memory` in KiB, `key_length` in bytes."""

    salt: Salt
    iteration_amount: Number
    memory: Number
    threads: Number
    key_length: Number


class ScryptConfig(msgspec.Struct, kw_only=True):
    """The parameters of a scrypt hash: `salt` in base64, `key_length` in bytes."""

    salt: Salt
    n_parameter: Number
    r_parameter: Number
    p_parameter: Number
    key_length: Number


class PBKDF2Config(msgspec.Struct, kw_only=True):
    """The parameters of a PBKDF2 hash: `salt` in base64, `key_length` in bytes, `algorithm` sha1, sha256 or sha512."""

    salt: Salt
    iteration_amount: Number
    key_length: Number
    algorithm: Annotated[str, Meta(max_length=16)] = "sha256"


@attrs.frozen(kw_only=True)
class Configs:
    """What came beside a hash."""

    md5: DigestConfig | None = None
    sha1: DigestConfig | None = None
    sha512: DigestConfig | None = None
    argon2: Argon2Config | None = None
    scrypt: ScryptConfig | None = None
    pbkdf2: PBKDF2Config | None = None

    def of_digest(self, digest: Digest) -> DigestConfig:
        """The salts of a plain digest; none where none were given."""
        return {"md5": self.md5, "sha1": self.sha1, "sha512": self.sha512}.get(digest) or DigestConfig()


@attrs.frozen(kw_only=True)
class Imported:
    """A hash as it will be kept: its text, or the bytes of a fast digest that argon2id is laid over first, with its salts."""

    text: str = attrs.field(default="", repr=False)
    digest: Digest = ""
    value: bytes = attrs.field(default=b"", repr=False)
    before: str = attrs.field(default="", repr=False)
    after: str = attrs.field(default="", repr=False)


def read_hash(hash_type: HashType, text: str, configs: Configs) -> Imported:
    """A hash of another system. Refused by the error types that say which part is wrong."""
    if hash_type in _DIGESTS:
        digest, refusal = _DIGESTS[hash_type]
        salts = configs.of_digest(digest)
        value = _or(refusal, lambda: imported.digest_of(text, digest))
        return Imported(digest=digest, value=value, before=salts.prepend_salt, after=salts.append_salt)
    if hash_type == "bcrypt":
        return Imported(text=_or("invalid_bcrypt_hash", lambda: imported.bcrypt_hash(text)))
    if hash_type == "phpass":
        return Imported(text=_or("invalid_phpass_hash_format", lambda: imported.phpass_hash(text)))
    if hash_type == "scrypt":
        return Imported(text=_scrypt(text, configs.scrypt))
    if hash_type == "pbkdf_2":
        return Imported(text=_pbkdf2(text, configs.pbkdf2))
    return Imported(text=_argon2("argon2i" if hash_type == "argon_2i" else "argon2id", text, configs.argon2))


def _argon2(kind: str, text: str, config: Argon2Config | None) -> str:
    """The encoded hash (PHC string format), given so or in its parts."""
    encoded = text
    if config is not None and not text.startswith("$"):
        salt = _or("invalid_argon_2_salt", lambda: imported.from_base64(config.salt))
        if not 8 <= len(salt) <= 96:
            raise Refused("invalid_argon_2_salt")
        key = _key(text, config.key_length, "argon_2_key_length_mismatch")
        parameters = f"m={config.memory},t={config.iteration_amount},p={config.threads}"
        encoded = f"${kind}$v=19${parameters}${imported.to_base64(salt)}${imported.to_base64(key)}"
    if not encoded.startswith(f"${kind}$"):
        raise Refused("invalid_hash")
    _or("invalid_hash", lambda: read_argon2(encoded))
    return encoded


def _scrypt(text: str, config: ScryptConfig | None) -> str:
    if config is None:
        return _or("invalid_hash", lambda: imported.scrypt_encoded(text))
    n = config.n_parameter
    if not 1 < n <= 262_144 or n & (n - 1):
        raise Refused("invalid_scrypt_n_parameter")
    salt = _or("invalid_base64_scrypt_salt", lambda: imported.from_base64(config.salt))
    key = _or("invalid_base64_scrypt_hash", lambda: imported.from_base64(text))
    if len(key) != config.key_length:
        raise Refused("scrypt_key_length_mismatch")
    return _or(
        "invalid_scrypt_parameters",
        lambda: imported.scrypt_hash(n, config.r_parameter, config.p_parameter, salt, key),
    )


def _pbkdf2(text: str, config: PBKDF2Config | None) -> str:
    if config is None:
        return _or("invalid_pbkdf_2_hash", lambda: imported.django_hash(text))
    if config.algorithm not in {"sha1", "sha256", "sha512"}:
        raise Refused("invalid_pbkdf_2_algorithm")
    if not 1 <= config.iteration_amount <= imported.MAXIMUM_ROUNDS:
        raise Refused("invalid_pbkdf_2_iteration_amount")
    salt = _or("invalid_pbkdf_2_salt", lambda: imported.from_base64(config.salt))
    if not 1 <= len(salt) <= 256:
        raise Refused("invalid_pbkdf_2_salt")
    key = _or("invalid_pbkdf_2_hash", lambda: imported.from_base64(text))
    if len(key) != config.key_length:
        raise Refused("pbkdf_2_key_length_mismatch")
    return _or(
        "invalid_pbkdf_2_hash", lambda: imported.pbkdf2_hash(config.algorithm, config.iteration_amount, salt, key)
    )


def _key(text: str, length: int, mismatch: str) -> bytes:
    """The bytes of a hash that is not encoded: hexadecimal if it has exactly the digits for that, else base64."""
    try:
        key = bytes.fromhex(text) if len(text) == 2 * length and text.isalnum() else imported.from_base64(text)
    except ValueError:
        raise Refused(mismatch) from None
    if len(key) != length:
        raise Refused(mismatch)
    return key


def _or(refusal: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except UnusableHash:
        raise Refused(refusal) from None
