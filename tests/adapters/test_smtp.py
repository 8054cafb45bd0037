"""Sending by SMTP against real and misbehaving servers on loopback (A205, CSR-05, LOG-01)."""

from __future__ import annotations

import email
import email.policy
import socket
import ssl
import subprocess
import sys
import threading
from email.message import EmailMessage as Document
from pathlib import Path
from typing import Any

import attrs
import pytest

from authmw.clock import ticks
from authmw.drive import step
from authmw.errors import Misconfigured, SendingFailed
from authmw.ports import EmailMessage
from tests.adapters.smtp_sending import MESSAGE, failure, send, sender, with_credentials
from tests.adapters.smtp_servers import LOOPBACK, Mailroom, Wire, socket_server


def parsed(content: object) -> Document:
    assert isinstance(content, bytes)
    document = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(document, Document)
    return document


def part(document: Document, kind: str) -> str:
    body = document.get_body((kind,))
    assert body is not None
    text = body.get_content()
    assert isinstance(text, str)
    return text


# What arrives


def test_a_message_arrives_as_it_was_given(plain_server: Mailroom) -> None:
    send(plain_server.port)
    [envelope] = plain_server.envelopes
    document = parsed(envelope.content)

    assert envelope.mail_from == "auth@example.com"
    assert envelope.rcpt_tos == ["ada@example.org"]
    assert str(document["From"]) == "Acme <auth@example.com>"
    assert str(document["To"]) == "ada@example.org"
    assert str(document["Subject"]) == "Sign in to Acme – now"
    assert document["Date"].datetime == MESSAGE.date
    assert str(document["Message-ID"]) == "<outgoing-test-1234@example.com>"
    assert str(document["Auto-Submitted"]) == "auto-generated"
    assert part(document, "plain").replace("\r\n", "\n") == MESSAGE.text
    assert part(document, "html").strip() == MESSAGE.html


def test_a_message_is_ascii_with_lines_of_at_most_998_characters(plain_server: Mailroom) -> None:
    send(plain_server.port, attrs.evolve(MESSAGE, text="ü" * 5000, html="<p>" + "x" * 5000))
    content = plain_server.envelopes[0].content
    assert isinstance(content, bytes)

    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert part(parsed(content), "plain").strip() == "ü" * 5000


@pytest.mark.parametrize(
    "name", ["", "Acme", "Ümläut GmbH", 'A "quoted" name', "Eve <eve@example.net>, x", "Is = ? it"]
)
def test_the_senders_name_never_becomes_an_address(name: str, plain_server: Mailroom) -> None:
    send(plain_server.port, from_name=name)
    [address] = parsed(plain_server.envelopes[0].content)["From"].addresses

    assert address.addr_spec == "auth@example.com"
    assert address.display_name == name


@pytest.mark.parametrize(
    "to", ["o'brien@example.com", "a+b@example.com", "x@xn--mnchen-3ya.de", "#!$%&*/?^`{|}~@example.com"]
)
def test_the_envelope_is_the_canonical_address(to: str, plain_server: Mailroom) -> None:
    send(plain_server.port, attrs.evolve(MESSAGE, to=to))

    assert plain_server.envelopes[0].rcpt_tos == [to]


@pytest.mark.parametrize("text", [".\n", "a\n.\nb\n", "..\n.a\n", "a\n.", "\n.\n\n"])
def test_a_line_that_begins_with_a_dot_arrives_whole(text: str, plain_server: Mailroom) -> None:
    send(plain_server.port, attrs.evolve(MESSAGE, text=text, html="<p>.</p>\n.\n"))
    document = parsed(plain_server.envelopes[0].content)

    assert part(document, "plain").replace("\r\n", "\n").rstrip("\n") == text.rstrip("\n")
    assert part(document, "html").replace("\r\n", "\n") == "<p>.</p>\n.\n"


def test_dots_are_stuffed_on_the_wire_and_the_message_ends_once() -> None:
    wire = Wire()
    with socket_server(wire.talk) as port:
        send(port, attrs.evolve(MESSAGE, text="a\n.\nQUIT\n"))

    assert bytes(wire.received).count(b"\r\n.\r\n") == 1
    assert b"\r\n..\r\n" in wire.message
    assert wire.commands.count(b"quit") == 1


