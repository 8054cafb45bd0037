"""An inbox in memory that takes every message of a project: e-mail, SMS and WhatsApp. For `authmw dev` and for tests.

Law: it keeps a bounded number of messages and gives up the oldest; a code is what the message says it carries, never
a guess from its text.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from datetime import datetime
from typing import Literal, TypeAlias

import attrs

from authmw.clock import Clock, SystemClock
from authmw.ports import IO, EmailMessage, PhoneMessage

Channel: TypeAlias = Literal["email", "sms", "whatsapp"]

_LINK = re.compile(r"https?://[^\s<>\"']+")


@attrs.frozen(kw_only=True)
class InboxEntry:
    """One message as it arrived; `subject` and `html` are empty for phones.

    `id` counts from 1 within an inbox, `created_at` is by the inbox's clock.
    """

    id: str
    channel: Channel
    to: str = attrs.field(repr=False)
    subject: str = attrs.field(repr=False)
    text: str = attrs.field(repr=False)
    html: str = attrs.field(repr=False)
    links: tuple[str, ...] = attrs.field(repr=False)
    code: str | None = attrs.field(repr=False)
    created_at: datetime

    def as_json(self) -> dict[str, object]:
        """The entry in JSON's types; the time in ISO 8601."""
        return {**attrs.asdict(self), "links": list(self.links), "created_at": self.created_at.isoformat()}


class Inbox:
    """Takes what an `EmailSender`, an `SMSSender` and a `WhatsAppSender` take, and sends nothing.

    Keeps the last `capacity` messages (at least 1), newest first. May be used from any thread.
    """

    io: IO = "instant"
    local = True
    """Messages stay on this machine; Live says so at its start."""

    def __init__(self, *, capacity: int = 1000, clock: Clock | None = None) -> None:
        if capacity < 1:
            message = "An inbox keeps at least one message."
            raise ValueError(message)
        self._clock: Clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._entries: deque[InboxEntry] = deque(maxlen=capacity)
        self._count = 0

    async def send(self, message: EmailMessage | PhoneMessage) -> None:
        """Keep the message."""
        with self._lock:
            self._count += 1
            self._entries.appendleft(_entry(str(self._count), message, self._clock.now()))

    def entries(self, *, to: str | None = None) -> tuple[InboxEntry, ...]:
        """The messages that are kept, newest first; with `to` only those for that address or number."""
        with self._lock:
            return tuple(entry for entry in self._entries if to is None or entry.to == to)

    def latest(self, *, to: str | None = None) -> InboxEntry:
        """The newest message. LookupError if there is none."""
        for entry in self.entries(to=to):
            return entry
        message = "There is no such message in the inbox."
        raise LookupError(message)

    def as_json(self) -> list[dict[str, object]]:
        """All entries in JSON's types, newest first."""
        return [entry.as_json() for entry in self.entries()]

    def clear(self) -> None:
        """Forget all messages; ids go on counting."""
        with self._lock:
            self._entries.clear()


def _entry(entry_id: str, message: EmailMessage | PhoneMessage, now: datetime) -> InboxEntry:
    email = message if isinstance(message, EmailMessage) else None
    known = email.links if email else ()
    return InboxEntry(
        id=entry_id,
        channel="email" if isinstance(message, EmailMessage) else message.channel,
        to=message.to,
        subject=email.subject if email else "",
        text=message.text,
        html=email.html if email else "",
        links=tuple(dict.fromkeys((*known, *_LINK.findall(message.text)))),
        code=message.code,
        created_at=now,
    )
