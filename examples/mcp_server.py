"""An MCP server whose tools act for the person who let the client in.

The official SDK speaks the protocol; authmw is the authorization server that clients find, register with and ask people through. Give a client `http://localhost:8000/mcp`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import escape
from urllib.parse import quote

import uvicorn
from mcp.server import MCPServer
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from authmw import Auth, AuthMiddleware, Cookies, ProtectedResource, Provider, Settings, current_token, require_bearer
from authmw.ports import EmailSender
from authmw.redirects import safe_next
from authmw_adapters.console import ConsoleEmailSender
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage


def make_app(url: str, email: EmailSender) -> Starlette:
    """The whole host: tools, consent page (authmw's own) and a sign-in by a code."""
    notes = ProtectedResource(url=f"{url}/mcp", name="Notes", scopes={"notes:read": "Read your notes."})
    settings = Settings(
        project_id="project-test-1",
        secret="a-secret-of-your-own",
        public_url=url,
        cookies=Cookies(secure=False),
        provider=Provider(resources=(notes,), dynamic_registration=True),
    )
    auth = Auth(settings, storage=SQLiteStorage("app.db"), limiter=SQLiteLimiter("app.db"), email=email)
    mcp = MCPServer("Notes")

    @mcp.tool()
    async def my_notes() -> str:
        """The notes of the person who let this client in."""
        return f"Notes of {current_token().subject_id}, for {current_token().client_id}."

    tools = mcp.streamable_http_app(stateless_http=True, json_response=True)

    @require_bearer(resource="/mcp", scopes=("notes:read",))
    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        await tools(scope, receive, send)

    async def login(request: Request) -> Response:
        following = quote(safe_next(request.query_params.get("next"), "/"), safe="")
        form = f'<form method="post" action="/login/code?next={following}"><input name="email" type="email">'
        return HTMLResponse(form + "<button>Send me a code</button></form>")

    async def code(request: Request) -> Response:
        form = await request.form()
        sent = await auth.otps.email.login_or_create(email=str(form["email"]), expiration_minutes=10)
        following = quote(safe_next(request.query_params.get("next"), "/"), safe="")
        shown = f'<form method="post" action="/login/finish?next={following}"><input name="code">'
        return HTMLResponse(shown + f'<button name="method_id" value="{escape(sent.email_id)}">Sign in</button></form>')

    async def finish(request: Request) -> Response:
        form = await request.form()
        auth.keep(
            await auth.otps.authenticate(
                method_id=str(form["method_id"]), code=str(form["code"]), session_duration_minutes=60
            )
        )
        return RedirectResponse(safe_next(request.query_params.get("next"), "/"), 303)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with mcp.session_manager.run():
            yield

    routes = [
        Route("/login", login),
        Route("/login/code", code, methods=["POST"]),
        Route("/login/finish", finish, methods=["POST"]),
        Mount("/", app=guarded),
    ]
    return Starlette(routes=routes, middleware=[Middleware(AuthMiddleware, auth=auth)], lifespan=lifespan)


if __name__ == "__main__":
    uvicorn.run(make_app("http://localhost:8000", ConsoleEmailSender()))
