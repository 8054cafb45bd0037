# ruff: noqa: S106  # the addresses of token endpoints are no passwords
"""The OAuth providers that people sign in with: what each one is, as data, and how a project is known to it.

Law: a provider is a row of this table or an OpenID provider by its issuer. What its word about an e-mail address is worth is part of the row, and is nothing
unless it says so (ACC-05, OAU-06). Endpoints come from here or from the project's own settings, never from a request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeAlias

import attrs

from authmw.crypto.secret import Secret
from authmw.scopes import is_scope
from authmw.urls import Malformed, split_url

EmailProof: TypeAlias = Literal["never", "flag", "flag_or_text", "google", "microsoft"]
"""When an address counts as proved: never; if the flag is true; also if it is the text "true"; by the provider's own rule."""
ClientAuthentication: TypeAlias = Literal["post", "basic"]

PERSONAL_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of Microsoft's personal accounts, whose addresses Microsoft verifies."""
LONGEST_SCOPE = 256
"""Characters of the longest scope that a provider is asked for."""
_NAME = re.compile(r"[a-z][a-z0-9_]{1,31}")


@attrs.frozen(kw_only=True)
class ProviderRow:
    """What is known of a provider. Members that are empty do not exist there.

    `label` is its spelling in `provider_type`, `factor` the member of a session's factor. `subject`, `email` and `verified` name members of the profile; dots descend.
    `emails_url` is a second call, for providers that keep verified addresses apart from the profile.
    """

    label: str
    factor: str
    authorize_url: str
    token_url: str
    scopes: tuple[str, ...]
    userinfo_url: str = ""
    emails_url: str = ""
    jwks_url: str = ""
    issuers: tuple[str, ...] = ()
    subject: str = "sub"
    email: str = "email"
    verified: str = "email_verified"
    picture: str = "picture"
    proof: EmailProof = "never"
    pkce: bool = False
    authentication: ClientAuthentication = "post"
    separator: str = " "
    form_post: bool = False
    takes_scopes: bool = True
    always_userinfo: bool = False
    base: str = ""
    """What the endpoints of a provider that people also run themselves begin with: an issuer of the project's own stands in its place."""
    announces_issuer: str = ""
    """The `iss` that its redirects carry, if it says that they do (RFC 9207)."""
    parameters: Mapping[str, str] = attrs.field(factory=dict[str, str])
    """What every authorization request says beside."""


_TWITCH_CLAIMS = (
    '{"id_token":{"email":null,"email_verified":null},"userinfo":{"email":null,"email_verified":null,"picture":null}}'
)

