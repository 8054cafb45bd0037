"""The only source of randomness, and the one way to compare secrets.

Law: every bit comes from `secrets` (the operating system's generator); nothing is drawn from a clock, a counter or
what somebody told us. A secret is `token()`, `digits()` or `random_bytes()`; an id is a name and opens nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from datetime import UTC, datetime, timedelta

TOKEN_BYTES = 32
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_ENVIRONMENTS = frozenset({"test", "live"})
_JITTER_STEPS = 2**53
_FREE = 2**128 - 1 ^ 0xF << 76 ^ 0b11 << 62
_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
_CONSONANTS = "BCDFGHJKLMNPQRSTVWXZ"
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# What the last character can be: of a text of 4n, 4n+2 and 4n+3 characters it has six, two or four bits that count; the others are zero. None has 4n+1.
_LAST = (frozenset({"", *_ALPHABET}), frozenset[str](), frozenset(_ALPHABET[::16]), frozenset(_ALPHABET[::4]))


def random_bytes(count: int) -> bytes:
    """So many bytes from the operating system's generator. Raises ValueError for a count below 1."""
    _at_least_one(count)
    return secrets.token_bytes(count)


def token() -> str:
    """An opaque secret of 256 bits: 43 characters of unpadded base64url."""
    return base64url(secrets.token_bytes(TOKEN_BYTES))


def base64url(data: bytes) -> str:
    """Bytes as unpadded base64url (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def from_base64url(text: str) -> bytes:
    """The bytes that unpadded base64url stands for. Raises ValueError for anything else, a second spelling of the same bytes included (RFC 4648 section 3.5)."""
    if not _BASE64URL.fullmatch(text) or text[-1:] not in _LAST[len(text) % 4]:
        message = "This is not unpadded base64url."
        raise ValueError(message)
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def digits(count: int) -> str:
    """So many decimal digits, leading zeros kept, every number equally likely. Raises ValueError for a count below 1."""
    _at_least_one(count)
    return f"{secrets.randbelow(10**count):0{count}d}"


def letters(count: int) -> str:
    """So many lower-case letters and digits (36 of them, 5.17 bits each), every text equally likely. Raises ValueError for a count below 1."""
    _at_least_one(count)
    return "".join(secrets.choice(_LETTERS) for _ in range(count))


def consonants(count: int) -> str:
    """So many capital consonants (20 of them, 4.32 bits each), which are read off and typed easily and spell no words (RFC 8628 section 6.1). ValueError for a count below 1."""
    _at_least_one(count)
    return "".join(secrets.choice(_CONSONANTS) for _ in range(count))


def jitter() -> float:
    """A number from 0 up to, not including, 1."""
    return secrets.randbelow(_JITTER_STEPS) / _JITTER_STEPS


def uuid4() -> str:
    """A random UUID (RFC 9562 version 4). A name, never a secret."""
    return _written(int.from_bytes(secrets.token_bytes(16), "big"), 4)


def new_id(kind: str, environment: str) -> str:
    """A new identifier, `<kind>-<test|live>-<uuid4>`. A name, never a secret. Raises ValueError for any other environment."""
    return f"{kind}-{_known(environment)}-{uuid4()}"


def ordered_id(kind: str, environment: str, now: datetime) -> str:
    """A new identifier whose text sorts by time (RFC 9562 version 7), for keys of events; within one millisecond the order is random.

    Raises ValueError for a naive time, a time before 1970 and an environment other than `test` and `live`.
    """
    if now.tzinfo is None or now < _EPOCH:
        message = "An ordered id needs an aware time from 1970 on."
        raise ValueError(message)
    milliseconds = (now - _EPOCH) // _MILLISECOND
    random = int.from_bytes(secrets.token_bytes(10), "big")
    return f"{kind}-{_known(environment)}-{_written(milliseconds << 80 | random, 7)}"


def _written(number: int, version: int) -> str:
    """A number of 128 bits as a UUID, six of its bits giving way to version and variant (RFC 9562 section 4)."""
    text = f"{number & _FREE | version << 76 | 0b10 << 62:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def same(one: str | bytes, other: str | bytes) -> bool:
    """Whether two secrets are equal, in a time that depends neither on where they differ nor on how long the right one is.

    Both are hashed first, so what is compared always has 32 bytes. Text counts as its UTF-8.
    """
    return hmac.compare_digest(hashlib.sha256(octets(one)).digest(), hashlib.sha256(octets(other)).digest())


def digest(secret: str) -> str:
    """The SHA-256 of an opaque secret, in hexadecimal: what storage keeps instead of it.

    Only for secrets of high entropy (`token()`): a code of six digits is found again from its hash in no time and
    belongs under `RootKeys.mac`.
    """
    return hashlib.sha256(octets(secret)).hexdigest()


def octets(text: str | bytes) -> bytes:
    """Bytes as they are, text as UTF-8. Half a surrogate pair, which hostile JSON can hold, becomes bytes of its own instead of an error."""
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text


def _at_least_one(count: int) -> None:
    if count < 1:
        message = "Nothing random can be shorter than one."
        raise ValueError(message)


def _known(environment: str) -> str:
    if environment not in _ENVIRONMENTS:
        message = "An environment is test or live."
        raise ValueError(message)
    return environment
