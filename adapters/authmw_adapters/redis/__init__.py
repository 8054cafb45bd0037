"""Redis: limits, notices between processes and a session cache, on one node or on a cluster beside a storage of any kind, and a complete storage on one node. Needs the extra `redis`.

storage = AsyncRedisStorage("redis://localhost:6379/0")  # asyncio: ASGI hosts
storage = RedisStorage("redis://localhost:6379/0")  # blocking: WSGI hosts
limiter = AsyncRedisLimiter("redis://localhost:6379/0")
limiter = RedisLimiter("redis://localhost:6379/0")
notices = RedisNotices("redis://localhost:6379/0")  # what one process ends, the others refuse at once
sessions = RedisSessionCache("redis://localhost:6379/0")  # beside a database: most renewals read nothing there
"""

from authmw_adapters.redis.copies import AsyncRedisSessionCache, RedisSessionCache
from authmw_adapters.redis.limiter import AsyncRedisLimiter, RedisLimiter
from authmw_adapters.redis.notices import RedisNotices
from authmw_adapters.redis.storage import AsyncRedisStorage, RedisStorage

__all__ = [
    "AsyncRedisLimiter",
    "AsyncRedisSessionCache",
    "AsyncRedisStorage",
    "RedisLimiter",
    "RedisNotices",
    "RedisSessionCache",
    "RedisStorage",
]
