"""Pure decisions about apps: what one of each type may be, and where its people may be sent back to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address

from authmw.errors import Refused
from authmw.people.apps import ConnectedApp
from authmw.redirects import RESERVED_PARAMETERS
from authmw.urls import Malformed, SplitURL, parameters_by_name, split_url

TYPES = ("first_party", "first_party_public", "third_party", "third_party_public")
MAXIMUM_URLS = 50
_PREFIX = "connected_app_redirect_url_"
_PRIVATE_USE = re.compile(r"[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+")
_NEVER = frozenset({"javascript", "data", "vbscript", "file", "blob", "about", "view-source"})


def check_app(app: ConnectedApp, *, live: bool) -> None:
    """Refused if an app of its type cannot be so: only the project's own apps act as the person, or keep access without asking."""
    if app.client_type not in TYPES:
        raise Refused("invalid_connected_app_type")
    if app.full_access_allowed and not app.first_party:
        raise Refused("third_party_clients_cannot_use_full_access")
    if app.bypass_consent_for_offline_access and not app.first_party:
        raise Refused("third_party_clients_require_consent_for_offline_access")
    if not 5 <= app.access_token_expiry_minutes <= 1440:
        raise Refused("idp_invalid_access_token_expiry_minutes")
    audience = app.access_token_custom_audience
    if audience is not None and not re.fullmatch(r"[!-~]{1,512}", audience):
        raise Refused("idp_invalid_access_token_custom_audience")
    for url in app.redirect_urls:
        check_redirect_url(url, public=app.public, live=live)
    for url in app.post_logout_redirect_urls:
        check_redirect_url(url, public=app.public, live=live)
    if app.logo_url:
        _check_logo(app.logo_url)


def check_urls(urls: Sequence[str]) -> tuple[str, ...]:
    """A list of URLs, each once. Refused for more than 50."""
    if len(urls) > MAXIMUM_URLS:
        raise Refused("too_many_redirect_urls")
    if len(set(urls)) != len(urls):
        raise Refused("duplicate_redirect_url")
    return tuple(urls)


def check_redirect_url(url: str, *, public: bool, live: bool) -> None:
    """Refused unless people may be sent back there: https; http on the machine they sit at (RFC 8252 section 7.3; `localhost` by name only in Test); for public
    apps a private-use scheme with a dot (RFC 8252 section 7.1). No fragment, no user information, no wildcard.
    """
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", url):
        raise Refused(_PREFIX + "must_include_scheme")
    if url.partition(":")[0].lower() in _NEVER:
        raise Refused(_PREFIX + "must_use_http_or_https_scheme")
    try:
        split = split_url(url)
        names = parameters_by_name(split.query) or {}
    except Malformed:
        raise Refused("connected_app_invalid_redirect_url") from None
    if {name.lower() for name in names} & (RESERVED_PARAMETERS | {"iss"}):
        raise Refused("connected_app_invalid_redirect_url", "The query holds a name that is the protocol's to add.")
    if split.scheme == "http":
        _check_loopback(split.host, live=live)
    elif split.scheme != "https":
        if not public:
            raise Refused(_PREFIX + "must_use_https_scheme")
        if not _PRIVATE_USE.fullmatch(split.scheme):
            raise Refused(_PREFIX + "must_use_http_or_https_scheme")


def _check_loopback(host: str, *, live: bool) -> None:
    if is_loopback(host):
        return
    if host != "localhost":
        raise Refused(_PREFIX + "http_scheme_must_use_loopback")
    if live:
        raise Refused(_PREFIX + "cannot_use_localhost")


def _check_logo(url: str) -> None:
    try:
        split = split_url(url)
    except Malformed:
        raise Refused("connected_app_misconfigured_client", "The logo's URL is not valid.") from None
    if split.scheme != "https":
        raise Refused("connected_app_misconfigured_client", "The logo's URL must be https.")


def is_loopback(host: str) -> bool:
    """Whether a host is an address of the machine itself, in numbers."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def matches(registered: Sequence[str], asked: str) -> bool:
    """Whether people may be sent to this URL: one that is registered, byte for byte; of a loopback address the port may be another (RFC 8252 section 7.3)."""
    if asked in registered:
        return True
    try:
        split = split_url(asked)
    except Malformed:
        return False
    if split.scheme != "http" or not is_loopback(split.host):
        return False
    return any(_same_but_port(split, known) for known in registered)


def _same_but_port(asked: SplitURL, registered: str) -> bool:
    known = split_url(registered)
    return (known.scheme, known.host, known.path, known.query) == (asked.scheme, asked.host, asked.path, asked.query)


def assures_identity(url: str) -> bool:
    """Whether only the app itself can have people sent to this URL: an https address, but neither a loopback one nor a scheme that any app may claim."""
    return url.startswith("https://")
