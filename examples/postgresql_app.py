"""FastAPI: a service of several processes that keeps everything in PostgreSQL, records, limits and notices.

What one process ends, the others refuse at once. Notices take a connection of their own in each process, to the server itself or by a pooler in session mode: one that pools by transaction
cannot LISTEN. `authmw migrate --app postgresql_app:auth` makes the tables where the role that serves may not.
"""

import os

from fastapi import FastAPI

from authmw import Auth, AuthMiddleware, Cookies, Settings, current_session, require_session
from authmw_adapters.console import ConsoleEmailSender
from authmw_adapters.postgresql_notices import PostgreSQLNotices
from authmw_adapters.sqlalchemy import AsyncSQLAlchemyLimiter, AsyncSQLAlchemyStorage

DATABASE = os.environ.get("DATABASE_URL", "postgresql+asyncpg://app@localhost/app")
settings = Settings(project_id="project-test-1", secret="a-secret-of-your-own", cookies=Cookies(secure=False))
auth = Auth(
    settings,
    storage=AsyncSQLAlchemyStorage(DATABASE),
    limiter=AsyncSQLAlchemyLimiter(DATABASE),
    notices=PostgreSQLNotices(DATABASE),
    email=ConsoleEmailSender(),
)


app = FastAPI()
app.add_middleware(AuthMiddleware, auth=auth)


@app.get("/me")
@require_session
async def me() -> dict[str, str]:
    return {"user": current_session().user_id}
