"""FastAPI: the whole sign-in by a mailed link. The project's id and secret are the host's to keep, here in environment variables."""

import os
from html import escape
from typing import Annotated

from fastapi import FastAPI, Form
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse

from authmw import Auth, AuthMiddleware, Cookies, Settings, current_session, optional_session, require_session
from authmw.hosts.fastapi import Session
from authmw_adapters.inbox import Inbox
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage

settings = Settings(
    project_id=os.environ.get("AUTH_PROJECT_ID", "project-test-1"),
    secret=os.environ.get("AUTH_SECRET", "a-secret-of-your-own"),
    cookies=Cookies(secure=False),
    redirect_urls=("http://localhost:8000/authenticate",),
)
inbox = Inbox()
auth = Auth(settings, storage=SQLiteStorage("app.db"), limiter=SQLiteLimiter("app.db"), email=inbox)
LANDING = "http://localhost:8000/authenticate"
BUTTON = '<form method="post"><input type="hidden" name="token" value="{}"><button>Sign in</button></form>'
app = FastAPI(default_response_class=PlainTextResponse)
app.add_middleware(AuthMiddleware, auth=auth)


@app.post("/login")
async def login(email: Annotated[str, Form()]) -> str:
    await auth.magic_links.email.login_or_create(
        email=email, login_magic_link_url=LANDING, signup_magic_link_url=LANDING
    )
    return "Look into your inbox."


@app.get("/authenticate")
async def landing(token: str) -> HTMLResponse:
    return HTMLResponse(BUTTON.format(escape(token)))


@app.post("/authenticate")
async def authenticate(token: Annotated[str, Form()]) -> RedirectResponse:
    auth.keep(await auth.magic_links.authenticate(token=token, session_duration_minutes=60))
    return RedirectResponse("/dashboard", 303)


@app.get("/dashboard")
async def dashboard() -> str:
    return "You're logged in." if optional_session() else "Log in to view this page"


@app.get("/me")
async def me(session: Session) -> str:
    return session.user_id


@app.get("/later")
@require_session
def later() -> str:
    return current_session().user_id
