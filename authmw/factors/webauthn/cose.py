"""Public keys of authenticators (COSE, RFC 9052 section 7): which are accepted, and loading them.

Law: a key is loaded before it is kept (WAN-07). A point off its curve, a short or odd RSA key and an Ed25519 key of small order, under which one signature fits many messages,
register nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import attrs

from authmw.crypto import ed25519
from authmw.errors import AuthError

EDDSA, ES256, RS256 = -8, -7, -257
ALGORITHMS = (EDDSA, ES256, RS256)
"""What an authenticator is offered, best first (IANA COSE Algorithms)."""

_RSA_BITS = range(2048, 8193)
_EXPONENT = b"\x01\x00\x01"


class InvalidKey(AuthError):
    """A public key is none that is accepted; what is wrong with it is not said."""

    def __init__(self) -> None:
        super().__init__("The public key is not valid.")


@attrs.frozen
class _Form:
    """What a key of one algorithm must hold: fixed labels, and the labels of its numbers."""

    fixed: Mapping[int, int]
    numbers: tuple[int, ...]
    load: Callable[[Mapping[int, Any]], object]


def _load_ed25519(key: Mapping[int, Any]) -> object:
    ed25519.check_key(key[-2])
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return Ed25519PublicKey.from_public_bytes(key[-2])


def _load_p256(key: Mapping[int, Any]) -> object:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicNumbers

    x, y = key[-2], key[-3]
    if len(x) != 32 or len(y) != 32:
        raise InvalidKey
    return EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), SECP256R1()).public_key()


def _load_rsa(key: Mapping[int, Any]) -> object:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

    modulus = int.from_bytes(key[-1], "big")
    canonical = len(key[-1]) == (modulus.bit_length() + 7) // 8
    if modulus.bit_length() not in _RSA_BITS or modulus % 2 == 0 or not canonical or key[-2] != _EXPONENT:
        raise InvalidKey
    return RSAPublicNumbers(int.from_bytes(_EXPONENT, "big"), modulus).public_key()


_FORMS: Mapping[int, _Form] = {
    EDDSA: _Form({1: 1, 3: EDDSA, -1: 6}, (-2,), _load_ed25519),
    ES256: _Form({1: 2, 3: ES256, -1: 1}, (-2, -3), _load_p256),
    RS256: _Form({1: 3, 3: RS256}, (-1, -2), _load_rsa),
}


def check_key(key: object) -> int:
    """The algorithm of a decoded COSE key. Raises InvalidKey unless it has exactly the labels of its kind and loads."""
    if not isinstance(key, dict):
        raise InvalidKey
    labels = cast("Mapping[int, Any]", key)
    try:
        form = _FORMS[labels[3]]
        numbers = [labels[label] for label in form.numbers]
        fixed = all(type(labels[label]) is int and labels[label] == value for label, value in form.fixed.items())
        if set(labels) != {*form.fixed, *form.numbers} or not fixed or any(type(one) is not bytes for one in numbers):
            raise InvalidKey
        form.load(labels)
    except (KeyError, TypeError, ValueError, ed25519.InvalidSignature):
        raise InvalidKey from None
    return form.fixed[3]
