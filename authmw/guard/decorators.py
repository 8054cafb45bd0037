"""The decorators for a host's views: one spelling for synchronous and asynchronous functions of every framework.

They never touch a view's arguments; a refusal is raised as `Refused` and answered by the host file.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar, cast

from authmw import drive
from authmw.guard.verified import (
    current_session,
    demand_fresh,
    demand_mfa,
    demand_permission,
    demand_role,
    exact_session,
    hold,
    role_source,
)

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


def require_role(role: str, *, exact: bool = False) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Only for users who hold this role: as the session's JWT says, which is at most five minutes old, or as storage says now if `exact`."""

    def decorate(view: Callable[P, T]) -> Callable[P, T]:
        return _guarded(view, lambda: demand_role(role), exact=exact)

    return decorate


def require_permission(
    resource_id: str, action: str, *, exact: bool = False
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Only for users with a role that grants this action on this resource, by the project's policy; `exact` as in `require_role`."""

    def decorate(view: Callable[P, T]) -> Callable[P, T]:
        return _guarded(view, lambda: demand_permission(resource_id, action), exact=exact)

    return decorate


def _guarded(view: Callable[P, T], demand: Callable[[], object], *, exact: bool = False) -> Callable[P, T]:
    if inspect.iscoroutinefunction(view):

        @functools.wraps(view)
        async def guarded_async(*args: P.args, **kwargs: P.kwargs) -> Any:
            if exact:
                hold(await drive.operate(role_source().io, exact_session()))
            demand()
            return await cast("Awaitable[Any]", view(*args, **kwargs))

        guarded = cast("Callable[P, T]", guarded_async)
    else:

        @functools.wraps(view)
        def guarded_sync(*args: P.args, **kwargs: P.kwargs) -> T:
            if exact:
                hold(drive.run(role_source().io, exact_session()))
            demand()
            return view(*args, **kwargs)

        guarded = guarded_sync
    # Frameworks resolve annotations written as text in the module of the function they are given, which is this one.
    with contextlib.suppress(NameError):
        guarded.__signature__ = inspect.signature(view, eval_str=True)  # type: ignore[attr-defined]  # read by inspect
    return guarded
