"""A project to tell stories about: an `Auth` behind a host, with a clock that the story sets and an inbox that it reads."""

from __future__ import annotations

import base64
import pickle
import threading
from pathlib import Path
from typing import Any

import attrs
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from authmw import (
    Auth,
    Cookies,
    Settings,
    current_session,
    require_fresh,
    require_mfa,
    require_permission,
    require_role,
    require_session,
)
from authmw.drive import step
from authmw.hosts.asgi import AuthMiddleware
from authmw.hosts.visits import SIGNED_OUT
from authmw.hosts.wsgi import AuthMiddleware as WSGIAuthMiddleware
from authmw.kinds import KINDS
from authmw.ports import EmailMessage, PhoneMessage
from authmw.storage import And
from authmw.testing import FixedClock
from authmw_adapters.inbox import Inbox, InboxEntry
from authmw_adapters.memory import MemoryLimiter, MemoryStorage
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage

PROJECT_ID = "project-test-00000000-0000-4000-8000-000000000000"
SECRET = "secret-test-of-the-stories-0123456789abcdef"
PUBLIC_TOKEN = "public-token-test-00000000-0000-4000-8000-000000000001"
URL = "http://localhost:8000"


@attrs.define(eq=False)
class Answer:
    """What came back, whichever host answered."""

    status: int
    json: Any
    headers: list[tuple[str, str]]

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]


class Mailbox(Inbox):
    """An inbox that a story can wait for: mail that a browser asked for leaves behind the reply."""

    def __init__(self) -> None:
        super().__init__()
        self._came = threading.Condition()

    async def send(self, message: EmailMessage | PhoneMessage) -> None:
        await super().send(message)
        with self._came:
            self._came.notify_all()

    def arrived(self, count: int, to: str | None = None) -> InboxEntry:
        """The newest entry, once there are so many: of all, or to one address or number."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.entries(to=to)) >= count, timeout=30)
        return self.latest(to=to)

    def told(self, subject: str) -> bool:
        """Whether a mail with this subject came, whatever overtook it."""
        with self._came:
            return self._came.wait_for(lambda: any(one.subject == subject for one in self.entries()), timeout=30)


@attrs.define(eq=False)
class World:
    """One project behind one host."""

    auth: Auth
    inbox: Mailbox
    clock: FixedClock
    host: str
    reached_at: str = ""
    client: TestClient | None = None
    """One whose loop goes on between requests, as asynchronous adapters need it."""

    @property
    def url(self) -> str:
        """Where the host is reached: Live is reached by https only."""
        return self.reached_at or (self.auth.settings.origin if self.auth.settings.live else URL)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.host == "asgi":
            return self._asgi(method, path, body, named)
        return self._wsgi(method, path, body, named)

    def _asgi(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Answer:
        client = self.client or asgi_client(self.auth, self.url)
        content = {"content": body} if isinstance(body, bytes) else {"json": body} if body is not None else {}
        answer = client.request(method, path, headers=headers, follow_redirects=False, **content)
        return Answer(answer.status_code, _json(answer.content), list(answer.headers.multi_items()))

    def _wsgi(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Answer:
        from werkzeug.test import Client

        client = Client(wsgi_app(self.auth), use_cookies=False)
        content = {"data": body} if isinstance(body, bytes) else {"json": body} if body is not None else {}
        answer = client.open(path, method=method, headers=headers, base_url=self.url, buffered=True, **content)
        return Answer(answer.status_code, _json(answer.data), list(answer.headers.items()))

    def backend(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        pair = base64.b64encode(f"{PROJECT_ID}:{SECRET}".encode()).decode()
        return self.send(method, path, body, authorization=f"Basic {pair}", **headers)

    def browser(self, method: str, path: str, body: Any = None, *, token: str = PUBLIC_TOKEN, **headers: str) -> Answer:
        pair = base64.b64encode(f"{PUBLIC_TOKEN}:{token}".encode()).decode()
        return self.send(method, path, body, authorization=f"Basic {pair}", **headers)

    def under(self, *root_keys: bytes, **more: Any) -> World:
        """The same service, begun again with these root keys."""
        core = self.auth.core
        settings = attrs.evolve(core.settings, root_keys=root_keys)
        auth = Auth(settings, storage=core.storage, limiter=core.limiter, clock=self.clock, email=self.inbox, **more)
        return attrs.evolve(self, auth=auth)

    def token(self) -> str:
        """The token of the newest link in the inbox."""
        return next(entry.links[0] for entry in self.inbox.entries() if entry.links).split("token=")[-1]

    def code(self) -> str:
        """The newest code in the inbox."""
        return next(entry.code for entry in self.inbox.entries() if entry.code is not None)

    def sign_in(self, address: str = "ada@example.org", minutes: int = 60, **more: Any) -> Any:
        """Sign somebody in by a link; the answer's body."""
        self.clock.advance(seconds=2)
        assert self.backend("POST", "/v1/magic_links/email/login_or_create", {"email": address}).status == 200
        body = {"token": self.token(), "session_duration_minutes": minutes, **more}
        answer = self.backend("POST", "/v1/magic_links/authenticate", body)
        assert answer.status == 200
        return answer.json

    def at_rest(self, folder: Path) -> bytes:
        """All that the project has stored, as somebody would see it who got hold of it: the files, or every field of every record."""
        self.auth.notes.flush()
        if self.host == "wsgi":
            return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
        kept = [step(self.auth.storage.page(kind, And(), limit=1000)).records for kind in KINDS]
        return pickle.dumps([attrs.asdict(record) for records in kept for record in records])

    def visit(self, path: str, *cookies: str, **headers: str) -> Answer:
        return self.send("GET", path, cookie="; ".join(cookies), **headers)


