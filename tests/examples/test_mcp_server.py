"""The MCP example, with the official MCP client: discovery, registration, PKCE, consent and a tool call that acts for the person."""

from __future__ import annotations

import html
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import attrs
import httpx2
import pytest
from mcp import ClientSession
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata
from pydantic import AnyUrl

from authmw_adapters.inbox import Inbox
from tests.mcp_keeping import Kept
from tests.serving import address, listening, serving

EXAMPLE = Path(__file__).parents[2] / "examples" / "mcp_server.py"
CALLBACK = "http://127.0.0.1:1/callback"


@attrs.define(eq=False)
class Person:
    """Somebody at a browser, who signs in by a code and allows."""

    url: str
    inbox: Inbox
    browser: httpx2.Client
    back: str = ""
    asked: str = ""

    def goes(self, address: str) -> None:
        """Follow an authorization URL until the client's own address is reached."""
        self.asked = address
        answer = self.browser.get(address)
        while not answer.headers.get("location", "").startswith(CALLBACK):
            if answer.status_code == 303:
                answer = self.browser.get(answer.headers["location"])
                continue
            assert answer.status_code == 200, answer.text
            action = html.unescape(re.findall(r'action="([^"]+)"', answer.text)[0])
            fields = {name: html.unescape(value) for name, value in re.findall(FIELD, answer.text)}
            if "/login/code" in action:
                fields = {"email": "ada@example.org"}
            elif "/login/finish" in action:
                fields = {"method_id": fields["method_id"], "code": str(self.inbox.entries()[0].code)}
            else:
                assert "Read your notes." in answer.text
                fields["decision"] = "allow"
            answer = self.browser.post(action, data=fields, headers={"origin": self.url})
        self.back = answer.headers["location"]

    def came_back(self) -> AuthorizationCodeResult:
        said = {name: values[0] for name, values in parse_qs(urlsplit(self.back).query).items()}
        return AuthorizationCodeResult(code=said["code"], state=said["state"], iss=said["iss"])


FIELD = r'name="([^"]+)" value="([^"]*)"'


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    monkeypatch.chdir(tmp_path)
    at, inbox = listening(), Inbox()
    url = address(at, "127.0.0.1")
    app = runpy.run_path(str(EXAMPLE))["make_app"](url, inbox)
    with serving(app, at), httpx2.Client(base_url=url, trust_env=False) as browser:
        yield Person(url, inbox, browser)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_official_client_finds_registers_asks_and_calls_a_tool(person: Person, anyio_backend: str) -> None:
    kept = Kept()

    async def redirect(address: str) -> None:
        person.goes(address)

    async def callback() -> AuthorizationCodeResult:
        return person.came_back()

    client = OAuthClientProvider(
        server_url=f"{person.url}/mcp",
        client_metadata=OAuthClientMetadata(
            client_name="A client", redirect_uris=[AnyUrl(CALLBACK)], scope="notes:read offline_access"
        ),
        storage=kept,
        redirect_handler=redirect,
        callback_handler=callback,
    )

    async def asked() -> str:
        async with (
            httpx2.AsyncClient(auth=client, trust_env=False, timeout=20) as http,
            streamable_http_client(f"{person.url}/mcp", http_client=http) as (read, write),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            assert [tool.name for tool in (await session.list_tools()).tools] == ["my_notes"]
            answer = await session.call_tool("my_notes", {})
            return str(answer.content[0].model_dump()["text"])

    told = await asked()
    assert kept.info is not None
    assert kept.tokens is not None
    assert re.fullmatch(rf"Notes of user-test-[0-9a-f-]+, for {kept.info.client_id}\.", told)
    query = parse_qs(urlsplit(person.asked).query)
    assert query["resource"] == [f"{person.url}/mcp"]
    assert query["code_challenge_method"] == ["S256"]
    first = kept.tokens
    assert first.refresh_token
    # A token that is over makes the client refresh, without asking the person again.
    kept.tokens = first.model_copy(update={"access_token": "over"})
    client.context.current_tokens = kept.tokens
    client.context.token_expiry_time = 1
    person.asked = ""
    assert await asked() == told
    assert person.asked == ""
    assert kept.tokens.refresh_token != first.refresh_token
