"""What an operation is: one typed method whose signature is the request and whose return type is the answer.

From the one declaration come the Python call, strict decoding, the backend route, the browser route, OpenAPI and the event's action. Law: nothing about an
operation is written twice, operations do not call operations, and each call is a `Call` with a fixed id, a fixed time and a fixed view of the settings.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Literal,
    ParamSpec,
    Protocol,
    TypeAlias,
    TypeVar,
    cast,
)

import attrs
import msgspec

from authmw import drive
from authmw.declarations import Door, Method, Operation, Source
from authmw.errors import Refused, StorageError

if TYPE_CHECKING:
    from authmw.beginning import Beginning
    from authmw.changes import Listeners
    from authmw.clock import Clock
    from authmw.crypto.roots import RootKeys
    from authmw.limits import RateLimiter
    from authmw.people.cached import Copies
    from authmw.ports import (
        BreachSource,
        DeviceIntelligence,
        EmailSender,
        Fetcher,
        MailServers,
        SMSSender,
        WhatsAppSender,
    )
    from authmw.project import CurrentProject, Snapshot
    from authmw.revoked import Denied
    from authmw.rows import Row
    from authmw.settings import Settings
    from authmw.storage import Storage

Audience: TypeAlias = Literal["python", "backend", "browser"]
P = ParamSpec("P")
S = TypeVar("S", bound="Product")
R = TypeVar("R", bound="Answer")


class Response(msgspec.Struct, kw_only=True):
    """What every answer carries; both are filled in by whoever runs the operation."""

    status_code: int = 200
    request_id: str = ""


After: TypeAlias = Callable[[], Coroutine[Any, Any, None]]
"""What is done once the commit stands: resetting limits, refusing what was ended."""


class Answer(Protocol):
    """Anything that has what every answer carries."""

    status_code: int
    request_id: str


@attrs.frozen(kw_only=True)
class Caller:
    """Who calls: the audience, the source of a change, the acting person, and where the request came from."""

    audience: Audience = "python"
    source: Source = "DIRECT"
    actor: str = "project"
    session_token: str = attrs.field(default="", repr=False)
    ip_address: str = ""
    user_agent: str = attrs.field(default="", repr=False)
    locale: str = ""


PROJECT = Caller()
"""A call without a request: the project's own code."""


class Visit(msgspec.Struct, kw_only=True, eq=False):
    """One request of the host, from the middleware's first look to its last: who calls, what was found, and what the answer must still carry.

    A host has a kind of its own, which says of the request what is asked only in few views. Made on every request, so it is a struct, which is made without running Python.
    """

    caller: Caller = PROJECT
    seen: Any = None
    """What the middleware found (`guard.verified.Seen`)."""
    kept: Any = None
    refused: Refused | None = None
    """What a guard refused in a host's own view."""

    def __repr__(self) -> str:
        """Its kind alone, for it holds cookies and tokens."""
        return f"<{type(self).__name__}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Nothing beside its kind."""
        return []

    def who(self) -> Caller:
        """Who calls."""
        return self.caller

    def presented(self) -> object | None:
        """What a request to a host's own view presents, for the guard of access tokens; None elsewhere."""
        return None

    def acting_as(self, caller: Caller) -> Visit:
        """The same request, as another caller."""
        other = copy.copy(self)
        other.caller = caller
        return other


SKEW = timedelta(seconds=90)
"""By how much the clocks of two processes may differ before one takes what the other has in hands."""
CLAIMED = timedelta(seconds=30) + SKEW
"""What a call leaves behind is first tried by its own process; after so long any worker may take it."""

visit: ContextVar[Visit | None] = ContextVar("authmw_visit", default=None)


@attrs.define(eq=False)
class Call:
    """One call of an operation: its id, its fixed time, its caller, and what it may not do twice."""

    id: str
    now: datetime
    caller: Caller
    operation: Operation
    storage: Storage
    core: Core = attrs.field(repr=False)
    project: Snapshot = attrs.field(repr=False)
    """The project as it stood when the call began."""
    memory: dict[object, Any] = attrs.field(factory=dict[object, Any], repr=False)
    joined: Storage | None = attrs.field(default=None, repr=False)
    """The host's transaction that this call is part of: it is tried once, and what follows a commit is left to the worker."""
    committed: bool = False
    met: Mapping[tuple[str, str], bool] = attrs.field(factory=dict[tuple[str, str], bool], repr=False)
    """The records at which the last try met others (see `ledger.lanes`)."""
    turn_over: Callable[[], None] = attrs.field(default=lambda: None, repr=False)
    """Lets the next of those who met have its turn."""
    remark: str = ""
    """What the event says beside how the call ended: a check that was left out, and why."""
    event_id: str = ""
    """The key of the call's event, given once, so that no call has two."""
    event: Any = attrs.field(default=None, repr=False)
    """The event as it was committed."""
    deliveries: list[Any] = attrs.field(factory=list[Any], repr=False)
    """The changes that the commit stored for listeners."""
    outgoing: list[Any] = attrs.field(factory=list[Any], repr=False)
    """Records that the commit adds for work behind it: messages to send, remains to clear."""
    after: list[After] = attrs.field(factory=list[After], repr=False)

    @property
    def settings(self) -> Settings:
        """The project's settings as they stood when the call began."""
        return self.project.settings

    @property
    def store(self) -> Storage:
        """Where the call commits."""
        return self.joined or self.core.storage

    @property
    def due(self) -> timedelta:
        """How long what the call leaves behind belongs to this process, before a worker may take it: not at all if its commit is not ours to see."""
        return timedelta(0) if self.joined else CLAIMED

    async def once(self, key: object, act: Callable[[], Awaitable[Any]]) -> Any:
        """Do what may not happen twice in one call, however often the decision is repeated; a refusal is remembered too."""
        if key not in self.memory:
            try:
                self.memory[key] = (True, await act())
            except Refused as refused:
                self.memory[key] = (False, refused)
        done, result = self.memory[key]
        if not done:
            raise cast("Refused", result)
        return result


