"""Secrets of clients: shown once, kept as a keyed digest, and exchanged in two phases.

Law: between the start of a rotation and its end both secrets hold; a secret is compared in constant time, also where there is no client. A secret that a caller
brought may be a poor one, so what is kept is an HMAC under a root key and not a bare hash: a dump of storage gives nothing to guess against (TOK-02).
"""

from __future__ import annotations

import math
from collections import Counter

import attrs

from authmw.crypto import tokens
from authmw.crypto.roots import RootKeys
from authmw.errors import Refused

_PURPOSE = "client secret"
LONGEST = 256
SHORTEST = 8
LEAST_BITS = 20.0
"""How surprising a secret must be at least: the entropy of its letters, times its length."""


@attrs.frozen(kw_only=True)
class Kept:
    """One secret as it is kept: its keyed digest, the version of the key, and the four letters that people tell it by."""

    mac: bytes = attrs.field(repr=False)
    key_version: int
    last_four: str


@attrs.frozen(kw_only=True)
class ClientSecrets:
    """The secret of a client, and the next one while they are being exchanged. A public client has none."""

    current: Kept | None = None
    following: Kept | None = None


def keep(roots: RootKeys, client_id: str, secret: str) -> Kept:
    """What is kept of a secret; it belongs to this client only."""
    return Kept(mac=roots.mac(_PURPOSE, client_id, secret), key_version=roots.newest, last_four=secret[-4:])


def holds(roots: RootKeys, client_id: str, secrets: ClientSecrets | None, secret: str) -> bool:
    """Whether this is a secret of the client. The work is the same for an unknown client and for one without a second secret."""
    kept = [secrets.current, secrets.following] if secrets is not None else [None, None]
    return sum(_is(roots, client_id, one, secret) for one in kept) > 0


def _is(roots: RootKeys, client_id: str, kept: Kept | None, secret: str) -> bool:
    version = roots.newest if kept is None or kept.key_version not in roots.versions else kept.key_version
    made = roots.mac(_PURPOSE, client_id, secret, version=version)
    same = tokens.same(made, kept.mac if kept is not None else b"")
    return same and kept is not None and kept.key_version == version


def started(secrets: ClientSecrets, following: Kept, refusal: str) -> ClientSecrets:
    """The secrets with a second one beside the first. Refused with `refusal` if there is a second one already."""
    if secrets.following is not None:
        raise Refused(refusal)
    return attrs.evolve(secrets, following=following)


def cancelled(secrets: ClientSecrets, refusal: str) -> ClientSecrets:
    """The secrets without the second one. Refused with `refusal` if there is none."""
    if secrets.following is None:
        raise Refused(refusal)
    return attrs.evolve(secrets, following=None)


def rotated(secrets: ClientSecrets, refusal: str) -> ClientSecrets:
    """The second secret alone; the first one is dead. Refused with `refusal` if there is no second one."""
    if secrets.following is None:
        raise Refused(refusal)
    return ClientSecrets(current=secrets.following)


def check_strength(secret: str, *, short: str, long: str, weak: str) -> None:
    """Refused if a secret that a caller brought has fewer than 8 or more than 256 characters, or could be guessed from what it is made of."""
    if len(secret) < SHORTEST:
        raise Refused(short)
    if len(secret) > LONGEST:
        raise Refused(long)
    shares = [count / len(secret) for count in Counter(secret).values()]
    if -sum(share * math.log2(share) for share in shares) * len(secret) < LEAST_BITS:
        raise Refused(weak)
