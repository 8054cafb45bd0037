"""Secrets of factors at rest: what a `Credential` holds is sealed under its kind and bound to the part it belongs to.

Law: a sealed value opens only as the credential of the part it was made for (KEY-02), so a row moved to another person signs nobody in.
"""

from __future__ import annotations

import logging
from typing import TypeVar

import attrs
import msgspec

from authmw.crypto.roots import RootKeys
from authmw.crypto.sealing import SealBroken, seal, unseal
from authmw.errors import Refused
from authmw.operations import Call
from authmw.people.records import Credential
from authmw.typed import from_msgpack

T = TypeVar("T")
_log = logging.getLogger("authmw")


def new_credential(
    call: Call, *, part_id: str, subject_id: str, kind: str, secret: object, counter: int = 0
) -> Credential:
    """The credential of a part, not stored yet. `secret` is a value that msgpack can hold: a Struct, an attrs value, bytes or text."""
    return Credential(
        part_id=part_id,
        subject_id=subject_id,
        kind=kind,
        sealed=_sealed(call, part_id, kind, secret),
        counter=counter,
        changed_at=call.now,
    )


def with_secret(call: Call, credential: Credential, secret: object) -> Credential:
    """The credential with another secret, sealed under the newest root key."""
    sealed = _sealed(call, credential.part_id, credential.kind, secret)
    return attrs.evolve(credential, sealed=sealed, changed_at=call.now)


def secret_of(call: Call, credential: Credential, type_: type[T], refusal: str) -> T:
    """What was sealed, as a value of this type. Refused as a wrong proof is, if the row was altered or its root key is gone: what cannot be checked is not proved."""
    secret = readable_secret(call, credential, type_)
    if secret is None:
        raise Refused(refusal)
    return secret


def readable_secret(call: Call, credential: Credential, type_: type[T]) -> T | None:
    """The same, or None if the row was altered or its root key is gone; operators find that in the log."""
    try:
        opened = unseal(call.core.roots, _purpose(credential.kind), credential.part_id, credential.sealed)
    except SealBroken:
        _log.error("credential_unreadable", extra={"kind": credential.kind})
        return None
    return from_msgpack(opened, type_)


def resealed(roots: RootKeys, credential: Credential) -> Credential:
    """The credential with the same secret under the newest root key. SealBroken if it cannot be opened."""
    purpose, part_id = _purpose(credential.kind), credential.part_id
    return attrs.evolve(
        credential, sealed=seal(roots, purpose, part_id, unseal(roots, purpose, part_id, credential.sealed))
    )


def _sealed(call: Call, part_id: str, kind: str, secret: object) -> bytes:
    return seal(call.core.roots, _purpose(kind), part_id, msgspec.msgpack.encode(secret))


def _purpose(kind: str) -> str:
    return f"credential {kind}"
