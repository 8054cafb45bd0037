"""The official MCP client's authorization against a host's guarded view: registered as a stranger, by the address of its document, and stepping up to a second scope."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import httpx2
import pytest
from anyio.from_thread import start_blocking_portal
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.shared.auth import OAuthClientMetadata
from pydantic import AnyUrl
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from authmw import AuthMiddleware, ProtectedResource, Provider, current_token, require_bearer
from tests.mcp_keeping import Kept
from tests.stories.test_consent_page import decides, visits
from tests.stories.test_provider import App
from tests.web_servers import Counter, counter, fetcher_for, reply
from tests.world import URL, World, make_world

CALLBACK = "http://127.0.0.1:1/callback"
API = f"{URL}/mcp"


@attrs.define(eq=False, kw_only=True)
class Client(Kept):
    """A client, and the person it sends to the provider."""

    world: World
    person: Any
    asked: list[dict[str, str]] = attrs.field(factory=list)
    back: str = ""

    async def goes(self, address: str) -> None:
        """The person allows what is asked for."""
        fields = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        self.asked.append(fields)
        one = App(self.world, {"client_id": fields["client_id"]}, self.person)
        self.back = decides(one, visits(one, fields), "allow").header("location")[0]

    async def came_back(self) -> AuthorizationCodeResult:
        said = {name: values[0] for name, values in parse_qs(urlsplit(self.back).query).items()}
        return AuthorizationCodeResult(code=said["code"], state=said["state"], iss=said["iss"])


@pytest.fixture
def site() -> Iterator[Counter]:
    with counter() as site:
        address = f"{site.url}/client.json"
        document = {"client_id": address, "client_name": "A client", "redirect_uris": [CALLBACK]}
        site.answers[:] = [reply(200, json.dumps(document).encode(), content_type="application/json")]
        yield site


@pytest.fixture
def kept(tmp_path: Path, site: Counter) -> Client:
    scopes = {"notes:read": "Read your notes.", "notes:write": "Write notes."}
    provider = Provider(
        resources=(ProtectedResource(url=API, scopes=scopes),), dynamic_registration=True, client_documents=True
    )
    world = make_world(tmp_path, "asgi", provider=provider, fetcher=fetcher_for(site.port))
    return Client(world=world, person=world.sign_in())


def calls(kept: Client, document: str | None, *methods: str) -> list[dict[str, str]]:
    """What the guarded view says to the client, one call after another."""

    @require_bearer(resource="/mcp", scopes=("notes:read",))
    async def read(request: Request) -> JSONResponse:
        return JSONResponse({"user": current_token().subject_id, "client": current_token().client_id})

    @require_bearer(resource="/mcp", scopes=("notes:write",))
    async def write(request: Request) -> JSONResponse:
        return JSONResponse({"user": current_token().subject_id, "scope": " ".join(current_token().scopes)})

    routes = [Route("/mcp", read), Route("/mcp", write, methods=["POST"])]
    host = Starlette(routes=routes, middleware=[Middleware(AuthMiddleware, auth=kept.world.auth)])
    client = OAuthClientProvider(
        server_url=API,
        client_metadata=OAuthClientMetadata(client_name="A client", redirect_uris=[AnyUrl(CALLBACK)]),
        storage=kept,
        redirect_handler=kept.goes,
        callback_handler=kept.came_back,
        client_metadata_url=document,
    )

    async def call() -> list[dict[str, str]]:
        said: list[dict[str, str]] = []
        async with httpx2.AsyncClient(auth=client, transport=httpx2.ASGITransport(host)) as http:
            for method in methods:
                answer = await http.request(method, API)
                assert answer.status_code == 200, answer.text
                said.append(answer.json())
        return said

    with start_blocking_portal() as portal:
        return portal.call(call)


def test_a_client_that_nobody_knows_registers_and_asks_for_what_the_view_needs(kept: Client, site: Counter) -> None:
    (said,) = calls(kept, None, "GET")
    assert said["user"] == kept.person["user_id"]
    assert said["client"].startswith("connected-app-test-")
    assert kept.asked[0]["resource"] == API
    assert "notes:read" in kept.asked[0]["scope"].split()
    assert site.asked == []


def test_a_client_with_a_document_is_known_by_its_address(kept: Client, site: Counter) -> None:
    """Preferred over registration, since the provider announces it."""
    address = f"{site.url}/client.json"
    (said,) = calls(kept, address, "GET")
    assert said == {"user": kept.person["user_id"], "client": address}
    assert [request.target for request in site.asked] == ["/client.json"]


def test_a_client_that_may_not_write_asks_the_person_for_more(kept: Client) -> None:
    """RFC 6750 section 3.1: 403 with the scope that is missing."""
    read, written, again = calls(kept, None, "GET", "POST", "GET")
    assert "notes:write" in written["scope"].split()
    assert read["user"] == written["user"] == again["user"]
    assert len(kept.asked) == 2
    assert "notes:write" in kept.asked[1]["scope"].split()
