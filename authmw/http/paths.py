"""Paths as they were sent. Servers decode them, after which a slash that a caller encoded looks like one that parts segments.

Law: what stood within one segment is one value, whatever it says: an id that somebody wrote `emails/...` names nobody, and leads to no other address (RFC 3986 section 2.2).
"""

from __future__ import annotations

from urllib.parse import unquote

SLASH = "\udc2f"
"""Stands for a slash that was encoded: a lone surrogate, which no decoded path holds."""


def told_apart(path: str, sent: str) -> str:
    """A decoded path, in which `SLASH` stands for each slash that was encoded.

    `sent` is the target of the request as it came, which may begin with where the application is mounted, or with the origin, and end with a query. One that is not the same
    path (a proxy between rewrote it) tells nothing, and the path stays as it is.
    """
    if "%2f" not in sent.lower():
        return path
    segments = [unquote(segment) for segment in sent.partition("?")[0].split("/")]
    if not "/".join(segments).endswith(path):
        return path
    return "/".join(segment.replace("/", SLASH) for segment in segments)[-len(path) :]


def value_of(segment: str) -> str:
    """What was sent as a segment of a path."""
    return segment.replace(SLASH, "/")
