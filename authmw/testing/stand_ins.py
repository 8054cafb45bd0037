"""Stand-ins for the thirteen OAuth providers: each answers in the shape of the one it stands in for, in this process and without a network.

Law: it is for development and tests. It believes whoever says who they are, so it takes only redirects to the app it was made for, and Live refuses it as a fetcher.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import threading
from collections.abc import Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import attrs
import jwt
import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from authmw.clock import Clock, SystemClock
from authmw.crypto import tokens
from authmw.errors import AuthError, FetchFailed
from authmw.oauth_providers import PERSONAL_TENANT, PROVIDERS, OAuthProvider, ProviderRow
from authmw.ports import IO, FetchAnswer, FetchRequest

SECRET = "stand-in-secret"  # of a provider that believes everybody
TEAM = "stand-in-team"
_ENDPOINTS = ("authorize_url", "token_url", "userinfo_url", "emails_url", "jwks_url")
_OTHER_TENANT = "0d1b3b5e-6a50-4f47-8a5a-2f0c5a3d7c11"
_KEY_ID = "stand-in"
_KEPT = 1000
"""Codes and tokens that are remembered at most, the newest ones."""


class StandInRefused(AuthError):
    """A request that the real provider would not take either. The message is for the developer."""


@attrs.frozen(kw_only=True)
class Person:
    """Somebody with an account at every provider. `verified` says whether the providers have verified the address, where they tell."""

    email: str
    first_name: str = ""
    last_name: str = ""
    verified: bool = True


@attrs.frozen(kw_only=True)
class Return:
    """How a browser goes back to the app: with these parameters, in the query of a GET, or as a posted form where the provider posts (Apple)."""

    url: str
    parameters: Mapping[str, str] = attrs.field(repr=False)
    posts: bool = False


@attrs.frozen
class _Agreed:
    name: str
    asked: Mapping[str, str] = attrs.field(repr=False)
    person: Person


class StandIns:
    """The thirteen, at addresses below `url`, for the app at the origin of `url`: a `Fetcher` for its `Auth`, and `configured()` for its settings."""

    io: IO = "instant"
    local = True

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        self._url = url.rstrip("/")
        self._origin = "{0.scheme}://{0.netloc}/".format(urlsplit(url))
        self._clock = clock or SystemClock()
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._lock = threading.Lock()
        self._codes: dict[str, _Agreed] = {}
        self._granted: dict[str, _Agreed] = {}

    def configured(self) -> tuple[OAuthProvider, ...]:
        """How a project knows them: for `Settings.oauth`."""
        return tuple(self._configured(name, row) for name, row in PROVIDERS.items())

    def _configured(self, name: str, row: ProviderRow) -> OAuthProvider:
        said: dict[str, Any] = {
            endpoint: f"{self._url}/{name}/{endpoint}" for endpoint in _ENDPOINTS if getattr(row, endpoint)
        }
        if name == "apple":
            said |= {"team_id": TEAM, "key_id": _KEY_ID, "private_key": self._pem}
        else:
            said["client_secret"] = SECRET
        return OAuthProvider(name=name, client_id=_client(name), **said)

    @functools.cached_property
    def _pem(self) -> str:
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    # --- The browser ---

    def check(self, name: str, asked: Mapping[str, str]) -> ProviderRow:
        """The row of a provider that takes this authorization request. Raises StandInRefused."""
        row = PROVIDERS.get(name)
        if row is None:
            raise StandInRefused("There is no such provider.")
        if asked.get("client_id") != _client(name) or asked.get("response_type") != "code":
            raise StandInRefused("The client is not the one of `configured()`, or asks for no code.")
        if not asked.get("redirect_uri", "").startswith(self._origin):
            raise StandInRefused("The redirect URI is not of the app that this provider was made for.")
        if row.pkce and not (asked.get("code_challenge") and asked.get("code_challenge_method") == "S256"):
            raise StandInRefused("The request has no S256 code challenge.")
        return row

    def agree(self, name: str, asked: Mapping[str, str], person: Person) -> Return:
        """The person signs in and agrees. Raises StandInRefused."""
        row, code = self.check(name, asked), tokens.token()
        with self._lock:
            _keep(self._codes, code, _Agreed(name, dict(asked), person))
        parameters = {"code": code, "state": asked.get("state", "")}
        if row.announces_issuer:
            parameters["iss"] = row.announces_issuer
        if name == "apple":
            called = {"name": {"firstName": person.first_name, "lastName": person.last_name}, "email": person.email}
            parameters["user"] = msgspec.json.encode(called).decode()
        return Return(url=asked["redirect_uri"], parameters=parameters, posts=row.form_post)

    def decline(self, name: str, asked: Mapping[str, str]) -> Return:
        """The person goes back without agreeing. Raises StandInRefused."""
        row = self.check(name, asked)
        parameters = {"error": "access_denied", "state": asked.get("state", "")}
        if row.announces_issuer:
            parameters["iss"] = row.announces_issuer
        return Return(url=asked["redirect_uri"], parameters=parameters, posts=row.form_post)

    # --- The app's backend ---

    async def fetch(self, request: FetchRequest) -> FetchAnswer:
        """What a provider answers to the app. Raises FetchFailed for every other address."""
        name, _, endpoint = request.url.partition("?")[0].removeprefix(self._url + "/").partition("/")
        row = PROVIDERS.get(name)
        if not request.url.startswith(self._url + "/") or row is None:
            raise FetchFailed("refused")
        if endpoint == "token_url" and request.method == "POST":
            return self._token(name, row, request)
        if endpoint == "jwks_url":
            return _answer({"keys": [self._public]})
        agreed = self._granted.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        if agreed is None or agreed.name != name:
            return _answer({"error": "invalid_token"}, 401)
        if endpoint == "emails_url":
            return _answer(_emails(name, agreed.person))
        return _answer(_profile(name, row, agreed.person))

    @functools.cached_property
    def _public(self) -> dict[str, Any]:
        numbers = self._key.public_key().public_numbers()
        x, y = (tokens.base64url(value.to_bytes(32, "big")) for value in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": _KEY_ID, "use": "sig", "alg": "ES256"}

    def _token(self, name: str, row: ProviderRow, request: FetchRequest) -> FetchAnswer:
        form = dict(parse_qsl(request.body.decode()))
        if not self._is_client(name, row, request, form):
            return _answer({"error": "invalid_client"}, 401)
        with self._lock:
            agreed = self._codes.pop(form.get("code", ""), None)
        if agreed is None or agreed.name != name or form.get("redirect_uri") != agreed.asked["redirect_uri"]:
            return _answer({"error": "invalid_grant"}, 400)
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if row.pkce and tokens.base64url(verifier) != agreed.asked["code_challenge"]:
            return _answer({"error": "invalid_grant"}, 400)
        access = tokens.token()
        with self._lock:
            _keep(self._granted, access, agreed)
        told = {"access_token": access, "refresh_token": tokens.token(), "token_type": "bearer", "expires_in": 3600}
        told["scope"] = agreed.asked.get("scope", "")
        return _answer({**told, **({"id_token": self._id_token(name, row, agreed)} if row.jwks_url else {})})

    def _is_client(self, name: str, row: ProviderRow, request: FetchRequest, form: Mapping[str, str]) -> bool:
        if row.authentication == "basic":
            pair = base64.b64encode(f"{_client(name)}:{SECRET}".encode()).decode()
            return request.headers.get("authorization") == f"Basic {pair}"
        if form.get("client_id") != _client(name):
            return False
        if name != "apple":
            return form.get("client_secret") == SECRET
        try:
            said = jwt.decode(
                form.get("client_secret", ""),
                self._key.public_key(),
                ["ES256"],
                audience="https://appleid.apple.com",
                options={"verify_exp": False, "verify_iat": False},  # by our clock, not by the machine's
            )
        except jwt.PyJWTError:
            return False
        lives = said["iat"] <= self._clock.now().timestamp() < said["exp"]
        return lives and (said["iss"], said["sub"]) == (TEAM, _client(name))

    def _id_token(self, name: str, row: ProviderRow, agreed: _Agreed) -> str:
        now = int(self._clock.now().timestamp())
        said = _profile(name, row, agreed.person)
        claims = {
            **said,
            "iss": row.issuers[0].replace("{tenantid}", str(said.get("tid", ""))),
            "aud": _client(name),
            "iat": now,
            "exp": now + 3600,
            "nonce": agreed.asked.get("nonce", ""),
        }
        return jwt.encode(claims, self._key, "ES256", headers={"kid": _KEY_ID})


def _client(name: str) -> str:
    return f"stand-in-{name}"


def _keep(held: MutableMapping[str, _Agreed], key: str, agreed: _Agreed) -> None:
    held[key] = agreed
    while len(held) > _KEPT:
        del held[next(iter(held))]


def _answer(value: object, status: int = 200) -> FetchAnswer:
    return FetchAnswer(status=status, headers={"content-type": "application/json"}, body=msgspec.json.encode(value))


def _profile(name: str, row: ProviderRow, person: Person) -> dict[str, Any]:
    """Who somebody is there, in the members that this provider has."""
    subject = hashlib.sha256(f"{name} {person.email}".encode()).hexdigest()[:16]
    said: dict[str, Any] = {}
    _put(said, row.subject, int(subject, 16) % 10**9 if name == "github" else subject)
    called = f"{person.first_name} {person.last_name}".strip()
    _put(said, "data.name" if name == "coinbase" else "name", called)
    if row.jwks_url:
        said |= {"given_name": person.first_name, "family_name": person.last_name}
    if not row.emails_url:
        _put(said, row.email, person.email)
        if row.proof in {"flag", "google"}:
            _put(said, row.verified, person.verified)
        if row.proof == "flag_or_text":
            _put(said, row.verified, "true" if person.verified else "false")
    domain = person.email.rpartition("@")[2]
    if name == "google" and domain != "gmail.com":
        said["hd"] = domain
    if name == "microsoft":
        said["tid"] = PERSONAL_TENANT if person.verified else _OTHER_TENANT
    if name == "slack":
        said |= {"ok": True, "https://slack.com/team_id": "T0STANDIN", "https://slack.com/user_id": subject}
    return said


def _put(said: dict[str, Any], path: str, value: object) -> None:
    *above, last = path.split(".")
    for one in above:
        said = said.setdefault(one, {})
    said[last] = value


def _emails(name: str, person: Person) -> object:
    if name == "bitbucket":
        return {"values": [{"email": person.email, "is_primary": True, "is_confirmed": person.verified}]}
    return [{"email": person.email, "primary": True, "verified": person.verified}]
