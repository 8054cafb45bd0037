"""What every page of the demo shares: headers, templates, forms that come from its own pages only."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from authmw import drive
from authmw.auth import Auth
from authmw.errors import Refused
from authmw.http.bodies import parse_form

T = TypeVar("T")
MINUTES = 60 * 24
"""How long the demo's sessions live."""
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


class Views:
    """The views of one `Auth`."""

    def __init__(self, auth: Auth) -> None:
        self.auth = auth

    async def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run an operation where storage wants it."""
        return await drive.operate(self.auth.storage.io, work)

    async def form(self, request: Request) -> dict[str, str]:
        """The fields of a form that came from one of our own pages."""
        self.check_origin(request)
        return parse_form(await request.body(), request.headers.get("content-type"))

    def token(self, request: Request) -> str:
        """The visitor's session token, which a proof is added to."""
        return request.cookies.get(self.auth.settings.cookies.session(), "")

    def for_script(self) -> dict[str, Any]:
        """What scripts are told: with which token to call the browser API, and how long its sessions live."""
        return {"token": self.auth.settings.public_token, "minutes": MINUTES}

    def check_origin(self, request: Request) -> None:
        """Refused unless the request comes from a page of this app (CSR-01)."""
        here = f"{request.url.scheme}://{request.headers.get('host', '')}"
        ours = request.headers.get("origin") in {self.auth.settings.origin, here}
        if not ours or request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise Refused("cross_site_request")


def page(name: str, status: int = 200, *, forms: str = "'self'", **values: Any) -> Response:
    """A page of the demo. `forms` is where its forms may lead."""
    text = _templates().get_template(name).render({"error": "", "email": "", **values})
    policy = HEADERS["content-security-policy"].replace("form-action 'self'", f"form-action {forms}")
    return HTMLResponse(text, status, headers={**HEADERS, "content-security-policy": policy})


@functools.cache
def _templates() -> Any:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("authmw.cli", "templates"), autoescape=True, undefined=jinja2.StrictUndefined
    )


def asset(name: str, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    """A view that answers one of the demo's files."""

    async def answer(request: Request) -> Response:
        return Response(_templates().get_template(name).render(), media_type=media_type, headers=HEADERS)

    return answer


def script(name: str) -> Callable[[Request], Awaitable[Response]]:
    """A view that answers one of the demo's scripts."""
    return asset(name, "text/javascript")


style = asset("demo.css", "text/css")
favicon = asset("icon.svg", "image/svg+xml")
