"""Secrets of factors at rest: what a `Credential` holds is sealed under its kind and bound to the part it belongs to.

Law: a sealed value opens only as the credential of the part it was made for (KEY-02), so a row moved to another person signs nobody in.
"""

from __future__ import annotations

from typing import TypeVar

import attrs
import msgspec

from authmw.crypto.sealing import seal, unseal
from authmw.operations import Call
from authmw.people.records import Credential

T = TypeVar("T")


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


def secret_of(call: Call, credential: Credential, type_: type[T]) -> T:
    """What was sealed, as a value of this type. SealBroken if the row was altered or its root key is gone."""
    opened = unseal(call.core.roots, _purpose(credential.kind), credential.part_id, credential.sealed)
    return msgspec.msgpack.decode(opened, type=type_)


def _sealed(call: Call, part_id: str, kind: str, secret: object) -> bytes:
    return seal(call.core.roots, _purpose(kind), part_id, msgspec.msgpack.encode(secret))


def _purpose(kind: str) -> str:
    return f"credential {kind}"
