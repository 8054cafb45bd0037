"""Plain values and bytes held to a type: the one door to the library that reads them.

Law: what the library knows of a type it builds when the type is first used, and two threads that do so at once crash the process (a segmentation fault, seen with
msgspec 0.22). So it is built here, under one lock, before anything is read, and never while the process forks.
"""

from __future__ import annotations

import os
import threading
from typing import TypeVar

import msgspec

T = TypeVar("T")

_lock = threading.RLock()
_built: set[object] = set()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


def build(type_: object) -> None:
    """Have everything known that is needed to read values of this type, in any number of threads."""
    if type_ in _built:
        return
    with _lock:
        msgspec.json.Decoder(type_)
        _built.add(type_)


def convert(value: object, type_: type[T], *, strict: bool = True) -> T:
    """A plain value as one of this type. Raises msgspec.ValidationError."""
    build(type_)
    return msgspec.convert(value, type_, strict=strict)


def from_msgpack(data: bytes, type_: type[T]) -> T:
    """MessagePack as a value of this type. Raises msgspec.MsgspecError."""
    build(type_)
    return msgspec.msgpack.decode(data, type=type_)


def from_json(data: bytes | str, type_: type[T]) -> T:
    """JSON as a value of this type. Raises msgspec.MsgspecError."""
    build(type_)
    return msgspec.json.decode(data, type=type_)
