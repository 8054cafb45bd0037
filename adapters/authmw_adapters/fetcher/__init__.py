"""The guarded outbound client over httpcore2."""

from __future__ import annotations

from authmw_adapters.fetcher.client import GuardedFetcher

__all__ = ["GuardedFetcher"]
