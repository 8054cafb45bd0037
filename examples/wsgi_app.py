"""A bare WSGI callable: the whole sign-in by a mailed link."""

from collections.abc import Callable, Iterable
from html import escape
from typing import Any
from urllib.parse import parse_qs

from authmw import Auth, Cookies, Settings, current_session, optional_session, require_session
from authmw.hosts.wsgi import AuthMiddleware
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
def me() -> str:
    return current_session().user_id


def page(method: str, path: str, given: dict[str, list[str]]) -> str:
    match method, path:
        case "POST", "/login":
            address = given["email"][0]
            auth.run(
                auth.magic_links.email.login_or_create(
                    email=address, login_magic_link_url=LANDING, signup_magic_link_url=LANDING
                )
            )
            return "Look into your inbox."
        case "GET", "/authenticate":
            return BUTTON.format(escape(given["token"][0]))
        case "POST", "/authenticate":
            token = given["token"][0]
            auth.keep(auth.run(auth.magic_links.authenticate(token=token, session_duration_minutes=60)))
            return "You're logged in."
        case _, "/me":
            return me()
        case _:
            return "You're logged in." if optional_session() else "Log in to view this page"


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
    given = parse_qs(body or environ["QUERY_STRING"])
    answer = page(environ["REQUEST_METHOD"], environ["PATH_INFO"], given).encode()
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    yield answer


wsgi_app = AuthMiddleware(application, auth)
