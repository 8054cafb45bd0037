"""The calls to a provider: discovery, keys, code for tokens, profile. Every one goes through the guarded fetcher, once a call of ours.

Law: a failed call is one refusal that says nothing of the provider's words; documents are kept for an hour, as keys are.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import attrs
import msgspec

from authmw.errors import Refused
from authmw.factors.key_sets import KEPT, KeySets
from authmw.factors.oauth.id_tokens import (
    ALGORITHMS,
    Expected,
    InvalidIDToken,
    check_id_token,
)
from authmw.factors.oauth.rules import (
    Profile,
    ProviderTokens,
    app_secret_proof,
    client_headers,
    granted,
    merged,
    profile_of,
    row_of_metadata,
)
from authmw.fetching import JSON, decoded_object, fetch
from authmw.oauth_providers import OAuthProvider, ProviderRow
from authmw.operations import Call
from authmw.ports import FetchAnswer, FetchRequest

FAILED = "oauth_flow_callback_error"


@attrs.frozen
class _Kept:
    at: datetime
    value: Any


@attrs.frozen(kw_only=True)
class Known:
    """A provider as it is now: how the project knows it, its completed row, and the algorithms of its ID tokens."""

    provider: OAuthProvider
    row: ProviderRow
    algorithms: tuple[str, ...] = tuple(ALGORITHMS)


class Directory:
    """What one process remembers of the providers of one project. The addresses are the project's own, so it stays small."""

    def __init__(self) -> None:
        self._documents: dict[str, _Kept] = {}
        self._keys = KeySets()

    async def known(self, call: Call, provider: OAuthProvider) -> Known:
        """The provider with its discovery document, where it is one that has its own."""
        row = provider.row()
        if not provider.own:
            return Known(provider=provider, row=row)
        kept = self._documents.get(provider.issuer)
        if kept is None or call.now - kept.at >= KEPT:
            address = provider.issuer.rstrip("/") + "/.well-known/openid-configuration"
            answer = await ask(call, FetchRequest(url=address, headers=JSON))
            if answer.status != 200:
                raise Refused(FAILED)
            kept = _Kept(call.now, decoded_object(answer.body, FAILED))
            self._documents[provider.issuer] = kept
        completed, algorithms = row_of_metadata(row, provider, kept.value, live=call.settings.live)
        return Known(provider=provider, row=completed, algorithms=algorithms)

    async def claims(self, call: Call, known: Known, token: str, expected: Expected) -> dict[str, Any]:
        """The claims of an ID token that counts. Refused: `oauth_flow_callback_error`."""
        expected = attrs.evolve(expected, algorithms=known.algorithms, tenants=known.provider.tenants)
        try:
            return await self._keys.try_keys(
                call,
                known.row.jwks_url,
                lambda keys: check_id_token(token, keys, expected, call.now),
                refusal=FAILED,
            )
        except InvalidIDToken:
            raise Refused(FAILED) from None

    async def exchange(
        self,
        call: Call,
        known: Known,
        *,
        code: str,
        redirect_uri: str,
        verifier: str,
        nonce: str,
        user: str | None,
        scopes: Sequence[str],
    ) -> tuple[Profile, ProviderTokens]:
        """Who a code is for and what it grants, after every check.

        `user` is the display name that Apple posts beside the code; `scopes` is what was asked for, which a provider that grants all of it need not repeat (RFC 6749 section 5.1).
        """
        row, provider = known.row, known.provider
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        if row.pkce:
            form["code_verifier"] = verifier
        if row.authentication == "post":
            form |= {"client_id": provider.client_id, "client_secret": client_secret(provider, call.now)}
        headers = {
            "accept": "application/json",
            "content-type": "application/x-www-form-urlencoded",
            **client_headers(row, provider),
        }
        request = FetchRequest(url=row.token_url, method="POST", headers=headers, body=urlencode(form).encode())
        answer = await ask(call, request, key=code)
        got = granted(answer.status, answer.body, scopes, call.now)
        said, emails = await self._said(call, known, got, code=code, nonce=nonce)
        if provider.name == "apple" and user:
            said = {**said, **_displayed(user)}
        return profile_of(row, provider, said, emails), got

    async def _said(
        self, call: Call, known: Known, got: ProviderTokens, *, code: str, nonce: str
    ) -> tuple[dict[str, Any], object]:
        row, provider = known.row, known.provider
        if not row.jwks_url:
            said = await self._ask(call, known, row.userinfo_url, got)
            emails = await self._ask_emails(call, known, got) if row.emails_url else None
            return said, emails
        expected = Expected(
            issuers=row.issuers,
            client_id=provider.client_id,
            nonce=nonce,
            access_token=got.access_token,
            code=code,
        )
        claims = await self.claims(call, known, got.id_token, expected)
        if row.userinfo_url and (row.always_userinfo or "email" not in claims):
            return merged(claims, await self._ask(call, known, row.userinfo_url, got)), None
        return claims, None

    async def _ask(self, call: Call, known: Known, url: str, got: ProviderTokens) -> dict[str, Any]:
        """A call with the access token, which leaves in the header only."""
        if known.provider.name == "facebook":
            url += ("&" if "?" in url else "?") + urlencode(
                {"appsecret_proof": app_secret_proof(known.provider, got.access_token)}
            )
        answer = await ask(call, _bearing(url, got))
        said = decoded_object(answer.body, FAILED) if answer.status == 200 else {}
        if not said or said.get("ok") is False:
            raise Refused(FAILED)
        return said

    async def _ask_emails(self, call: Call, known: Known, got: ProviderTokens) -> object:
        answer = await ask(call, _bearing(known.row.emails_url, got))
        if answer.status != 200:
            return None  # Without the scope there is no list, and then there is no proved address.
        try:
            return msgspec.json.decode(answer.body)
        except (ValueError, RecursionError):
            return None


async def ask(call: Call, request: FetchRequest, key: str = "") -> FetchAnswer:
    """One request to a provider. Refused: `oauth_flow_callback_error`."""
    return await fetch(call, request, refusal=FAILED, unconfigured="oauth_config_not_found", key=key)


def _bearing(url: str, got: ProviderTokens) -> FetchRequest:
    return FetchRequest(url=url, headers={"accept": "application/json", "authorization": f"Bearer {got.access_token}"})


def _displayed(user: str) -> dict[str, Any]:
    """The name that Apple posts once, unsigned: for display, and the address beside it counts for nothing."""
    try:
        posted = msgspec.json.decode(user, type=dict[str, Any])
    except (ValueError, RecursionError):
        return {}
    name = posted.get("name")
    if not isinstance(name, dict):
        return {}
    return {"given_name": name.get("firstName"), "family_name": name.get("lastName")}


def client_secret(provider: OAuthProvider, now: datetime) -> str:
    """The secret for the token endpoint. Apple's is an ES256 JWT, made for one call and good for five minutes."""
    if provider.name != "apple":
        return provider.client_secret.reveal()
    import jwt

    issued = int(now.timestamp())
    claims = {
        "iss": provider.team_id,
        "iat": issued,
        "exp": issued + 300,
        "aud": "https://appleid.apple.com",
        "sub": provider.client_id,
    }
    return jwt.encode(claims, provider.private_key.reveal(), "ES256", headers={"kid": provider.key_id})
