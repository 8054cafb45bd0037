"""How a connection comes to be: resolve, judge every address, dial a judged one, and let no step outlast the deadline.

Law: the address that is dialled is the text that was judged; no name is looked up a second time. Every wait, of the
resolver and of each read, write and handshake, is for what is left of the request's time, so that a peer that drips
bytes gains nothing.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from ipaddress import ip_address
from typing import Any, TypeAlias

import httpcore2

from authmw.clock import ticks
from authmw.outbound import may_dial

Resolve: TypeAlias = Callable[[str, int], Sequence[str]]
"""Answers the addresses of a name, as texts. Raises OSError when there are none."""

_AT_ONCE = 16
"""Look-ups that may hang at the same time; `getaddrinfo` cannot be interrupted."""
_RECORD = 16_384
"""Bytes of one TLS record: what one write hands over, so that each has only what is left of the time."""

deadline: ContextVar[float] = ContextVar("authmw_fetch_deadline")
"""When the request of this thread is over, in ticks."""


class NotAllowedError(Exception):
    """A name that may not be dialled."""


class LateError(Exception):
    """The time of the request is over."""


def left() -> float:
    """Seconds left to the request of this thread. Raises LateError if there are none."""
    seconds = deadline.get() - ticks()
    if seconds <= 0:
        raise LateError
    return seconds


def system_addresses(host: str, port: int) -> list[str]:
    """What the operating system's resolver answers, in its order of preference (RFC 6724)."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Dialler(httpcore2.NetworkBackend):
    """Opens connections for a pool. `local` are hosts with ports that are this machine's by the word of the host's code."""

    def __init__(self, resolve: Resolve, local: frozenset[tuple[str, int]]) -> None:
        self._resolve = resolve
        self._local = local
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        self._plain = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """A connection to the first judged address that takes one; each has its share of the time that is left."""
        addresses = self._addresses(host, port)
        if not may_dial(addresses, local=(host, port) in self._local):
            raise NotAllowedError
        refused: Exception = LateError()
        for position, address in enumerate(addresses):
            share = left() / (len(addresses) - position)
            try:
                return Timed(self._plain.connect_tcp(address, port, share, local_address, socket_options))
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as fault:
                refused = fault
        raise refused

    def _addresses(self, host: str, port: int) -> list[str]:
        if _is_address(host):
            return [host]
        if not self._turns.acquire(timeout=left()):
            raise LateError
        answer: list[str | OSError] = []

        def look_up() -> None:
            try:
                answer.extend(self._resolve(host, port))
            except (OSError, UnicodeError) as fault:
                answer[:] = [OSError(fault)]
            finally:
                self._turns.release()

        # A daemon of its own: a resolver that hangs holds up neither the request nor the end of the process.
        thread = threading.Thread(target=look_up, name="authmw-resolver", daemon=True)
        thread.start()
        thread.join(left())
        if thread.is_alive():
            raise LateError
        addresses = [each for each in answer if isinstance(each, str)]
        if not addresses:
            raise httpcore2.ConnectError
        return addresses


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


class Timed(httpcore2.NetworkStream):
    """A connection on which every step has what is left of the time of the request that uses it at that moment."""

    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has arrived."""
        return self._stream.read(max_bytes, left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Hand over everything, record by record."""
        view = memoryview(buffer)
        for start in range(0, len(view), _RECORD):
            self._stream.write(bytes(view[start : start + _RECORD]), left())

    def close(self) -> None:
        """Let go of the connection."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        """The encrypted connection; the name that the certificate must be for is the URL's, not the address's."""
        return Timed(self._stream.start_tls(ssl_context, server_hostname, left()))

    def get_extra_info(self, info: str) -> Any:
        """What the pool asks of a connection."""
        return self._stream.get_extra_info(info)
