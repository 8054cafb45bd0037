"""Django: a middleware of its own kind, which answers the guards' refusals before Django calls and logs them as errors.

It stands in `MIDDLEWARE` as `authmw.hosts.django.RefusalMiddleware`; `AuthMiddleware` stands around the application in `asgi.py` or `wsgi.py`.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any

from asgiref.sync import markcoroutinefunction

from authmw.errors import Refused
from authmw.hosts.visits import answer_to

_http: Any = importlib.import_module("django.http")  # it has no types
_is_marked: Any = importlib.import_module(
    "asgiref.sync"
).iscoroutinefunction  # deprecated, and the only one that knows marks on Python 3.11


class RefusalMiddleware:
    """Answers a refusal of a guard in a view, synchronous or not."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self._get_response = get_response
        if inspect.iscoroutinefunction(get_response) or _is_marked(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        """Pass on."""
        return self._get_response(request)

    def process_exception(self, request: Any, exception: Exception) -> Any:  # noqa: ARG002 -- Django's own signature
        """The answer to a refusal; None leaves every other exception to Django."""
        if not isinstance(exception, Refused):
            return None
        answer = answer_to(exception)
        return _http.HttpResponse(bytes(answer.body), status=answer.status_code, headers=dict(answer.headers))
