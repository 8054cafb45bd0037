"""How a client proves who it is at the OAuth endpoints: guesses are counted before they are compared, by client and address."""

from __future__ import annotations

from datetime import timedelta

from authmw import drive
from authmw.crypto.client_secrets import ClientSecrets, holds
from authmw.errors import Refused
from authmw.limits import Limit
from authmw.operations import Call
from authmw.signin.limits import charge

_BURST, _PER = 100, timedelta(minutes=1)


async def authenticate_secret(call: Call, client_id: str, secrets: ClientSecrets | None, secret: str) -> None:
    """Refused `invalid_client` unless the secret is one of the client's; None is a client that does not exist, at the same cost.

    Counted by client and address, so a stranger who guesses does not lock the client itself out (RAT-02). The count is cleared at once and not behind a
    commit: that the secret holds is true whatever becomes of the request, and most of these requests commit nothing.
    """
    limit = Limit("client secret", (call.settings.project_id, client_id, call.caller.ip_address), _BURST, _PER)
    await charge(call, limit)
    if not holds(call.core.roots, client_id, secrets, secret):
        raise Refused("invalid_client")
    limiter = call.core.limiter

    async def reset() -> None:
        await drive.using(limiter.io, limiter.reset, limit)

    await call.once(("reset", limit.digest), reset)
