"""What a driver that means harm puts where a client's method wants something else, and a way for its requests that is short enough to try all of it.

Law: a value is hostile by its text, its size, its kind or its number; whatever the method, the answer is one of ours.
"""

from __future__ import annotations

import io
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote_to_bytes

import pydantic
import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from authmw.limits import Limit


def deep(levels: int) -> Any:
    """Objects inside each other."""
    held: Any = "x"
    for _ in range(levels):
        held = {"a": held}
    return held


TEXTS = [
    "",
    " ",
    "x",
    "\0",
    "a\0b",
    "\x1b[2J\r\nSet-Cookie: a=b",
    "\x7f\x80\x85",
    "\u202e\u2028\u00a0\ufeff",
    "\ud800",
    "a\udc2fb",
    "\U0010ffff" * 40,
    "../../v1/users",
    "%2e%2e%2fusers",
    "a/b",
    "a%2fb",
    "a?b=c#d",
    "a;b,c|d",
    "{user_id}",
    "user-test-00000000-0000-4000-8000-000000000000",
    "' OR 1=1 --",
    "<script>",
    "x" * 600,
    "x" * 20_000,
    "9" * 400,
    "1e309",
    "null",
    "2026-01-01T00:00:00Z",
    "ada@example.org\nbcc: eve@example.org",
    "http://[::1",
    "javascript:alert(1)",
    "a.b.c",
    "eyJhbGciOiJub25lIn0.e30.",
]
NUMBERS: list[Any] = [
    -1, 0, 7, True, False, 0.5, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63) - 1, 10**40, 1e308, float("nan"), float("inf"),
]  # fmt: skip
SHAPES: list[Any] = [
    [],
    {},
    [None],
    ["x"] * 1_000,
    ["x", 7, {}],
    [[]],
    {"a": {"b": []}},
    {"": ""},
    {"x" * 300: "x" * 300},
    {"__proto__": {}, "constructor": 1, "iss": "x", "sub": None},
    {f"name{number}": number for number in range(200)},
    {"a\0b": "\0", "\ud800": "\ud800"},
    {"a": 2**70, "b": 1e308},
    deep(15),
    deep(30),
    b"bytes",
    ("a", "b"),
]
VALUES: list[Any] = [*TEXTS, *NUMBERS, *SHAPES]


def cases(parameter: str, annotation: Any) -> Iterator[tuple[str, Any]]:
    """Every hostile value for an argument, with how it is named: by itself, and in each member that the client knows of an object."""
    yield from ((parameter, value) for value in VALUES)
    for model in _models(annotation):
        for member in model.model_fields:
            yield from ((f"{parameter}.{member}", {member: value}) for value in VALUES)


def _models(annotation: Any) -> Iterator[type[pydantic.BaseModel]]:
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        for one in typing.get_args(annotation):
            yield from _models(one)
    elif isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        yield annotation


class Unlimited:
    """Counts nothing, so that the last try is judged as the first one is."""

    io: typing.Literal["instant"] = "instant"

    async def prepare(self) -> None: ...

    async def take(self, *limits: Limit, now: Any) -> None: ...

    async def peek(self, limit: Limit, now: Any) -> int:
        return 1

    async def reset(self, *limits: Limit) -> None: ...

    async def close(self) -> None: ...


class Directly(BaseAdapter):
    """Hands a client's requests to a WSGI application in this process, as a server would that has read them."""

    def __init__(self, app: Callable[..., Any]) -> None:
        super().__init__()
        self._app = app

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        path, _, query = request.path_url.partition("?")
        body = request.body if isinstance(request.body, bytes) else (request.body or "").encode()
        environ: dict[str, Any] = {
            "REQUEST_METHOD": request.method,
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "RAW_URI": request.path_url,
            "QUERY_STRING": query,
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request.headers.items()},
            "CONTENT_TYPE": request.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(body)),
        }
        answer = requests.Response()

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> None:
            answer.status_code = int(status.split(" ", 1)[0])
            answer.headers = CaseInsensitiveDict(headers)

        answer._content = b"".join(self._app(environ, start))
        answer.request, answer.url, answer.encoding = request, str(request.url), "utf-8"
        return answer

    def close(self) -> None: ...
