"""Web servers on loopback for the tests of what goes out: one that answers as it is told and remembers what it was asked, and
some that behave badly. Names are reached by a resolver of the test's own and certificates are made by an authority of
its own.
"""

from __future__ import annotations

import functools
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import attrs
import trustme

from authmw_adapters.fetcher import GuardedFetcher

LOOPBACK = "127.0.0.1"
NAME = "carrier.example"


@functools.cache
def authority() -> trustme.CA:
    """The tests' own certificate authority."""
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


def trusting() -> ssl.SSLContext:
    """A client's context that trusts the tests' authority and nobody else."""
    context = ssl.create_default_context()
    authority().configure_trust(context)
    return context


def serving(*names: str) -> ssl.SSLContext:
    """A server's context with a certificate for these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert(*names).configure_cert(context)
    return context


@contextmanager
def listening(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that talks to each client in a thread of its own; gives its port. Clients still connected are cut off at the end."""
    clients: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            talk(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                clients.append(connection)
                threads.append(threading.Thread(target=serve, args=(connection,), daemon=True))
                threads[-1].start()

    with socket.create_server((LOOPBACK, 0)) as listener:
        acceptor = threading.Thread(target=accept, daemon=True)
        acceptor.start()
        try:
            yield listener.getsockname()[1]
        finally:
            while _clients:
                _clients.pop().close()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            for client in clients:
                with suppress(OSError):
                    socket.socket.shutdown(client, socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


@contextmanager
def encrypted(talk: Callable[[ssl.SSLSocket], None], context: ssl.SSLContext | None = None) -> Iterator[int]:
    """The same over TLS, with a certificate for `NAME` unless a context is given."""
    context = context or serving(NAME)

    def shake_hands(connection: socket.socket) -> None:
        # The wrapped socket owns the connection from here on, but the cut at the end reaches it by the descriptor.
        with suppress(OSError), context.wrap_socket(connection.dup(), server_side=True) as secure:
            talk(secure)

    with listening(shake_hands) as port:
        yield port


@attrs.frozen
class Asked:
    """One request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


def read_request(connection: socket.socket) -> Asked | None:
    """The next request of a connection; None at its end."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return None
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    method, target, _ = first.split(" ")
    return Asked(method, target, headers, body)


def reply(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """The bytes of an answer; `retry_after="3"` becomes the header `retry-after`."""
    named = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Said\r\ncontent-length: {len(body)}\r\n{named}\r\n".encode() + body


@attrs.define
class Counter:
    """A server that gives the next of its `answers` to each request (the last one again and again) and keeps what it was asked."""

    answers: list[bytes] = attrs.field(factory=lambda: [reply()])
    asked: list[Asked] = attrs.field(factory=list)
    connections: int = 0
    port: int = 0

    def talk(self, connection: socket.socket) -> None:
        self.connections += 1
        while (request := read_request(connection)) is not None:
            self.asked.append(request)
            connection.sendall(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])

    @property
    def url(self) -> str:
        return f"https://{NAME}:{self.port}"


@contextmanager
def counter(*answers: bytes, context: ssl.SSLContext | None = None) -> Iterator[Counter]:
    """A server over TLS for `NAME` that gives these answers."""
    server = Counter(list(answers) or [reply()])
    with encrypted(server.talk, context) as server.port:
        yield server


def nearby(*addresses: str) -> Callable[[str, int], Sequence[str]]:
    """A resolver that knows one answer to every name."""
    return lambda host, port: addresses or (LOOPBACK,)


def guarded(**options: Any) -> GuardedFetcher:
    """A client whose connections are closed when a server of the test ends."""
    _clients.append(GuardedFetcher(**options))
    return _clients[-1]


_clients: list[GuardedFetcher] = []


def fetcher_for(port: int, host: str = NAME) -> GuardedFetcher:
    """A client that may reach this origin on loopback and trusts the tests' authority."""
    return guarded(local_origins=[f"https://{host}:{port}"], context=trusting(), resolve=nearby())
