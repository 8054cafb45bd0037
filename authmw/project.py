"""The project as it stands now: declared settings, overridden by project records where `Settings.managed` says so.

Law: a call sees one frozen snapshot from its first line to its last. A change reaches every process within five seconds, and the one that made it (and those that a notice reaches) at once. A project
that manages nothing reads nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Literal, get_args

import attrs

from authmw.clock import Clock
from authmw.crypto import tokens
from authmw.errors import Refused
from authmw.redirects import RedirectType, RedirectURL
from authmw.settings import Manageable, PasswordRules, Settings
from authmw.storage import And, Record, Storage, record
from authmw.switches import BROWSER_PRODUCTS, BrowserProduct
from authmw.templates import MAXIMUM_TEMPLATES, BuiltIn, CustomHTML, Template, TemplateBook, TemplateType

_log = logging.getLogger("authmw")
FRESH = timedelta(seconds=5)
"""For so long a process believes what it read."""
DECLARED = "secret-declared"
"""The id of the secret that the settings declare; a record names it without holding anything of it."""


@attrs.frozen(kw_only=True)
class StoredRedirect:
    """A registered redirect URL."""

    url: str
    types: tuple[str, ...]
    defaults: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class StoredToken:
    """A public token. It is no secret: every browser shows it."""

    public_token: str
    created_at: datetime | None = None


@attrs.frozen(kw_only=True)
class StoredSecret:
    """A secret of the backend API: its digest, and the four letters that people tell it by. Ours have 256 bits, so a digest gives nothing to guess against."""

    secret_id: str
    digest: str = attrs.field(default="", repr=False)
    last_four: str = ""
    created_at: datetime | None = None


@record("email_templates", key="template_id")
@attrs.frozen(kw_only=True)
class StoredTemplate(Record):
    """A message template that was made while the service ran. `content` and `translations` are what `stored_content` makes of them."""

    template_id: str
    type: str
    content: dict[str, Any] = attrs.field(repr=False)
    translations: dict[str, dict[str, Any]] = attrs.field(factory=dict[str, dict[str, Any]], repr=False)
    created_at: datetime
    changed_at: datetime


@attrs.frozen(kw_only=True)
class StoredPasswordPolicy:
    """What a password must be, and when it is judged."""

    policy: Literal["zxcvbn", "luds"] = "zxcvbn"
    minimum_length: int = 8
    luds_complexity: int = 3
    strength_at_sign_in: bool = False
    breaches_at_sign_in: bool = False

    @classmethod
    def of(cls, rules: PasswordRules) -> StoredPasswordPolicy:
        """The part of the rules that can be changed while the service runs."""
        return cls(**{one.name: getattr(rules, one.name) for one in attrs.fields(cls)})


@attrs.frozen(kw_only=True)
class StoredBrowserAccess:
    """What browsers may not call: these products, and `send` where `sending` is off."""

    off: tuple[str, ...] = ()
    sending: bool = True

    def products_off(self) -> list[BrowserProduct]:
        """The products, by name. One that this version does not know is left out, since nobody can call it."""
        return [name for name in sorted(BROWSER_PRODUCTS) if name in self.off]


@record("projects", key="project_id")
@attrs.frozen(kw_only=True)
class StoredProject(Record):
    """What was changed while the service ran. A field that is None was never changed: what the settings declare holds."""

    project_id: str
    redirect_urls: tuple[StoredRedirect, ...] | None = None
    public_tokens: tuple[StoredToken, ...] | None = None
    secrets: tuple[StoredSecret, ...] | None = None
    ip_allow_list: tuple[str, ...] | None = None
    passwords: StoredPasswordPolicy | None = None
    browser_access: StoredBrowserAccess | None = None
    template_defaults: dict[str, str] | None = None
    templates_changed: int = 0
    """How often stored templates were changed; they are read again when this differs."""
    changed_at: datetime | None = None


def redirects_of(settings: Settings, stored: StoredProject) -> tuple[StoredRedirect, ...]:
    """The redirect URLs that hold: the changed ones, else the declared."""
    if stored.redirect_urls is not None:
        return stored.redirect_urls
    return tuple(
        StoredRedirect(url=one.url, types=tuple(sorted(one.types)), defaults=tuple(sorted(one.defaults)))
        for one in settings.redirects.entries
    )


def public_tokens_of(settings: Settings, stored: StoredProject) -> tuple[StoredToken, ...]:
    """The public tokens that hold."""
    if stored.public_tokens is not None:
        return stored.public_tokens
    return (StoredToken(public_token=settings.public_token),) if settings.public_token else ()


def secrets_of(stored: StoredProject) -> tuple[StoredSecret, ...]:
    """The secrets that hold."""
    return stored.secrets if stored.secrets is not None else (StoredSecret(secret_id=DECLARED),)


def ip_allow_list_of(settings: Settings, stored: StoredProject) -> tuple[str, ...]:
    """The addresses that the backend API may be called from; none listed admits all."""
    return stored.ip_allow_list if stored.ip_allow_list is not None else settings.ip_allow_list


def passwords_of(settings: Settings, stored: StoredProject) -> PasswordRules:
    """The rules of passwords that hold: the declared ones, with the changed policy in its place."""
    policy = stored.passwords
    return attrs.evolve(settings.passwords, **attrs.asdict(policy)) if policy is not None else settings.passwords


def browser_access_of(settings: Settings, stored: StoredProject) -> StoredBrowserAccess:
    """What browsers may not call, as it holds."""
    declared = StoredBrowserAccess(off=tuple(sorted(settings.browser_off)), sending=settings.browser_sending)
    return stored.browser_access or declared


@attrs.frozen(kw_only=True, eq=False)
class Snapshot:
    """A project at one moment."""

    settings: Settings
    public_tokens: tuple[str, ...]
    secrets: tuple[str, ...] = attrs.field(repr=False)
    ip_allow_list: frozenset[str]
    version: int = 0

    def holds_secret(self, secret: str) -> bool:
        """Whether this is one of the project's secrets; every one is compared, each in constant time."""
        digest = tokens.digest(secret)
        return sum(tokens.same(digest, kept) for kept in self.secrets) > 0

    def holds_public_token(self, text: str) -> bool:
        """Whether this is one of the project's public tokens."""
        return sum(tokens.same(text, known) for known in self.public_tokens) > 0

    def admits(self, ip_address: str) -> bool:
        """Whether the backend API may be called from this address (in the form of `client_ip`: IPv4 inside IPv6 is folded)."""
        return not self.ip_allow_list or ip_address in self.ip_allow_list


