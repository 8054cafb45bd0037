"""Roles: what each may do is declared once, users are given roles, and views say what they need."""

from fastapi import FastAPI

from authmw import (
    Auth,
    AuthMiddleware,
    Cookies,
    Permission,
    Policy,
    Resource,
    Role,
    Settings,
    require_permission,
    require_role,
)
from authmw_adapters.console import ConsoleEmailSender
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage

policy = Policy(
    resources=(Resource(resource_id="documents", actions=("read", "write", "delete")),),
    roles=(
        Role(role_id="editor", permissions=(Permission(resource_id="documents", actions=("read", "write")),)),
        Role(role_id="owner", permissions=(Permission(resource_id="documents", actions=("*",)),)),
    ),
)
settings = Settings(
    project_id="project-test-1", secret="a-secret-of-your-own", cookies=Cookies(secure=False), rbac=policy
)
auth = Auth(settings, storage=SQLiteStorage("app.db"), limiter=SQLiteLimiter("app.db"), email=ConsoleEmailSender())
app = FastAPI()
app.add_middleware(AuthMiddleware, auth=auth)


@app.put("/documents")
@require_permission("documents", "write")
async def write() -> dict[str, bool]:
    return {"written": True}


@app.delete("/documents")
@require_role("owner", exact=True)  # asks storage: a role that was taken back a second ago is gone
async def delete() -> dict[str, bool]:
    return {"deleted": True}
