"""Litestar: the handler that answers the guards' refusals, `Litestar(..., exception_handlers={Refused: answer_refusal})`."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response

from authmw.errors import Refused
from authmw.hosts.visits import answer_to


def answer_refusal(request: Request[Any, Any, Any], refused: Refused) -> Response[bytes]:  # noqa: ARG001 -- Litestar's own signature
    """The answer to a refusal; without this handler Litestar logs it as an error where it logs errors."""
    answer = answer_to(refused)
    headers = {name: value for name, value in answer.headers.items() if name not in {"content-type", "content-length"}}
    kind = answer.headers.get("content-type", "application/json")
    return Response(bytes(answer.body), status_code=answer.status_code, headers=headers, media_type=kind)
