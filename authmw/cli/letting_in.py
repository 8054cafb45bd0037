"""The demo's apps: what the visitor let in, and the end of it."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from authmw.cli.views import HEADERS, Views, page
from authmw.consumer.users.apps import UserConnectedAppAnswer
from authmw.errors import Refused
from authmw.guard.decorators import require_session
from authmw.guard.verified import current_session


class LettingIn(Views):
    """The views. People let apps in on the pages of the mount; here they see which, and take it back."""

    def routes(self) -> Iterator[Route]:
        """Where they stand."""
        yield Route("/account/apps", self.end, methods=["POST"])

    async def apps(self) -> list[UserConnectedAppAnswer]:
        """The apps that act for the visitor."""
        return (await self.do(self.auth.users.connected_apps(user_id=current_session().user_id))).connected_apps

    @require_session
    async def end(self, request: Request) -> Response:
        """Take back what the visitor agreed to with an app: every token that came of it is over."""
        form = await self.form(request)
        ending = self.auth.users.revoke(user_id=current_session().user_id, connected_app_id=form.get("id") or "none")
        try:
            await self.do(ending)
        except Refused as refused:
            return page("trouble.html", refused.status, error=refused.message)
        return RedirectResponse("/account", 303, headers=HEADERS)
