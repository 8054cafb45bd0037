"""A bare ASGI callable: the whole sign-in by a mailed link."""

from collections.abc import Awaitable, Callable, MutableMapping
from html import escape
from typing import Any
from urllib.parse import parse_qs

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


@require_session
async def me() -> str:
    return current_session().user_id


async def page(method: str, path: str, given: dict[str, list[str]]) -> str:
    match method, path:
        case "POST", "/login":
            address = given["email"][0]
            await auth.magic_links.email.login_or_create(
                email=address, login_magic_link_url=LANDING, signup_magic_link_url=LANDING
            )
            return "Look into your inbox."
        case "GET", "/authenticate":
            return BUTTON.format(escape(given["token"][0]))
        case "POST", "/authenticate":
            token = given["token"][0]
            auth.keep(await auth.magic_links.authenticate(token=token, session_duration_minutes=60))
            return "You're logged in."
        case _, "/me":
            return await me()
        case _:
            return "You're logged in." if optional_session() else "Log in to view this page"


async def application(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    if scope["type"] != "http":
        return
    body = (await receive()).get("body", b"").decode()
    given = parse_qs(body or scope["query_string"].decode())
    answer = await page(scope["method"], scope["path"], given)
    headers = [(b"content-type", b"text/html; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer.encode()})


app = AuthMiddleware(application, auth)
