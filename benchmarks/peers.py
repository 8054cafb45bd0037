"""What authmw would replace, each in its usual set-up over its own bare application; a peer that is not installed is left out."""

import asyncio
import base64
import importlib.util
import json
import tempfile
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from benchmarks import peers_with_users
from benchmarks.apps import PRIVATE, PUBLIC, fastapi_app, flask_app, starlette_app
from benchmarks.clients import Drive, asgi, microseconds, wsgi

SECRET = "a secret of the benches that is long enough for every peer 0123456789"


def starlette_sessions(loop: asyncio.AbstractEventLoop) -> tuple[Drive, Drive]:
    """Starlette's SessionMiddleware: data signed in a cookie."""
    import itsdangerous
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.sessions import SessionMiddleware
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def private(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.session["user_id"] and "hello")

    app = Starlette(routes=[Route(PRIVATE, private)], middleware=[Middleware(SessionMiddleware, secret_key=SECRET)])
    data = base64.b64encode(json.dumps({"user_id": "user-1"}).encode())
    cookie = f"session={itsdangerous.TimestampSigner(SECRET).sign(data).decode()}"
    return asgi(starlette_app(None), PUBLIC, cookie, loop), asgi(app, PRIVATE, cookie, loop)


def flask_login(loop: asyncio.AbstractEventLoop) -> tuple[Drive, Drive]:
    """Flask-Login: a user loaded by the id in Flask's signed cookie."""
    import flask
    import flask_login
    from werkzeug.test import Client

    app = flask.Flask("peer")
    app.secret_key = SECRET
    manager = flask_login.LoginManager(app)

    class Person(flask_login.UserMixin):
        id = "user-1"

    people = {"user-1": Person()}
    manager.user_loader(people.get)

    @app.get("/enter")
    def enter() -> str:
        flask_login.login_user(people["user-1"])
        return "welcome"

    @app.get(PRIVATE)
    @flask_login.login_required
    def private() -> str:
        return flask_login.current_user.id and "hello"

    # The session is bound to address and user agent, so it is made by a request like those measured.
    from benchmarks.clients import HEADERS

    entered = Client(app).get(
        "/enter", headers={"User-Agent": HEADERS["user-agent"]}, environ_base={"REMOTE_ADDR": "127.0.0.1"}
    )
    cookie = entered.headers["Set-Cookie"].partition(";")[0]
    return wsgi(flask_app(None), PUBLIC, cookie), wsgi(app, PRIVATE, cookie)


def _fastapi_users(loop: asyncio.AbstractEventLoop, *, database: bool) -> tuple[Drive, Drive]:
    from fastapi import Depends, FastAPI
    from fastapi.responses import PlainTextResponse
    from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin
    from fastapi_users.authentication import AuthenticationBackend, CookieTransport, JWTStrategy
    from fastapi_users.authentication.strategy.db import DatabaseStrategy
    from fastapi_users_db_sqlalchemy import SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
    from fastapi_users_db_sqlalchemy.access_token import (
        SQLAlchemyAccessTokenDatabase,
        SQLAlchemyBaseAccessTokenTableUUID,
    )
    from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
    from sqlalchemy.orm import DeclarativeBase

    class Base(DeclarativeBase):
        pass

    class User(SQLAlchemyBaseUserTableUUID, Base):
        pass

    class AccessToken(SQLAlchemyBaseAccessTokenTableUUID, Base):
        pass

    folder = Path(tempfile.mkdtemp(prefix="authmw-bench-"))
    engine = create_async_engine(f"sqlite+aiosqlite:///{folder / 'peer.sqlite3'}")
    sessions = async_sessionmaker(engine, expire_on_commit=False)

    async def in_database() -> AsyncIterator[AsyncSession]:
        async with sessions() as session:
            yield session

    async def users(session: AsyncSession = Depends(in_database)) -> Any:
        return SQLAlchemyUserDatabase(session, User)

    async def tokens(session: AsyncSession = Depends(in_database)) -> Any:
        return SQLAlchemyAccessTokenDatabase(session, AccessToken)

    class Manager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
        reset_password_token_secret = SECRET
        verification_token_secret = SECRET

    async def managers(database: Any = Depends(users)) -> Any:
        return Manager(database)

    def in_jwt() -> Any:
        return JWTStrategy(secret=SECRET, lifetime_seconds=3600)

    def in_table(database: Any = Depends(tokens)) -> Any:
        return DatabaseStrategy(database, lifetime_seconds=3600)

    backend = AuthenticationBackend(
        name="cookie",
        transport=CookieTransport(cookie_name="peer", cookie_max_age=3600),
        get_strategy=in_table if database else in_jwt,
    )
    current = FastAPIUsers[User, uuid.UUID](managers, [backend]).current_user(active=True)
    app = FastAPI(openapi_url=None)

    async def private(user: User = Depends(current)) -> PlainTextResponse:
        return PlainTextResponse(user.email and "hello")

    private.__annotations__ = {"user": User, "return": PlainTextResponse}
    app.add_api_route(PRIVATE, private)

    async def prepare() -> str:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        async with sessions() as session:
            user = User(email="ada@example.org", hashed_password="-", is_active=True)
            session.add(user)
            await session.commit()
            strategy = in_table(SQLAlchemyAccessTokenDatabase(session, AccessToken)) if database else in_jwt()
            return str(await strategy.write_token(user))

    cookie = f"peer={loop.run_until_complete(prepare())}"
    return asgi(fastapi_app(None), PUBLIC, cookie, loop), asgi(app, PRIVATE, cookie, loop)


PEERS = {
    "Starlette SessionMiddleware": ("itsdangerous", starlette_sessions),
    "Flask-Login": ("flask_login", flask_login),
    "fastapi-users, database": ("fastapi_users", lambda loop: _fastapi_users(loop, database=True)),
    "AuthX, JWT": ("authx", peers_with_users.authx),
    "Flask-Security, database": ("flask_security", peers_with_users.flask_security),
    "django-allauth, database": ("allauth", peers_with_users.django_allauth),
    "fastapi-users, JWT": ("fastapi_users", lambda loop: _fastapi_users(loop, database=False)),
}


def over_bare(loop: asyncio.AbstractEventLoop, *, times: int, rounds: int) -> dict[str, dict[str, float]]:
    """By peer: microseconds of its bare request, and what a request with a session costs more."""
    figures: dict[str, dict[str, float]] = {}
    for name, (module, make) in PEERS.items():
        if importlib.util.find_spec(module) is None:
            continue
        bare, theirs = make(loop)
        best = microseconds({"bare": bare, "theirs": theirs}, times=times, rounds=rounds)
        figures[name] = {"bare": best["bare"], "live session": best["theirs"] - best["bare"]}
    return figures
