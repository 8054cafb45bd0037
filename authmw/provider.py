"""What a project is as a provider: the scopes that apps may ask for, the resources that tokens may be for, and what strangers may do.

Law: what is not declared here is not granted. Registration by strangers is off unless it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from authmw.scopes import is_scope
from authmw.urls import Malformed, split_url

STANDARD_SCOPES: Mapping[str, str] = {
    "openid": "Know who you are.",
    "profile": "See your name.",
    "email": "See your e-mail address.",
    "phone": "See your phone number.",
    "offline_access": "Keep access while you are away, until you revoke it.",
    "full_access": "Act as you everywhere in this app.",
}
"""Scopes that need no declaration, with what they let an app do (OpenID Connect Core sections 5.4 and 11)."""


@attrs.frozen(kw_only=True)
class Resource:
    """An API that access tokens may be for (RFC 8707): its exact URL, and the scopes that mean something there, with their words for people."""

    url: str
    scopes: Mapping[str, str] = attrs.field(factory=dict[str, str])
    name: str = ""


@attrs.frozen(kw_only=True)
class Provider:
    """How a project grants access to apps.

    `scopes` are the project's own, with what each lets an app do. `authorization_path` is the host's own consent page (a path of the public address); ours, at
    the mount, if it is not set. `refresh_days` is how long a refresh token lives unused. `refresh_grace_seconds` lets the refresh token before the current
    one pass again for so long, for clients that lose answers; 0 ends the family at once. `dynamic_registration` lets strangers register public clients
    (RFC 7591). `client_documents` lets an app be known by the https address (up to 160 characters) of a document that
    describes it, which is fetched (it needs a fetcher). `device_grant` lets apps on devices without a browser be let in from elsewhere (RFC 8628). `require_pushed_requests` takes authorization requests that the app pushed before, and no others (RFC 9126). `require_dpop` refuses tokens that are not bound to a key.
    """

    scopes: Mapping[str, str] = attrs.field(factory=dict[str, str])
    resources: tuple[Resource, ...] = ()
    authorization_path: str | None = None
    refresh_days: int = 30
    refresh_grace_seconds: int = 0
    dynamic_registration: bool = False
    client_documents: bool = False
    device_grant: bool = False
    require_dpop: bool = False
    require_pushed_requests: bool = False

    def resource(self, url: str) -> Resource | None:
        """The declared resource of this exact URL."""
        return next((one for one in self.resources if one.url == url), None)

    def all_scopes(self) -> dict[str, str]:
        """Every scope there is, with its words; the project's own words win."""
        of_resources = {name: words for one in self.resources for name, words in one.scopes.items()}
        return {**STANDARD_SCOPES, **of_resources, **self.scopes}

    def faults(self, *, live: bool) -> list[str]:
        """What cannot work, in words for the developer."""
        faults: list[str] = []
        for one in self.resources:
            try:
                split = split_url(one.url)
            except Malformed as fault:
                faults.append(f"provider.resources: {fault}.")
                continue
            if split.scheme not in {"http", "https"} or (live and split.scheme == "http"):
                faults.append("provider.resources must be https URLs (http only in Test).")
        if len({one.url for one in self.resources}) != len(self.resources):
            faults.append("provider.resources names a URL twice.")
        if not 1 <= self.refresh_days <= 366:
            faults.append("provider.refresh_days must be from 1 to 366.")
        if not 0 <= self.refresh_grace_seconds <= 60:
            faults.append("provider.refresh_grace_seconds must be from 0 to 60.")
        if any(not is_scope(name) for name in self.all_scopes()):
            faults.append("provider.scopes must be scope tokens of RFC 6749 section 3.3.")
        return faults