def stored_content(content: BuiltIn | CustomHTML) -> dict[str, Any]:
    """Content as a record keeps it."""
    kind = "built_in" if isinstance(content, BuiltIn) else "custom"
    return {"kind": kind, **attrs.asdict(content)}


def _content_of(kept: dict[str, Any]) -> BuiltIn | CustomHTML:
    values = {name: value for name, value in kept.items() if name != "kind"}
    return BuiltIn(**values) if kept["kind"] == "built_in" else CustomHTML(**values)


def template_of(stored: StoredTemplate) -> Template:
    """The template that a record keeps. Raises Refused, TypeError, ValueError or KeyError for one that this version does not take."""
    translations = {tag: _content_of(kept) for tag, kept in stored.translations.items()}
    return Template(
        template_id=stored.template_id,
        type=TemplateType(stored.type),
        content=_content_of(stored.content),
        translations={tag: content for tag, content in translations.items() if isinstance(content, CustomHTML)},
    )


def book_of(
    declared: TemplateBook, stored: Iterable[StoredTemplate], defaults: Mapping[str, str] | None
) -> TemplateBook:
    """The declared templates and the stored ones beside them. A stored one that cannot be used any more is left out, and logged: mails go on with the default."""
    templates = {one.template_id: one for one in declared.templates}
    for one in islice(stored, MAXIMUM_TEMPLATES - len(templates)):
        try:
            template = template_of(one)
            TemplateBook((template,))  # refuses an id that has become one of ours
            templates[one.template_id] = template
        except (Refused, TypeError, ValueError, KeyError) as fault:
            _log.error("template_unusable", extra={"template_id": one.template_id, "fault": type(fault).__name__})
    chosen = dict(declared.defaults)
    for name, template_id in (defaults or {}).items():
        try:
            TemplateBook(tuple(templates.values()), {TemplateType(name): template_id})
        except (Refused, ValueError):
            continue
        chosen[TemplateType(name)] = template_id
    return TemplateBook(tuple(templates.values()), chosen)


