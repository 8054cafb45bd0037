"""The same small application, bare and behind authmw, in three frameworks."""

from __future__ import annotations

from typing import Any

from authmw import current_session
from authmw.hosts.asgi import AuthMiddleware
from authmw.hosts.flask import install
from benchmarks.site import Site

PUBLIC, PRIVATE = "/public", "/private"


def starlette_app(site: Site | None) -> Any:
    """Bare without a site."""
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def public(request: Request) -> PlainTextResponse:
        return PlainTextResponse("hello")

    async def private(request: Request) -> PlainTextResponse:
        return PlainTextResponse(current_session().user_id and "hello")

    middleware = [] if site is None else [Middleware(AuthMiddleware, auth=site.auth)]
    return Starlette(
        routes=[Route(PUBLIC, public), Route(PRIVATE, public if site is None else private)], middleware=middleware
    )


def fastapi_app(site: Site | None) -> Any:
    """Bare without a site."""
    from fastapi import FastAPI
    from fastapi.responses import PlainTextResponse

    app = FastAPI(openapi_url=None)

    async def public() -> PlainTextResponse:
        return PlainTextResponse("hello")

    async def private() -> PlainTextResponse:
        return PlainTextResponse(current_session().user_id and "hello")

    app.add_api_route(PUBLIC, public)
    app.add_api_route(PRIVATE, public if site is None else private)
    if site is not None:
        app.add_middleware(AuthMiddleware, auth=site.auth)
    return app


def flask_app(site: Site | None) -> Any:
    """Bare without a site."""
    from flask import Flask

    app = Flask("bench")

    def public() -> str:
        return "hello"

    def private() -> str:
        return current_session().user_id and "hello"

    app.add_url_rule(PUBLIC, view_func=public)
    app.add_url_rule(PRIVATE, endpoint="private", view_func=public if site is None else private)
    if site is not None:
        install(app, site.auth)
    return app


FRAMEWORKS = {"Starlette": starlette_app, "FastAPI": fastapi_app, "Flask": flask_app}
