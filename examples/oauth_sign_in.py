"""Sign-in with GitHub: a link starts it, the landing page takes the token, the session is kept in cookies.

The redirect URI to register there is `auth.oauth.callback_url("github")`; the home page shows it.
"""

import os
from collections.abc import Sequence
from html import escape
from typing import Annotated

import uvicorn
from fastapi import FastAPI, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from authmw import Auth, AuthMiddleware, Cookies, OAuthProvider, RedirectType, RedirectURL, Settings
from authmw.hosts.fastapi import Session
from authmw.ports import Fetcher
from authmw_adapters.fetcher import GuardedFetcher
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage

URL = "http://localhost:8000"
PUBLIC_TOKEN = "public-token-test-1"
BOTH = frozenset({RedirectType.LOGIN, RedirectType.SIGNUP})


def make_app(providers: Sequence[OAuthProvider], fetcher: Fetcher) -> FastAPI:
    """The app. Tests give it `authmw.testing.StandIns` for both."""
    settings = Settings(
        project_id="project-test-1",
        secret="a-secret-of-your-own",
        public_token=PUBLIC_TOKEN,
        public_url=URL,
        cookies=Cookies(secure=False),
        redirect_urls=(RedirectURL(f"{URL}/landing", BOTH, BOTH),),
        oauth=tuple(providers),
    )
    auth = Auth(settings, storage=SQLiteStorage("app.db"), limiter=SQLiteLimiter("app.db"), fetcher=fetcher)
    app = FastAPI()
    app.add_middleware(AuthMiddleware, auth=auth)

    @app.get("/")
    def home() -> HTMLResponse:
        starts = "".join(
            f'<p><a href="/auth/v1/public/oauth/{one.name}/start?public_token={PUBLIC_TOKEN}">Sign in with {one.name}</a>'
            for one in providers
        )
        callbacks = "".join(f"<p>Redirect URI: {auth.oauth.callback_url(one.name)}" for one in providers)
        return HTMLResponse(starts + callbacks)

    @app.get("/landing")
    def landing(token: str = "", error: str = "") -> HTMLResponse:
        # Following a link must sign nobody in, so the token is used by the form.
        form = f'<form method="post"><button name="token" value="{escape(token)}">Sign in</button></form>'
        return HTMLResponse("The provider did not let you in." if error else form)

    @app.post("/landing")
    async def finish(token: Annotated[str, Form()]) -> Response:
        auth.keep(await auth.oauth.authenticate(token=token, session_duration_minutes=60))
        return RedirectResponse("/me", 303)

    @app.get("/me")
    async def me(session: Session) -> dict[str, str]:
        return {"user": session.user_id}

    return app


if __name__ == "__main__":
    github = OAuthProvider(
        name="github", client_id=os.environ["GITHUB_CLIENT_ID"], client_secret=os.environ["GITHUB_CLIENT_SECRET"]
    )
    uvicorn.run(make_app((github,), GuardedFetcher()))
