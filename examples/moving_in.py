"""For people who are signed in elsewhere already: with a session of the system before this one, or in an app of your own that holds an access token of theirs."""

from os import environ

from fastapi import FastAPI, HTTPException

from authmw import Auth, AuthMiddleware, Cookies, Refused, Settings
from authmw.hosts.fastapi import Session
from authmw_adapters.fetcher import GuardedFetcher
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage

settings = Settings(
    project_id="project-test-1",
    secret="a-secret-of-your-own",
    cookies=Cookies(secure=False),
    # Asked with the former session as a bearer token; it answers with the person's e-mail address, as UserInfo does.
    session_migration_url=environ["FORMER_USERINFO"],
)
auth = Auth(settings, storage=SQLiteStorage("app.db"), limiter=SQLiteLimiter("app.db"), fetcher=GuardedFetcher())
app = FastAPI()
app.add_middleware(AuthMiddleware, auth=auth)


@app.post("/from-former")
async def from_former(session: str) -> dict[str, str]:
    """Nobody is made by it: bring your people over first, by `users.create` or `passwords.migrate`."""
    try:
        answer = await auth.sessions.migrate(session_token=session, session_duration_minutes=60)
    except Refused as refused:
        raise HTTPException(refused.status, refused.message) from None
    auth.keep(answer)
    return {"user": answer.user_id}


@app.post("/from-app")
async def from_app(access_token: str) -> dict[str, str]:
    """A first-party app with `full_access_allowed` hands its token over, at most five minutes old, to open the website as the same person."""
    try:
        answer = await auth.sessions.exchange_access_token(access_token=access_token, session_duration_minutes=60)
    except Refused as refused:
        raise HTTPException(refused.status, refused.message) from None
    auth.keep(answer)
    return {"user": answer.user_id}


@app.get("/me")
async def me(session: Session) -> dict[str, str]:
    return {"user": session.user_id}
