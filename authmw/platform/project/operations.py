"""The managed project: redirect URLs, public tokens, secrets, the addresses that backends call from, message templates, the password policy,
and what browsers may call.

Law: a change is refused where `Settings.managed` does not name the setting; reading is always allowed. A secret is shown once, when it is made.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import attrs
import msgspec
from msgspec import Meta

from authmw.crypto import tokens
from authmw.errors import Refused
from authmw.identifiers import canonical_ip
from authmw.operations import Core, Product, Response, current_call, operation
from authmw.parameters import URL, Id
from authmw.platform.project.browser_access import BrowserAccess
from authmw.platform.project.changes import change_project, managed_project, read_project
from authmw.platform.project.email_templates import EmailTemplates
from authmw.platform.project.metrics import MetricsResponse, metrics_of
from authmw.platform.project.password_policy import PasswordPolicies
from authmw.project import (
    StoredRedirect,
    StoredSecret,
    StoredToken,
    ip_allow_list_of,
    public_tokens_of,
    redirects_of,
    secrets_of,
)
from authmw.redirects import RedirectList, RedirectType, RedirectURL
from authmw.settings import MAXIMUM_ADDRESSES

MAXIMUM_URLS = 100
MAXIMUM_TOKENS = 10
MAXIMUM_SECRETS = 2
"""Secrets that live at once: one, and the next while they are exchanged."""
Types = Annotated[list[RedirectType], Meta(max_length=5)]
Address = Annotated[str, Meta(max_length=64)]


class RedirectAnswer(msgspec.Struct, kw_only=True):
    """A registered redirect URL, what it may be used for, and the types whose default it is."""

    redirect_url_id: str
    url: str
    types: list[RedirectType]
    default_for: list[RedirectType]


class RedirectsResponse(Response, kw_only=True):
    """Every registered redirect URL."""

    redirect_urls: list[RedirectAnswer]


class TokenAnswer(msgspec.Struct, kw_only=True):
    """A public token, and when it was made; None for a declared one."""

    public_token: str
    created_at: datetime | None


class TokenResponse(Response, kw_only=True):
    """A new public token."""

    public_token: str


class TokensResponse(Response, kw_only=True):
    """Every public token."""

    public_tokens: list[TokenAnswer]


class SecretAnswer(msgspec.Struct, kw_only=True):
    """What is known of a secret: never the secret. A declared one has neither letters nor time."""

    secret_id: str
    last_four: str
    created_at: datetime | None


class SecretResponse(Response, kw_only=True):
    """A new secret, shown this once."""

    secret_id: str
    secret: str


class SecretsResponse(Response, kw_only=True):
    """Every secret that opens the backend API."""

    secrets: list[SecretAnswer]


class AddressesResponse(Response, kw_only=True):
    """The addresses that the backend API may be called from; none means all."""

    ip_addresses: list[str]


class RedirectURLs(Product):
    """Redirect URLs of the project."""

    @operation("POST", "/v1/project/redirect_urls", action="CreateRedirectURL", source="DASHBOARD")
    async def create(self, *, url: URL, types: Types, default_for: Types = []) -> RedirectsResponse:  # noqa: B006 -- read only
        """Register a redirect URL for these types (at most 100 URLs). One that becomes a type's default takes over from the one before.

        Refused: `setting_not_managed`, `too_many_redirect_urls`, and what `RedirectList.parse` refuses.
        """
        call = current_call()
        project = await managed_project(call, "redirect_urls")
        defaults = frozenset(default_for)
        known = [
            attrs.evolve(one, defaults=tuple(name for name in one.defaults if name not in defaults))
            for one in redirects_of(call.core.settings, project)
        ]
        if len(known) >= MAXIMUM_URLS:
            raise Refused("too_many_redirect_urls")
        new = StoredRedirect(url=url, types=tuple(sorted(set(types))), defaults=tuple(sorted(defaults)))
        urls = (*known, new)
        _parse(urls, live=call.settings.live)
        await change_project(call, project, redirect_urls=urls)
        return _redirects(call.settings.environment, urls)

    @operation("GET", "/v1/project/redirect_urls", action="ListRedirectURLs", source="DASHBOARD")
    async def list(self) -> RedirectsResponse:
        """Every redirect URL that holds, declared or managed."""
        call = current_call()
        project = await read_project(call)
        return _redirects(call.settings.environment, redirects_of(call.core.settings, project))

    @operation("DELETE", "/v1/project/redirect_urls/{redirect_url_id}", action="DeleteRedirectURL", source="DASHBOARD")
    async def delete(self, *, redirect_url_id: Id) -> RedirectsResponse:
        """Take a redirect URL back; links that were sent to it still lead there. Refused: `setting_not_managed`, `redirect_url_not_found`."""
        call = current_call()
        project = await managed_project(call, "redirect_urls")
        known = redirects_of(call.core.settings, project)
        left = tuple(one for one in known if _redirect_id(call.settings.environment, one) != redirect_url_id)
        if len(left) == len(known):
            raise Refused("redirect_url_not_found")
        await change_project(call, project, redirect_urls=left)
        return _redirects(call.settings.environment, left)


class PublicTokens(Product):
    """Public tokens, under which browsers call."""

    @operation("POST", "/v1/project/public_tokens", action="CreatePublicToken", source="DASHBOARD")
    async def create(self) -> TokenResponse:
        """Make another public token (at most 10); the others keep working (ENV-08). Refused: `setting_not_managed`, `too_many_public_tokens`."""
        call = current_call()
        project = await managed_project(call, "public_tokens")
        known = public_tokens_of(call.core.settings, project)
        if len(known) >= MAXIMUM_TOKENS:
            raise Refused("too_many_public_tokens")
        new = StoredToken(public_token=tokens.new_id("public-token", call.settings.environment), created_at=call.now)
        await change_project(call, project, public_tokens=(*known, new))
        return TokenResponse(public_token=new.public_token)

    @operation("GET", "/v1/project/public_tokens", action="ListPublicTokens", source="DASHBOARD")
    async def list(self) -> TokensResponse:
        """Every public token that holds."""
        call = current_call()
        known = public_tokens_of(call.core.settings, await read_project(call))
        return TokensResponse(
            public_tokens=[TokenAnswer(public_token=one.public_token, created_at=one.created_at) for one in known]
        )

    @operation("DELETE", "/v1/project/public_tokens/{public_token}", action="DeletePublicToken", source="DASHBOARD")
    async def delete(self, *, public_token: Id) -> TokensResponse:
        """Take a public token back; without any, the browser API is closed. Refused: `setting_not_managed`, `public_token_not_found`."""
        call = current_call()
        project = await managed_project(call, "public_tokens")
        known = public_tokens_of(call.core.settings, project)
        left = tuple(one for one in known if one.public_token != public_token)
        if len(left) == len(known):
            raise Refused("public_token_not_found")
        await change_project(call, project, public_tokens=left)
        return TokensResponse(
            public_tokens=[TokenAnswer(public_token=one.public_token, created_at=one.created_at) for one in left]
        )


class Secrets(Product):
    """Secrets, under which backends call."""

    @operation("POST", "/v1/project/secrets", action="CreateSecret", source="DASHBOARD")
    async def create(self) -> SecretResponse:
        """Make the next secret, shown this once; it holds beside the present one until that is deleted. Refused: `setting_not_managed`, `too_many_secrets`."""
        call = current_call()
        project = await managed_project(call, "secrets")
        known = secrets_of(project)
        if len(known) >= MAXIMUM_SECRETS:
            raise Refused("too_many_secrets")
        secret = f"secret-{call.settings.environment}-{tokens.token()}"
        new = StoredSecret(
            secret_id=tokens.new_id("secret-id", call.settings.environment),
            digest=tokens.digest(secret),
            last_four=secret[-4:],
            created_at=call.now,
        )
        await change_project(call, project, secrets=(*known, new))
        return SecretResponse(secret_id=new.secret_id, secret=secret)

    @operation("GET", "/v1/project/secrets", action="ListSecrets", source="DASHBOARD")
    async def list(self) -> SecretsResponse:
        """Every secret that holds, by what may be shown of it."""
        return _secrets(secrets_of(await read_project(current_call())))

    @operation("DELETE", "/v1/project/secrets/{secret_id}", action="DeleteSecret", source="DASHBOARD")
    async def delete(self, *, secret_id: Id) -> SecretsResponse:
        """Take a secret back. Refused: `setting_not_managed`, `secret_not_found`, `cannot_delete_last_secret`."""
        call = current_call()
        project = await managed_project(call, "secrets")
        known = secrets_of(project)
        left = tuple(one for one in known if one.secret_id != secret_id)
        if len(left) == len(known):
            raise Refused("secret_not_found")
        if not left:
            raise Refused("cannot_delete_last_secret")
        await change_project(call, project, secrets=left)
        return _secrets(left)


class IPAllowList(Product):
    """The addresses that backends call from."""

    @operation("PUT", "/v1/project/ip_allow_list", action="SetIPAllowList", source="DASHBOARD")
    async def set(self, *, ip_addresses: Annotated[list[Address], Meta(max_length=1000)]) -> AddressesResponse:
        """Replace the list (ENV-06); an empty one admits all addresses (ENV-07). IPv4 inside IPv6 is folded. Holds for the backend API only.

        Refused: `setting_not_managed`, `allow_list_max_exceeded` for more than 10, `invalid_ip_address`.
        """
        call = current_call()
        project = await managed_project(call, "ip_allow_list")
        addresses = tuple(dict.fromkeys(canonical_ip(text) for text in ip_addresses))
        if len(addresses) > MAXIMUM_ADDRESSES:
            raise Refused("allow_list_max_exceeded")
        await change_project(call, project, ip_allow_list=addresses)
        return AddressesResponse(ip_addresses=[*addresses])

    @operation("GET", "/v1/project/ip_allow_list", action="GetIPAllowList", source="DASHBOARD")
    async def get(self) -> AddressesResponse:
        """The list as it holds."""
        call = current_call()
        return AddressesResponse(ip_addresses=[*ip_allow_list_of(call.core.settings, await read_project(call))])


class Project(Product):
    """What an administrator changes of a project while the service runs."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.redirect_urls = RedirectURLs(core)
        self.public_tokens = PublicTokens(core)
        self.secrets = Secrets(core)
        self.ip_allow_list = IPAllowList(core)
        self.email_templates = EmailTemplates(core)
        self.password_policy = PasswordPolicies(core)
        self.browser_access = BrowserAccess(core)

    @operation("GET", "/v1/projects/metrics", action="ProjectMetrics")
    async def metrics(self) -> MetricsResponse:
        """How many users, organizations and machine clients there are."""
        return await metrics_of(current_call())


def _parse(urls: tuple[StoredRedirect, ...], *, live: bool) -> None:
    RedirectList.parse(
        [
            RedirectURL(
                one.url,
                frozenset(RedirectType(name) for name in one.types),
                frozenset(RedirectType(name) for name in one.defaults),
            )
            for one in urls
        ],
        "live" if live else "test",
    )


def _redirect_id(environment: str, one: StoredRedirect) -> str:
    """A URL is its own identity; its id is one that fits into a path."""
    return f"redirect-url-{environment}-{tokens.digest(one.url)[:32]}"


def _redirects(environment: str, urls: tuple[StoredRedirect, ...]) -> RedirectsResponse:
    return RedirectsResponse(
        redirect_urls=[
            RedirectAnswer(
                redirect_url_id=_redirect_id(environment, one),
                url=one.url,
                types=[RedirectType(name) for name in one.types],
                default_for=[RedirectType(name) for name in one.defaults],
            )
            for one in urls
        ]
    )


def _secrets(known: tuple[StoredSecret, ...]) -> SecretsResponse:
    return SecretsResponse(
        secrets=[
            SecretAnswer(secret_id=one.secret_id, last_four=one.last_four, created_at=one.created_at) for one in known
        ]
    )
