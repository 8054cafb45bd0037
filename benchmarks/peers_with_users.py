"""More of what authmw would replace: AuthX by its JWT, and Flask-Security and django-allauth, which read their user (and Django its session) from a database."""

import asyncio
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

from benchmarks.apps import PRIVATE, PUBLIC, fastapi_app, flask_app
from benchmarks.clients import HEADERS, Drive, asgi, wsgi

SECRET = "a secret of the benches that is long enough for every peer 0123456789"


def _file(name: str) -> Path:
    return Path(tempfile.mkdtemp(prefix="authmw-bench-")) / name


def authx(loop: asyncio.AbstractEventLoop) -> tuple[Drive, Drive]:
    """AuthX: a JWT in a cookie, verified by a dependency."""
    from authx import AuthX, AuthXConfig
    from fastapi import Depends, FastAPI
    from fastapi.responses import PlainTextResponse

    security = AuthX(
        config=AuthXConfig(JWT_SECRET_KEY=SECRET, JWT_TOKEN_LOCATION=["cookies"], JWT_COOKIE_CSRF_PROTECT=False)
    )
    app = FastAPI(openapi_url=None)

    async def private(payload: Any = Depends(security.access_token_required)) -> PlainTextResponse:
        return PlainTextResponse(payload.sub and "hello")

    private.__annotations__ = {"payload": Any, "return": PlainTextResponse}
    app.add_api_route(PRIVATE, private)
    cookie = f"{security.config.JWT_ACCESS_COOKIE_NAME}={security.create_access_token(uid='user-1')}"
    return asgi(fastapi_app(None), PUBLIC, cookie, loop), asgi(app, PRIVATE, cookie, loop)


def flask_security(loop: asyncio.AbstractEventLoop) -> tuple[Drive, Drive]:
    """Flask-Security: a user read from a database by the id in Flask's signed cookie."""
    import flask
    from flask_security import Security, SQLAlchemyUserDatastore, auth_required, current_user, login_user
    from flask_security.models import fsqla_v3
    from flask_sqlalchemy import SQLAlchemy
    from werkzeug.test import Client

    app = flask.Flask("peer")
    app.config.update(
        SECRET_KEY=SECRET,
        SECURITY_PASSWORD_SALT="the salt of the benches",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{_file('peer.sqlite3')}",
    )
    database = SQLAlchemy(app)
    fsqla_v3.FsModels.set_db_info(database)
    role = type("Role", (database.Model, fsqla_v3.FsRoleMixin), {})
    user = type("User", (database.Model, fsqla_v3.FsUserMixin), {})
    passkey = type("WebAuthn", (database.Model, fsqla_v3.FsWebAuthnMixin), {})
    store = SQLAlchemyUserDatastore(database, user, role, passkey)
    Security(app, store)

    @app.get("/enter")
    def enter() -> str:
        login_user(store.find_user(email="ada@example.org"))
        store.commit()
        return "welcome"

    @app.get(PRIVATE)
    @auth_required("session")
    def private() -> str:
        return current_user.email and "hello"

    with app.app_context():
        database.create_all()
        store.create_user(email="ada@example.org", password=None)
        store.commit()
    entered = Client(app).get(
        "/enter", headers={"User-Agent": HEADERS["user-agent"]}, environ_base={"REMOTE_ADDR": "127.0.0.1"}
    )
    cookies = [one.partition(";")[0] for one in entered.headers.getlist("Set-Cookie")]
    cookie = next(one for one in cookies if one.startswith("session="))
    return wsgi(flask_app(None), PUBLIC, cookie), wsgi(app, PRIVATE, cookie)


def django_allauth(loop: asyncio.AbstractEventLoop) -> tuple[Drive, Drive]:
    """django-allauth over Django's own sessions: session and user read from a database."""
    import django
    from django.conf import settings
    from django.http import HttpResponse
    from django.urls import path

    routes = types.ModuleType("authmw_bench_urls")
    sys.modules[routes.__name__] = routes
    sessions = "django.contrib.sessions.middleware.SessionMiddleware"
    settings.configure(
        SECRET_KEY=SECRET,
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=routes.__name__,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(_file("django.sqlite3"))}},
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "allauth",
            "allauth.account",
        ],
        MIDDLEWARE=[
            sessions,
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "allauth.account.middleware.AccountMiddleware",
        ],
        AUTHENTICATION_BACKENDS=["allauth.account.auth_backends.AuthenticationBackend"],
    )
    django.setup()
    from django.contrib.auth.decorators import login_required
    from django.contrib.auth.models import User
    from django.core.handlers.wsgi import WSGIHandler
    from django.core.management import call_command
    from django.test import Client
    from django.test.utils import override_settings

    def public(request: Any) -> HttpResponse:
        return HttpResponse("hello")

    @login_required
    def private(request: Any) -> HttpResponse:
        return HttpResponse(request.user.username and "hello")

    routes.urlpatterns = [path(PUBLIC[1:], public), path(PRIVATE[1:], private)]  # type: ignore[attr-defined]
    call_command("migrate", verbosity=0)
    client = Client()
    client.force_login(User.objects.create_user("ada"))
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    ours = WSGIHandler()
    with override_settings(MIDDLEWARE=[]):
        bare = WSGIHandler()
    return wsgi(bare, PUBLIC, cookie), wsgi(ours, PRIVATE, cookie)