PROVIDERS: Mapping[str, ProviderRow] = {
    "amazon": ProviderRow(
        label="Amazon",
        factor="amazon_oauth_factor",
        authorize_url="https://www.amazon.com/ap/oa",
        token_url="https://api.amazon.com/auth/o2/token",
        userinfo_url="https://api.amazon.com/user/profile",
        scopes=("profile",),
        subject="user_id",
        pkce=True,
    ),
    "apple": ProviderRow(
        label="Apple",
        factor="apple_oauth_factor",
        authorize_url="https://appleid.apple.com/auth/authorize",
        token_url="https://appleid.apple.com/auth/token",
        jwks_url="https://appleid.apple.com/auth/keys",
        issuers=("https://appleid.apple.com",),
        scopes=("name", "email"),
        proof="flag_or_text",
        form_post=True,
        takes_scopes=False,
    ),
    "bitbucket": ProviderRow(
        label="Bitbucket",
        factor="bitbucket_oauth_factor",
        authorize_url="https://bitbucket.org/site/oauth2/authorize",
        token_url="https://bitbucket.org/site/oauth2/access_token",
        userinfo_url="https://api.bitbucket.org/2.0/user",
        emails_url="https://api.bitbucket.org/2.0/user/emails",
        scopes=("account", "email"),
        subject="uuid",
        picture="links.avatar.href",
        proof="flag",
        authentication="basic",
    ),
    "coinbase": ProviderRow(
        label="Coinbase",
        factor="coinbase_oauth_factor",
        authorize_url="https://login.coinbase.com/oauth2/auth",
        token_url="https://login.coinbase.com/oauth2/token",
        userinfo_url="https://api.coinbase.com/v2/user",
        scopes=("wallet:user:read", "wallet:user:email"),
        subject="data.id",
        email="data.email",
        picture="data.avatar_url",
        pkce=True,
        separator=",",
    ),
    "discord": ProviderRow(
        label="Discord",
        factor="discord_oauth_factor",
        authorize_url="https://discord.com/api/oauth2/authorize",
        token_url="https://discord.com/api/oauth2/token",
        userinfo_url="https://discord.com/api/users/@me",
        scopes=("identify", "email"),
        subject="id",
        verified="verified",
        picture="",
        proof="flag",
        pkce=True,
        announces_issuer="https://discord.com",
    ),
    "facebook": ProviderRow(
        label="Facebook",
        factor="facebook_oauth_factor",
        authorize_url="https://www.facebook.com/v21.0/dialog/oauth",
        token_url="https://graph.facebook.com/v21.0/oauth/access_token",
        userinfo_url="https://graph.facebook.com/v21.0/me?fields=id,name,email,first_name,last_name,picture",
        scopes=("email", "public_profile"),
        subject="id",
        picture="picture.data.url",
        separator=",",
    ),
    "github": ProviderRow(
        label="Github",
        factor="github_oauth_factor",
        authorize_url="https://github.com/login/oauth/authorize",
        token_url="https://github.com/login/oauth/access_token",
        userinfo_url="https://api.github.com/user",
        emails_url="https://api.github.com/user/emails",
        scopes=("read:user", "user:email"),
        subject="id",
        picture="avatar_url",
        proof="flag",
        pkce=True,
    ),
    "gitlab": ProviderRow(
        label="GitLab",
        factor="git_lab_oauth_factor",
        authorize_url="https://gitlab.com/oauth/authorize",
        token_url="https://gitlab.com/oauth/token",
        userinfo_url="https://gitlab.com/oauth/userinfo",
        jwks_url="https://gitlab.com/oauth/discovery/keys",
        issuers=("https://gitlab.com",),
        base="https://gitlab.com/",
        scopes=("openid", "email", "profile"),
        proof="flag",
        pkce=True,
    ),
    "google": ProviderRow(
        label="Google",
        factor="google_oauth_factor",
        authorize_url="https://accounts.google.com/o/oauth2/v2/auth",
        token_url="https://oauth2.googleapis.com/token",
        userinfo_url="https://openidconnect.googleapis.com/v1/userinfo",
        jwks_url="https://www.googleapis.com/oauth2/v3/certs",
        issuers=("https://accounts.google.com", "accounts.google.com"),
        scopes=("openid", "email", "profile"),
        proof="google",
        pkce=True,
    ),
    "linkedin": ProviderRow(
        label="LinkedIn",
        factor="linked_in_oauth_factor",
        authorize_url="https://www.linkedin.com/oauth/v2/authorization",
        token_url="https://www.linkedin.com/oauth/v2/accessToken",
        userinfo_url="https://api.linkedin.com/v2/userinfo",
        jwks_url="https://www.linkedin.com/oauth/openid/jwks",
        issuers=("https://www.linkedin.com/oauth",),
        scopes=("openid", "profile", "email"),
        proof="flag",
        always_userinfo=True,
    ),
    "microsoft": ProviderRow(
        label="Microsoft",
        factor="microsoft_oauth_factor",
        authorize_url="https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
        token_url="https://login.microsoftonline.com/common/oauth2/v2.0/token",
        userinfo_url="https://graph.microsoft.com/oidc/userinfo",
        jwks_url="https://login.microsoftonline.com/common/discovery/v2.0/keys",
        issuers=("https://login.microsoftonline.com/{tenantid}/v2.0",),
        scopes=("openid", "email", "profile"),
        proof="microsoft",
        pkce=True,
    ),
    "slack": ProviderRow(
        label="Slack",
        factor="slack_oauth_factor",
        authorize_url="https://slack.com/openid/connect/authorize",
        token_url="https://slack.com/api/openid.connect.token",
        userinfo_url="https://slack.com/api/openid.connect.userInfo",
        jwks_url="https://slack.com/openid/connect/keys",
        issuers=("https://slack.com",),
        scopes=("openid", "profile", "email"),
        proof="flag",
    ),
    "twitch": ProviderRow(
        label="Twitch",
        factor="twitch_oauth_factor",
        authorize_url="https://id.twitch.tv/oauth2/authorize",
        token_url="https://id.twitch.tv/oauth2/token",
        userinfo_url="https://id.twitch.tv/oauth2/userinfo",
        jwks_url="https://id.twitch.tv/oauth2/keys",
        issuers=("https://id.twitch.tv/oauth2",),
        scopes=("openid", "user:read:email"),
        proof="flag",
        parameters={"claims": _TWITCH_CLAIMS},
    ),
}
"""The thirteen providers, from their own documentation."""


def _secret(value: str | Secret) -> Secret:
    return value if isinstance(value, Secret) else Secret(value)


