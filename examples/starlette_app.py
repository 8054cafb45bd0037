"""Starlette: the whole sign-in by a mailed link. Synchronous views run in threads of their own, so they may wait."""

from html import escape

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from authmw import Auth, AuthMiddleware, Cookies, Settings, current_session, optional_session, require_session
from authmw_adapters.inbox import Inbox
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage

settings = Settings(
    project_id="project-test-1",
    secret="a-secret-of-your-own",
    cookies=Cookies(secure=False),
    redirect_urls=("http://localhost:8000/authenticate",),
)
inbox = Inbox()
auth = Auth(settings, storage=SQLiteStorage("app.db"), limiter=SQLiteLimiter("app.db"), email=inbox)
LANDING = "http://localhost:8000/authenticate"
BUTTON = '<form method="post"><input type="hidden" name="token" value="{}"><button>Sign in</button></form>'


async def login(request: Request) -> Response:
    address = (await request.form())["email"]
    await auth.magic_links.email.login_or_create(
        email=address, login_magic_link_url=LANDING, signup_magic_link_url=LANDING
    )
    return HTMLResponse("Look into your inbox.")


def landing(request: Request) -> Response:
    return HTMLResponse(BUTTON.format(escape(request.query_params["token"])))


async def authenticate(request: Request) -> Response:
    token = (await request.form())["token"]
    auth.keep(await auth.magic_links.authenticate(token=token, session_duration_minutes=60))
    return RedirectResponse("/dashboard", 303)


def dashboard(request: Request) -> Response:
    return HTMLResponse("You're logged in." if optional_session() else "Log in to view this page")


@require_session
def me(request: Request) -> Response:
    return HTMLResponse(current_session().user_id)


@require_session
async def later(request: Request) -> Response:
    return HTMLResponse(current_session().user_id)


routes = [
    Route("/login", login, methods=["POST"]),
    Route("/authenticate", landing),
    Route("/authenticate", authenticate, methods=["POST"]),
    Route("/dashboard", dashboard),
    Route("/me", me),
    Route("/later", later),
]
app = Starlette(routes=routes, middleware=[Middleware(AuthMiddleware, auth=auth)])
