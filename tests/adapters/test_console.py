"""E-mails in a terminal."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import attrs
import pytest

from authmw.drive import step
from authmw.ports import EmailMessage, EmailSender
from authmw_adapters.console import ConsoleEmailSender

MESSAGE = EmailMessage(
    to="ada@example.org",
    subject="Grüße",
    text="Hello,\n\nyour code is 123456.\n",
    html="<p>hidden",
    message_id="one",
    date=datetime(2026, 3, 1, tzinfo=UTC),
    code="123456",
    links=("https://auth.example.com/?token=abc",),
)


def printed(message: EmailMessage) -> str:
    stream = io.StringIO()
    step(ConsoleEmailSender(stream).send(message))
    return stream.getvalue()


def test_a_message_is_printed_as_short_text() -> None:
    rule = "-" * 72
    assert printed(MESSAGE) == (
        f"{rule}\nTo:      ada@example.org\nSubject: Grüße\nCode:    123456\nLink:    https://auth.example.com/?token=abc\n"
        f"\nHello,\n\nyour code is 123456.\n{rule}\n"
    )


def test_a_message_without_code_and_links_has_no_lines_for_them() -> None:
    assert "Code:" not in printed(attrs.evolve(MESSAGE, code=None, links=()))
    assert "Link:" not in printed(attrs.evolve(MESSAGE, code=None, links=()))


def test_by_default_a_message_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    sender: EmailSender = ConsoleEmailSender()
    step(sender.send(MESSAGE))
    captured = capsys.readouterr()

    assert sender.io == "instant"
    assert "your code is 123456." in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("sequence", ["\x1b]0;owned\x07", "\x9b2J", "\x00", "\r", "\u202e", "\x08"])
def test_a_message_cannot_steer_the_terminal(sequence: str) -> None:
    hostile = attrs.evolve(
        MESSAGE,
        to=f"a{sequence}",
        subject=f"b{sequence}",
        text=f"c{sequence}",
        code=f"d{sequence}",
        links=(f"e{sequence}",),
    )
    assert all(one.isprintable() or one == "\n" for one in printed(hostile))


def test_a_line_break_in_a_header_does_not_make_a_line() -> None:
    assert "Subject: a?To: eve\n" in printed(attrs.evolve(MESSAGE, subject="a\nTo: eve"))
