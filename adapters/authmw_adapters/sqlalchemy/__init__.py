"""PostgreSQL, MariaDB, MySQL and SQLite through SQLAlchemy Core: storage and limits for many processes, on blocking and on asyncio drivers.

    storage = SQLAlchemyStorage("postgresql+psycopg://app@db/app")  # blocking: WSGI hosts, workers
    storage = AsyncSQLAlchemyStorage("postgresql+asyncpg://app@db/app")  # asyncio: ASGI hosts

Needs the extra `postgres` or `mariadb`.
"""

from authmw_adapters.sqlalchemy.limiter import AsyncSQLAlchemyLimiter, SQLAlchemyLimiter
from authmw_adapters.sqlalchemy.storage import AsyncSQLAlchemyStorage, SQLAlchemyStorage

__all__ = ["AsyncSQLAlchemyLimiter", "AsyncSQLAlchemyStorage", "SQLAlchemyLimiter", "SQLAlchemyStorage"]
