"""A secret shows itself on purpose only."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable

import msgspec
import pytest

from authmw.crypto.secret import Secret

TEXT = "not to be seen"
SECRET = Secret(TEXT)


@pytest.mark.parametrize(
    "show",
    [repr, str, "{}".format, "{:>40}".format, "{!r}".format, lambda one: "%s %r" % (one, one), lambda one: repr([one])],  # noqa: UP031
)
def test_no_way_of_printing_shows_a_secret(show: Callable[[object], str]) -> None:
    assert TEXT not in show(SECRET)
    assert "Secret(***)" in show(SECRET)


def test_a_secret_is_revealed_on_purpose() -> None:
    assert SECRET.reveal() == TEXT


@pytest.mark.parametrize("leak", [pickle.dumps, copy.copy, copy.deepcopy, iter, len, vars, json.dumps])
def test_a_secret_cannot_be_pickled_copied_iterated_or_dumped(leak: Callable[[object], object]) -> None:
    with pytest.raises(TypeError) as refusal:
        leak(SECRET)
    assert TEXT not in str(refusal.value)


@pytest.mark.parametrize("encode", [msgspec.json.encode, msgspec.msgpack.encode, msgspec.to_builtins])
def test_no_encoder_writes_a_secret(encode: Callable[[object], object]) -> None:
    with pytest.raises(TypeError) as refusal:
        encode(SECRET)
    assert TEXT not in str(refusal.value)


def test_secrets_are_equal_by_their_text_and_hash_alike() -> None:
    assert Secret(TEXT) == SECRET
    assert hash(Secret(TEXT)) == hash(SECRET)
    assert Secret("another") != SECRET


def test_a_secret_never_equals_a_text() -> None:
    assert SECRET != TEXT


def test_a_secret_cannot_be_changed() -> None:
    secret = Secret(TEXT)
    for name in ("_text", "other"):
        with pytest.raises(AttributeError):
            setattr(secret, name, "changed")
        with pytest.raises(AttributeError):
            delattr(secret, name)
    assert secret.reveal() == TEXT
