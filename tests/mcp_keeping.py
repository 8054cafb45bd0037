"""What an MCP client keeps between its calls."""

from __future__ import annotations

import attrs
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken


@attrs.define(eq=False)
class Kept:
    """Its tokens, and who it is to the server."""

    tokens: OAuthToken | None = None
    info: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.info

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.info = client_info
