"""The decorators for a host's views: one spelling for synchronous and asynchronous functions of every framework.

They never touch a view's arguments; a refusal is raised as `Refused` and answered by the host file.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar, cast

from authmw.guard.verified import current_session, demand_fresh, demand_mfa

P = ParamSpec("P")
T = TypeVar("T")


def require_session(view: Callable[P, T]) -> Callable[P, T]:
    """Only for signed-in visitors."""
    return _guarded(view, current_session)


def require_mfa(view: Callable[P, T]) -> Callable[P, T]:
    """Only for sessions with factors of two categories."""
    return _guarded(view, demand_mfa)


def require_fresh(*, minutes: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Only for sessions with a factor proved less than so many minutes ago."""

    def decorate(view: Callable[P, T]) -> Callable[P, T]:
        return _guarded(view, lambda: demand_fresh(minutes))

    return decorate


def _guarded(view: Callable[P, T], demand: Callable[[], object]) -> Callable[P, T]:
    if inspect.iscoroutinefunction(view):

        @functools.wraps(view)
        async def guarded_async(*args: P.args, **kwargs: P.kwargs) -> Any:
            demand()
            return await cast("Awaitable[Any]", view(*args, **kwargs))

        guarded = cast("Callable[P, T]", guarded_async)
    else:

        @functools.wraps(view)
        def guarded_sync(*args: P.args, **kwargs: P.kwargs) -> T:
            demand()
            return view(*args, **kwargs)

        guarded = guarded_sync
    # Frameworks resolve annotations written as text in the module of the function they are given, which is this one.
    with contextlib.suppress(NameError):
        guarded.__signature__ = inspect.signature(view, eval_str=True)  # type: ignore[attr-defined]  # read by inspect
    return guarded
