"""SQLite from the standard library: storage and limits for one machine, safe with several threads and processes."""

from authmw_adapters.sqlite.limiter import SQLiteLimiter
from authmw_adapters.sqlite.storage import SQLiteStorage

__all__ = ["SQLiteLimiter", "SQLiteStorage"]
