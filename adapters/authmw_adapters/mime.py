"""From an `EmailMessage` to the bytes of an Internet message (RFC 5322), for adapters that hand over whole messages.

Law: header names are fixed, each address is put together from a checked user and domain and never parsed from a text,
and no control character gets in, so no value can add a header, a recipient or a line of the protocol (CSR-05).
"""

from __future__ import annotations

import re
from datetime import UTC

import attrs

from authmw.errors import Misconfigured, SendingFailed
from authmw.ports import EmailMessage

_ADDRESS = re.compile(
    r"(?=.{3,254}\Z)(?P<user>[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*)"
    r"@(?P<domain>[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*)",
    re.ASCII,
)
# The library takes a value that is set for one that was received: what stands encoded in it is decoded and written as it is, line breaks and all (RFC 2047).
_ENCODED_WORD = re.compile(r"=\?.*\?=")
# Headers hold no controls, line separators, directions or zero widths; bodies may hold tabs and line feeds.
_NOT_IN_HEADERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
_NOT_IN_BODIES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029\ud800-\udfff]")
_MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,100}(?:\.[A-Za-z0-9_-]{1,100})*", re.ASCII)
_MAXIMUM_NAME = 100
_MAXIMUM_SUBJECT = 500


@attrs.frozen
class Mailbox:
    """An address as its two checked parts: a dot-atom and a host name, in ASCII.

    RFC 5321 section 4.1.2 without quoted and literal forms.
    """

    user: str = attrs.field(repr=False)
    domain: str

    @property
    def address(self) -> str:
        """The two parts as one address."""
        return f"{self.user}@{self.domain}"


def mailbox(address: str) -> Mailbox | None:
    """The parts of an address, or None if mail software could read it in more than one way."""
    match = _ADDRESS.fullmatch(address)
    return None if match is None or _ENCODED_WORD.search(address) else Mailbox(match["user"], match["domain"])


@attrs.frozen
class Sender:
    """Whom mail comes from; `name` has at most 100 characters. Raises Misconfigured for what is not plain."""

    address: str
    name: str = ""
    mailbox: Mailbox = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Check both once, so that sending need not."""
        checked = mailbox(self.address)
        if checked is None:
            raise Misconfigured("from_address must be one plain address such as auth@example.org.")
        if len(self.name) > _MAXIMUM_NAME or _may_hold_more(self.name):
            raise Misconfigured(f"from_name must be one line of at most {_MAXIMUM_NAME} characters.")
        object.__setattr__(self, "mailbox", checked)


@attrs.frozen
class Composed:
    """A whole message and whom it is for."""

    recipient: Mailbox
    data: bytes = attrs.field(repr=False)


def compose(message: EmailMessage, sender: Sender) -> Composed:
    """The message as bytes with CRLF line ends, 7-bit throughout.

    Raises SendingFailed (not retryable) for what cannot be sent safely.
    """
    from email.headerregistry import Address
    from email.message import EmailMessage as Document
    from email.policy import SMTP
    from email.utils import format_datetime

    recipient = _checked(message)
    document = Document(policy=SMTP)
    document["From"] = Address(sender.name, sender.mailbox.user, sender.mailbox.domain)
    document["To"] = Address("", recipient.user, recipient.domain)
    document["Subject"] = message.subject
    document["Date"] = format_datetime(message.date.astimezone(UTC))
    document["Message-ID"] = f"<{message.message_id}@{sender.mailbox.domain}>"
    document["Auto-Submitted"] = "auto-generated"  # RFC 3834 section 5: keeps vacation responders from answering
    document.set_content(message.text, cte="quoted-printable")
    document.add_alternative(message.html, subtype="html", cte="quoted-printable")
    return Composed(recipient, document.as_bytes())


def _checked(message: EmailMessage) -> Mailbox:
    recipient = mailbox(message.to)
    if recipient is None:
        raise _unsafe("recipient")
    if not message.subject or len(message.subject) > _MAXIMUM_SUBJECT or _may_hold_more(message.subject):
        raise _unsafe("subject")
    if not _MESSAGE_ID.fullmatch(message.message_id):
        raise _unsafe("message id")
    if message.date.tzinfo is None:
        raise _unsafe("date")
    for part, body in (("text", message.text), ("HTML", message.html)):
        if _NOT_IN_BODIES.search(body):
            raise _unsafe(part)
    return recipient


def _may_hold_more(text: str) -> bool:
    """Whether a header made of this could be more than one line of its own words."""
    return bool(_NOT_IN_HEADERS.search(text) or _ENCODED_WORD.search(text))


def _unsafe(part: str) -> SendingFailed:
    return SendingFailed(f"The message's {part} cannot be sent safely.", retryable=False)
