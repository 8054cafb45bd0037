"""The backend API: `/v1/...` under Basic authentication with project id and secret (RFC 7617)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from starlette.responses import Response

from authmw.auth import Auth
from authmw.crypto import tokens
from authmw.declarations import Operation
from authmw.errors import Refused
from authmw.http.answers import json_answer
from authmw.http.bodies import parse_object
from authmw.http.requests import Request
from authmw.operations import Product, known, visit

Target: TypeAlias = Callable[[Request, dict[str, str]], Awaitable[Response]]
OPEN = frozenset({"SessionsJwks"})
"""Actions that need no credentials: what they answer is public."""


def backend_routes(auth: Auth) -> Iterator[tuple[str, str, Target]]:
    """The routes of every operation in the table."""
    for product, operation in auth.table():
        if operation.door != "backend":
            continue
        yield operation.method, operation.path, _target(auth, product, operation)


def _target(auth: Auth, product: Product, operation: Operation) -> Target:
    async def answer(request: Request, parameters: dict[str, str]) -> Response:
        with known(operation, product):
            if operation.action not in OPEN:
                check_credentials(auth, request.header("authorization"))
            arguments = arguments_of(operation, request, parameters)
        result = await product.core.perform(operation, product, arguments)
        return json_answer(result, result.status_code)

    return answer


def arguments_of(operation: Operation, request: Request, parameters: dict[str, str]) -> dict[str, Any]:
    """The arguments of an operation: its path's, and those of the body or the query. Path parameters repeated in either are ignored."""
    place = operation.arguments(parameters, operation.place, strict=False)
    if operation.method == "GET":
        values: dict[str, object] = {**query_of(request.query)}
        return {**operation.arguments(values, operation.body, strict=False), **place}
    values = parse_object(request.body, request.header("content-type"), required=operation.method == "POST")
    return {**operation.arguments(values, operation.body), **place}


def query_of(query: str, several: Collection[str] = ()) -> dict[str, str]:
    """The parameters of a query, each once, but for those of `several`, whose values are joined by spaces. Refused for a repeated one or bad UTF-8."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=50)
    except ValueError:
        raise Refused("bad_request", "The query is not valid.") from None
    named: dict[str, str] = {}
    for name, value in pairs:
        if name in named and name not in several:
            raise Refused("bad_request", "The query is not valid.")
        named[name] = f"{named[name]} {value}" if name in named else value
    if any("\0" in text for pair in pairs for text in pair):
        raise Refused("bad_request", "The query is not valid.")
    return named


def check_credentials(auth: Auth, header: str | None) -> None:
    """Refused unless the header is Basic with this project's id and a secret of it (compared in constant time), from an address that may call (ENV-06)."""
    user, password = basic(header)
    id_holds = tokens.same(user, auth.settings.project_id)
    project, here = auth.core.project.current, visit.get()
    secret_holds = project.holds_secret(password)
    if not (id_holds and secret_holds):
        raise Refused("unauthorized_credentials")
    if not project.admits(here.who().ip_address if here is not None else ""):
        raise Refused("ip_address_not_allowed")


def basic(header: str | None) -> tuple[str, str]:
    """User and password of a Basic header. Refused: `invalid_authorization_header`."""
    scheme, _, encoded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        raise Refused("invalid_authorization_header")
    try:
        text = base64.b64decode(encoded, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Refused("invalid_authorization_header") from None
    user, colon, password = text.partition(":")
    if not colon:
        raise Refused("invalid_authorization_header")
    return user, password
