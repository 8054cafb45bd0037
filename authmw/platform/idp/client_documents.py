"""Apps that are known by an address: the client id is the https URL of a document that says what the app is (OAuth Client ID Metadata Document).

Law: the address is a stranger's, so it is asked through the guarded client, for 5 KiB, at a limited rate and at most once an hour. Such an app is a third party that can keep no
secret, whatever its document says; only when a person lets it in is it stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, cast

import attrs

from authmw.errors import Refused
from authmw.fetching import JSON, decoded_object, fetch
from authmw.limits import Limit
from authmw.operations import Call
from authmw.people.apps import ConnectedApp
from authmw.platform.connected_apps.rules import check_redirect_url, check_urls
from authmw.ports import FetchRequest
from authmw.signin.limits import charge, network_of
from authmw.storable import MAX_KEY
from authmw.urls import Malformed, split_url

LARGEST = 5 * 1024
"""Bytes that a document may have."""
KEPT = timedelta(hours=1)
MOST = 256
"""Documents that one process remembers."""
UNUSED = timedelta(days=1)
REFUSAL = "invalid_client_metadata"
_GRANTS = frozenset({"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"})


def is_address(client_id: str) -> bool:
    """Whether a client id is the address of a document: https, with a path that names something, and at most 160 characters, for apps are kept by it."""
    if not client_id.startswith("https://") or len(client_id) > MAX_KEY:
        return False
    try:
        split = split_url(client_id)
    except Malformed:
        return False
    return len(split.path) > 1


def described(client_id: str, document: Mapping[str, Any], now: datetime, *, live: bool) -> ConnectedApp:
    """The app that a document describes. Refused `invalid_client_metadata` unless it names itself by this very address and wants no more than a public app can have."""
    method = document.get("token_endpoint_auth_method", "none")
    if document.get("client_id") != client_id or method != "none":
        raise Refused(REFUSAL)
    if "client_secret" in document or "client_secret_expires_at" in document:
        raise Refused(REFUSAL)
    grants, responses = document.get("grant_types", []), document.get("response_types", ["code"])
    if not _texts(grants) or not set(grants) <= _GRANTS or responses != ["code"]:
        raise Refused(REFUSAL)
    uris, name = document.get("redirect_uris"), document.get("client_name", "")
    if not _texts(uris) or not uris or not isinstance(name, str) or len(name) > 128 or not (name.isprintable()):
        raise Refused(REFUSAL)
    try:
        urls = check_urls(cast("list[str]", uris))
        for url in urls:
            check_redirect_url(url, public=True, live=live)
    except Refused:
        raise Refused(REFUSAL) from None
    return ConnectedApp(
        client_id=client_id,
        client_type="third_party_public",
        client_name=name,
        redirect_urls=urls,
        creation_method="client_id_metadata_document",
        client_id_metadata_url=client_id,
        described_at=now,
        created_at=now,
        expires_at=now + UNUSED,
    )


def renewed(stored: ConnectedApp | None, fresh: ConnectedApp) -> ConnectedApp:
    """What is stored of an app, as its document is now. What the project changed of it stays.

    `expires_at` says that something is to be written at its next use, `described_at` since when people are sent where it says: whoever holds the address today may be somebody else
    than whom a person once let in.
    """
    if stored is None:
        return fresh
    if (stored.client_name, stored.redirect_urls) == (fresh.client_name, fresh.redirect_urls):
        return stored
    moved = stored.redirect_urls != fresh.redirect_urls
    return attrs.evolve(
        stored,
        client_name=fresh.client_name,
        redirect_urls=fresh.redirect_urls,
        described_at=fresh.described_at if moved else stored.described_at,
        expires_at=fresh.expires_at,
    )


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in cast("list[object]", value))


@attrs.frozen
class _Kept:
    at: datetime
    document: dict[str, Any]


class Documents:
    """What one process remembers of the documents it read, the last ones."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: dict[str, _Kept] = {}

    async def app(self, call: Call, client_id: str) -> ConnectedApp | None:
        """The app of a client id: what is stored, or what the document at this address says, where the project goes by such documents.

        Refused: `invalid_client_metadata` for a document that cannot be had or does not describe an app, `too_many_requests`.
        """
        stored = await call.storage.get(ConnectedApp, client_id)
        if not call.settings.provider.client_documents or not is_address(client_id):
            return stored
        if stored is not None and stored.client_id_metadata_url != client_id:
            return stored
        document = await self._document(call, client_id)
        return renewed(stored, described(client_id, document, call.now, live=call.settings.live))

    async def _document(self, call: Call, url: str) -> dict[str, Any]:
        kept = self._kept.get(url)
        if kept is not None and kept.at <= call.now < kept.at + KEPT:
            return kept.document
        project, hour = call.settings.project_id, timedelta(hours=1)
        await charge(
            call,
            Limit("client documents", (project, network_of(call.caller.ip_address)), 20, hour),
            Limit("client documents of a project", (project,), 1000, hour),
        )
        answer = await fetch(call, FetchRequest(url=url, headers=JSON, maximum_bytes=LARGEST), refusal=REFUSAL)
        kind = answer.headers.get("content-type", "").partition(";")[0].strip(" \t").lower()
        if answer.status != 200 or not (kind == "application/json" or kind.endswith("+json")):
            raise Refused(REFUSAL)
        document = decoded_object(answer.body, REFUSAL)
        with self._lock:
            self._kept.pop(url, None)
            self._kept[url] = _Kept(call.now, document)
            while len(self._kept) > MOST:
                del self._kept[next(iter(self._kept))]
        return document
