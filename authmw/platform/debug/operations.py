"""Finding out what one talks to."""

from __future__ import annotations

from authmw.operations import Product, Response, current_call, operation


class WhoamiResponse(Response, kw_only=True):
    """The project that the credentials are of."""

    project_id: str
    name: str


class Debug(Product):
    """Finding out what one talks to."""

    @operation("GET", "/v1/debug/whoami", action="DebugWhoami")
    async def whoami(self) -> WhoamiResponse:
        """The project's id and name, for whoever holds its secret."""
        settings = current_call().settings
        return WhoamiResponse(project_id=settings.project_id, name=settings.name)
