"""Shows e-mails in a terminal instead of sending them. For development: it prints addresses, links and codes.

Law: nothing that a message holds can steer the terminal.
"""

from __future__ import annotations

import sys
import threading
from typing import TextIO

from authmw.ports import IO, EmailMessage


class ConsoleEmailSender:
    """Prints each message as short readable text to `stream`, by default to what is standard error at that moment."""

    io: IO = "instant"
    local = True
    """Messages stay on this machine; Live says so at its start."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    async def send(self, message: EmailMessage) -> None:
        """Print the message in one piece."""
        stream = self._stream if self._stream is not None else sys.stderr
        rule = "-" * 72
        lines = [rule, f"To:      {_line(message.to)}", f"Subject: {_line(message.subject)}"]
        lines += [f"Code:    {_line(message.code)}"] if message.code else []
        lines += [f"Link:    {_line(link)}" for link in message.links]
        lines += ["", *map(_line, message.text.rstrip().split("\n")), rule]
        with self._lock:
            stream.write("\n".join(lines) + "\n")
            stream.flush()


def _line(text: str) -> str:
    """Text without control characters, which begin every escape sequence, and without direction overrides."""
    return "".join(one if one.isprintable() else "?" for one in text)
