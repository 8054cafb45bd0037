"""Base58 as Bitcoin and Solana write it, for values of a known size. The length is bounded before any arithmetic, which is quadratic."""

from __future__ import annotations

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_MAXIMUM = 90
"""Characters: 64 bytes take 88 at most."""


def encode(data: bytes) -> str:
    """Bytes as base58; each leading zero byte is a `1`."""
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = _ALPHABET[digit] + text
    zeros = len(data) - len(data.lstrip(b"\0"))
    return "1" * zeros + text


def decode(text: str, size: int) -> bytes | None:
    """The bytes that a text stands for, if it is the one base58 spelling of exactly so many; else None."""
    if not text or len(text) > _MAXIMUM or not set(text) <= _VALUES.keys():
        return None
    number = 0
    for character in text:
        number = number * 58 + _VALUES[character]
    if number >= 1 << 8 * size:
        return None
    data = number.to_bytes(size, "big")
    return data if encode(data) == text else None
