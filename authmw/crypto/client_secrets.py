"""Secrets of clients: shown once, kept as a keyed digest, and exchanged in two phases.

Law: between the start of a rotation and its end both secrets hold; a secret is compared in constant time, also where there is no client. A secret that a caller
brought may be a poor one, so what is kept is an HMAC under a root key and not a bare hash: a dump of storage gives nothing to guess against (TOK-02). One that
is shown while its root key is in the list is kept under the newest from then on, so that the other can be taken out; beside it stays what it was, for processes that have not heard of
the newest yet.
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
    """One secret as it is kept: its keyed digest, the version of the key, the four letters that people tell it by, and the digest under the key before."""

    mac: bytes = attrs.field(repr=False)
    key_version: int
    last_four: str
    former_mac: bytes = attrs.field(default=b"", repr=False)
    former_version: int = 0


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


def under_newest(roots: RootKeys, client_id: str, secrets: ClientSecrets, secret: str) -> ClientSecrets | None:
    """The secrets, the one that was just shown kept under the newest root key; None where nothing is to be changed, also where another process knows a newer one than we do."""
    anew: dict[str, Kept] = {}
    for place, kept in (("current", secrets.current), ("following", secrets.following)):
        if kept is not None and kept.key_version in roots.versions[1:] and _is(roots, client_id, kept, secret):
            fresh = keep(roots, client_id, secret)
            anew[place] = attrs.evolve(fresh, former_mac=kept.mac, former_version=kept.key_version)
    return attrs.evolve(secrets, **anew) if anew else None


def _is(roots: RootKeys, client_id: str, kept: Kept | None, secret: str) -> bool:
    held = [(kept.key_version, kept.mac), (kept.former_version, kept.former_mac)] if kept is not None else []
    version, mac = next((one for one in held if one[0] in roots.versions), (roots.newest, b""))
    return tokens.same(roots.mac(_PURPOSE, client_id, secret, version=version), mac)


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
