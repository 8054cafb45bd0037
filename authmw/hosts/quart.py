"""Quart: `install(app, auth)` wraps the application and answers the guards' refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from authmw.errors import Refused
from authmw.hosts.asgi import AuthMiddleware
from authmw.hosts.visits import answer_to

if TYPE_CHECKING:
    from quart import Quart, Response

    from authmw.auth import Auth


def install(app: Quart, auth: Auth) -> None:
    """Put the middleware in front of a Quart app.

    Quart logs an exception that it does not know as an error, so refusals are answered by an error handler.
    """
    import quart

    def refused(error: Refused) -> Response:
        answer = answer_to(error)
        return quart.Response(bytes(answer.body), answer.status_code, dict(answer.headers))

    app.register_error_handler(Refused, refused)
    inner: Any = app.asgi_app
    app.asgi_app = AuthMiddleware(inner, auth)  # type: ignore[method-assign, assignment]  # the documented way
