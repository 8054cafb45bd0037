"""Flask: `install(app, auth)` wraps the application and answers the guards' refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authmw.errors import Refused
from authmw.hosts.visits import answer_to
from authmw.hosts.wsgi import AuthMiddleware

if TYPE_CHECKING:
    from flask import Flask, Response

    from authmw.auth import Auth


def install(app: Flask, auth: Auth) -> None:
    """Put the middleware in front of a Flask app.

    Flask logs an exception that it does not know as an error, so refusals are answered by an error handler.
    """
    import flask

    def refused(error: Refused) -> Response:
        answer = answer_to(error)
        return flask.Response(bytes(answer.body), answer.status_code, list(answer.headers.items()))

    app.register_error_handler(Refused, refused)
    app.wsgi_app = AuthMiddleware(app.wsgi_app, auth)  # type: ignore[method-assign]  # the documented way