def test_several_threads_send_at_once(plain_server: Mailroom) -> None:
    one = sender(plain_server.port)
    threads = [
        threading.Thread(target=lambda to=f"user{number}@example.org": step(one.send(attrs.evolve(MESSAGE, to=to))))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {to for envelope in plain_server.envelopes for to in envelope.rcpt_tos} == {
        f"user{number}@example.org" for number in range(8)
    }


def test_sending_is_one_step_that_never_suspends(plain_server: Mailroom) -> None:
    work = sender(plain_server.port).send(MESSAGE)
    with pytest.raises(StopIteration):
        work.send(None)


# What cannot get in


def test_the_wire_shows_one_recipient_and_no_header_of_somebody_else() -> None:
    wire = Wire()
    with socket_server(wire.talk) as port:
        send(port)
    head = wire.message.partition(b"\r\n\r\n")[0]
    names = [line.partition(b":")[0] for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t"))]

    assert [line for line in wire.commands if not line.startswith(b"ehlo")] == [
        b"MAIL FROM:<auth@example.com>",
        b"RCPT TO:<ada@example.org>",
        b"data",
        b"quit",
    ]
    assert sorted(names) == [
        b"Auto-Submitted",
        b"Content-Type",
        b"Date",
        b"From",
        b"MIME-Version",
        b"Message-ID",
        b"Subject",
        b"To",
    ]


def test_the_machines_name_is_not_told() -> None:
    wire = Wire()
    with socket_server(wire.talk) as port:
        send(port)

    assert wire.commands[0] == b"ehlo [127.0.0.1]"


INJECTIONS = [
    "\r\nBcc: eve@example.net",
    "\nBcc: eve@example.net",
    "\rBcc: eve@example.net",
    "\r\n.\r\nMAIL FROM:<x@y.z>\r\n",
]
OTHERS = ["\x00", "\x1b[2J", "\x7f", "\x85", "\u2028", "\u202e", "\u200b", "\ud800"]


def refused_before_connecting(message: EmailMessage) -> SendingFailed:
    wire = Wire()
    with socket_server(wire.talk) as port:
        failed = failure(port, message)
    assert bytes(wire.received) == b""
    return failed


@pytest.mark.parametrize("injection", INJECTIONS + OTHERS)
def test_a_control_character_in_the_subject_is_refused_before_connecting(injection: str) -> None:
    failed = refused_before_connecting(attrs.evolve(MESSAGE, subject=f"Hello{injection}"))

    assert not failed.retryable
    assert "eve" not in str(failed)


@pytest.mark.parametrize(
    "subject", ["Hi =?utf-8?q?=0D=0ABcc:_eve@example.net?=", "=?utf-8?b?DQpCY2M6IGV2ZUBleGFtcGxlLm5ldA==?= Hi"]
)
def test_an_encoded_word_in_the_subject_is_refused_for_it_may_hold_a_header(subject: str) -> None:
    """RFC 2047 section 2. CSR-05."""
    failed = refused_before_connecting(attrs.evolve(MESSAGE, subject=subject))

    assert not failed.retryable
    assert "eve" not in str(failed)


@pytest.mark.parametrize("injection", INJECTIONS + OTHERS)
def test_a_control_character_in_the_recipient_is_refused_before_connecting(injection: str) -> None:
    assert not refused_before_connecting(attrs.evolve(MESSAGE, to=f"ada@example.org{injection}")).retryable
    assert not refused_before_connecting(attrs.evolve(MESSAGE, to=f"ada{injection}@example.org")).retryable


@pytest.mark.parametrize(
    "to",
    [
        "",
        "ada",
        "ada@example.org, eve@example.net",
        "ada@example.org eve@example.net",
        "Ada <ada@example.org>",
        "<ada@example.org>",
        "ada@example.org>",
        "ada@eve@example.org",
        '"ada eve"@example.org',
        "=?utf-8?q?eve=40example.net?=@example.org",
        "ada@[127.0.0.1]",
        "ada@example.org(comment)",
        "ada@exämple.org",
        "ädä@example.org",
        "Ada@example.org",
        "ada@Example.org",
        "ada@example.org.",
        "@relay.example:ada@example.org",
        "a" * 65 + "@example.org",
    ],
)
def test_what_is_not_one_canonical_address_is_refused_before_connecting(to: str) -> None:
    failed = refused_before_connecting(attrs.evolve(MESSAGE, to=to))

    assert not failed.retryable
    assert not to or to not in str(failed)


@pytest.mark.parametrize("message_id", ["", "a b", "a\r\nBcc: x", "a@b", "a>", "a" * 101])
def test_a_message_id_that_is_not_plain_is_refused(message_id: str) -> None:
    assert not refused_before_connecting(attrs.evolve(MESSAGE, message_id=message_id)).retryable


@pytest.mark.parametrize("control", ["\r", "\r\n", "\x00", "\x1a", "\x7f", "\u2028", "\ud800"])
def test_a_control_character_in_a_body_is_refused(control: str) -> None:
    assert not refused_before_connecting(attrs.evolve(MESSAGE, text=f"a{control}b")).retryable
    assert not refused_before_connecting(attrs.evolve(MESSAGE, html=f"a{control}b")).retryable


def test_a_date_without_a_zone_is_refused() -> None:
    naive = MESSAGE.date.replace(tzinfo=None)
    assert not refused_before_connecting(attrs.evolve(MESSAGE, date=naive)).retryable


# Refusals and failures


@pytest.mark.parametrize(
    ("code", "retryable"), [("421", True), ("450", True), ("451", True), ("550", False), ("553", False)]
)
def test_a_refused_recipient_is_tried_again_only_after_a_temporary_refusal(
    code: str, retryable: bool, plain_server: Mailroom
) -> None:
    failed = failure(plain_server.port, attrs.evolve(MESSAGE, to=f"{code}@example.org"))

    assert failed.retryable is retryable
    assert str(failed) == f"The mail server refused the recipient ({code})."
    assert plain_server.envelopes == []


@pytest.mark.parametrize(("subject", "retryable"), [("refused late", False), ("deferred late", True)])
def test_a_message_refused_after_its_last_line_has_not_been_sent(
    subject: str, retryable: bool, plain_server: Mailroom
) -> None:
    failed = failure(plain_server.port, attrs.evolve(MESSAGE, subject=subject))

    assert failed.retryable is retryable
    assert plain_server.envelopes == []


@pytest.mark.parametrize(("greeting", "retryable"), [(b"554 go away\r\n", False), (b"421 later\r\n", True)])
def test_a_server_that_refuses_the_connection_is_heard(greeting: bytes, retryable: bool) -> None:
    with socket_server(lambda connection: connection.sendall(greeting)) as port:
        assert failure(port).retryable is retryable


def test_a_server_that_hangs_up_may_be_tried_again() -> None:
    with socket_server(lambda connection: None) as port:
        failed = failure(port)

    assert failed.retryable
    assert str(failed) == "The mail server closed the connection."


def test_a_server_that_speaks_no_smtp_fails() -> None:
    with socket_server(lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")) as port:
        failure(port)


def test_a_line_without_end_fails() -> None:
    with socket_server(lambda connection: connection.sendall(b"220 " + b"x" * 100_000)) as port:
        failure(port)


def test_a_port_that_nobody_listens_on_may_be_tried_again() -> None:
    with socket.create_server((LOOPBACK, 0)) as free:
        port = free.getsockname()[1]
    failed = failure(port)

    assert failed.retryable
    assert str(failed) == "The mail server could not be reached."


@pytest.mark.parametrize("security", ["none", "tls", "starttls"])
def test_a_server_that_never_answers_costs_the_deadline_and_no_more(security: str, trust: ssl.SSLContext) -> None:
    started = ticks()
    with socket.create_server((LOOPBACK, 0)) as silent:
        failed = failure(silent.getsockname()[1], timeout=0.3, security=security, context=trust)

    assert failed.retryable
    assert str(failed) == "The mail server did not answer in time."
    assert 0.25 < ticks() - started < 5


def test_a_server_that_answers_byte_by_byte_does_not_stretch_the_deadline() -> None:
    over = threading.Event()

    def talk(connection: socket.socket) -> None:
        while not over.wait(0.05):  # each byte would begin a socket's own time-out anew
            connection.sendall(b"2")

    started = ticks()
    with socket_server(talk) as port:
        failed = failure(port, timeout=0.4)
        over.set()

    assert failed.retryable
    assert str(failed) == "The mail server did not answer in time."
    assert ticks() - started < 5


def test_a_message_that_was_taken_is_sent_though_the_server_never_says_goodbye() -> None:
    wire = Wire()

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"220 mail.example\r\n")
        for answer in (b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n"):
            wire.received += connection.recv(1000)
            connection.sendall(answer)
        while not wire.received.endswith(b"\r\n.\r\n"):
            wire.received += connection.recv(1000)
        connection.sendall(b"250 taken\r\n")

    with socket_server(talk) as port:
        send(port)

    assert b"RCPT TO:<ada@example.org>" in wire.commands


# What is not told


def test_no_error_holds_an_address_or_what_the_server_said(
    plain_server: Mailroom, certified: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    failures = [
        failure(plain_server.port, attrs.evolve(MESSAGE, to="550@example.org")),
        failure(plain_server.port, attrs.evolve(MESSAGE, to="Ada@example.org")),
        failure(plain_server.port, security="starttls", context=trust),
    ]
    with with_credentials(certified) as room:
        failures.append(
            failure(room.port, security="starttls", context=trust, username="mailer", password="wrong pony")
        )

    for failed in failures:
        assert failed.__cause__ is None
        assert failed.__context__ is None
        for hidden in ("example.org", "wanted", "mailer", "pony", "token=abc"):
            assert hidden not in repr(failed)


def test_nothing_of_a_message_or_password_prints() -> None:
    one = sender(2525, security="tls", username="mailer", password="correct horse")

    assert "horse" not in repr(one) + repr(vars(one))
    for hidden in ("ada@", "Sign in", "token=abc"):
        assert hidden not in repr(MESSAGE)


# Settings


@pytest.mark.parametrize(
    "options",
    [
        {"host": "mail.example.com", "security": "none"},
        {"host": "192.0.2.1", "security": "none"},
        {"host": "localhost.example.com", "security": "none"},
        {"host": ""},
        {"host": "mail.example.com\r\n"},
        {"security": "maybe"},
        {"timeout": 0},
        {"timeout": 10.5},
        {"timeout": float("nan")},
        {"username": "mailer", "security": "tls"},
        {"password": "correct horse", "security": "tls"},
        {"username": "mailer", "password": "correct horse", "security": "none"},
        {"username": "mäiler", "password": "correct horse", "security": "tls"},
        {"username": "mailer", "password": "correct\0horse", "security": "tls"},
        {"username": "mailer", "password": "korrekt pförd", "security": "tls"},
        {"username": "", "password": "", "security": "tls"},
        {"client_name": "a b"},
        {"client_name": "a\r\nMAIL"},
        {"from_address": "Acme <auth@example.com>"},
        {"from_address": "auth@example.com\r\nBcc: eve@example.net"},
        {"from_address": "auth@example.com, eve@example.net"},
        {"from_address": ""},
        {"from_address": "=?utf-8?q?eve?=@example.com"},
        {"from_name": "Acme\r\nBcc: eve@example.net"},
        {"from_name": "Acme\x00"},
        {"from_name": "=?utf-8?q?Acme=0D=0ABcc:_eve@example.net?="},
        {"from_name": "A" * 101},
    ],
)
def test_settings_that_are_not_safe_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured) as refused:
        sender(2525, **options)
    for hidden in ("horse", "pförd", "eve@"):
        assert hidden not in str(refused.value)


@pytest.mark.parametrize("port", [-1, 0, 65_536])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    with pytest.raises(Misconfigured, match="port"):
        sender(port)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_needs_no_encryption(host: str) -> None:
    assert sender(2525, host=host, security="none").io == "blocking"


def test_every_fault_of_the_settings_is_named_at_once() -> None:
    with pytest.raises(Misconfigured) as refused:
        sender(0, host="mail.example.com", timeout=-1)
    for named in ("port", "timeout", "security"):
        assert named in str(refused.value)


def test_the_adapter_loads_no_mail_library_before_it_sends() -> None:
    program = (
        "import sys, authmw.errors, authmw.ports; before = set(sys.modules); import authmw_adapters.smtp;"
        "sys.exit(bool({'smtplib', 'email.message', 'jinja2'} & (set(sys.modules) - before)))"
    )
    root = Path(__file__).parents[2]
    path = f"import sys; sys.path[:0] = [{str(root)!r}, {str(root / 'adapters')!r}];"
    assert subprocess.run([sys.executable, "-c", path + program], check=False).returncode == 0
