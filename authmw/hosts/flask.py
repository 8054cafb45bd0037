"""Flask: `install(app, auth)` wraps the application and answers the guards' refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authmw.errors import Refused
from authmw.hosts.visits import Visitor
from authmw.hosts.wsgi import AuthMiddleware

if TYPE_CHECKING:
    from flask import Flask, Response

    from authmw.auth import Auth


def install(app: Flask, auth: Auth) -> None:
    """Put the middleware in front of a Flask app.

    Flask turns an unknown exception into a 500 before a middleware sees it, so refusals are answered by an error handler.
    """
    import flask

    visitor = Visitor(auth)

    def refused(error: Refused) -> Response:
        asked = flask.request
        path = asked.root_path.rstrip("/") + asked.full_path.removesuffix("?")
        headers = {name.lower(): (value,) for name, value in asked.headers.items()}
        answer = visitor.refusal(error, asked.method, path, headers)
        return flask.Response(bytes(answer.body), answer.status_code, list(answer.headers.items()))

    app.register_error_handler(Refused, refused)
    app.wsgi_app = AuthMiddleware(app.wsgi_app, auth)  # type: ignore[method-assign]  # the documented way
