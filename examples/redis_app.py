"""FastAPI: a service of several processes that keeps everything in one Redis node (`appendonly yes`, `appendfsync always`, `maxmemory-policy noeviction`).

What one process ends, the others refuse at once. Beside a database, leave the storage there, take limits and notices from here, and give `Auth` a `session_cache=AsyncRedisSessionCache(REDIS)`:
it spares the database most renewals of sessions.
"""

import os

from fastapi import FastAPI

from authmw import Auth, AuthMiddleware, Cookies, Settings, current_session, require_session
from authmw_adapters.console import ConsoleEmailSender
from authmw_adapters.redis import AsyncRedisLimiter, AsyncRedisStorage, RedisNotices

REDIS = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
settings = Settings(project_id="project-test-1", secret="a-secret-of-your-own", cookies=Cookies(secure=False))
auth = Auth(
    settings,
    storage=AsyncRedisStorage(REDIS),
    limiter=AsyncRedisLimiter(REDIS),
    notices=RedisNotices(REDIS),
    email=ConsoleEmailSender(),
)


app = FastAPI()
app.add_middleware(AuthMiddleware, auth=auth)


@app.get("/me")
@require_session
async def me() -> dict[str, str]:
    return {"user": current_session().user_id}
