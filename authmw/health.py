"""What an operator asks: whether this service is well, and whether it is set up as its host meant it.

Law: a finding names what is wrong and what to do, and never holds a secret, an address or the text of somebody else's exception. Asking changes nothing and charges
nothing, so it may be asked as often as a load balancer likes.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import attrs

from authmw import drive
from authmw.clock import ticks
from authmw.errors import StorageError, WrongSchema
from authmw.ledger.notes import Notes
from authmw.ledger.records import Delivery, Outgoing, Purge
from authmw.limits import Limit
from authmw.operations import Core
from authmw.people.cached import Copies
from authmw.ports import Notices
from authmw.project import StoredProject
from authmw.settings import Settings
from authmw.signin.keys import KeyRing
from authmw.storage import Between, Order, Record, moment

Status: TypeAlias = Literal["ok", "warning", "fault"]
Fact: TypeAlias = str | int | float | bool

LATE = timedelta(minutes=5)
"""Work that has been due for longer says that nobody works behind the replies."""
COUNTED = 1000
"""Counting what waits stops here."""
PATIENCE = 5.0
"""Seconds that one part may take to answer, on a loop; elsewhere its adapter's own deadline holds."""
_PROBE = Limit("health", (), 1, timedelta(seconds=1))


@attrs.frozen(kw_only=True)
class Finding:
    """One thing that was looked at. `part` says what, `facts` hold numbers and names, `message` is for people."""

    part: str
    status: Status = "ok"
    message: str = ""
    facts: Mapping[str, Fact] = attrs.field(factory=dict[str, Fact])

    def as_dict(self) -> dict[str, Any]:
        """As JSON can say it."""
        return {"part": self.part, "status": self.status, "message": self.message, "facts": dict(self.facts)}


