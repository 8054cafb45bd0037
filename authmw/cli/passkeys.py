"""The demo's passkeys: the script that makes and uses them, and their names. Everything else the script asks of the browser API."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from authmw.cli.views import HEADERS, Views, page, script
from authmw.errors import Refused
from authmw.guard.decorators import require_session
from authmw.guard.verified import current_session


class Passkeys(Views):
    """The views."""

    def routes(self) -> list[Route]:
        """Where they stand."""
        return [
            Route("/account/passkey", self.name, methods=["POST"]),
            Route("/passkeys.js", script("passkeys.js")),
        ]

    @require_session
    async def name(self, request: Request) -> Response:
        """Name one of the visitor's own passkeys."""
        form = await self.form(request)
        user = await self.do(self.auth.users.get(user_id=current_session().user_id))
        own = {one.webauthn_registration_id for one in user.webauthn_registrations}
        wanted = form.get("id", "")
        if wanted not in own:
            return page("trouble.html", 404, error="That is none of your passkeys.")
        naming = self.auth.webauthn.update(webauthn_registration_id=wanted, name=form.get("name", "")[:256])
        try:
            await self.do(naming)
        except Refused as refused:
            return page("trouble.html", refused.status, error=refused.message)
        return RedirectResponse("/account", 303, headers=HEADERS)
