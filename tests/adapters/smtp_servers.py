"""Mail servers on loopback for the tests of SMTP: a real one (aiosmtpd), one that records the wire, and some that behave badly."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import attrs
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

LOOPBACK = "127.0.0.1"


@attrs.define
class Mailroom:
    """What the real server took; what it answers to a recipient is set by the recipient's local part: `451@...`, `550@...`."""

    port: int = 0
    envelopes: list[Envelope] = attrs.field(factory=list)
    encrypted: list[bool] = attrs.field(factory=list)
    users: list[bytes] = attrs.field(factory=list)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        code = address.partition("@")[0]
        if code.isdigit():
            return f"{code} {address} is not wanted here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        if b"Subject: refused late" in envelope.content:
            return "554 No"
        if b"Subject: deferred late" in envelope.content:
            return "452 Later"
        self.envelopes.append(envelope)
        self.encrypted.append(session.ssl is not None or self.implicit)
        return "250 Taken"

    implicit: bool = False

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        self.users.append(data.login)
        if data == LoginPassword(b"mailer", b"correct horse"):
            return AuthResult(success=True)
        busy = data.login == b"busy"
        return AuthResult(success=False, handled=False, message="454 Later" if busy else "535 mailer, that is wrong")


@contextmanager
def mail_server(tls: ssl.SSLContext | None = None, *, implicit: bool = False, **options: Any) -> Iterator[Mailroom]:
    """A real SMTP server in a thread of its own; `tls` offers STARTTLS or, if `implicit`, encrypts from the first byte."""
    room = Mailroom(implicit=implicit)
    loop = asyncio.new_event_loop()
    connections: set[asyncio.BaseTransport] = set()

    class Server(SMTP):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            connections.add(transport)
            super().connection_made(transport)

    def serve() -> SMTP:
        starttls = None if implicit else tls
        return Server(room, hostname="mail.example", tls_context=starttls, loop=loop, **options)

    async def start() -> asyncio.Server:
        return await loop.create_server(serve, LOOPBACK, 0, ssl=tls if implicit else None)

    async def stop(server: asyncio.Server) -> None:
        server.close()
        for connection in connections:
            connection.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.wait(others) if others else None
        await loop.shutdown_asyncgens()

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(start(), loop).result()
    room.port = server.sockets[0].getsockname()[1]
    try:
        yield room
    finally:
        asyncio.run_coroutine_threadsafe(stop(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def socket_server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that says what `talk` says to its one client; gives its port."""
    with socket.create_server((LOOPBACK, 0)) as listener:

        def accept() -> None:
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    talk(connection)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes an accept that nobody came to
            thread.join()


@attrs.define
class Wire:
    """A server that takes everything and records each byte that the client sent."""

    received: bytearray = attrs.field(factory=bytearray)
    greeting: bytes = b"220 mail.example\r\n"

    def talk(self, connection: socket.socket) -> None:
        connection.sendall(self.greeting)
        self.converse(connection)

    def converse(self, connection: socket.socket) -> None:
        body = False
        line = b""
        while chunk := connection.recv(1):
            self.received += chunk
            line += chunk
            if not line.endswith(b"\r\n"):
                continue
            if body and line != b".\r\n":
                line = b""
                continue
            answer = {b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}.get(line.strip().upper(), b"250 fine\r\n")
            connection.sendall(answer)
            body = answer.startswith(b"354")
            if answer.startswith(b"221"):
                return
            line = b""

    @property
    def commands(self) -> list[bytes]:
        """The lines outside of the message."""
        head, _, rest = bytes(self.received).partition(b"data\r\n")
        return [*head.split(b"\r\n")[:-1], b"data", *rest.partition(b"\r\n.\r\n")[2].split(b"\r\n")[:-1]]

    @property
    def message(self) -> bytes:
        """The message as it went over the wire, dots stuffed."""
        return bytes(self.received).partition(b"data\r\n")[2].partition(b"\r\n.\r\n")[0] + b"\r\n"
