"""Signature version 4, as far as a POST with a body in memory needs it (AWS documentation, "Create a signed AWS API request").

Law: what is signed is what is sent: host, date, type and the digest of the body. The time is an argument.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime

import attrs

from authmw.crypto.secret import Secret
from authmw.errors import Misconfigured
from authmw_adapters.carriers.base import secret_of


def _secret(value: Secret | str) -> Secret:
    return secret_of(value, "secret_access_key")


@attrs.frozen(kw_only=True)
class AWSCredentials:
    """Whose signature it is and for which region. `session_token` belongs to temporary credentials. Raises Misconfigured."""

    access_key_id: str
    secret_access_key: Secret = attrs.field(converter=_secret)
    region: str
    session_token: Secret | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse what cannot stand in a host name or a header."""
        parts = (self.access_key_id, *self.region.split("-"))
        if not all(part.isascii() and part.isalnum() for part in parts):
            raise Misconfigured("access_key_id and region must be letters, digits and, in the region, hyphens.")


def signed_headers(
    credentials: AWSCredentials,
    service: str,
    *,
    method: str,
    host: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
) -> dict[str, str]:
    """The given headers with date and authorization. `path` is as sent and holds no query."""
    moment = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{moment[:8]}/{credentials.region}/{service}/aws4_request"
    sent = {**headers, "X-Amz-Date": moment}
    if credentials.session_token is not None:
        sent["X-Amz-Security-Token"] = credentials.session_token.reveal()
    named = sorted((name.lower(), " ".join(value.split())) for name, value in {**sent, "Host": host}.items())
    names = ";".join(name for name, _ in named)
    lines = "".join(f"{name}:{value}\n" for name, value in named)
    canonical = f"{method}\n{path}\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = ("AWS4" + credentials.secret_access_key.reveal()).encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    sent["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return sent
