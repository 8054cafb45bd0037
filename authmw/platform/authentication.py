"""How a client proves who it is at the OAuth endpoints: guesses are counted before they are compared, by client and address. What ends with a root key is counted here too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import attrs

from authmw import drive
from authmw.crypto.client_secrets import holds, under_newest
from authmw.errors import Refused
from authmw.ledger.commits import touch
from authmw.limits import Limit
from authmw.operations import Call, Core
from authmw.people.apps import ConnectedApp, Grant
from authmw.platform.m2m.records import M2MClient
from authmw.signin.limits import charge, network_of
from authmw.storage import And, Cursor, Update

_BURST, _PER = 100, timedelta(minutes=1)


async def authenticate_secret(call: Call, client_id: str, client: M2MClient | ConnectedApp | None, secret: str) -> None:
    """Refused `invalid_client` unless the secret is one of the client's; None is a client that does not exist, at the same cost.

    Counted by client and address, so a stranger who guesses does not lock the client itself out (RAT-02). The count is cleared at once and not behind a
    commit: that the secret holds is true whatever becomes of the request, and most of these requests commit nothing.
    """
    limit = Limit(
        "client secret", (call.settings.project_id, client_id, network_of(call.caller.ip_address)), _BURST, _PER
    )
    await charge(call, limit)
    if not holds(call.core.roots, client_id, client.secrets if client else None, secret) or client is None:
        raise Refused("invalid_client")
    limiter = call.core.limiter

    async def reset() -> None:
        await drive.using(limiter.io, limiter.reset, limit)

    await call.once(("reset", limit.digest), reset)
    anew = under_newest(call.core.roots, client_id, client.secrets, secret)
    if anew is not None:
        await touch(call.core, Update(attrs.evolve(client, secrets=anew)))


@attrs.frozen(kw_only=True)
class Marked:
    """What bears the mark of a root key that is not the newest, by kind: `client_secret`, `refresh_token`. Only whoever holds the secret can bring it under another one."""

    older: Mapping[str, int]
    """How many still hold: each goes under the newest root key when it is next used, and ends if the older one is taken out before."""
    ended: Mapping[str, int]
    """How many bear the mark of a key that is not in the list: they are refused."""


async def marked_by_older_keys(core: Core) -> Marked:
    """Count the secrets of clients and the refresh tokens that are kept under another root key than the newest."""
    older: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    kinds: tuple[type[M2MClient | ConnectedApp | Grant], ...] = (M2MClient, ConnectedApp, Grant)
    for kind in kinds:
        after: Cursor | None = None
        while True:
            page = await core.storage.page(kind, And(), after=after, limit=100)
            for name, version in (mark for record in page.records for mark in _marks(record, core.clock.now())):
                if version != core.roots.newest:
                    (older if version in core.roots.versions else ended)[name] += 1
            after = page.cursor
            if after is None:
                break
    return Marked(older=dict(older), ended=dict(ended))


def _marks(record: M2MClient | ConnectedApp | Grant, now: datetime) -> Iterator[tuple[str, int]]:
    if isinstance(record, Grant):
        if record.offline and record.revoked_at is None and now < record.expires_at:
            yield "refresh_token", record.key_version
        return
    for kept in (record.secrets.current, record.secrets.following):
        if kept is not None:
            yield "client_secret", kept.key_version
