"""A way to a server that loses what it is told to lose: requests before they arrive, answers to what was done, or whatever is said, without a word."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

Lost = Literal["nothing", "requests", "answers", "silently", "answers silently"]


class Way:
    """Hands bytes on in both directions; what it loses ends the connection, as a network that breaks does, but for what it loses silently: then neither side hears of the other again."""

    def __init__(self, where: str) -> None:
        self.where = where
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.loses: Lost = "nothing"
        self.lost = threading.Event()
        """Set when something was lost."""
        self.made = 0
        """How many connections were made."""
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """End every connection."""
        for one in (self._listening, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._listening.accept()
                there = _connected(self.where)
                self.made += 1
                self._open += [here, there]
                for source, target, what in ((here, there, "requests"), (there, here, "answers")):
                    threading.Thread(target=self._hand_on, args=(source, target, what), daemon=True).start()

    def _hand_on(self, source: socket.socket, target: socket.socket, what: Lost) -> None:
        silent = False
        with suppress(OSError):
            while data := source.recv(65_536):
                silent = silent or self.loses in ("silently", f"{what} silently")
                if silent or self.loses == what:
                    self.lost.set()
                if silent:
                    continue
                if self.loses == what:
                    break
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def _connected(where: str) -> socket.socket:
    if not where.startswith("/"):
        host, _, port = where.rpartition(":")
        return socket.create_connection((host, int(port)))
    there = socket.socket(socket.AF_UNIX)
    there.connect(where)
    return there


@contextmanager
def lossy_way(where: str) -> Iterator[Way]:
    """A way to a server at `host:port` or at the path of a Unix socket, closed behind the test."""
    way = Way(where)
    try:
        yield way
    finally:
        way.close()
