"""The project that the state machine drives, twice: over memory and over SQLite, with storage that fails when it is told to.

A `Side` remembers what its own project handed out (tokens, ids) under names that the model gives, so that one step of the machine is the same step on both.
"""

from __future__ import annotations

import functools
import tempfile
import threading
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

import attrs

from authmw import Auth, Cookies, Settings
from authmw.clock import standing_still
from authmw.consumer.answers import SignInResponse, sign_in_answer
from authmw.drive import finish, step
from authmw.errors import Refused, StorageError
from authmw.kinds import KINDS
from authmw.ledger.commits import commit
from authmw.ledger.records import Event
from authmw.operations import Caller, Product, current_call, operation, visit
from authmw.parameters import Id, SessionMinutes, Text, Token
from authmw.people.directory import user_by_reference
from authmw.people.records import Part, Proved
from authmw.people.rules import with_part
from authmw.signin.complete import Asked, Proof, complete
from authmw.signin.keys import FirstKey, KeyRing, StoredKey
from authmw.storage import And, Insert, Storage, Update, Write
from authmw.testing import FixedClock, StandIns
from authmw_adapters.inbox import Inbox
from authmw_adapters.memory import MemoryLimiter, MemoryStorage
from authmw_adapters.sqlite import SQLiteStorage
from tests.world import PROJECT_ID, PUBLIC_TOKEN, SECRET

BROWSER = Caller(audience="browser", actor="visitor")


class FailingStorage:
    """A storage whose next call fails: `read` before it reads, `commit` before it changes anything, `lost` after everything was changed."""

    def __init__(self, inner: Storage) -> None:
        self.inner = inner
        self.fault = ""
        self.owner = threading.get_ident()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def get(self, kind: Any, key: str) -> Any:
        self._fail("read")
        return await self.inner.get(kind, key)

    async def find(self, kind: Any, index: str, value: Any) -> Any:
        self._fail("read")
        return await self.inner.find(kind, index, value)

    async def commit(self, *writes: Write) -> None:
        if all(isinstance(write.record, Event) for write in writes):
            await self.inner.commit(*writes)  # what the notes write behind is no step of the machine
            return
        self._fail("commit")
        await self.inner.commit(*writes)
        self._fail("lost")

    def _fail(self, fault: str) -> None:
        if self.fault == fault and threading.get_ident() == self.owner:  # mail behind the reply is no step either
            self.fault = ""
            raise StorageError("The machine wants this call to fail.")


class Factors(Product):
    """Any factor of the table, enrolled and proved without its product: the machine is about what the funnel makes of it."""

    def __init__(self, auth: Auth) -> None:
        super().__init__(auth.core)
        self.keys: KeyRing = auth.keys

    @operation("POST", "/v1/model/enrol", action="ModelEnrol")
    async def enrol(self, *, user_id: Id, kind: Text) -> SignInResponse:
        """Put an active factor of this kind on a user."""
        call = current_call()
        user = await user_by_reference(call.storage, user_id)
        part = Part(part_id=f"{kind}-of-{user.id}", kind=kind, verified=True, created_at=call.now)
        after = with_part(user, part)
        await commit(Update(after), subject_id=user.id)
        return SignInResponse(user_id=user.id, session_token="", session_jwt="", user=Any, session=None)  # type: ignore[arg-type]

    @operation("POST", "/v1/model/prove", action="ModelProve")
    async def prove(
        self,
        *,
        user_id: Id,
        type: Text,
        delivery_method: Text,
        session_token: Token | None = None,
        session_duration_minutes: SessionMinutes | None = None,
    ) -> SignInResponse:
        """Prove a factor of this type."""
        call = current_call()
        user = await user_by_reference(call.storage, user_id)
        factor = Proved(
            type=type,
            delivery_method=delivery_method,
            last_authenticated_at=call.now,
            created_at=call.now,
            updated_at=call.now,
        )
        asked = Asked(session_token=session_token, minutes=session_duration_minutes)
        signed_in = await complete(Proof(before=user, after=user, factor=factor), asked, self.keys)
        return sign_in_answer(SignInResponse, signed_in, call.now)


