"""The browser API as rows: which operation a browser reaches by which path, what it may say, what is taken from its session, and what is shown.

There is no second implementation: a row only names, hides and renames. Each product's rows stand in its own `browser.py` and are handed out by `Product.rows`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import msgspec

from authmw.declarations import Method
from authmw.operations import Response

Shown = Callable[[Any], dict[str, Any]]


def whole(answer: Response) -> dict[str, Any]:
    """The whole answer."""
    shown: dict[str, Any] = msgspec.to_builtins(answer)
    return shown


def signed_in(answer: Response) -> dict[str, Any]:
    """A sign-in, with the user also under the name that the vendor's client refreshes its cache from."""
    shown = whole(answer)
    return {**shown, "__user": shown["user"]}


def changed_user(answer: Response) -> dict[str, Any]:
    """A change of the caller's user."""
    shown = whole(answer)
    return {**shown, "__user": shown["user"]}


def nothing(answer: Response) -> dict[str, Any]:
    """Only that it was done: nothing tells whether the address is known (PRV-03)."""
    return {"request_id": answer.request_id, "status_code": answer.status_code}


def method_only(answer: Any) -> dict[str, Any]:
    """The method id that the code must be presented with."""
    return {"request_id": answer.request_id, "status_code": answer.status_code, "method_id": answer.email_id}


@attrs.frozen(kw_only=True)
class Row:
    """One path of the browser API."""

    method: Method
    path: str
    call: Callable[..., Any]
    show: Shown = whole
    needs_session: bool = False
    hides: frozenset[str] = frozenset()
    requires: tuple[str, ...] = ()
    renames: dict[str, str] = attrs.field(factory=dict[str, str])
    own_user: str | None = None
    """The parameter that is the caller's own user, whatever the request says."""
    grants: bool = False
    """Whether the answer carries session tokens."""


SESSION = frozenset({"session_token", "session_jwt", "session_custom_claims", "user_id", "attributes", "options"})
"""What a browser never says of its session: it is the one it carries, and claims come from backends."""

SENDING = SESSION | {"create_user_as_pending"}
"""What a browser never says when it has something sent."""

DURATION = ("session_duration_minutes",)
"""A browser's sign-in says how long its session shall live (ruling X-15)."""
