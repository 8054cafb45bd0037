"""A provider on loopback, over TLS: it plays each of the thirteen by its documented answers, and a rogue one where a test says so."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from authmw import OAuthProvider
from authmw.oauth_providers import PROVIDERS
from tests.web_servers import encrypted, fetcher_for, read_request, reply, serving

HOST = "provider.example"
CLIENT = "client-of-ours"
SECRET = "secret of ours/+"


@functools.cache
def signing_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@functools.cache
def apple_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def jwk(kid: str = "one") -> dict[str, Any]:
    return {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(signing_key().public_key())), "kid": kid, "use": "sig"}


@attrs.define
class Provider:
    """One provider and one person there."""

    name: str
    clock: Any
    port: int = 0
    person: dict[str, Any] = attrs.field(factory=dict)
    emails: Any = None
    codes: dict[str, dict[str, str]] = attrs.field(factory=dict)
    asked: list[Any] = attrs.field(factory=list)
    keys: list[dict[str, Any]] = attrs.field(factory=lambda: [jwk()])
    claims: dict[str, Any] = attrs.field(factory=dict)
    header: dict[str, Any] = attrs.field(factory=lambda: {"kid": "one"})
    document: dict[str, Any] = attrs.field(factory=dict)
    broken: dict[str, bytes] = attrs.field(factory=dict)
    token_answer: dict[str, Any] = attrs.field(factory=dict)
    sign: Callable[[dict[str, Any]], str] | None = None

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.port}"

    @property
    def issuer(self) -> str:
        row = PROVIDERS.get(self.name)
        return row.issuers[0] if row and row.issuers else self.url

    def configured(self, **more: Any) -> OAuthProvider:
        """How a project knows it, with every endpoint here."""
        row = PROVIDERS.get(self.name)
        said: dict[str, Any] = {"name": self.name, "client_id": CLIENT, "client_secret": SECRET}
        if row is None:
            return OAuthProvider(**{**said, "issuer": self.url, **more})
        for endpoint in ("authorize_url", "token_url", "userinfo_url", "emails_url", "jwks_url"):
            if getattr(row, endpoint):
                said[endpoint] = f"{self.url}/{endpoint}"
        if self.name == "apple":
            said |= {"team_id": "team", "key_id": "key", "private_key": apple_key(), "client_secret": ""}
        return OAuthProvider(**{**said, **more})

    def authorize(self, url: str, **more: str) -> dict[str, str]:
        """What the person's consent sends back to the callback."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        code = hashlib.sha256(url.encode()).hexdigest()
        self.codes[code] = asked
        back = {"state": asked["state"], "code": code, **more}
        if self.name == "discord":
            back.setdefault("iss", "https://discord.com")
        return back

    def id_token(self, nonce: str | None, **more: Any) -> str:
        now = int(self.clock.now().timestamp())
        claims = {
            "iss": self.issuer.replace("{tenantid}", "9188040d-6c67-4c5b-b112-36a304b66dad"),
            "aud": CLIENT,
            "iat": now,
            "exp": now + 600,
            "nonce": nonce,
            **self.person,
            **self.claims,
            **more,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.sign is not None:
            return self.sign(claims)
        return jwt.encode(claims, signing_key(), "RS256", headers=self.header)

    def talk(self, connection: Any) -> None:
        while (request := read_request(connection)) is not None:
            self.asked.append(request)
            path = urlsplit(request.target).path.lstrip("/")
            connection.sendall(self.broken.get(path) or self._answer(path, request))

    def _answer(self, path: str, request: Any) -> bytes:
        if path == "token_url":
            return self._token(request)
        if path == "jwks_url":
            return said({"keys": self.keys})
        if path == "userinfo_url":
            return said({"data": self.person} if self.name == "coinbase" else self.person)
        if path == "emails_url":
            return said(self.emails) if self.emails is not None else reply(404, b"{}")
        if path == ".well-known/openid-configuration":
            return said(
                {
                    "issuer": self.url,
                    "authorization_endpoint": f"{self.url}/authorize_url",
                    "token_endpoint": f"{self.url}/token_url",
                    "jwks_uri": f"{self.url}/jwks_url",
                    "id_token_signing_alg_values_supported": ["RS256", "none"],
                    **self.document,
                }
            )
        return reply(404)

    def _token(self, request: Any) -> bytes:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        asked = self.codes.pop(form["code"], None)
        if asked is None or form["redirect_uri"] != asked["redirect_uri"] or not self._client(request, form):
            # GitHub and Slack put their errors into answers with status 200.
            return said({"ok": False, "error": "invalid_grant"}, 200 if self.name in {"github", "slack"} else 400)
        if "code_challenge" in asked:
            made = hashlib.sha256(form["code_verifier"].encode()).digest()
            if base64.urlsafe_b64encode(made).rstrip(b"=").decode() != asked["code_challenge"]:
                return said({"error": "invalid_grant"}, 400)
        answer = {
            "access_token": "access-of-the-provider",
            "refresh_token": "refresh-of-the-provider",
            "token_type": "bearer",
            "expires_in": 3600,
            "scope": asked["scope"],
            **self.token_answer,
        }
        row = PROVIDERS.get(self.name)
        if row is None or row.jwks_url:
            answer["id_token"] = self.id_token(asked.get("nonce"))
        return said(answer)

    def _client(self, request: Any, form: dict[str, str]) -> bool:
        if self.name == "apple":
            made = jwt.decode(form["client_secret"], options={"verify_signature": False})
            return made["sub"] == form["client_id"] == CLIENT and made["iss"] == "team"
        if "authorization" in request.headers:
            pair = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
            return pair == f"{CLIENT}:secret%20of%20ours%2F%2B"
        return form.get("client_id") == CLIENT and form.get("client_secret") == SECRET


def said(value: Any, status: int = 200) -> bytes:
    return reply(status, json.dumps(value).encode(), content_type="application/json")


@contextmanager
def playing(name: str, clock: Any, /, **person: Any) -> Iterator[Provider]:
    """A provider that is up."""
    provider = Provider(name, clock, person=person)
    with encrypted(provider.talk, serving(HOST)) as provider.port:
        yield provider


def fetcher_of(provider: Provider) -> Any:
    return fetcher_for(provider.port, HOST)


def at(moment: datetime) -> int:
    return int(moment.timestamp())
