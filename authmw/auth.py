"""`Auth`: settings, adapters and products become one frozen table of operations."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from authmw import drive
from authmw.beginning import Beginning
from authmw.changes import Listen, Listeners, Shown
from authmw.clock import Clock, SystemClock
from authmw.errors import Misconfigured, StorageError
from authmw.guard.bearer import BearerGuard
from authmw.guard.sessions import SessionGuard
from authmw.limits import RateLimiter
from authmw.operations import SKEW, Caller, Core, Visit, joined, visit
from authmw.people.records import User
from authmw.ports import (
    BreachSource,
    DeviceIntelligence,
    EmailSender,
    Fetcher,
    MailServers,
    Notices,
    SessionCache,
    SMSSender,
    WhatsAppSender,
)
from authmw.products import Products
from authmw.project import CurrentProject
from authmw.revoked import HELD, Denied
from authmw.settings import Settings
from authmw.signin.keys import KeyRing
from authmw.storage import Storage, description

if TYPE_CHECKING:
    from authmw.health import Finding, Health

T = TypeVar("T")
L = TypeVar("L", bound=Listen)
_log = logging.getLogger("authmw")


class Auth(Products):
    """One environment of one project: its products, ready to be called, mounted and guarded by.

    `notices` and `session_cache` are for projects of several processes; give each of them the same, workers too.

    Storage that is away is no reason not to start: what needs it is answered with 503 until it is there. Raises Misconfigured if settings and adapters cannot work together,
    naming every fault, and WrongSchema for a blocking storage that another version wrote (an asynchronous one is looked at by `start`).
    """

    def __init__(
        self,
        settings: Settings,
        *,
        storage: Storage,
        limiter: RateLimiter,
        email: EmailSender | None = None,
        sms: SMSSender | None = None,
        whatsapp: WhatsAppSender | None = None,
        fetcher: Fetcher | None = None,
        devices: DeviceIntelligence | None = None,
        mail_servers: MailServers | None = None,
        breaches: BreachSource | None = None,
        notices: Notices | None = None,
        session_cache: SessionCache | None = None,
        clock: Clock | None = None,
    ) -> None:
        # What only a made `Auth` needs is loaded now, and not by whoever only imports authmw.
        from authmw.kinds import KINDS
        from authmw.ledger.incidents import Incidents
        from authmw.ledger.notes import Notes
        from authmw.ledger.performing import Performer

        self.settings = settings
        self.storage = storage
        self._beginning = Beginning(storage, KINDS)
        clock = clock or SystemClock()
        self.notes = Notes(storage, clock)
        self.incidents = Incidents(self.notes, clock, settings.environment)
        refusals = {
            (description(kind).kind, index.name): index.refusal
            for kind in KINDS
            for index in description(kind).indexes
            if index.refusal is not None
        }
        self.core = Core(
            settings=settings,
            storage=storage,
            limiter=limiter,
            clock=clock,
            roots=settings.roots(),
            perform=Performer(self.notes, refusals),
            denied=Denied(),
            project=CurrentProject(settings, storage, clock),
            beginning=self._beginning,
            email=email,
            sms=sms,
            whatsapp=whatsapp,
            fetcher=fetcher,
            devices=devices,
            mail_servers=mail_servers,
            listeners=Listeners({User: Shown("user", _user_shown)}),
            breaches=breaches,
            peppers=settings.peppers(),
        )
        if session_cache is not None:
            from authmw.people.cached import Copies

            self.core.copies = Copies(session_cache, self.core.roots, settings.project_id)
            # What one process ended, the others refuse as long as a copy of it may be believed.
            self.core.denied.held = max(HELD, session_cache.kept + SKEW)
        self._check()
        self.keys = KeyRing(self.core)
        self.bearer = BearerGuard(self.core, self.keys)
        self.guard = SessionGuard(self.core, self.keys)
        self._beginning.try_now()
        self._notices = notices
        if notices is not None:
            from authmw.spreading import Spreader

            Spreader(notices, self.core).start()

    def _check(self) -> None:
        """Refuse what cannot work, naming every fault; name in the log what a host in Live should look at (OPS-06)."""
        from authmw.health import faults_of, setup_of

        faults = list(faults_of(self.core))
        if faults:
            raise Misconfigured("This cannot work: " + " ".join(faults), faults)
        if self.settings.live:
            for finding in setup_of(self.core):
                _log.warning("misconfigured", extra={"part": finding.part, "advice": finding.message})

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run an operation from synchronous code. RuntimeError on a thread that runs an event loop."""
        return drive.run(self.storage.io, work)

    async def start(self) -> None:
        """Make storage ready; a host that calls operations of its own with an asynchronous storage calls this at start-up (the ASGI middleware does, at lifespan, and
        either middleware, and each operation, when it needs it and it is not ready yet).

        StorageError while storage is away: try again later. WrongSchema and Misconfigured where waiting does not help.
        """
        await self._beginning.make()

    def ready(self) -> None:
        """The same from synchronous code."""
        if not self._beginning.over:
            self.run(self.start())

    async def work(self) -> int:
        """One round of background work: send what is due, tell changes to those who listen, clear up behind deletions, sweep what expired; how many of these were done."""
        return await drive.brought(self.storage.io, self._work())

    async def _work(self) -> int:
        from authmw.ledger.outbox import dispatch_due
        from authmw.ledger.performing import SWEPT
        from authmw.ledger.telling import tell_due
        from authmw.people.purging import purge_due

        await self.start()
        now = self.core.clock.now()
        taken = await dispatch_due(self.core, now) + await tell_due(self.core, now) + await purge_due(self.core, now)
        return taken + await self.storage.sweep(now, SWEPT)

    async def health(self) -> Health:
        """The state of storage, limiter, keys, what waits to be sent or cleared up, the event log, the session cache, the notices and the senders; holds no secret, changes and charges nothing.

        Meant for a route or probe of the host's own: `200 if (await auth.health()).healthy else 503`.
        """
        from authmw.health import health_of

        return await drive.brought(self.storage.io, health_of(self.core, self.keys, self.notes, self._notices))

    def setup(self) -> tuple[Finding, ...]:
        """What works and should still be looked at before people depend on it."""
        from authmw.health import setup_of

        return tuple(setup_of(self.core, self._notices))

    @contextmanager
    def acting_as(self, caller: Caller) -> Generator[None]:
        """Make operations called inside calls of this caller."""
        here = visit.get()
        token = visit.set(here.acting_as(caller) if here else Visit(caller=caller))
        try:
            yield
        finally:
            visit.reset(token)

    @contextmanager
    def within(self, connection: object) -> Generator[None]:
        """Make operations called inside part of a transaction of the host's own, which commits or rolls back as the host decides.

        `connection` is one that the storage can join, of the same database: a `Connection` of SQLAlchemy, or an `AsyncConnection` where the storage is asynchronous. An
        operation is a savepoint in it. It is tried once: `Conflict` rolls back to the savepoint and is raised, and the host tries its transaction again. Messages
        and changes leave by `authmw worker`, after the commit; the end of a session is told to other processes (`notices`) when its operation returns, before the commit: should the
        host roll back, JWTs of that session are refused for six minutes all the same, and its token is not. Raises TypeError if the storage cannot join this.
        """
        join = getattr(self.storage, "join", None)
        if join is None:
            message = f"{type(self.storage).__name__} has no transactions that a host could begin."
            raise TypeError(message)
        token = joined.set(join(connection))
        try:
            yield
        finally:
            joined.reset(token)

    def keep(self, answer: object) -> None:
        """Have the answer of a sign-in, called in a view of the host, put into the visitor's cookies on the way out. RuntimeError outside a request."""
        here = visit.get()
        if here is None:
            message = "There is no request to keep a session for: is the middleware installed?"
            raise RuntimeError(message)
        here.kept = answer

    def on(self, *types: str, name: str | None = None) -> Callable[[L], L]:
        """Have a function told of changes: `@auth.on("direct.user.create", "*.user.delete")`; it takes a `Change` and may be asynchronous.

        A change is stored in the commit that made it, told behind the reply, and told again (by `authmw worker`) until the function returns without raising, for 7
        days: at least once, so keep `event_id` or `version` where twice would matter. Changes of one object come in their order. It runs outside of any request.
        A plain function must come to its end by itself, for it holds a thread (in `authmw worker` the only one); an asynchronous one has 10 seconds.

        At most three can listen; one may call others. `name` is under which a stored change waits for it, the function's module and name unless given; register it
        wherever the `Auth` is made, so that each process knows. Raises Misconfigured for a type that does not exist, a name that is taken, and a fourth listener.
        """

        def register(listen: L) -> L:
            self.core.listeners.add(types, listen, name)
            return listen

        return register

    def close(self) -> None:
        """Wait for what runs behind replies (at most 10 seconds), write what is noted and let go of connections."""
        from authmw.ledger.notes import LAST

        if not drive.on_loop():
            drive.finish(LAST)
            self._let_go()
            self.notes.flush()
            drive.run(self.storage.io, self._close())

    def _let_go(self) -> None:
        if self._notices is not None:
            self._notices.close()

    async def stop(self) -> None:
        """The same on a loop that is about to end; the ASGI middleware does it at the end of lifespan."""
        from authmw.ledger.notes import LAST

        await drive.finished(LAST)
        self._let_go()
        await drive.brought(self.storage.io, self._stop())

    async def _stop(self) -> None:
        with suppress(StorageError):  # what is lost is counted, and nothing else is left to do
            await self.notes.write()
        await self._close()

    async def _close(self) -> None:
        cache = self.core.copies.cache if self.core.copies else None
        for port in (self.core.limiter, cache, self.storage):
            if port is None:
                continue
            with suppress(StorageError):  # what cannot be reached holds nothing that could be let go of
                await drive.using(port.io, port.close)


def _user_shown(user: User, now: datetime) -> dict[str, Any]:
    """A user as the wire shows one."""
    from authmw.consumer.answers import user_answer

    shown: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(user_answer(user, now)))
    return shown
