"""Litestar: the whole sign-in by a mailed link."""

from html import escape
from typing import Annotated

from litestar import Litestar, MediaType, get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body, QueryParameter
from litestar.response import Redirect

from authmw import (
    Auth,
    AuthMiddleware,
    Cookies,
    Refused,
    Settings,
    current_session,
    optional_session,
    require_session,
)
from authmw.hosts.litestar import answer_refusal
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
Form = Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]


@post("/login", status_code=200)
async def login(data: Form) -> str:
    await auth.magic_links.email.login_or_create(
        email=data["email"], login_magic_link_url=LANDING, signup_magic_link_url=LANDING
    )
    return "Look into your inbox."


@get("/authenticate", media_type=MediaType.HTML, sync_to_thread=False)
def landing(token: Annotated[str, QueryParameter()]) -> str:
    return BUTTON.format(escape(token))


@post("/authenticate", status_code=303)
async def authenticate(data: Form) -> Redirect:
    auth.keep(await auth.magic_links.authenticate(token=data["token"], session_duration_minutes=60))
    return Redirect("/dashboard", status_code=303)


@get("/dashboard")
async def dashboard() -> str:
    return "You're logged in." if optional_session() else "Log in to view this page"


@get("/me", sync_to_thread=True)
@require_session
def me() -> str:
    return current_session().user_id


@get("/later")
@require_session
async def later() -> str:
    return current_session().user_id


handlers = [login, landing, authenticate, dashboard, me, later]
app = AuthMiddleware(Litestar(handlers, exception_handlers={Refused: answer_refusal}), auth)
