"""What we answer: JSON, errors, redirects and pages, as Starlette responses used as plain values."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from authmw.crypto import tokens
from authmw.errors import Refused
from authmw.settings import Settings

_BASIC = frozenset({"unauthorized_credentials", "invalid_authorization_header"})
SAFE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


def json_answer(value: Any, status: int = 200) -> Response:
    """A JSON answer that no cache keeps."""
    return Response(msgspec.json.encode(value), status, headers=SAFE, media_type="application/json")


def error_answer(settings: Settings, refused: Refused) -> Response:
    """A refusal on the wire: five fields, none of them the caller's."""
    body = {
        "status_code": refused.status,
        "request_id": refused.request_id or f"request-id-{settings.environment}-{tokens.uuid4()}",
        "error_type": refused.error_type,
        "error_message": refused.message,
        "error_url": f"{settings.public_url}{settings.mount}/errors#{refused.error_type}",
    }
    answer = json_answer(body, refused.status)
    if refused.retry_after is not None:
        answer.headers["retry-after"] = str(max(1, int(refused.retry_after + 0.999)))
    if refused.challenge:
        answer.headers["www-authenticate"] = refused.challenge
    elif refused.status == 401:
        # A Basic challenge makes a browser open its own password dialog, so only what wants Basic credentials says it.
        scheme = "Basic" if refused.error_type in _BASIC else "Session"
        answer.headers["www-authenticate"] = f'{scheme} realm="authmw"'
    return answer


def redirect_answer(url: str) -> Response:
    """A 303 that sends no referrer (RED-05)."""
    return Response(b"", 303, headers={**SAFE, "location": url, "referrer-policy": "no-referrer"})
