"""Support: somebody of the host's staff sees what a user sees, for an hour, and every trace says who it was."""

from fastapi import FastAPI

from authmw import Auth, AuthMiddleware, Cookies, Settings, current_session, require_role, require_session
from authmw_adapters.console import ConsoleEmailSender
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage

settings = Settings(
    project_id="project-test-1", secret="a-secret-of-your-own", cookies=Cookies(secure=False), impersonation=True
)
auth = Auth(settings, storage=SQLiteStorage("app.db"), limiter=SQLiteLimiter("app.db"), email=ConsoleEmailSender())
app = FastAPI()
app.add_middleware(AuthMiddleware, auth=auth)


@app.post("/support/token")
@require_role("support", exact=True)
async def token(user: str) -> dict[str, str]:
    """A token for one use within five minutes, best opened in a window of its own: it signs in there as the user."""
    staff = await auth.users.get(user_id=current_session().user_id)
    started = await auth.impersonation.start(
        user_id=user, impersonator_id=staff.user_id, impersonator_email_address=staff.emails[0].address
    )
    return {"token": started.impersonation_token}


@app.post("/support/enter")
async def enter(token: str) -> dict[str, str]:
    answer = await auth.impersonation.authenticate(impersonation_token=token)
    auth.keep(answer)
    return {"user": answer.user_id}


@app.get("/me")
@require_session
async def me() -> dict[str, object]:
    session = current_session()
    behind = [factor["impersonated_factor"] for factor in session.factors if factor["type"] == "impersonated"]
    return {"user": session.user_id, "seen_by": behind}
