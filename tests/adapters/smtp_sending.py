"""One message and its sender, as the tests of SMTP use them."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from typing import Any

import pytest
import trustme

from authmw.drive import step
from authmw.errors import SendingFailed
from authmw.ports import EmailMessage
from authmw_adapters.smtp import SMTPEmailSender
from tests.adapters.smtp_servers import LOOPBACK, Mailroom, mail_server

MESSAGE = EmailMessage(
    to="ada@example.org",
    subject="Sign in to Acme – now",
    text="Hello,\n\nhttps://auth.example.com/?token=abc\n",
    html='<p>Grüße <a href="https://auth.example.com/?token=abc">Sign in</a></p>',
    message_id="outgoing-test-1234",
    date=datetime(2026, 3, 1, 12, 30, tzinfo=UTC),
)


def server_context(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def sender(port: int, **options: Any) -> SMTPEmailSender:
    given = {"from_address": "auth@example.com", "from_name": "Acme", "security": "none", "timeout": 10.0} | options
    return SMTPEmailSender(given.pop("host", LOOPBACK), port, **given)


def send(port: int, message: EmailMessage = MESSAGE, **options: Any) -> None:
    step(sender(port, **options).send(message))


def failure(port: int, message: EmailMessage = MESSAGE, **options: Any) -> SendingFailed:
    with pytest.raises(SendingFailed) as failed:
        send(port, message, **options)
    return failed.value


def with_credentials(context: ssl.SSLContext) -> Any:
    proxy: list[Mailroom] = []

    def authenticate(*arguments: Any) -> Any:
        return proxy[0].authenticate(*arguments)

    server = mail_server(context, require_starttls=True, auth_required=True, authenticator=authenticate)

    class Entered:
        def __enter__(self) -> Mailroom:
            proxy.append(server.__enter__())
            return proxy[0]

        def __exit__(self, *fault: object) -> None:
            server.__exit__(*fault)

    return Entered()