def snapshot_of(settings: Settings, stored: StoredProject, book: TemplateBook | None = None) -> Snapshot:
    """The declared settings with the managed ones in their places."""
    managed = settings.managed
    fields = frozenset(one.name for one in attrs.fields(StoredProject))
    unmanaged: dict[str, Any] = {name: None for name in get_args(Manageable) if name not in managed and name in fields}
    held = attrs.evolve(stored, **unmanaged)
    public = tuple(one.public_token for one in public_tokens_of(settings, held))
    secrets = tuple(
        tokens.digest(settings.secret.reveal()) if one.secret_id == DECLARED else one.digest for one in secrets_of(held)
    )
    changed = settings
    if held.redirect_urls is not None:
        urls = tuple(
            RedirectURL(
                one.url,
                frozenset(RedirectType(name) for name in one.types),
                frozenset(RedirectType(name) for name in one.defaults),
            )
            for one in held.redirect_urls
        )
        changed = attrs.evolve(changed, redirect_urls=urls)
    if held.public_tokens is not None:
        changed = attrs.evolve(changed, public_token=public[0] if public else "")
    if held.passwords is not None:
        changed = attrs.evolve(changed, passwords=passwords_of(settings, held))
    if held.browser_access is not None:
        access = held.browser_access
        changed = attrs.evolve(changed, browser_off=access.products_off(), browser_sending=access.sending)
    if book is not None:
        changed = attrs.evolve(changed, templates=book)
    return Snapshot(
        settings=changed,
        public_tokens=public,
        secrets=secrets,
        ip_allow_list=frozenset(ip_allow_list_of(settings, held)),
        version=stored.version,
    )


class CurrentProject:
    """The snapshot of one `Auth`, kept fresh. `current` is what was read last."""

    def __init__(self, settings: Settings, storage: Storage, clock: Clock) -> None:
        self._settings = settings
        self._storage = storage
        self._clock = clock
        self._read_at: datetime | None = None
        self._outdated = 0
        self.spread: Callable[[], None] | None = None
        """Has other processes told that the project was changed here."""
        self._templates: tuple[int, tuple[StoredTemplate, ...]] | None = None
        self.current = snapshot_of(settings, StoredProject(project_id=settings.project_id))

    async def now(self) -> Snapshot:
        """The project as it stands, at most five seconds old. StorageError if it cannot be read: a secret that was taken back must not outlive an outage."""
        if self._settings.managed:
            now = self._clock.now()
            # A clock that was set back makes the age negative, and is no reason to believe for longer.
            if self._read_at is None or not timedelta(0) <= now - self._read_at < FRESH:
                await self.refresh()
        return self.current

    async def changed(self) -> None:
        """A change was committed here: read it, and have others told."""
        if self.spread is not None:
            self.spread()
        await self.refresh()

    def outdate(self) -> None:
        """Somebody else changed the project: the next call reads it."""
        self._outdated += 1
        self._read_at = None

    async def refresh(self) -> None:
        """Read the project again, at once."""
        read_at, outdated = self._clock.now(), self._outdated
        stored = await self._storage.get(StoredProject, self._settings.project_id)
        # Two reads may overtake each other; the later version stays.
        if stored is not None and stored.version > self.current.version:
            book = await self._book_with(stored)
            if stored.version > self.current.version:
                self.current = snapshot_of(self._settings, stored, book)
        # What was told while this read may be newer than what was read.
        self._read_at = read_at if outdated == self._outdated else None

    async def _book_with(self, project: StoredProject) -> TemplateBook | None:
        """The templates as they hold, read only if they changed; None where they are declared only."""
        if "templates" not in self._settings.managed or not project.templates_changed:
            return None
        if self._templates is None or self._templates[0] != project.templates_changed:
            page = await self._storage.page(StoredTemplate, And(), limit=MAXIMUM_TEMPLATES)
            self._templates = (project.templates_changed, page.records)
        return book_of(self._settings.templates, self._templates[1], project.template_defaults)