joined: ContextVar[Storage | None] = ContextVar("authmw_joined", default=None)
"""The transaction of the host's own that operations are part of (`Auth.within`), as a storage."""
_current: ContextVar[Call | None] = ContextVar("authmw_call", default=None)


def current_call() -> Call:
    """The call that is running. RuntimeError outside an operation."""
    call = _current.get()
    if call is None:
        message = "This is only possible inside an operation."
        raise RuntimeError(message)
    return call


class Perform(Protocol):
    """What runs a declared operation with arguments that were already held to its bounds."""

    async def __call__(self, operation: Operation, product: Product, arguments: dict[str, Any]) -> Answer:
        """The answer, complete with status code and request id."""
        ...

    def refuse(self, operation: Operation, product: Product, refused: Refused) -> None:
        """Log a call that was refused before its body, and give the refusal its request id."""
        ...

    def failed_behind(self) -> None:
        """Count what failed behind a commit that stands."""
        ...


@attrs.define(eq=False, kw_only=True)
class Core:
    """What an `Auth` is made of: settings, ports and keys."""

    settings: Settings
    storage: Storage
    limiter: RateLimiter
    clock: Clock
    roots: RootKeys
    perform: Perform
    project: CurrentProject
    beginning: Beginning
    denied: Denied
    email: EmailSender | None = None
    sms: SMSSender | None = None
    whatsapp: WhatsAppSender | None = None
    fetcher: Fetcher | None = None
    devices: DeviceIntelligence | None = None
    mail_servers: MailServers | None = None
    listeners: Listeners
    breaches: BreachSource | None = None
    copies: Copies | None = None
    peppers: RootKeys | None = attrs.field(default=None, repr=False)


class Product:
    """A group of operations under one name; products may hold products."""

    def __init__(self, core: Core) -> None:
        self.core = core

    def rows(self) -> Sequence[Row]:
        """What browsers reach of this product; nothing unless it says so."""
        return ()


def operation(
    method: Method,
    path: str,
    *,
    action: str,
    door: Door = "backend",
    grant: str = "",
    source: Source | None = None,
) -> Callable[
    [Callable[Concatenate[S, P], Coroutine[Any, Any, R]]], Callable[Concatenate[S, P], Coroutine[Any, Any, R]]
]:
    """Declare a method of a Product as an operation: its HTTP method, its path under the root, and the action its events are logged under.

    Operations of the OAuth door may share a path; `grant` is then the `grant_type` that asks for this one. `source` is that of every change by this operation,
    whoever calls it; without one it is the caller's.
    """

    def declare(
        function: Callable[Concatenate[S, P], Coroutine[Any, Any, R]],
    ) -> Callable[Concatenate[S, P], Coroutine[Any, Any, R]]:
        declared = Operation(function, method, path, action, door, grant, source)

        @functools.wraps(function)
        async def call(product: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
            if args:
                message = f"{function.__qualname__}() takes keyword arguments only."
                raise TypeError(message)
            return await drive.brought(product.core.storage.io, perform(product, kwargs))

        async def perform(product: S, given: Mapping[str, Any]) -> R:
            with known(declared, product):
                arguments = declared.check(given)
            return cast("R", await product.core.perform(declared, product, arguments))

        call.__operation__ = declared  # type: ignore[attr-defined]  # read back by `declaration`
        return call

    return declare


@contextmanager
def known(operation: Operation, product: Product) -> Generator[None]:
    """What is refused in here, before an operation's body, is logged as a call of that operation (AUD-01)."""
    try:
        yield
    except Refused as refused:
        product.core.perform.refuse(operation, product, refused)
        raise
    except StorageError:
        refusal = Refused("server_unavailable")
        product.core.perform.refuse(operation, product, refusal)
        raise refusal from None


@contextmanager
def known_as(method: object) -> Generator[None]:
    """The same for an operation that is named by its method."""
    with known(*declared(method)):
        yield


def declared(method: object) -> tuple[Operation, Product]:
    """The operation that a bound method was declared as, and its product."""
    operation, product = declaration(method), getattr(method, "__self__", None)
    assert operation is not None  # operations, ...
    assert isinstance(product, Product)  # ... bound to their product
    return operation, product


def declaration(method: object) -> Operation | None:
    """The operation that a method was declared as, if it was."""
    return cast("Operation | None", getattr(method, "__operation__", None))


def operations_of(product: Product) -> Iterator[tuple[Product, Operation]]:
    """Every operation of a product and of the products it holds, with the product it belongs to."""
    for name in dir(type(product)):
        declared = declaration(getattr(type(product), name, None))
        if declared is not None:
            yield product, declared
    for held in vars(product).values():
        if isinstance(held, Product):
            yield from operations_of(held)


def begin(call: Call) -> Any:
    """Make a call the current one; the token it answers ends it."""
    return _current.set(call)


def end(token: Any) -> None:
    """End the current call."""
    _current.reset(token)
