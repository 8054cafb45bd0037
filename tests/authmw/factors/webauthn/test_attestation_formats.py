"""Statements of every format that makers of authenticators use: verified, held to the roots that a project trusts, and refused where anything in them is not so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from authmw import Settings
from authmw.errors import Misconfigured, Refused
from authmw.factors.webauthn.answers import read_attestation
from authmw.factors.webauthn.verification import Registered, verify_registration
from authmw.passkeys import ATTESTATION_FORMATS, WebAuthnRules
from authmw.testing import AttestationAuthority, VirtualAuthenticator
from authmw.testing.lies import with_another_bit
from tests.attestations import STATEMENTS, stated
from tests.authmw.factors.webauthn.test_verification import NOW, ORIGIN, PARTY, UNMADE, creation
from tests.stories import test_webauthn
from tests.world import PROJECT_ID, SECRET, make_world

OWN_ROOTS = ("apple", "android-key")
"""Formats that the library holds to their makers' roots by itself."""


def made(
    name: str,
    maker: AttestationAuthority,
    *,
    roots: tuple[str, ...],
    formats: tuple[str, ...] = ATTESTATION_FORMATS,
    lie: Callable[[dict[str, Any]], None] | None = None,
) -> Registered:
    answer = VirtualAuthenticator(attestation="self").register(
        creation(), origin=ORIGIN, edits=stated(name, maker, lie)
    )
    attestation = read_attestation(answer)
    return verify_registration(attestation, PARTY, user_verification=True, roots=roots, now=NOW, formats=formats)


def refused(name: str, maker: AttestationAuthority, **how: Any) -> None:
    with pytest.raises(Refused) as refusal:
        made(name, maker, **how)
    assert refusal.value.error_type == UNMADE


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_of_a_trusted_maker_registers_and_of_any_other_does_not(name: str) -> None:
    """A127, WAN-06."""
    maker, other = AttestationAuthority(), AttestationAuthority()
    assert made(name, maker, roots=(maker.root,)).key.attestation == name
    assert made(name, maker, roots=(maker.root, other.root)).key.attestation == name
    refused(name, other, roots=(maker.root,))
    if name in OWN_ROOTS:
        refused(name, maker, roots=())
    else:
        assert made(name, maker, roots=()).key.attestation == name


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_format_that_a_project_does_not_take_is_refused(name: str) -> None:
    maker = AttestationAuthority()
    left = tuple(one for one in ATTESTATION_FORMATS if one != name)
    refused(name, maker, roots=(maker.root,), formats=left)


def _foreign_chain(statement: dict[str, Any]) -> None:
    maker = AttestationAuthority()
    statement["x5c"] = maker.certify(bytes(16))[1]


LIES: dict[str, Callable[[dict[str, Any]], None]] = {
    "signature": lambda said: said.update(sig=with_another_bit(said["sig"])),
    "no signature": lambda said: said.pop("sig"),
    "no certificate": lambda said: said.pop("x5c"),
    "no certificates": lambda said: said.update(x5c=[]),
    "a certificate of another maker": _foreign_chain,
    "no certificate at all": lambda said: said.update(x5c=[b"\x30\x00"]),
    "something beside": lambda said: said.update(more=1),
    "another module's public area": lambda said: said.update(pubArea=with_another_bit(said["pubArea"])),
    "another module's statement": lambda said: said.update(certInfo=with_another_bit(said["certInfo"])),
    "an older version": lambda said: said.update(ver="1.2"),
}


@pytest.mark.parametrize("name", STATEMENTS)
@pytest.mark.parametrize("lie", LIES)
def test_a_statement_with_a_lie_in_it_registers_nothing(name: str, lie: str) -> None:
    """A127: each part of each format."""
    maker = AttestationAuthority()
    try:
        refused(name, maker, roots=(maker.root,), lie=LIES[lie])
    except KeyError:
        parts = {"fido-u2f": {"sig", "x5c"}, "apple": {"alg", "x5c"}, "android-key": {"alg", "sig", "x5c"}}
        assert name in parts  # what this format has no part for cannot be a lie in it


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_of_another_ceremony_registers_nothing(name: str) -> None:
    """What was signed for one challenge says nothing of another."""
    maker = AttestationAuthority()
    kept: list[dict[str, Any]] = []
    made(name, maker, roots=(maker.root,), lie=lambda said: kept.append(dict(said)))
    refused(name, maker, roots=(maker.root,), lie=lambda said: said.update(kept[0]))


def test_a_project_says_which_formats_it_takes(tmp_path: Path) -> None:
    """Through the public door, with a trusted maker of security keys of the older kind."""
    maker = AttestationAuthority()
    rules = WebAuthnRules(attestation_roots=(maker.root,), attestation_formats=("fido-u2f",))
    world = make_world(tmp_path, "asgi", webauthn=rules)
    user_id, device = world.sign_in()["user_id"], VirtualAuthenticator(attestation="self")
    answer = test_webauthn.register(world, device, user_id, edits=stated("fido-u2f", maker))
    assert answer.status == 200, answer.json
    assert test_webauthn.sign_in(world, device).status == 200
    packed = VirtualAuthenticator(attestation="certificate", authority=maker)
    assert test_webauthn.register(world, packed, user_id).json["error_type"] == UNMADE
    with pytest.raises(Misconfigured, match="attestation_formats"):
        Settings(project_id=PROJECT_ID, secret=SECRET, webauthn=WebAuthnRules(attestation_formats=("made-up",)))
