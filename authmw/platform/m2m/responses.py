"""Machines on the wire."""

from __future__ import annotations

from typing import Any

import msgspec

from authmw.operations import Response
from authmw.paging import ResultsMetadata
from authmw.platform.m2m.records import M2MClient


class M2MClientAnswer(msgspec.Struct, kw_only=True):
    """A client, without its secret."""

    client_id: str
    client_name: str
    client_description: str
    status: str
    scopes: list[str]
    client_secret_last_four: str
    trusted_metadata: dict[str, Any] | None
    next_client_secret_last_four: str | None


class M2MClientWithClientSecretAnswer(M2MClientAnswer, kw_only=True):
    """A new client. Its secret is shown this one time."""

    client_secret: str


class M2MClientWithNextClientSecretAnswer(M2MClientAnswer, kw_only=True):
    """A client whose secret is being exchanged. The next secret is shown this one time."""

    next_client_secret: str


class M2MClientResponse(Response, kw_only=True):
    """A client."""

    m2m_client: M2MClientAnswer


class CreateResponse(Response, kw_only=True):
    """A new client."""

    m2m_client: M2MClientWithClientSecretAnswer


class RotateStartResponse(Response, kw_only=True):
    """A client with a second secret."""

    m2m_client: M2MClientWithNextClientSecretAnswer


class DeleteResponse(Response, kw_only=True):
    """A client is gone."""

    client_id: str


class SearchResponse(Response, kw_only=True):
    """Some clients."""

    m2m_clients: list[M2MClientAnswer]
    results_metadata: ResultsMetadata


class TokenResponse(Response, kw_only=True):
    """An access token of a machine (RFC 6749 section 5.1). `expires_in` is in seconds."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str


def shown(client: M2MClient) -> dict[str, Any]:
    """The fields of a client on the wire."""
    current, following = client.secrets.current, client.secrets.following
    return {
        "client_id": client.client_id,
        "client_name": client.client_name,
        "client_description": client.client_description,
        "status": client.status,
        "scopes": list(client.scopes),
        "client_secret_last_four": current.last_four if current else "",
        "trusted_metadata": client.trusted_metadata,
        "next_client_secret_last_four": following.last_four if following else None,
    }
