"""What browsers may call, as an administrator changes it while the service runs (SW-01, SW-03).

Law: a product that is off for browsers goes on for backends and for the host's own code; sessions are no product here, since whoever is signed in must be able to leave.
"""

from __future__ import annotations

from typing import Annotated, Any

import attrs
from msgspec import Meta

from authmw.operations import Product, Response, current_call, operation
from authmw.platform.project.changes import change_project, managed_project, read_project
from authmw.project import StoredBrowserAccess, browser_access_of
from authmw.switches import BROWSER_PRODUCTS, BrowserProduct

Products = Annotated[list[BrowserProduct], Meta(max_length=len(BROWSER_PRODUCTS))]


class BrowserAccessResponse(Response, kw_only=True):
    """The products that browsers may not call, and whether they may have something sent to known people by `send`."""

    products_off: list[BrowserProduct]
    sending: bool


class BrowserAccess(Product):
    """The browser switches of the project."""

    @operation("GET", "/v1/project/browser_access", action="GetBrowserAccess", source="DASHBOARD")
    async def get(self) -> BrowserAccessResponse:
        """What is switched off for browsers, declared or managed."""
        call = current_call()
        return _answer(browser_access_of(call.core.settings, await read_project(call)))

    @operation("PUT", "/v1/project/browser_access", action="UpdateBrowserAccess", source="DASHBOARD")
    async def update(
        self, *, products_off: Products | None = None, sending: bool | None = None
    ) -> BrowserAccessResponse:
        """Replace the products that browsers may not call, or let them `send` to known people or not; what is not given stays. Calls of backends go on.

        A call of a browser that is closed is refused as `endpoint_not_authorized_for_sdk`. Refused: `setting_not_managed`.
        """
        call = current_call()
        project = await managed_project(call, "browser_access")
        changes: dict[str, Any] = {
            "off": None if products_off is None else tuple(sorted(set(products_off))),
            "sending": sending,
        }
        given = {name: value for name, value in changes.items() if value is not None}
        after = attrs.evolve(browser_access_of(call.core.settings, project), **given)
        await change_project(call, project, browser_access=after)
        return _answer(after)


def _answer(access: StoredBrowserAccess) -> BrowserAccessResponse:
    return BrowserAccessResponse(products_off=access.products_off(), sending=access.sending)
