"""Ed25519, strictly."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from authmw.crypto.ed25519 import InvalidSignature, check_key, is_small_order, verify

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def add(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    """The sum of two points of the curve -x^2 + y^2 = 1 + d x^2 y^2 (RFC 8032 section 5.1)."""
    (x1, y1), (x2, y2) = one, other
    product = D * x1 * x2 * y1 * y2
    return (
        (x1 * y2 + x2 * y1) * pow(1 + product, -1, P) % P,
        (y1 * y2 + x1 * x2) * pow(1 - product, -1, P) % P,
    )


def small_order_points() -> set[tuple[int, int]]:
    """Every point whose order divides 8, found from the curve alone: the multiples of one of order 8."""
    # (0, -1) has order 2 and (sqrt(-1), 0) order 4; a point of order 8 doubles to the latter.
    root = pow(2, (P - 1) // 4, P)
    for y_squared in _roots_of_doubling():
        for y in _square_roots(y_squared):
            for x in _square_roots((y * y - 1) * pow(D * y * y + 1, -1, P) % P):
                if add((x, y), (x, y)) in {(root, 0), (P - root, 0)}:
                    points, point = set(), (0, 1)
                    for _ in range(8):
                        points.add(point)
                        point = add(point, (x, y))
                    return points
    raise AssertionError


def _square_roots(value: int) -> list[int]:
    root = pow(value, (P + 3) // 8, P)
    return [
        candidate % P
        for candidate in (root, -root, root * pow(2, (P - 1) // 4, P), -root * pow(2, (P - 1) // 4, P))
        if candidate * candidate % P == value % P
    ]


def _roots_of_doubling() -> list[int]:
    # Doubling gives y = 0 where y^2 = -x^2, so d y^4 + 2 y^2 - 1 = 0.
    return [candidate for root in _square_roots((1 + D) % P) for candidate in [(-1 + root) * pow(D, -1, P) % P]]


def test_the_list_of_small_orders_is_what_the_curve_says() -> None:
    """WAL-03."""
    points = small_order_points()
    assert len(points) == 8
    for x, y in points:
        for spelling in (y, y + P):
            if spelling < 2**255:
                encoded = (spelling | (x & 1) << 255).to_bytes(32, "little")
                assert is_small_order(encoded)
                with pytest.raises(InvalidSignature):
                    check_key(encoded)


@given(st.binary(max_size=64), st.binary(min_size=32, max_size=32))
def test_a_signature_holds_for_its_key_and_message_only(message: bytes, seed: bytes) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    key, signature = private.public_key().public_bytes_raw(), private.sign(message)
    verify(key, signature, message)
    malleated = signature[:32] + (int.from_bytes(signature[32:], "little") + L).to_bytes(32, "little")
    for wrong_key, wrong_signature, wrong_message in (
        (key, signature, message + b"x"),
        (key, malleated, message),
        (key, signature[:-1], message),
        (key, b"", message),
        (key[:-1], signature, message),
        (Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw(), signature, message + b"x"),
    ):
        with pytest.raises(InvalidSignature):
            verify(wrong_key, wrong_signature, wrong_message)


def test_a_forgery_under_a_small_order_key_is_refused() -> None:
    """The all-zero S with R of small order verifies under a small-order key wherever nobody looks."""
    one = (1).to_bytes(32, "little")
    with pytest.raises(InvalidSignature):
        verify(one, one + bytes(32), b"any message")