@attrs.define(eq=False)
class Side:
    """One project over one storage."""

    name: str
    auth: Auth
    storage: FailingStorage
    clock: FixedClock
    inbox: Inbox
    providers: StandIns | None
    """Who stands in for the OAuth providers, where a machine has them."""
    held: dict[str, Any] = attrs.field(factory=dict[str, Any])
    calls: int = 0
    file: Path | None = None

    def clear(self) -> None:
        """Leave no file behind, once nobody writes to it any more."""
        if self.file is not None:
            finish(5)
            step(self.storage.inner.close())
            for file in self.file.parent.glob(f"{self.file.name}*"):
                file.unlink()

    @property
    def factors(self) -> Factors:
        factors: Factors = self.auth.factors_of_the_model  # type: ignore[attr-defined]  # set where the side is made
        return factors

    def call(self, work: Coroutine[Any, Any, Any], session_token: str | None = None) -> tuple[str, Any]:
        """The outcome of an operation, by a backend or (with a session token, if an empty one) by a browser: an error type or none, and the answer."""
        self.calls += 1
        caller = Caller() if session_token is None else attrs.evolve(BROWSER, session_token=session_token)
        try:
            # What a step may do is no matter of how long the machine takes for it.
            with standing_still(), self.auth.acting_as(caller):
                answer = step(work)
                here = visit.get()
                return "", (answer, here.kept if here else None)
        except Refused as refused:
            return refused.error_type, None

    def records(self, kind: type[Any]) -> Sequence[Any]:
        """Everything that is stored of a kind."""
        return step(self.storage.inner.page(kind, And(), limit=1000)).records


@functools.cache
def _keys() -> tuple[Any, ...]:
    """The signing keys that every side begins with, since making one takes longer than a whole run."""
    side = _side("template", MemoryStorage())
    step(side.auth.keys.active())
    return tuple(Insert(record) for kind in (StoredKey, FirstKey) for record in side.records(kind))


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    shared = Path("/dev/shm")  # nothing lasting, and a disk would only slow the run
    return tempfile.TemporaryDirectory(prefix="authmw-model-", dir=shared if shared.is_dir() else None)


_made = iter(range(10**9))


def make_sides(*, sqlite: bool, **settings: Any) -> tuple[Side, Side]:
    """The same project over memory and over SQLite (or over memory again), both empty but for the same signing keys."""
    other: Storage = MemoryStorage()
    file: Path | None = None
    if sqlite:
        # A file for each: what many namespaces in one cost to open would be most of a run.
        file = Path(_folder().name) / f"{next(_made)}.sqlite3"
        other = SQLiteStorage(file)
    sides = _side("memory", MemoryStorage(), **settings), _side("other", other, **settings)
    sides[1].file = file
    for side in sides:
        step(side.storage.inner.commit(*_keys()))
    return sides


def _side(name: str, storage: Any, **settings: Any) -> Side:
    failing, clock, inbox = FailingStorage(storage), FixedClock(), Inbox()
    providers = StandIns("http://localhost:8000/elsewhere", clock) if settings.pop("providers", False) else None
    if providers is not None:
        settings["oauth"] = providers.configured()
    chosen = Settings(
        project_id=PROJECT_ID, secret=SECRET, public_token=PUBLIC_TOKEN, cookies=Cookies(secure=False), **settings
    )
    auth = Auth(
        chosen,
        storage=failing,
        limiter=MemoryLimiter(),
        email=inbox,
        sms=inbox,
        whatsapp=inbox,
        clock=clock,
        fetcher=providers,
    )  # type: ignore[arg-type]
    auth.factors_of_the_model = Factors(auth)  # type: ignore[attr-defined]  # a product like any other
    return Side(name, auth, failing, clock, inbox, providers)


ALL_KINDS = KINDS
