"""A request as plain values, whichever server protocol it came by."""

from __future__ import annotations

from collections.abc import Mapping

import attrs


@attrs.frozen(kw_only=True)
class Request:
    """One request that is ours. `headers` are lower-case; a header that came several times has several values."""

    method: str
    path: str
    query: str = attrs.field(default="", repr=False)
    headers: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict[str, tuple[str, ...]], repr=False)
    body: bytes = attrs.field(default=b"", repr=False)
    peer: str | None = None
    scheme: str = "http"
    """What the server says it was asked by: `http` or `https`."""

    def header(self, name: str) -> str | None:
        """The value of a header that came once; None if it did not come, or came twice."""
        values = self.headers.get(name, ())
        return values[0] if len(values) == 1 else None
