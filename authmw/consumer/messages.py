"""Mails of the consumer products: a link or a code in the right template, language and outbox."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote

import attrs

from authmw.ledger.outbox import Payload, enclose
from authmw.messages import MessageValues, Notice, render
from authmw.operations import Call
from authmw.people.directory import in_sandbox
from authmw.templates import Template, TemplateType


@attrs.frozen(kw_only=True)
class Letter:
    """What to write: to whom, in which template and language, and how long it holds."""

    address: str = attrs.field(repr=False)
    template: Template
    locale: str | None
    life: timedelta


def mail_link(call: Call, letter: Letter, token: str) -> None:
    """Mail the link that leads to our page of the link, which consumes nothing."""
    _mail(call, letter, link=_page_of(call, "magic_links", token))


def mail_reset(call: Call, letter: Letter, token: str, login_token: str, *, to_nobody: bool) -> None:
    """Mail a link to set a new password, and one to sign in without; `to_nobody` has all of it made and nothing sent (ENU-02)."""
    link, login_link = _page_of(call, "reset_password", token), _page_of(call, "login", login_token)
    _mail(call, letter, link=link, login_link=login_link, to_nobody=to_nobody)


def mail_code(call: Call, letter: Letter, code: str) -> None:
    """Mail a one-time passcode."""
    _mail(call, letter, code=code)


def mail_account_exists(call: Call, address: str) -> None:
    """Tell an address that somebody tried to sign up with it; that it cannot be sent fails nothing."""
    settings = call.settings
    mail = render(
        settings.templates.choose(None, TemplateType.NOTICE),
        locale=call.caller.locale or None,
        values=MessageValues(product=settings.name, notice=Notice.ACCOUNT_EXISTS, happened_at=call.now),
    )
    recipients = () if in_sandbox(call, address) else (address,)
    enclose(call, "email", Payload(to=recipients, subject=mail.subject, text=mail.text, html=mail.html), reported=False)


def mail_nobody(call: Call) -> None:
    """Store a message to nobody, so that asking for a stranger costs what asking for a friend does (ENU-02)."""
    enclose(call, "email", Payload(to=()))


def _page_of(call: Call, token_type: str, token: str) -> str:
    settings = call.settings
    page = f"{settings.public_url}{settings.mount}/v1/magic_links/redirect"
    return f"{page}?public_token={quote(settings.public_token)}&stytch_token_type={token_type}&token={quote(token)}"


def _mail(
    call: Call, letter: Letter, *, link: str = "", login_link: str = "", code: str = "", to_nobody: bool = False
) -> None:
    minutes = int(letter.life.total_seconds()) // 60
    values = MessageValues(
        product=call.settings.name, minutes=minutes, link=link or None, login_link=login_link or None, code=code or None
    )
    mail = render(letter.template, locale=letter.locale or call.caller.locale or None, values=values)
    recipients = () if to_nobody or in_sandbox(call, letter.address) else (letter.address,)
    payload = Payload(
        to=recipients,
        subject=mail.subject,
        text=mail.text,
        html=mail.html,
        code=code or None,
        link=link or None,
        login_link=login_link or None,
    )
    enclose(call, "email", payload)
