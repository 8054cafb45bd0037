"""Every way authmw says no: what is raised. The table of error types, each with its HTTP status and its words, is `error_types`.

Law: a refusal never carries what the caller sent. `Refused` is raised with the name of a row of the table; whoever answers a request turns
it into `{status_code, request_id, error_type, error_message, error_url}`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

from authmw.error_types import ERROR_TYPES

FetchFault: TypeAlias = Literal["refused", "unreachable", "certificate", "late", "too_large", "encoded", "broken"]
"""Why an outbound request brought no answer."""


class AuthError(Exception):
    """The root of what authmw raises on purpose."""


class Refused(AuthError):
    """A request is refused.

    `error_type` names a row of `ERROR_TYPES` (KeyError otherwise). `message` replaces the row's words where a field's path or a limit can be
    named; it must never hold a value that the caller sent. `retry_after` is in seconds, for limits.
    """

    def __init__(self, error_type: str, message: str | None = None, *, retry_after: float | None = None) -> None:
        row = ERROR_TYPES[error_type]
        super().__init__(f"{row.name}: {message or row.message}")
        self.error_type = row.name
        self.status = row.status
        self.message = message or row.message
        self.retry_after = retry_after
        self.request_id = ""
        self.limit = ""
        self.challenge = ""


class Misconfigured(AuthError):
    """Settings or adapters that cannot work; raised when an `Auth` is built. `faults` names each in a sentence of its own."""

    def __init__(self, message: str, faults: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults) or (message,)


class StorageError(AuthError):
    """Storage could not do what was asked; nothing is known to have changed."""


class Conflict(StorageError):
    """A commit was not made because a record had changed since it was read; nothing changed."""


class Duplicate(Conflict):
    """A commit was not made because a unique index already holds one of its values; nothing changed."""

    def __init__(self, kind: str, index: str) -> None:
        super().__init__(f"A record of {kind} with this {index} exists.")
        self.kind = kind
        self.index = index


class OutcomeUnknown(StorageError):
    """The acknowledgement of a commit was lost: it may or may not have happened. Never repeated; the call fails closed."""


class WrongSchema(StorageError):
    """What storage holds cannot be served from by this version of authmw: a newer one wrote it, it is to be migrated first, or records lack what is asked of them. Unlike
    storage that is away, waiting does not mend it, so a process does not start. The message says what to do and holds no value.
    """


class SendingFailed(AuthError):
    """A message was not accepted by its carrier. `retryable` says whether trying again later can help. Holds no address and no text.

    `retry_after` is in seconds, where the carrier said how long it wants to be left alone.
    """

    def __init__(self, reason: str, *, retryable: bool, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retryable = retryable
        self.retry_after = retry_after


class BreachSourceFailed(AuthError):
    """Whether a password was seen in a breach could not be found out. Holds nothing of the password."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The breach source gave no answer: {reason}.")


class FetchFailed(AuthError):
    """An outbound request brought no answer that may be used. Holds nothing of the URL, of what was sent or of what came back.

    `reason` is "refused" (the guard did not let it leave), "unreachable", "certificate" (it did not verify), "late" (the deadline passed), "too_large", "encoded"
    (a body that would have to be unpacked) or "broken" (not HTTP, or cut off). `retryable` says whether the same request can succeed later.
    """

    def __init__(self, reason: FetchFault) -> None:
        super().__init__(f"The outbound request failed: {reason}.")
        self.reason: FetchFault = reason
        self.retryable = reason in ("unreachable", "late", "broken")


__all__ = [
    "ERROR_TYPES",
    "AuthError",
    "BreachSourceFailed",
    "Conflict",
    "Duplicate",
    "FetchFailed",
    "FetchFault",
    "Misconfigured",
    "OutcomeUnknown",
    "Refused",
    "SendingFailed",
    "StorageError",
    "WrongSchema",
]
