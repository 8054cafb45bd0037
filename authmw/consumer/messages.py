"""Mails of the consumer products: a link or a code in the right template, language and outbox."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote

import attrs

from authmw.ledger.outbox import Payload, enclose
from authmw.messages import MessageValues, render
from authmw.operations import Call
from authmw.people.directory import in_sandbox
from authmw.templates import Template


@attrs.frozen(kw_only=True)
class Letter:
    """What to write: to whom, in which template and language, and how long it holds."""

    address: str = attrs.field(repr=False)
    template: Template
    locale: str | None
    life: timedelta


def mail_link(call: Call, letter: Letter, token: str, token_type: str = "magic_links") -> None:  # noqa: S107 -- a type's name
    """Mail the link that leads to our page of the link, which consumes nothing."""
    settings = call.settings
    page = f"{settings.public_url}{settings.mount}/v1/magic_links/redirect"
    link = f"{page}?public_token={quote(settings.public_token)}&stytch_token_type={token_type}&token={quote(token)}"
    _mail(call, letter, link=link)


def mail_code(call: Call, letter: Letter, code: str) -> None:
    """Mail a one-time passcode."""
    _mail(call, letter, code=code)


def mail_nobody(call: Call) -> None:
    """Store a message to nobody, so that asking for a stranger costs what asking for a friend does (ENU-02)."""
    enclose(call, "email", Payload(to=()))


def _mail(call: Call, letter: Letter, *, link: str = "", code: str = "") -> None:
    minutes = int(letter.life.total_seconds()) // 60
    values = MessageValues(product=call.settings.name, minutes=minutes, link=link or None, code=code or None)
    mail = render(letter.template, locale=letter.locale or call.caller.locale or None, values=values)
    recipients = () if in_sandbox(call, letter.address) else (letter.address,)
    enclose(
        call,
        "email",
        Payload(
            to=recipients, subject=mail.subject, text=mail.text, html=mail.html, code=code or None, link=link or None
        ),
    )
