"""Keeps e-mails as files that mail programs open, instead of sending them.

Law: a file is there whole or not at all, and only its owner can read it.
"""

from __future__ import annotations

import os
from datetime import UTC
from pathlib import Path

from authmw.crypto import tokens
from authmw.errors import SendingFailed
from authmw.ports import IO, EmailMessage
from authmw_adapters.mime import Sender, compose


class FileEmailSender:
    """Writes each message as `<time>-<random>.eml` into `folder`, which is made if it is missing.

    Names sort by the messages' dates. Raises `authmw.errors.Misconfigured` for a from address or name that is not
    plain.
    """

    io: IO = "blocking"
    local = True
    """Messages stay on this machine; Live says so at its start."""

    def __init__(
        self, folder: str | os.PathLike[str], *, from_address: str = "authmw@localhost", from_name: str = ""
    ) -> None:
        self._folder = Path(folder)
        self._sender = Sender(from_address, from_name)

    async def send(self, message: EmailMessage) -> None:
        """Write the message. Raises SendingFailed: retryable if the folder could not be written."""
        composed = compose(message, self._sender)
        # Several recipients of one message share its message id, so the name has a random part of its own.
        name = f"{message.date.astimezone(UTC):%Y%m%dT%H%M%S%f}-{tokens.uuid4()}"
        if not self._written(name, composed.data):
            raise SendingFailed("The message could not be written to its folder.", retryable=True)

    def _written(self, name: str, data: bytes) -> bool:
        unfinished = self._folder / f".{name}.part"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
            unfinished.replace(self._folder / f"{name}.eml")
        except OSError:
            return False
        return True