@attrs.frozen(kw_only=True)
class OAuthProvider:
    """A provider that a project has set up.

    `name` is one of the thirteen, or a name of your own beside `issuer`, the exact issuer of an OpenID provider, whose discovery document says the rest. `scopes` are asked
    for beside the base ones. `client_ids` are further ids of the same project (Android, iOS) that native ID tokens may be for or come from. Apple has no secret but
    `team_id`, `key_id` and `private_key` (PEM, ES256). `tenants` are the Microsoft tenants that may sign in; all if empty. `email_is_proof` decides for an OpenID provider
    or a self-hosted GitLab whether its `email_verified` counts; it does not unless you say so. The endpoints replace those of the table or document (https;
    http on this machine in Test).
    """

    name: str
    client_id: str
    client_secret: Secret = attrs.field(default=Secret(""), converter=_secret)
    scopes: tuple[str, ...] = ()
    client_ids: tuple[str, ...] = ()
    issuer: str = ""
    team_id: str = ""
    key_id: str = ""
    private_key: Secret = attrs.field(default=Secret(""), converter=_secret)
    tenants: frozenset[str] = frozenset()
    email_is_proof: bool | None = None
    authorize_url: str = ""
    token_url: str = ""
    userinfo_url: str = ""
    emails_url: str = ""
    jwks_url: str = ""

    @property
    def own(self) -> bool:
        """Whether this is an OpenID provider of the project's choice."""
        return self.name not in PROVIDERS

    @property
    def audiences(self) -> frozenset[str]:
        """Every client id of the project at this provider."""
        return frozenset({self.client_id, *self.client_ids})

    def row(self) -> ProviderRow:
        """What is known of the provider before any document is read: its row, with what the project says instead."""
        known = PROVIDERS.get(self.name)
        proof: EmailProof
        if known is None:
            proof = "flag" if self.email_is_proof else "never"
            known = ProviderRow(
                label=self.name,
                factor="oidc_sso_factor",
                authorize_url="",
                token_url="",
                scopes=("openid", "email", "profile"),
                issuers=(self.issuer,),
                proof=proof,
                pkce=True,
            )
        elif self.email_is_proof is False or (self.issuer and not self.email_is_proof):
            known = attrs.evolve(known, proof="never")
        if self.issuer:
            known = attrs.evolve(known, issuers=(self.issuer,), **self._moved(known))
        said = {name: getattr(self, name) for name in _ENDPOINTS if getattr(self, name)}
        return attrs.evolve(known, **said)

    def _moved(self, row: ProviderRow) -> dict[str, Any]:
        """The endpoints of a provider that the project or a customer runs, at its own address."""
        base = self.issuer.rstrip("/") + "/"
        stands = {name: str(getattr(row, name)) for name in _ENDPOINTS}
        return {
            name: base + url.removeprefix(row.base)
            for name, url in stands.items()
            if row.base and url.startswith(row.base)
        }

    def faults(self, *, live: bool) -> Iterator[str]:
        """What cannot work."""
        if not _NAME.fullmatch(self.name):
            yield f"oauth {self.name!r}: a name is 2 to 32 lower-case letters, digits and underscores."
        if not self.client_id:
            yield f"oauth {self.name}: client_id is missing."
        if self.own and not self.issuer:
            yield f"oauth {self.name}: a provider that is none of the thirteen needs its issuer."
        yield from self._client_faults()
        for name in ("issuer", *_ENDPOINTS):
            if getattr(self, name) and not _may_be_called(getattr(self, name), live=live):
                yield f"oauth {self.name}: {name} must be an https address (http on this machine in Test)."

    def _client_faults(self) -> Iterator[str]:
        if self.name == "apple":
            if not (self.team_id and self.key_id and self.private_key.reveal()):
                yield "oauth apple: team_id, key_id and private_key are needed."
            if self.scopes:
                yield "oauth apple: no scopes can be added."
        elif not self.client_secret.reveal():
            yield f"oauth {self.name}: client_secret is missing."
        if not all(is_scope(scope, LONGEST_SCOPE) for scope in self.scopes):
            yield f"oauth {self.name}: scopes must be scope tokens of RFC 6749 section 3.3, one an entry."


_ENDPOINTS = ("authorize_url", "token_url", "userinfo_url", "emails_url", "jwks_url")


def _may_be_called(text: str, *, live: bool) -> bool:
    try:
        url = split_url(text)
    except Malformed:
        return False
    return url.scheme == "https" or (not live and url.scheme == "http" and url.host in {"localhost", "127.0.0.1"})


def may_be_called(text: object, *, live: bool) -> bool:
    """Whether an endpoint that a document names may be used: https, or in Test http on this machine (OAU-05)."""
    return isinstance(text, str) and _may_be_called(text, live=live)
