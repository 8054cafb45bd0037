"""The OpenAPI 3.1 document of the backend API, made from the declarations of the operations; shown in Test only."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeAlias

import msgspec
from starlette.responses import Response

from authmw.auth import Auth
from authmw.declarations import Operation
from authmw.errors import ERROR_TYPES, Refused
from authmw.http.answers import json_answer
from authmw.http.backend import OPEN
from authmw.http.requests import Request

Target: TypeAlias = Callable[[Request, dict[str, str]], Awaitable[Response]]
_REFERENCE = "#/components/schemas/{name}"


class ErrorAnswer(msgspec.Struct, kw_only=True):
    """What a refusal looks like."""

    status_code: int
    request_id: str
    error_type: str
    error_message: str
    error_url: str


class OAuthErrorAnswer(msgspec.Struct, kw_only=True):
    """What a refusal looks like where OAuth clients call (RFC 6749 section 5.2)."""

    status_code: int
    request_id: str
    error: str
    error_description: str
    error_uri: str


def openapi_routes(auth: Auth) -> Iterator[tuple[str, str, Target]]:
    """The route of the document."""

    async def answer(request: Request, parameters: dict[str, str]) -> Response:
        if auth.settings.live:
            raise Refused("route_not_found")
        return json_answer(document(auth))

    yield "GET", "/openapi.json", answer


def document(auth: Auth) -> dict[str, Any]:
    """The whole document."""
    table = [operation for _, operation in auth.table()]
    types = [kind for operation in table for kind in (operation.body, operation.place, operation.answer)]
    types += [ErrorAnswer, OAuthErrorAnswer]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    by_type = dict(zip(types, schemas, strict=True))
    paths: dict[str, Any] = {}
    for operation in table:
        described = _described(operation, by_type, components)
        methods = paths.setdefault(operation.path, {})
        method = operation.method.lower()
        methods[method] = _either(methods[method], described) if method in methods else described
    return {
        "openapi": "3.1.0",
        "info": {"title": auth.settings.name, "version": "1"},
        "servers": [{"url": auth.settings.public_url + auth.settings.mount}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"project": {"type": "http", "scheme": "basic"}},
        },
        "security": [{"project": []}],
    }


def _either(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Two operations of one path, which grant types tell apart, as one: either body, either answer."""
    names = [*one.get("x-operations", [one["operationId"]]), other["operationId"]]
    merged = {
        **one,
        "operationId": "_or_".join(names),
        "x-operations": names,
        "summary": f"{one['summary']} Or: {other['summary']}",
    }
    merged["description"] = f"{one['description']}\n\n{other['description']}"
    bodies = other["requestBody"]["content"]
    either = {
        kind: {"schema": {"anyOf": [content["schema"], bodies[kind]["schema"]]}}
        for kind, content in one["requestBody"]["content"].items()
    }
    merged["requestBody"] = {"required": True, "content": either}
    answers = [described["responses"]["200"]["content"]["application/json"]["schema"] for described in (one, other)]
    done = {"description": "Done.", "content": {"application/json": {"schema": {"anyOf": answers}}}}
    merged["responses"] = {**one["responses"], "200": done}
    return merged


def _described(operation: Operation, schemas: dict[Any, Any], components: dict[str, Any]) -> dict[str, Any]:
    text = inspect.getdoc(operation.function) or ""
    described: dict[str, Any] = {
        "operationId": operation.action,
        "summary": text.partition("\n")[0],
        "description": text,
        "parameters": [_parameter(name, "path", operation.place, schemas, components) for name in operation.places],
        "responses": _responses(operation, schemas),
    }
    if operation.action in OPEN or operation.door != "backend":
        described["security"] = []
    names = operation.body.__struct_fields__
    if operation.method == "GET":
        described["parameters"] += [_parameter(name, "query", operation.body, schemas, components) for name in names]
    elif operation.method != "DELETE":
        described["requestBody"] = {
            "required": operation.method == "POST",
            "content": {kind: {"schema": schemas[operation.body]} for kind in _kinds(operation)},
        }
    return described


def _kinds(operation: Operation) -> tuple[str, ...]:
    """The content types that an operation's body may have."""
    return ("application/json", "application/x-www-form-urlencoded")[: 2 if operation.door == "oauth" else 1]


def _parameter(
    name: str, place: str, struct: Any, schemas: dict[Any, Any], components: dict[str, Any]
) -> dict[str, Any]:
    whole = components[schemas[struct]["$ref"].rpartition("/")[2]]
    required = place == "path" or name in whole.get("required", ())
    return {"name": name, "in": place, "required": required, "schema": whole["properties"][name]}


def _responses(operation: Operation, schemas: dict[Any, Any]) -> dict[str, Any]:
    shape = OAuthErrorAnswer if operation.door == "oauth" else ErrorAnswer
    error = {"application/json": {"schema": schemas[shape]}}
    statuses = sorted({row.status for row in ERROR_TYPES.values()})
    return {
        "200": {"description": "Done.", "content": {"application/json": {"schema": schemas[operation.answer]}}},
        **{str(status): {"description": "Refused.", "content": error} for status in statuses},
    }
