"""The ports other than storage: what a host plugs in so that authmw can reach the world.

Law: every method is spelled `async def` and suspends only if the adapter's `io` is "async" (but for `Notices`, which never waits). An adapter answers with
None or raises; its errors hold no address, no text and no code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol, TypeAlias

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
    """One SMS or WhatsApp message for one recipient.

    `to` is in E.164 form, `code` repeats what the text says, `message_id` is the same for each attempt at one message, for carriers that know a repeated one by it,
    and `locale` is the language asked for.
    """

    to: str = attrs.field(repr=False)
    text: str = attrs.field(repr=False)
    channel: Literal["sms", "whatsapp"] = "sms"
    code: str | None = attrs.field(default=None, repr=False)
    message_id: str = ""
    locale: str = "en"


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


LONGEST_FETCH = 5.0
"""Seconds that one outbound request may take in all (AUD-03)."""

LARGEST_FETCH = 1_048_576
"""Bytes that the body of one outbound answer may have (AUD-03)."""


@attrs.frozen(kw_only=True)
class FetchRequest:
    """One outbound request. `url` is absolute and https, without user information and fragment.

    `deadline` is in seconds and covers everything from the look-up of the name to the last byte. `maximum_bytes` is the most that the body of the answer may
    have. Both can be set lower than their defaults, not higher (ValueError).
    """

    url: str = attrs.field(repr=False)
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    body: bytes = attrs.field(default=b"", repr=False)
    deadline: float = attrs.field(
        default=LONGEST_FETCH, validator=(attrs.validators.gt(0), attrs.validators.le(LONGEST_FETCH))
    )
    maximum_bytes: int = attrs.field(
        default=LARGEST_FETCH, validator=(attrs.validators.ge(0), attrs.validators.le(LARGEST_FETCH))
    )


@attrs.frozen(kw_only=True)
class FetchAnswer:
    """What came back, with any status: a redirect is an answer like another and is followed by nobody.

    The names of `headers` are in lower case; a header that came several times is joined by commas. `body` is as it was sent, never unpacked.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    body: bytes = attrs.field(default=b"", repr=False)


class BreachSource(Protocol):
    """Knows which passwords were seen in data breaches, asked by ranges: it is told 5 of the 40 digits of a hash and nothing else (k-anonymity)."""

    @property
    def io(self) -> IO:
        """How `suffixes` waits."""
        ...

    @property
    def name(self) -> str:
        """What events call it."""
        ...

    async def suffixes(self, prefix: str) -> frozenset[str]:
        """The other 35 digits of every SHA-1 it knows that begins with these 5, hexadecimal in capitals. Raises `authmw.errors.BreachSourceFailed` within a second."""
        ...


class Fetcher(Protocol):
    """Makes outbound requests: the one guarded client that every URL passes which somebody else can choose."""

    @property
    def io(self) -> IO:
        """How `fetch` waits."""
        ...

    @property
    def local(self) -> bool:
        """Whether it also reaches origins on this machine, for development and tests. Live refuses such a client."""
        ...

    async def fetch(self, request: FetchRequest) -> FetchAnswer:
        """The answer to a request. Raises `authmw.errors.FetchFailed`."""
        ...


VerdictAction: TypeAlias = Literal["ALLOW", "CHALLENGE", "BLOCK"]
"""What to do about a device or an address: let it pass, ask for more, or refuse."""


@attrs.frozen(kw_only=True)
class Fingerprint:
    """What a device-intelligence service knows of one visit.

    `reasons` are its warnings in its own words (each one of the `reasons` of the adapter), `authentic` whether the device is what it says. `country` is ISO 3166-1 alpha-2,
    `asn` a decimal number. What the service does not know is empty or None.
    """

    telemetry_id: str
    created_at: datetime
    expires_at: datetime
    visitor_fingerprint: str = ""
    browser_fingerprint: str = ""
    hardware_fingerprint: str = ""
    network_fingerprint: str = ""
    visitor_id: str | None = None
    browser_id: str | None = None
    reasons: tuple[str, ...] = ()
    device_type: str = ""
    authentic: bool = True
    ip_address: str = ""
    user_agent: str = ""
    asn: str = ""
    asn_name: str = ""
    asn_network: str = ""
    city: str = ""
    region: str = ""
    country: str = ""
    proxy: bool = False
    vpn: bool = False
    raw_signals: Mapping[str, Any] | None = attrs.field(default=None, repr=False)


class DeviceIntelligence(Protocol):
    """Knows devices by what a script in the browser reported of them."""

    @property
    def io(self) -> IO:
        """How `look_up` waits."""
        ...

    @property
    def reasons(self) -> Mapping[str, VerdictAction]:
        """Every warning that it may report, and what each one suggests by itself."""
        ...

    async def look_up(self, telemetry_id: str) -> Fingerprint | None:
        """What is known of a visit; None if there was none, or it is forgotten. Raises `authmw.errors.FetchFailed` if the service does not answer."""
        ...


class MailServers(Protocol):
    """Knows whether a domain takes mail."""

    @property
    def io(self) -> IO:
        """How `take_mail` waits."""
        ...

    async def take_mail(self, domain: str) -> bool | None:
        """Whether mail for a domain (A-labels) has somewhere to go: an MX record that is not null (RFC 7505), or an address (RFC 5321 section 5.1). None: it cannot be told now."""
        ...


class SessionCache(Protocol):
    """Keeps copies of sessions and their users beside storage, for all processes of a project. It may lose any of them at any time and is never the only one to hold something.

    Copies come sealed, under keys that say nothing. Every method raises `authmw.errors.StorageError` if the cache cannot be reached.
    """

    @property
    def io(self) -> IO:
        """How the methods wait. None of them waits longer than it is worth: storage could be asked meanwhile."""
        ...

    @property
    def kept(self) -> timedelta:
        """For how long, at most, what was read from storage is believed. The same for all processes."""
        ...

    async def get(self, key: str) -> bytes | None:
        """The copy under a key."""
        ...

    async def put(self, key: str, version: int, copy: bytes, lives: timedelta) -> None:
        """Keep a copy of this version of a record for so long, in one act with looking whether a later version is known; then nothing is changed.

        Without a copy (b"") it says that a commit is about to write this version: what is earlier is given to nobody, and kept no more, for so long.
        """
        ...

    async def close(self) -> None:
        """Let go of connections; the next call opens them again."""
        ...


@attrs.frozen
class NoticesState:
    """How the carrying of notices goes in this process.

    `hears` and `tells` are False from when the carrier failed until it is reached again. `waiting` counts notices that were handed over and are not told yet; `behind` says that
    more came than was taken in yet.
    """

    hears: bool = True
    tells: bool = True
    waiting: int = 0
    behind: bool = False


class Notices(Protocol):
    """Carries short notices from each process of a project to the others, as soon as it can. None of its methods waits or raises: what it does, it does on threads of its own.

    It need not keep anything secret nor know who speaks: a notice says nothing that opens anything, and proves itself to whoever hears it. It may tell one twice.
    """

    def publish(self, notice: bytes) -> None:
        """Hand a notice (at most 1 KiB) over; while the carrier cannot be reached it waits."""
        ...

    def listen(self, since: datetime, heard: Callable[[bytes], None], lost: Callable[[], None]) -> None:
        """Call `heard` with every notice that was published after `since`, from now on, and `lost` when some may be missing. Called once."""
        ...

    def state(self) -> NoticesState:
        """How it goes now, for `Auth.health`."""
        ...

    def close(self) -> None:
        """Hear and tell nothing more."""
        ...
