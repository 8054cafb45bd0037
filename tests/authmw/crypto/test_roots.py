"""Root keys: KEY-02."""

from __future__ import annotations

import copy
import hmac
import pickle
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from authmw.crypto.roots import RootKeys, UnknownKey, joined
from authmw.crypto.tokens import octets

OLD, NEW = bytes(range(32)), bytes(range(32, 80))
ROOTS = RootKeys((NEW, OLD))
PART = st.text(max_size=8) | st.binary(max_size=8)


def test_derivation_is_hkdf_of_the_standard() -> None:
    """RFC 5869, as `cryptography` computes it."""
    reference = HKDF(SHA256(), 32, salt=b"authmw/root/1", info=b"authmw/purpose/1 codes")
    assert ROOTS.derive("codes") == reference.derive(NEW)


def test_a_derived_key_has_32_bytes_and_is_stable() -> None:
    assert len(ROOTS.derive("codes")) == 32
    assert ROOTS.derive("codes") == RootKeys((NEW,)).derive("codes")
    assert ROOTS.derive("codes") == ROOTS.derive("codes", ROOTS.newest)


def test_purposes_and_root_keys_have_keys_of_their_own() -> None:
    old = ROOTS.versions[1]
    keys = {ROOTS.derive("codes"), ROOTS.derive("links"), ROOTS.derive("codes", old), ROOTS.derive("links", old)}
    assert len(keys) == 4


def test_a_mac_is_under_another_key_than_derivation_gives_for_its_purpose() -> None:
    assert ROOTS.mac("codes", "1") != hmac.digest(ROOTS.derive("codes"), joined(("1",)), "sha256")


def test_a_version_stays_with_its_key_when_the_order_changes() -> None:
    turned = RootKeys((OLD, NEW))
    assert turned.versions == ROOTS.versions[::-1]
    assert turned.newest == ROOTS.versions[1]
    for version in ROOTS.versions:
        assert turned.derive("codes", version) == ROOTS.derive("codes", version)


def test_the_newest_key_is_the_first_one() -> None:
    assert ROOTS.newest == ROOTS.versions[0] == RootKeys((NEW,)).newest


def test_a_version_fits_a_signed_32_bit_column() -> None:
    assert all(0 <= version < 2**31 for version in RootKeys(tuple(bytes([n]) * 32 for n in range(100))).versions)


@pytest.mark.parametrize(
    "use", [ROOTS.derive, lambda p, v: ROOTS.mac(p, version=v), lambda p, v: ROOTS.token(p, version=v)]
)
def test_a_version_that_is_gone_is_unknown(use: Callable[[str, int], object]) -> None:
    gone = RootKeys((b"x" * 32,)).newest
    with pytest.raises(UnknownKey):
        use("codes", gone)
    assert issubclass(UnknownKey, KeyError)


@pytest.mark.parametrize("keys", [(), (b"x" * 31,), (NEW, b""), (b"short", NEW)])
def test_too_few_bytes_make_no_root_key(keys: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="at least 32 bytes"):
        RootKeys(keys)


def test_a_root_key_is_not_listed_twice() -> None:
    with pytest.raises(ValueError, match="twice"):
        RootKeys((NEW, OLD, NEW))


def test_a_key_without_a_purpose_is_not_derived() -> None:
    with pytest.raises(ValueError, match="purpose"):
        ROOTS.derive("")


def test_root_keys_are_not_shown_and_not_pickled() -> None:
    assert repr(ROOTS) == str(ROOTS) == "RootKeys(***)"
    for leak in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            leak(ROOTS)


@given(st.lists(PART), st.lists(PART))
def test_different_parts_never_look_alike(one: list[str | bytes], other: list[str | bytes]) -> None:
    same_parts = [octets(part) for part in one] == [octets(part) for part in other]
    assert (joined(one) == joined(other)) == same_parts
    assert (ROOTS.mac("codes", *one) == ROOTS.mac("codes", *other)) == same_parts


def test_moving_a_border_between_parts_changes_the_mac() -> None:
    macs = {ROOTS.mac("codes", "ab", "c"), ROOTS.mac("codes", "a", "bc"), ROOTS.mac("codes", "abc")}
    assert len(macs | {ROOTS.mac("codes", "abc", ""), ROOTS.mac("codes")}) == 5


def test_a_derived_token_is_the_same_again_and_looks_like_a_token() -> None:
    token = ROOTS.token("sessions", "id", b"random")
    assert token == ROOTS.token("sessions", "id", b"random", version=ROOTS.newest)
    assert len(token) == 43
    assert token != ROOTS.token("sessions", "id", b"random", version=ROOTS.versions[1])