@attrs.frozen
class Health:
    """Everything that was looked at. A warning does not make a service unwell."""

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is at fault."""
        return all(finding.status != "fault" for finding in self.findings)

    @property
    def warned(self) -> bool:
        """Whether something should be looked at."""
        return any(finding.status == "warning" for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """As JSON can say it."""
        return {"healthy": self.healthy, "findings": [finding.as_dict() for finding in self.findings]}


@runtime_checkable
class Inspected(Protocol):
    """An adapter that can say what its operator should mend; any port may be one."""

    def inspect(self) -> Iterable[str]:
        """One sentence for each thing that is wrong, without a secret in it."""
        ...


# Is it well?


async def health_of(core: Core, keys: KeyRing, notes: Notes, notices: Notices | None = None) -> Health:
    """The state of storage, limiter, keys, what waits, the event log, the session cache and the notices (where there are any) and the senders, in this order."""
    copies = [await _looked_at("session_cache", _read_no_copy(core.copies))] if core.copies else []
    aside = (_event_log(notes), *copies, *_notices(notices), *_senders(core))
    storage = await _looked_at("storage", _read_one(core))
    if storage.status == "fault":
        # What rests on storage would only say the same again, each after its own wait.
        return Health((storage, await _looked_at("limiter", _count_nothing(core)), *aside))
    return Health(
        (
            storage,
            await _looked_at("limiter", _count_nothing(core)),
            await _looked_at("keys", _open_keys(keys)),
            await _looked_at("outbox", _waiting(core, Outgoing, "outbox", "messages")),
            *[await _looked_at("changes", _unheard(core, listener.name)) for listener in core.listeners],
            await _looked_at("purges", _waiting(core, Purge, "purges", "remains of deleted subjects")),
            *aside,
        )
    )


async def _looked_at(part: str, look: Any) -> Finding:
    """What a look found; one that fails is the finding. Only the kind of failure is told: the text of an exception may hold anything."""
    began = ticks()
    try:
        finding: Finding = await drive.within(PATIENCE, look)
    except TimeoutError:
        return Finding(part=part, status="fault", message=f"It did not answer within {PATIENCE:g} seconds.")
    except WrongSchema as wrong:
        return Finding(part=part, status="fault", message=str(wrong))
    except StorageError:
        return Finding(part=part, status="fault", message="It does not answer.")
    except Exception as fault:  # noqa: BLE001 -- whatever an adapter raises, the other findings are still worth having
        return Finding(part=part, status="fault", message=f"It failed with {type(fault).__name__}.")
    return attrs.evolve(finding, facts={**finding.facts, "milliseconds": round((ticks() - began) * 1000, 1)})


async def _read_one(core: Core) -> Finding:
    await core.beginning.make()
    await core.storage.get(StoredProject, core.settings.project_id)
    return Finding(part="storage", facts={"io": core.storage.io, "adapter": type(core.storage).__name__})


async def _count_nothing(core: Core) -> Finding:
    limiter = core.limiter
    await drive.using(limiter.io, limiter.peek, _PROBE, core.clock.now())
    return Finding(part="limiter", facts={"io": limiter.io, "adapter": type(limiter).__name__})


async def _read_no_copy(copies: Copies) -> Finding:
    cache = copies.cache
    facts: dict[str, Fact] = {"io": cache.io, "adapter": type(cache).__name__}
    try:
        await drive.using(cache.io, cache.get, "health")
    except StorageError:
        message = "It does not answer: storage is asked at each renewal, and a session that is ended may go on elsewhere for as long as copies are kept."
        return Finding(part="session_cache", status="warning", message=message, facts=facts)
    return Finding(part="session_cache", facts=facts)


async def _open_keys(keys: KeyRing) -> Finding:
    await keys.load(force=True)
    active, unreadable = await keys.standing(), len(keys.unreadable)
    facts: dict[str, Fact] = {"published": len(keys.cached())}
    if active is not None:
        facts["active"] = active.kid
    if unreadable:
        facts["unreadable"] = unreadable
        message = (
            "A stored key cannot be opened: settings.root_keys lack the key it was sealed under, or it was changed. What it signed is refused"
            + (", and another signs in its place." if active else "; a new one takes over at the next sign-in.")
        )
        return Finding(part="keys", status="warning" if active else "fault", message=message, facts=facts)
    if active is None:
        return Finding(part="keys", message="The first signing key is made at the first sign-in.", facts=facts)
    return Finding(part="keys", facts=facts)


async def _waiting(core: Core, kind: type[Record], part: str, what: str) -> Finding:
    now = core.clock.now()
    due = Between("due", None, (moment(now),))
    page = await core.storage.page(kind, due, order=Order("due"), limit=1)
    if not page.records:
        return Finding(part=part, facts={"due": 0, "seconds_late": 0})
    late = now - _due_at(page.records[0])
    facts: dict[str, Fact] = {
        "due": await core.storage.count(kind, due, at_most=COUNTED),
        "seconds_late": max(0, int(late.total_seconds())),
    }
    if late < LATE:
        return Finding(part=part, facts=facts)
    message = f"{what.capitalize()} wait longer than {LATE.seconds // 60} minutes: is `authmw worker` running?"
    return Finding(part=part, status="warning", message=message, facts=facts)


async def _unheard(core: Core, listener: str) -> Finding:
    """How far behind a listener is; only one that fails, or that no worker serves, is."""
    now = core.clock.now()
    due = Between("due", (listener, ""), (listener, moment(now)))
    page = await core.storage.page(Delivery, due, order=Order("due"), limit=1)
    late = now - page.records[0].due_at if page.records else timedelta(0)
    facts: dict[str, Fact] = {
        "listener": listener,
        "due": await core.storage.count(Delivery, due, at_most=COUNTED),
        "seconds_late": max(0, int(late.total_seconds())),
    }
    if late < LATE:
        return Finding(part="changes", facts=facts)
    message = f"Changes wait longer than {LATE.seconds // 60} minutes to be told: is `authmw worker` running?"
    return Finding(part="changes", status="warning", message=message, facts=facts)


def _due_at(record: Record) -> datetime:
    due: datetime = getattr(record, "due_at")  # noqa: B009 -- both kinds have it, their base has not
    return due


def _event_log(notes: Notes) -> Finding:
    facts: dict[str, Fact] = {"lost": notes.lost, "failed_after_commit": notes.failed}
    if notes.lost:
        message = "Events of this process were lost: storage did not take them in time."
        return Finding(part="event_log", status="warning", message=message, facts=facts)
    return Finding(part="event_log", facts=facts)


def _notices(notices: Notices | None) -> Iterator[Finding]:
    if notices is None:
        return
    state = notices.state()
    facts: dict[str, Fact] = {
        "adapter": type(notices).__name__,
        "hears": state.hears,
        "tells": state.tells,
        "waiting": state.waiting,
    }
    if state.hears and state.tells and not state.behind:
        yield Finding(part="notices", facts=facts)
        return
    late = "does not reach its carrier" if not (state.hears and state.tells) else "has not taken in all that was told"
    message = f"This process {late}: what one process ends, another refuses within the life of a JWT and no sooner."
    yield Finding(part="notices", status="warning", message=message, facts=facts)


def _senders(core: Core) -> Iterator[Finding]:
    for channel, sender in (("email", core.email), ("sms", core.sms), ("whatsapp", core.whatsapp)):
        if sender is None:
            yield Finding(part=channel, message="No sender is configured.", facts={"configured": False})
        else:
            yield Finding(part=channel, facts={"configured": True, "adapter": type(sender).__name__})


# Is it set up as it was meant?


def _asking(settings: Settings) -> Iterator[str]:
    """The settings by which others are asked."""
    if settings.oauth:
        yield "oauth"
    if settings.session_migration_url:
        yield "session_migration_url"
    if any(profile.jwks_url for profile in settings.trusted_tokens):
        yield "trusted_tokens"
    if settings.provider.client_documents:
        yield "provider.client_documents"


def faults_of(core: Core) -> Iterator[str]:
    """What cannot work or is not safe: an `Auth` is not built with it."""
    settings, fetcher = core.settings, core.fetcher
    if settings.live and core.storage.io == "instant":
        yield "Live needs a storage that outlives the process."
    if settings.live and core.limiter.io == "instant":
        yield "Live needs a limiter that all its processes share and that outlives them."
    if settings.live and fetcher is not None and fetcher.local:
        yield "Live takes no fetcher that reaches origins on this machine."
    if fetcher is None:
        for name in _asking(settings):
            yield f"settings.{name} names services, which are asked through a fetcher; none is given."


def setup_of(core: Core, notices: Notices | None = None) -> Iterator[Finding]:
    """What works and should still be looked at before people depend on it (OPS-06)."""
    settings = core.settings
    yield from _about_settings(settings)
    if core.email is None:
        yield _warning(
            "email", "No e-mail sender is given: links, codes, invitations and security notices cannot leave."
        )
    for channel, sender in (("email", core.email), ("sms", core.sms), ("whatsapp", core.whatsapp)):
        if settings.live and getattr(sender, "local", False):
            yield _warning(channel, f"{type(sender).__name__} keeps messages on this machine: nobody gets them.")
    cache = core.copies.cache if core.copies else None
    ports = {
        "storage": core.storage,
        "limiter": core.limiter,
        "fetcher": core.fetcher,
        "notices": notices,
        "session_cache": cache,
    }
    for part, port in ports.items():
        if isinstance(port, Inspected):
            yield from (_warning(part, said) for said in port.inspect())


def _about_settings(settings: Settings) -> Iterator[Finding]:
    if settings.trusted_proxies == 0 and any(not _global(address) for address in settings.ip_allow_list):
        yield _warning(
            "ip_allow_list",
            "It names an address of a private network. If that is your proxy, set trusted_proxies, or every visitor comes from it.",
        )
    elsewhere = not (settings.live and _on_this_machine(settings.origin))
    if elsewhere and not settings.webauthn.has_domain((settings.origin, *settings.cors_origins)):
        yield _warning("webauthn", "Browsers make passkeys at https and for host names only; no origin here is one.")
    if not settings.live:
        return
    if not settings.redirects.entries and "redirect_urls" not in settings.managed:
        yield _warning("redirect_urls", "None is registered, so no link can lead to your app.")
    if settings.cookies.vendor:
        yield _warning(
            "cookies",
            "cookies.vendor lets scripts read the session; the vendor's browser client needs that, nothing else does.",
        )
    if not settings.sessions.end_others:
        yield _warning("sessions", "sessions.end_others=False: whoever stole a session keeps it over a new password.")
    if settings.mfa == "host":
        yield _warning("mfa", 'mfa="host" leaves it to your views to ask for a second factor.')
    if _on_this_machine(settings.origin):
        yield _warning("public_url", "It names this machine: links in mails lead nowhere else.")
    if len(settings.root_keys) > 5:
        yield _warning(
            "root_keys",
            "More than five are kept: `authmw keys reseal` seals everything under the newest, then drop the others.",
        )


def _warning(part: str, message: str) -> Finding:
    return Finding(part=part, status="warning", message=message)


def _global(address: str) -> bool:
    return ipaddress.ip_address(address).is_global


def _on_this_machine(origin: str) -> bool:
    host = origin.partition("://")[2].rpartition(":")[0] or origin.partition("://")[2]
    return host == "localhost" or host.endswith(".localhost") or host.startswith("127.") or host in {"[::1]", "::1"}
