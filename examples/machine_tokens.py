"""Machines: a client of its own for each, a token of one hour, and views that only tokens with the right scope open."""

from fastapi import FastAPI

from authmw import Auth, AuthMiddleware, Cookies, Settings, current_token, require_bearer
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage

settings = Settings(
    project_id="project-test-1",
    secret="a-secret-of-your-own",
    cookies=Cookies(secure=False),
    claim_roots=True,  # machines ask for tokens at /v1/public/{project_id}/oauth2/token
)
auth = Auth(settings, storage=SQLiteStorage("app.db"), limiter=SQLiteLimiter("app.db"))
app = FastAPI()
app.add_middleware(AuthMiddleware, auth=auth)


def new_machine(name: str) -> dict[str, str]:
    """Once for each machine, by an administrator: the secret is shown this once, and rotated in two steps."""
    made = auth.run(auth.m2m.clients.create(client_name=name, scopes=["reports:read", "reports:write"])).m2m_client
    return {"client_id": made.client_id, "client_secret": made.client_secret}


@app.get("/reports")
@require_bearer(scopes=["reports:read"])
async def reports() -> dict[str, str]:
    return {"for": current_token().client_id}


@app.post("/reports")
@require_bearer(scopes=["reports:write"])
async def write() -> dict[str, str]:
    return {"written_by": current_token().client_id}
