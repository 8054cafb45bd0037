"""Flask: the whole sign-in by a mailed link. The project's id and secret are the host's to keep, here in environment variables."""

import os
from html import escape

from flask import Flask, redirect, request
from werkzeug.wrappers import Response

from authmw import Auth, Cookies, Settings, current_session, optional_session, require_session
from authmw.hosts.flask import install
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
app = Flask(__name__)
install(app, auth)


@app.post("/login")
def login() -> str:
    address = request.form["email"]
    auth.run(
        auth.magic_links.email.login_or_create(
            email=address, login_magic_link_url=LANDING, signup_magic_link_url=LANDING
        )
    )
    return "Look into your inbox."


@app.get("/authenticate")
def landing() -> str:
    return BUTTON.format(escape(request.args["token"]))


@app.post("/authenticate")
def authenticate() -> Response:
    token = request.form["token"]
    auth.keep(auth.run(auth.magic_links.authenticate(token=token, session_duration_minutes=60)))
    return redirect("/dashboard", 303)


@app.get("/dashboard")
def dashboard() -> str:
    return "You're logged in." if optional_session() else "Log in to view this page"


@app.get("/me")
@require_session
def me() -> str:
    return current_session().user_id


@app.get("/later")
@require_session
async def later() -> str:
    return current_session().user_id
