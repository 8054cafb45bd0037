"""What settings cannot work, or are not safe in Live: pure judgements, in words for whoever wrote the settings.

Law: every fault names its setting, and none shows its value (CFG-01, CFG-02).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from authmw.oauth_providers import may_be_called
from authmw.switches import switch_faults
from authmw.urls import Malformed, be_a_path, split_url

if TYPE_CHECKING:
    from authmw.settings import Settings

BYTES_OF_CHANCE = 8
"""Different bytes that any key drawn by chance has, also one that is spelled as hexadecimal digits."""
PROXIES = 10
"""More stand before nobody."""
COOKIE_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
COOKIE_PATH = re.compile(r"/[\x21-\x3a\x3c-\x7e]*")
COOKIE_DOMAIN = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+"
)
_PROJECT = re.compile(r"project-(?:test|live)-[A-Za-z0-9._~-]{1,64}")
_PUBLIC_TOKEN = re.compile(r"[\x21-\x39\x3b-\x7e]*")
_EXAMPLES = ("changeme", "secret", "password", "example", "test", "development")
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_SECOND_FACTORS = frozenset({"webauthn", "totp", "biometric", "password", "oauth", "crypto_wallet"})


def always(settings: Settings) -> Iterator[str]:
    """What cannot work in any environment."""
    if not 0 <= settings.trusted_proxies <= PROXIES:
        yield f"trusted_proxies must be from 0 to {PROXIES}."
    if not settings.second_factors <= _SECOND_FACTORS:
        yield "second_factors may name " + ", ".join(sorted(_SECOND_FACTORS)) + "."
    yield from _names_and_keys(settings)
    yield from _places(settings)
    for rules in (
        settings.cookies,
        settings.sessions,
        settings.locks,
        settings.phones,
        settings.emails,
        settings.totp,
        settings.passwords,
    ):
        yield from rules.faults()
    yield from switch_faults(settings.browser_off)
    yield from settings.webauthn.faults(live=settings.live, own=(settings.origin, *settings.cors_origins))
    yield from _of_others(settings)
    yield from settings.provider.faults(live=settings.live)


def in_live(settings: Settings) -> Iterator[str]:
    """What is not safe where people depend on it."""
    secret = settings.secret.reveal()
    if len(secret) < 32 or any(example in secret.lower() for example in _EXAMPLES):
        yield "secret is too short or an example; Live needs at least 32 characters of its own."
    if not settings.root_keys:
        yield "root_keys are missing."
    if any(len(set(key)) < BYTES_OF_CHANCE for key in settings.root_keys):
        yield "root_keys must be bytes of chance; one of them hardly changes."
    if not settings.public_url.startswith("https://"):
        yield "public_url must be https in Live."
    if not settings.cookies.secure:
        yield "cookies.secure must be true in Live."
    if settings.debug:
        yield "debug must be off in Live."
    yield from settings.passwords.faults_in_live()
    if any(origin.startswith("http://") for origin in settings.cors_origins):
        yield "cors_origins must be https in Live."


def _names_and_keys(settings: Settings) -> Iterator[str]:
    if not _PROJECT.fullmatch(settings.project_id):
        yield "project_id must begin with project-test- or project-live-, and go on with letters, digits, hyphens and the like."
    if not settings.secret.reveal():
        yield "secret is missing."
    if not _PUBLIC_TOKEN.fullmatch(settings.public_token):
        yield "public_token must be printable ASCII without a colon."
    if not settings.name.strip() or not settings.name.isprintable():
        yield "name must be a line of text."
    if settings.issuer is not None and (
        not settings.issuer.isprintable() or settings.issuer.split() != [settings.issuer]
    ):
        yield "issuer must be text without spaces."
    if any(len(key) < 32 for key in settings.root_keys):
        yield "root_keys must be at least 32 bytes each."
    if len(set(settings.root_keys)) < len(settings.root_keys):
        yield "root_keys must differ."


def _places(settings: Settings) -> Iterator[str]:
    """Addresses and paths; each is judged as it stands, since links, cookies and comparisons are made of the very text."""
    if not _is_base(settings.public_url):
        yield "public_url must be an http(s) address in lower case, without query, fragment and a slash at its end."
    if not all(_is_origin(origin) for origin in settings.cors_origins):
        yield "cors_origins must be exact origins (scheme, host, port unless it is the scheme's own); neither * nor null can be listed."
    if settings.mount and not _is_path(settings.mount):
        yield "mount must begin with a slash and not end with one."
    for name, path in (("sign_in_path", settings.sign_in_path), ("step_up_path", settings.step_up_path)):
        if path is not None and not _is_path(path, may_end=True):
            yield f"{name} must be a path that begins with one slash."


def _is_base(text: str) -> bool:
    try:
        url = split_url(text)
    except Malformed:
        return False
    return url.scheme in _DEFAULT_PORTS and url.query is None and not url.path.endswith("/")


def _is_origin(text: str) -> bool:
    try:
        url = split_url(text)
    except Malformed:
        return False
    bare = bool(url.host) and url.path == "" and url.query is None
    return bare and (url.port is None or url.port != _DEFAULT_PORTS.get(url.scheme))


def _is_path(text: str, *, may_end: bool = False) -> bool:
    try:
        be_a_path(text, rooted=True)
    except Malformed:
        return False
    return may_end or not text.endswith("/")


def _of_others(settings: Settings) -> Iterator[str]:
    """Providers, and services whose tokens are believed."""
    for provider in settings.oauth:
        yield from provider.faults(live=settings.live)
    if len({provider.name for provider in settings.oauth}) < len(settings.oauth):
        yield "oauth names a provider twice."
    for profile in settings.trusted_tokens:
        yield from profile.faults(live=settings.live)
    if len({profile.profile_id for profile in settings.trusted_tokens}) < len(settings.trusted_tokens):
        yield "trusted_tokens names a profile twice."
    if {profile.issuer for profile in settings.trusted_tokens} & {*settings.issuers, settings.provider_issuer}:
        yield "trusted_tokens trusts this project's own issuer; its tokens are exchanged, not attested."
    if settings.session_migration_url and not may_be_called(settings.session_migration_url, live=settings.live):
        yield "session_migration_url must be an https address (http on this machine in Test)."
