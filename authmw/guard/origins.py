"""Whether a change may rest on a cookie: only if the browser says that a page of this site, or of a listed one, asked for it (CSR-01).

Law: facts in, a verdict out. What does not say where it comes from is not believed to come from here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that change nothing (RFC 9110 section 9.2.1)."""


def from_this_site(origins: Sequence[str], fetch_sites: Sequence[str], own: str, listed: Collection[str]) -> bool:
    """Whether the `Origin` and `Sec-Fetch-Site` headers of a request speak for it.

    `own` is the origin of this site, `listed` are others that may change things here; both are compared exactly. Exactly one `Origin` must have come: browsers
    send it with every change. `Sec-Fetch-Site` may be missing (old browsers, plain http), but must not contradict an origin of our own.
    """
    if len(origins) != 1:
        return False
    if origins[0] in listed:
        return True
    return origins[0] == own and tuple(fetch_sites) in {(), ("same-origin",)}
