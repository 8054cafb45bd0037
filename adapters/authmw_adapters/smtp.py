"""Sends e-mail by SMTP (RFC 5321) with the standard library.

Law: nothing leaves before the connection is encrypted and the server's certificate is verified, except to this
machine itself. One deadline covers a whole conversation. The envelope is the checked canonical address, and no error
holds an address, a text or what the server said.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Literal, TypeAlias

import attrs

from authmw.clock import ticks
from authmw.crypto.secret import Secret
from authmw.errors import Misconfigured, SendingFailed
from authmw.ports import IO, EmailMessage
from authmw_adapters.mime import Composed, Sender, compose

if TYPE_CHECKING:
    import smtplib
    import ssl

Security: TypeAlias = Literal["starttls", "tls", "none"]

_PORTS: dict[Security, int] = {"starttls": 587, "tls": 465, "none": 25}
_LATE = "The mail server did not answer in time."
_LONGEST = 10.0
"""Seconds of a conversation at most: so long the outbox waits for an attempt. One that lasted longer would go on while another process begins with the same message."""
_READY = 220
_OK = 250
_WILL_FORWARD = 251
_PERMANENT = range(500, 600)


class SMTPEmailSender:
    """Hands each message to an SMTP server in a conversation of its own.

    `security` is "starttls" (port 587), "tls" (port 465), or "none" (port 25), which is for a server on this machine
    only and takes no credentials. `context` replaces `ssl.create_default_context()`. `timeout` is in seconds, at most 10, and
    covers everything from connecting to the server's last word; only the resolution of the host's name is not
    interrupted by it. `client_name` is what EHLO says, by default the address literal of our end. Raises
    `authmw.errors.Misconfigured` for settings that cannot work or are not safe. May be used from any thread.
    """

    io: IO = "blocking"

    def __init__(
        self,
        host: str,
        port: int | None = None,
        *,
        from_address: str,
        from_name: str = "",
        username: str | None = None,
        password: Secret | str | None = None,
        security: Security = "starttls",
        context: ssl.SSLContext | None = None,
        timeout: float = 10.0,
        client_name: str | None = None,
    ) -> None:
        self._sender = Sender(from_address, from_name)
        self._host = host
        self._port = _PORTS.get(security, 0) if port is None else port
        self._username = username
        self._password = Secret(password) if isinstance(password, str) else password
        self._security: Security = security
        self._context = context
        self._timeout = timeout
        self._client_name = client_name
        faults = list(self._faults())
        if faults:
            raise Misconfigured("This SMTP sender cannot work: " + " ".join(faults))

    def _faults(self) -> Iterator[str]:
        if not _plain(self._host):
            yield "host must be a name or an address."
        if self._security not in _PORTS:
            yield "security must be starttls, tls or none."
        if self._security == "none" and not _is_loopback(self._host):
            yield "security none is for a server on this machine only."
        if not 0 < self._port < 65_536:
            yield "port must be from 1 to 65535."
        if not 0 < self._timeout <= _LONGEST:
            yield f"timeout must be more than 0 and at most {_LONGEST:g} seconds."
        if self._client_name is not None and not _plain(self._client_name):
            yield "client_name must be a host name or an address literal."
        yield from self._faults_of_credentials()

    def _faults_of_credentials(self) -> Iterator[str]:
        if (self._username is None) != (self._password is None):
            yield "username and password belong together."
        if self._username is not None and self._security == "none":
            yield "credentials are never sent without encryption."
        if self._username is not None and not _plain(self._username, spaces=True):
            yield "username must be printable ASCII."
        if self._password is not None and not _plain(self._password.reveal(), spaces=True):
            yield "password must be printable ASCII."

    async def send(self, message: EmailMessage) -> None:
        """Hand the message to the server. Raises SendingFailed; returning means that the server took it.

        Retryable: unreachable, time-out, lost connection, any reply but 5xx. Not retryable: a 5xx reply, a
        certificate that does not verify, no STARTTLS.
        """
        composed = compose(message, self._sender)
        if not _is_canonical(composed.recipient.address):
            raise SendingFailed("The recipient's address is not in its canonical form.", retryable=False)
        failure = self._attempt(composed)
        if failure is not None:
            # Outside of every handler: an error of smtplib or ssl would stay attached to it, with the server's words.
            raise failure

    def _attempt(self, composed: Composed) -> SendingFailed | None:
        import smtplib
        import ssl

        deadline = _Deadline(ticks() + self._timeout)
        try:
            with self._conversation(deadline) as client:
                self._hand_over(client, composed)
        except _RefusedByServerError as answer:
            failure = SendingFailed(
                f"The mail server refused {answer.what} ({answer.code}).", retryable=answer.code not in _PERMANENT
            )
        except ssl.SSLCertVerificationError:
            failure = SendingFailed("The mail server's certificate could not be verified.", retryable=False)
        except smtplib.SMTPResponseException as fault:
            failure = SendingFailed(
                f"The mail server refused the message ({fault.smtp_code}).", retryable=fault.smtp_code not in _PERMANENT
            )
        except smtplib.SMTPNotSupportedError:
            failure = SendingFailed("The mail server does not offer what is needed to sign in.", retryable=False)
        except (OSError, smtplib.SMTPException) as fault:
            failure = _lost(fault)
        else:
            return None
        # A reply that our own cut broke off may read as anything.
        return SendingFailed(_LATE, retryable=True) if deadline.passed else failure

    @contextmanager
    def _conversation(self, deadline: _Deadline) -> Generator[smtplib.SMTP]:
        import smtplib

        connection = self._connected(deadline)
        client = smtplib.SMTP(local_hostname=self._client_name or _address_literal(connection))
        client.timeout = self._timeout
        client.sock = connection
        with deadline.enforced(client):
            try:
                if self._security == "tls":
                    self._encrypt(client)
                _expect(client.getreply()[0], "the connection", _READY)
                client.ehlo_or_helo_if_needed()
                if self._security == "starttls":
                    self._start_tls(client)
                self._sign_in(client)
                yield client
                with suppress(OSError, smtplib.SMTPException):
                    client.quit()  # the message is the server's already; how it says goodbye does not matter
            finally:
                client.close()

    def _connected(self, deadline: _Deadline) -> socket.socket:
        refused: OSError = TimeoutError()
        for family, kind, protocol, _, address in socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM):
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(deadline.remaining())
                connection.connect(address)
            except OSError as fault:
                connection.close()
                refused = fault
            else:
                connection.settimeout(self._timeout + 1)  # never before the deadline, which ends the conversation
                return connection
        raise refused

    def _start_tls(self, client: smtplib.SMTP) -> None:
        if not client.has_extn("starttls"):
            raise _RefusedByServerError("encryption", 502)
        _expect(client.docmd("STARTTLS")[0], "encryption", _READY)
        self._encrypt(client)
        # What the server said in clear, capabilities above all, counts no more (RFC 3207 section 4.2).
        client.ehlo_resp = client.helo_resp = None
        client.ehlo_or_helo_if_needed()

    def _encrypt(self, client: smtplib.SMTP) -> None:
        import ssl

        # Without a context of this kind smtplib's own STARTTLS accepts any certificate.
        context = self._context or ssl.create_default_context()
        plain = client.sock
        if plain is None:
            raise OSError  # cut off before encryption began
        encrypted = context.wrap_socket(plain, server_hostname=self._host, do_handshake_on_connect=False)
        client.file = None  # drops what was sent in clear behind the server's 220 (command injection, CVE-2011-0411)
        client.sock = encrypted  # before the handshake, so that the deadline ends this too
        encrypted.do_handshake()

    def _sign_in(self, client: smtplib.SMTP) -> None:
        if self._username is None or self._password is None:
            return
        import smtplib

        try:
            client.login(self._username, self._password.reveal())
        except smtplib.SMTPAuthenticationError as fault:
            raise _RefusedByServerError("the credentials", fault.smtp_code) from None

    def _hand_over(self, client: smtplib.SMTP, composed: Composed) -> None:
        # Commands of our own instead of `sendmail`, which passes both addresses through a parser and so may mail to
        # another string than the one given.
        _expect(client.docmd("MAIL", f"FROM:<{self._sender.mailbox.address}>")[0], "the sender", _OK)
        _expect(client.docmd("RCPT", f"TO:<{composed.recipient.address}>")[0], "the recipient", _OK, _WILL_FORWARD)
        _expect(client.data(composed.data)[0], "the message", _OK)


class _RefusedByServerError(Exception):
    """The server said no, with this code, to this step."""

    def __init__(self, what: str, code: int) -> None:
        super().__init__(what)
        self.what = what
        self.code = code


def _expect(code: int, what: str, *accepted: int) -> None:
    if code not in accepted:
        raise _RefusedByServerError(what, code)


@attrs.define
class _Deadline:
    """When a conversation is over.

    A time-out of a socket begins anew with each byte, so a clock of our own cuts the connection.
    """

    at: float
    passed: bool = False

    def remaining(self) -> float:
        """Seconds left. Raises TimeoutError if there are none."""
        left = self.at - ticks()
        if left <= 0:
            self.passed = True
            raise TimeoutError
        return left

    @contextmanager
    def enforced(self, client: smtplib.SMTP) -> Generator[None]:
        """Within the block the client's connection, whichever it is by then, is cut off at the deadline."""

        def cut() -> None:
            self.passed = True
            connection = client.sock
            if connection is not None:
                with suppress(OSError):
                    # The plain shutdown: that of an encrypted socket would forget the encryption while another thread
                    # writes.
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)

        timer = threading.Timer(self.remaining(), cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def _lost(fault: Exception) -> SendingFailed:
    """What to say of a connection that broke for another reason than the server's word."""
    import smtplib
    import ssl

    if isinstance(fault, TimeoutError):
        return SendingFailed(_LATE, retryable=True)
    if isinstance(fault, ssl.SSLError):
        return SendingFailed("The encrypted connection to the mail server failed.", retryable=True)
    if isinstance(fault, smtplib.SMTPServerDisconnected):
        return SendingFailed("The mail server closed the connection.", retryable=True)
    if isinstance(fault, smtplib.SMTPException):
        return SendingFailed("The mail server does not offer what is needed.", retryable=False)
    return SendingFailed("The mail server could not be reached.", retryable=True)


def _plain(text: str, *, spaces: bool = False) -> bool:
    lowest = " " if spaces else "!"
    return bool(text) and all(lowest <= one <= "~" for one in text)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_canonical(address: str) -> bool:
    from authmw.errors import Refused
    from authmw.identifiers import canonical_email

    try:
        return canonical_email(address) == address
    except Refused:
        return False


def _address_literal(connection: socket.socket) -> str:
    """Our end of the connection as EHLO takes it (RFC 5321 section 4.1.3); the machine's name stays private."""
    address = str(connection.getsockname()[0]).partition("%")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"
