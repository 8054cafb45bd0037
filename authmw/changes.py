"""What a host is told when somebody it knows changes, and who of the host listens.

Law: a change is named `source.object.action` and holds the object as the wire shows it after the change, or nothing if it was deleted.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias, get_args

import attrs

from authmw.errors import Misconfigured
from authmw.storage import Record

Action: TypeAlias = Literal["CREATE", "UPDATE", "DELETE"]
ChangeSource: TypeAlias = Literal["DIRECT", "DASHBOARD", "SCIM"]
Vertical: TypeAlias = Literal["CONSUMER", "B2B"]
ANY = "*"
_LONGEST_NAME = 100
MAXIMUM_LISTENERS = 3
"""Each leaves a row in the commit of a change, and a commit of somebody at every limit must still fit into one batch (`storage.MAX_ACTIONS`)."""


@attrs.frozen(kw_only=True)
class Change:
    """One change of one object. The same change may come twice, with the same `event_id`; changes of one object come in their order.

    `object` is what the wire shows after the change, None after a deletion. `version` grows with each change of an object, so that who keeps a copy can tell which of
    two is newer.
    """

    event_id: str
    project_id: str
    action: Action
    object_type: str
    source: ChangeSource
    id: str
    timestamp: datetime
    vertical: Vertical = "CONSUMER"
    version: int
    object: dict[str, Any] | None = attrs.field(default=None, repr=False)

    @property
    def type(self) -> str:
        """`direct.user.update` and the like."""
        return f"{self.source}.{self.object_type}.{self.action}".lower()

    def as_dict(self) -> dict[str, Any]:
        """As a webhook's body says it: the time in UTC with nine fractional digits, the object under its type's name."""
        shown = {} if self.object is None else {self.object_type: self.object}
        return {
            "project_id": self.project_id,
            "event_id": self.event_id,
            "action": self.action,
            "object_type": self.object_type,
            "source": self.source,
            "id": self.id,
            "timestamp": f"{self.timestamp.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}000Z",
            "vertical": self.vertical,
            **shown,
        }


Listen: TypeAlias = Callable[[Change], Awaitable[None] | None]


@attrs.frozen
class Shown:
    """How records of a kind are told of: the name of the object, and what the wire shows of one at a moment."""

    object_type: str
    answer: Callable[[Any, datetime], dict[str, Any]]
    vertical: Vertical = "CONSUMER"


@attrs.frozen
class Listener:
    """One function of the host, and the types it wants."""

    name: str
    patterns: tuple[tuple[str, str, str], ...]
    listen: Listen
    waits: bool
    """Whether it is a coroutine function."""

    def wants(self, source: str, object_type: str, action: str) -> bool:
        """Whether one of its patterns fits."""
        said = (source.lower(), object_type, action.lower())
        return any(
            all(part in (ANY, word) for part, word in zip(pattern, said, strict=True)) for pattern in self.patterns
        )


class Listeners:
    """Who listens to the changes of one `Auth`, by name."""

    def __init__(self, shown: Mapping[type[Record], Shown]) -> None:
        self.shown = shown
        self._by_name: dict[str, Listener] = {}

    def __iter__(self) -> Iterator[Listener]:
        return iter(tuple(self._by_name.values()))

    def __bool__(self) -> bool:
        return bool(self._by_name)

    def named(self, name: str) -> Listener | None:
        """The listener of this name."""
        return self._by_name.get(name)

    def add(self, patterns: tuple[str, ...], listen: Listen, name: str | None) -> None:
        """Tell this function of these types from now on. Raises Misconfigured for a type that does not exist, a name that is taken, and one listener too many."""
        known = name or f"{listen.__module__}.{listen.__qualname__}"
        if not known or len(known) > _LONGEST_NAME or not known.isprintable():
            message = f"A listener's name has 1 to {_LONGEST_NAME} printable characters; give it one by name=..."
            raise Misconfigured(message)
        if known in self._by_name:
            message = f"There is a listener {known} already; tell them apart by name=..."
            raise Misconfigured(message)
        if len(self._by_name) >= MAXIMUM_LISTENERS:
            message = f"There are {MAXIMUM_LISTENERS} listeners already, as many as a commit has room for; have one of them call this."
            raise Misconfigured(message)
        wanted = tuple(self._parsed(pattern) for pattern in patterns)
        self._by_name[known] = Listener(known, wanted, listen, inspect.iscoroutinefunction(listen))

    def _parsed(self, pattern: str) -> tuple[str, str, str]:
        parts = pattern.split(".")
        sources = {source.lower() for source in get_args(ChangeSource)}
        objects = {one.object_type for one in self.shown.values()}
        actions = {action.lower() for action in get_args(Action)}
        if len(parts) != 3 or any(
            part != ANY and part not in known for part, known in zip(parts, (sources, objects, actions), strict=True)
        ):
            message = (
                f"A listener asks for source.object.action, each one of its own or *: {', '.join(sorted(sources))}; "
                f"{', '.join(sorted(objects))}; {', '.join(sorted(actions))}."
            )
            raise Misconfigured(message)
        return parts[0], parts[1], parts[2]
