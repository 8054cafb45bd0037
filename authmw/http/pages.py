"""Pages that are ours: where a mailed link leads, and the list of error types. They consume nothing.

Law: a page that only shows or leads on is no operation and leaves no event: mail scanners open each link, some several times. What is done with the token afterwards is one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from html import escape
from typing import TypeAlias

from starlette.responses import Response

from authmw.auth import Auth
from authmw.error_types import ERROR_TYPES, ErrorType
from authmw.error_types.additions import ADDITIONS, STATUSES
from authmw.errors import Refused, StorageError
from authmw.http.answers import SAFE, redirect_answer
from authmw.http.backend import query_of
from authmw.http.requests import Request

Target: TypeAlias = Callable[[Request, dict[str, str]], Awaitable[Response]]

_CSP = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem;color:#19303d}}code{{font-size:.9em;overflow-wrap:anywhere}}</style>
</head><body><main><h1>{title}</h1>{body}</main></body></html>"""


def page_routes(auth: Auth) -> Iterator[tuple[str, str, Target]]:
    """The pages of the mount."""
    yield "GET", "/v1/magic_links/redirect", _redirect(auth)
    yield "GET", "/errors", _errors


def page(title: str, body: str, status: int = 200) -> Response:
    """A small page; `body` is HTML of ours."""
    headers = {**SAFE, "content-security-policy": _CSP, "referrer-policy": "same-origin"}
    return Response(_PAGE.format(title=escape(title), body=body), status, headers=headers, media_type="text/html")


def refusal_page(refused: Refused) -> Response:
    """A refusal for people. Its words are ours; nothing of the request is on the page."""
    shown = page("This does not work", f"<p>{escape(refused.message)}</p>", refused.status)
    if refused.retry_after is not None:
        shown.headers["retry-after"] = str(max(1, int(refused.retry_after + 0.999)))
    return shown


def _redirect(auth: Auth) -> Target:
    async def answer(request: Request, parameters: dict[str, str]) -> Response:
        token = query_of(request.query).get("token", "")
        try:
            url = await auth.magic_links.destination(token, auth.core.clock.now()) if 0 < len(token) <= 512 else None
        except StorageError:
            return page("Not just now", "<p>The link was not looked up. Try it again in a minute.</p>", 503)
        if url is None:
            return page(
                "This link has expired", "<p>It was used already, or its time is over. Ask for a new one.</p>", 404
            )
        return redirect_answer(url)

    return answer


async def _errors(request: Request, parameters: dict[str, str]) -> Response:
    rows = "".join(_row(row) for row in sorted(ERROR_TYPES.values(), key=lambda one: one.name))
    return page("Error types", f"<p>A type that the vendor's API does not have says why it is here.</p><dl>{rows}</dl>")


def _row(row: ErrorType) -> str:
    shown = f'<dt id="{row.name}"><code>{row.name}</code> ({row.status})</dt><dd>{escape(row.message)}</dd>'
    for declared, of_what in ((ADDITIONS, "This type"), (STATUSES, "This status")):
        if row.name in declared:
            shown += f"<dd><small>{of_what} is an addition. {escape(declared[row.name])}</small></dd>"
    return shown
