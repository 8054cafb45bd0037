"""Root keys: every key for sealing or HMAC is derived from one of them, by purpose.

Law: one purpose, one key (HKDF-SHA256, RFC 5869), and HMAC never shares a key with sealing. A version names a root
key whatever its place in the list, so what was made under an old one stays readable for as long as that key is
listed.

HKDF for 32 bytes is two HMACs, so the standard library does it: `cryptography` would cost 25 ms of import at start-up
(a test holds the two equal).
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import NoReturn, SupportsIndex, final

from authmw.crypto.tokens import base64url, octets

KEY_BYTES = 32
"""The least length of a root key, and the length of every derived key."""
_SALT = b"authmw/root/1"
_POSITIVE_32_BITS = 0x7FFF_FFFF


class UnknownKey(KeyError):
    """A value was made under a root key that is not in the list any more."""


@final
class RootKeys:
    """The root keys of a project, newest first; each at least 32 bytes of randomness. Raises ValueError for fewer bytes, no key, or a key given twice."""

    __slots__ = ("_derived", "_extracted", "newest")

    def __init__(self, keys: tuple[bytes, ...]) -> None:
        if not keys or any(len(key) < KEY_BYTES for key in keys):
            message = f"There must be a root key, and each must be at least {KEY_BYTES} bytes."
            raise ValueError(message)
        extracted = [hmac.digest(_SALT, key, "sha256") for key in keys]
        self._extracted = {_version(one): one for one in extracted}
        if len(self._extracted) != len(keys):
            message = "A root key is given twice."
            raise ValueError(message)
        self.newest = _version(extracted[0])
        self._derived: dict[tuple[str, int], bytes] = {}

    @property
    def versions(self) -> tuple[int, ...]:
        """The versions that can be read, newest first."""
        return tuple(self._extracted)

    def derive(self, purpose: str, version: int | None = None) -> bytes:
        """The 32-byte key for a purpose under one root key (the newest unless said). Raises UnknownKey, and ValueError for an empty purpose.

        Derived keys are kept, so a purpose is a constant of the code, never something that a request says.
        """
        wanted = (purpose, self.newest if version is None else version)
        known = self._derived.get(wanted)
        if known is None:
            # Two threads may both get here: they derive the same bytes.
            known = self._derived[wanted] = self._derive(*wanted)
        return known

    def every(self, purpose: str) -> list[bytes]:
        """The keys for a purpose under every root key, oldest first: what `itsdangerous` signs by the last of and reads by any of."""
        return [self.derive(purpose, version) for version in reversed(self.versions)]

    def mac(self, purpose: str, *parts: str | bytes, version: int | None = None) -> bytes:
        """HMAC-SHA256 (32 bytes) over the parts, each with its length before it, under the key for this purpose. Raises UnknownKey."""
        return hmac.digest(self.derive(f"mac {purpose}", version), joined(parts), "sha256")

    def token(self, purpose: str, *parts: str | bytes, version: int | None = None) -> str:
        """The same as 43 characters of base64url: an opaque token that can be made again from its parts. Raises UnknownKey."""
        return base64url(self.mac(purpose, *parts, version=version))

    def _derive(self, purpose: str, version: int) -> bytes:
        if not purpose:
            message = "A key is derived for a purpose."
            raise ValueError(message)
        if version not in self._extracted:
            raise UnknownKey(version)
        return _expanded(self._extracted[version], b"authmw/purpose/1 " + octets(purpose))

    def __repr__(self) -> str:
        return "RootKeys(***)"

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        message = "RootKeys cannot be pickled or copied."
        raise TypeError(message)


def joined(parts: Iterable[str | bytes]) -> bytes:
    """Parts as one byte string in which no two different lists look alike: each part follows its length."""
    encoded = [octets(part) for part in parts]
    return b"".join(len(part).to_bytes(8, "big") + part for part in encoded)


def _expanded(extracted: bytes, label: bytes) -> bytes:
    """HKDF-Expand for one block of SHA-256 (RFC 5869 section 2.3)."""
    return hmac.digest(extracted, label + b"\x01", "sha256")


def _version(extracted: bytes) -> int:
    """A number that fits a signed 32-bit column and says nothing about the key."""
    return int.from_bytes(_expanded(extracted, b"authmw/version/1")[:4], "big") & _POSITIVE_32_BITS
