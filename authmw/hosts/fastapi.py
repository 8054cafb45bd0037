"""FastAPI: the session as a dependency, shown in the docs page, answered before a request is validated."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from fastapi.security import APIKeyCookie

from authmw.guard.verified import VerifiedSession, current_session

_scheme = APIKeyCookie(name="authmw_session", scheme_name="Session", auto_error=False)


def _session(_: Annotated[str | None, Depends(_scheme)]) -> VerifiedSession:
    return current_session()


Session = Annotated[VerifiedSession, Depends(_session)]
"""A parameter of this type is the visitor's session; without one the request is refused."""
