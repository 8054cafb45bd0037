"""The ports other than storage: what a host plugs in so that authmw can reach the world.

Law: every method is spelled `async def` and suspends only if the adapter's `io` is "async". An adapter answers with
None or raises; its errors hold no address, no text and no code.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Protocol, TypeAlias

import attrs

IO: TypeAlias = Literal["instant", "blocking", "async"]
"""How a port waits: not at all, by holding its thread, or on a running loop."""


@attrs.frozen(kw_only=True)
class EmailMessage:
    """One e-mail for one recipient; the sender's own address and name are the adapter's configuration.

    `to` is a canonical address. `message_id` is the left side of the Message-ID header, so that a repeated attempt
    has the same one. `date` is aware, in UTC. `code` and `links` repeat what the text says, for adapters that show a
    message instead of sending it.
    """

    to: str = attrs.field(repr=False)
    subject: str = attrs.field(repr=False)
    text: str = attrs.field(repr=False)
    html: str = attrs.field(repr=False)
    message_id: str
    date: datetime
    locale: str = "en"
    code: str | None = attrs.field(default=None, repr=False)
    links: tuple[str, ...] = attrs.field(default=(), repr=False)


@attrs.frozen(kw_only=True)
class PhoneMessage:
    """One SMS or WhatsApp message for one recipient. `to` is in E.164 form, `code` repeats what the text says."""

    to: str = attrs.field(repr=False)
    text: str = attrs.field(repr=False)
    channel: Literal["sms", "whatsapp"] = "sms"
    code: str | None = attrs.field(default=None, repr=False)


class EmailSender(Protocol):
    """Hands e-mails to a carrier."""

    @property
    def io(self) -> IO:
        """How `send` waits."""
        ...

    async def send(self, message: EmailMessage) -> None:
        """Hand one message over. Raises `authmw.errors.SendingFailed`; returning means that the carrier took it."""
        ...


class SMSSender(Protocol):
    """Hands SMS to a carrier."""

    @property
    def io(self) -> IO:
        """How `send` waits."""
        ...

    async def send(self, message: PhoneMessage) -> None:
        """Hand one message over. Raises `authmw.errors.SendingFailed`; returning means that the carrier took it."""
        ...


class WhatsAppSender(Protocol):
    """Hands WhatsApp messages to a carrier."""

    @property
    def io(self) -> IO:
        """How `send` waits."""
        ...

    async def send(self, message: PhoneMessage) -> None:
        """Hand one message over. Raises `authmw.errors.SendingFailed`; returning means that the carrier took it."""
        ...
