"""Encryption and credentials of sending by SMTP, against real and misbehaving servers on loopback (A205)."""

from __future__ import annotations

import socket
import ssl

import pytest
import trustme

from authmw.crypto.secret import Secret
from tests.adapters.smtp_sending import failure, send, server_context, with_credentials
from tests.adapters.smtp_servers import LOOPBACK, Mailroom, Wire, mail_server, socket_server

# Encryption


@pytest.mark.parametrize("host", [LOOPBACK, "localhost"])
def test_a_message_goes_over_starttls(host: str, certified: ssl.SSLContext, trust: ssl.SSLContext) -> None:
    with mail_server(certified, require_starttls=True) as room:
        send(room.port, host=host, security="starttls", context=trust)

    assert room.encrypted == [True]


def test_a_message_goes_over_implicit_tls(certified: ssl.SSLContext, trust: ssl.SSLContext) -> None:
    with mail_server(certified, implicit=True) as room:
        send(room.port, security="tls", context=trust)

    assert room.encrypted == [True]


@pytest.mark.parametrize("implicit", [False, True])
def test_a_certificate_of_an_unknown_authority_is_refused(implicit: bool, certified: ssl.SSLContext) -> None:
    with mail_server(certified, implicit=implicit) as room:
        failed = failure(room.port, security="tls" if implicit else "starttls")

    assert not failed.retryable
    assert "certificate" in str(failed)
    assert room.envelopes == []


def test_a_self_signed_certificate_is_refused() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own = trustme.CA()
    own.private_key_pem.bytes()  # the authority's own certificate is self-signed
    with own.private_key_pem.tempfile() as key, own.cert_pem.tempfile() as certificate:
        context.load_cert_chain(certificate, key)
    with mail_server(context) as room:
        failed = failure(room.port, security="starttls")

    assert not failed.retryable
    assert room.envelopes == []


def test_a_certificate_for_another_host_is_refused(authority: trustme.CA, trust: ssl.SSLContext) -> None:
    with mail_server(server_context(authority, "mail.example.net")) as room:
        failed = failure(room.port, security="starttls", context=trust)

    assert not failed.retryable
    assert room.envelopes == []


def test_nothing_is_sent_in_clear_when_the_server_does_not_offer_starttls(
    plain_server: Mailroom, trust: ssl.SSLContext
) -> None:
    failed = failure(plain_server.port, security="starttls", context=trust)

    assert not failed.retryable
    assert plain_server.envelopes == []


def test_credentials_do_not_leave_when_the_server_does_not_offer_starttls(trust: ssl.SSLContext) -> None:
    wire = Wire()
    with socket_server(wire.talk) as port:
        failure(port, security="starttls", context=trust, username="mailer", password="correct horse")

    assert [line.split()[0] for line in wire.commands if line and line != b"data"] == [b"ehlo"]


def test_what_was_said_in_clear_behind_starttls_counts_no_more(
    certified: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    """A man in the middle adds lines to the last packet before encryption (CVE-2011-0411)."""
    wire = Wire(greeting=b"")

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"220 mail.example\r\n")
        connection.recv(1000)
        connection.sendall(b"250-mail.example\r\n250 STARTTLS\r\n")
        connection.recv(1000)
        connection.sendall(b"220 go on\r\n550 you\r\n550 are\r\n550 not\r\n550 wanted\r\n")
        with certified.wrap_socket(connection, server_side=True) as encrypted:
            wire.converse(encrypted)

    with socket_server(talk) as port:
        send(port, security="starttls", context=trust)

    assert b"RCPT TO:<ada@example.org>" in wire.commands


def test_a_broken_handshake_may_be_tried_again(trust: ssl.SSLContext) -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"220 this is no TLS\r\n")
        connection.recv(1000)

    with socket_server(talk) as port:
        failed = failure(port, security="tls", context=trust)

    assert failed.retryable


# Credentials


def test_the_sender_signs_in_after_encryption(certified: ssl.SSLContext, trust: ssl.SSLContext) -> None:
    with with_credentials(certified) as room:
        send(room.port, security="starttls", context=trust, username="mailer", password=Secret("correct horse"))

    assert len(room.envelopes) == 1
    assert room.users == [b"mailer"]


def test_wrong_credentials_are_not_tried_again(certified: ssl.SSLContext, trust: ssl.SSLContext) -> None:
    with with_credentials(certified) as room:
        failed = failure(room.port, security="starttls", context=trust, username="mailer", password="wrong pony")

    assert not failed.retryable
    assert str(failed) == "The mail server refused the credentials (535)."


def test_a_server_that_cannot_check_credentials_now_may_be_asked_again(
    certified: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    with with_credentials(certified) as room:
        failed = failure(room.port, security="starttls", context=trust, username="busy", password="correct horse")

    assert failed.retryable


def test_a_server_without_sign_in_is_not_used_with_credentials(
    certified: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    wire = Wire()

    def talk(connection: socket.socket) -> None:
        with certified.wrap_socket(connection, server_side=True) as encrypted:
            wire.talk(encrypted)

    with socket_server(talk) as port:
        failed = failure(port, security="tls", context=trust, username="mailer", password="correct horse")

    assert not failed.retryable
    assert b"data" not in bytes(wire.received)
