"""Limits counted in Redis, on one node or on a cluster, beside a storage of any kind. Needs the extra `redis`.

limiter = AsyncRedisLimiter("redis://localhost:6379/0")  # asyncio: ASGI hosts with an asyncio storage
limiter = RedisLimiter("redis://localhost:6379/0")  # blocking: WSGI hosts, blocking storages
"""

from authmw_adapters.redis.limiter import AsyncRedisLimiter, RedisLimiter

__all__ = ["AsyncRedisLimiter", "RedisLimiter"]
