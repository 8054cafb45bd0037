"""FastAPI: a public page, a protected one by decorator, and one by dependency."""

from fastapi import FastAPI

from authmw import Auth, AuthMiddleware, Cookies, Settings, current_session, require_session
from authmw.hosts.fastapi import Session
from authmw_adapters.console import ConsoleEmailSender
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage

settings = Settings(project_id="project-test-1", secret="a-secret-of-your-own", cookies=Cookies(secure=False))
auth = Auth(settings, storage=SQLiteStorage("app.db"), limiter=SQLiteLimiter("app.db"), email=ConsoleEmailSender())
app = FastAPI()
app.add_middleware(AuthMiddleware, auth=auth)


@app.get("/dashboard")
@require_session
async def dashboard() -> dict[str, str]:
    return {"user": current_session().user_id}


@app.get("/me")
async def me(session: Session) -> dict[str, str]:
    return {"user": session.user_id}