def asgi_client(auth: Auth, url: str = URL) -> TestClient:
    """A client of the host's application, on a loop of its own for each request or, entered, for all of them."""
    return TestClient(asgi_app(auth), base_url=url, raise_server_exceptions=False)


def _json(content: bytes) -> Any:
    import json

    try:
        return json.loads(content)
    except ValueError:
        return None


def make_world(folder: Path, host: str, **settings: Any) -> World:
    inbox, clock = Mailbox(), settings.pop("clock", None) or FixedClock()
    ports = {
        name: settings.pop(name)
        for name in ("fetcher", "devices", "mail_servers", "breaches", "notices", "session_cache")
        if name in settings
    }
    storage = settings.pop("storage", None) or (
        MemoryStorage() if host == "asgi" else SQLiteStorage(folder / "world.sqlite3")
    )
    limiter = settings.pop("limiter", None) or (
        MemoryLimiter() if host == "asgi" else SQLiteLimiter(folder / "world.sqlite3")
    )
    chosen: dict[str, Any] = {"claim_roots": True, "cookies": Cookies(secure=False), **settings}
    auth = Auth(
        Settings(project_id=PROJECT_ID, secret=SECRET, public_token=PUBLIC_TOKEN, **chosen),
        storage=storage,
        limiter=limiter,
        email=inbox,
        sms=inbox,
        whatsapp=inbox,
        **ports,
        clock=clock,
    )
    return World(auth, inbox, clock, host)


@require_session
def _who() -> dict[str, str]:
    return {"user_id": current_session().user_id}


def _roles() -> dict[str, list[str]]:
    return {"roles": list(current_session().roles)}


def asgi_app(auth: Auth) -> Starlette:
    @require_session
    async def who(request: Request) -> JSONResponse:
        return JSONResponse(_who())

    @require_mfa
    async def mfa(request: Request) -> JSONResponse:
        return JSONResponse(_who())

    @require_fresh(minutes=5)
    async def fresh(request: Request) -> JSONResponse:
        return JSONResponse(_who())

    @require_permission("documents", "write")
    async def write(request: Request) -> JSONResponse:
        return JSONResponse(_roles())

    @require_role("editor", exact=True)
    def write_exact(request: Request) -> JSONResponse:
        return JSONResponse(_roles())

    async def public(request: Request) -> JSONResponse:
        return JSONResponse({"public": True})

    def leave(request: Request) -> JSONResponse:
        auth.keep(SIGNED_OUT)
        return JSONResponse({})

    views = {"leave": leave, "who": who, "mfa": mfa, "fresh": fresh, "write": write, "write-exact": write_exact}
    routes = [Route(f"/{name}", view) for name, view in views.items()]
    routes.append(Route("/v1/public-of-the-host", public))
    return Starlette(routes=routes, middleware=[Middleware(AuthMiddleware, auth=auth)])


def wsgi_app(auth: Auth) -> Any:
    import json

    guarded = {
        "/who": require_session(_who),
        "/mfa": require_mfa(_who),
        "/fresh": require_fresh(minutes=5)(_who),
        "/write": require_permission("documents", "write")(_roles),
        "/write-exact": require_role("editor", exact=True)(_roles),
        "/leave": lambda: auth.keep(SIGNED_OUT) or {},
        "/v1/public-of-the-host": lambda: {"public": True},
    }

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        view = guarded.get(environ["PATH_INFO"])
        if view is None:
            start_response("404 Not Found", [("Content-Type", "application/json")])
            return [b"{}"]
        body = json.dumps(view()).encode()
        start_response("200 OK", [("Content-Type", "application/json")])
        return [body]

    return WSGIAuthMiddleware(app, auth)
