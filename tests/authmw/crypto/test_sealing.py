"""Sealing at rest: KEY-02, A301."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.crypto.roots import RootKeys
from authmw.crypto.sealing import OVERHEAD, SealBroken, needs_resealing, seal, unseal

OLD, NEW = b"o" * 32, b"n" * 32
BEFORE, AFTER, LATER = RootKeys((OLD,)), RootKeys((NEW, OLD)), RootKeys((NEW,))
PLAIN = b"the seed of a generator"
SEALED = seal(AFTER, "totp", "totp-1", PLAIN)


@given(st.binary(), st.text(min_size=1), st.text())
def test_what_was_sealed_opens_for_its_purpose_and_record(plain: bytes, purpose: str, record_id: str) -> None:
    sealed = seal(AFTER, purpose, record_id, plain)
    assert unseal(AFTER, purpose, record_id, sealed) == plain
    assert len(sealed) == len(plain) + OVERHEAD


def test_the_format_is_version_one_with_the_newest_key() -> None:
    assert OVERHEAD == 33
    assert SEALED[:5] == b"\x01" + AFTER.newest.to_bytes(4, "big")
    assert PLAIN not in SEALED


def test_sealing_twice_gives_two_values() -> None:
    assert seal(AFTER, "totp", "totp-1", PLAIN) != SEALED


@pytest.mark.parametrize(
    ("purpose", "record_id"),
    [("totp", "totp-2"), ("recovery", "totp-1"), ("tot", "ptotp-1"), ("totptotp-1", ""), ("totp", "")],
)
def test_a_sealed_value_moved_to_another_purpose_or_record_does_not_open(purpose: str, record_id: str) -> None:
    with pytest.raises(SealBroken):
        unseal(AFTER, purpose, record_id, SEALED)


def test_a_sealed_value_relabelled_with_another_version_does_not_open() -> None:
    moved = SEALED[:1] + BEFORE.newest.to_bytes(4, "big") + SEALED[5:]
    with pytest.raises(SealBroken):
        unseal(AFTER, "totp", "totp-1", moved)


def test_a_value_of_another_project_does_not_open() -> None:
    with pytest.raises(SealBroken):
        unseal(BEFORE, "totp", "totp-1", SEALED)


@given(st.integers(0, len(SEALED) - 1), st.integers(1, 255))
def test_one_changed_byte_anywhere_breaks_the_seal(position: int, difference: int) -> None:
    changed = bytearray(SEALED)
    changed[position] ^= difference
    with pytest.raises(SealBroken):
        unseal(AFTER, "totp", "totp-1", bytes(changed))


@pytest.mark.parametrize("length", range(len(SEALED)))
def test_a_cut_value_is_broken(length: int) -> None:
    with pytest.raises(SealBroken):
        unseal(AFTER, "totp", "totp-1", SEALED[:length])


@given(st.binary(max_size=80))
def test_garbage_is_broken_and_nothing_else(garbage: bytes) -> None:
    with pytest.raises(SealBroken):
        unseal(AFTER, "totp", "totp-1", garbage)


def test_old_values_open_after_rotation_and_ask_for_resealing() -> None:
    old = seal(BEFORE, "totp", "totp-1", PLAIN)
    assert unseal(AFTER, "totp", "totp-1", old) == PLAIN
    assert needs_resealing(AFTER, old)
    assert not needs_resealing(AFTER, SEALED)
    assert needs_resealing(LATER, old)


def test_new_values_are_sealed_under_the_newest_key() -> None:
    assert unseal(LATER, "totp", "totp-1", SEALED) == PLAIN


@pytest.mark.parametrize("garbage", [b"", b"\x02" + SEALED[1:], SEALED[:32]], ids=["empty", "version", "cut"])
def test_what_cannot_be_a_sealed_value_is_not_judged_for_resealing(garbage: bytes) -> None:
    with pytest.raises(SealBroken):
        needs_resealing(AFTER, garbage)


def test_a_broken_seal_says_nothing_of_why() -> None:
    said = set[str]()
    for purpose, sealed in (("totp", b""), ("recovery", SEALED), ("totp", b"\x01" + bytes(40))):
        with pytest.raises(SealBroken) as refusal:
            unseal(AFTER, purpose, "totp-1", sealed)
        said.add(str(refusal.value))
    assert said == {"A sealed value cannot be opened."}
