"""What is remembered of a machine that may sign in by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import attrs

from authmw.crypto.client_secrets import ClientSecrets
from authmw.storage import Index, Record, Value, by_field, record


def _scopes(client: M2MClient) -> Iterator[Value]:
    return ((scope,) for scope in client.scopes)


@record(
    "m2m_clients",
    key="client_id",
    indexes=(by_field("created", "created_at"), by_field("name", "client_name"), Index(name="scope", values=_scopes)),
)
@attrs.frozen(kw_only=True)
class M2MClient(Record):
    """A machine: what it may do, and the keyed digests of its secrets. `status` is active or inactive."""

    client_id: str
    client_name: str = ""
    client_description: str = ""
    status: str = "active"
    scopes: tuple[str, ...] = ()
    trusted_metadata: dict[str, Any] = attrs.field(factory=dict[str, Any])
    secrets: ClientSecrets
    created_at: datetime
