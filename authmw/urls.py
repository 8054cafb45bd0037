"""The one strict URL parser (RFC 3986) that decisions rest on.

Law: the raw text is judged. Nothing is decoded, trimmed, lower-cased or completed first, so no browser and no other
parser can understand an accepted URL differently. Never `urllib.parse` for deciding: it repairs.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import TypeAlias

import attrs

MAXIMUM_URL = 2048
"""Characters of the longest URL that is read."""

Place: TypeAlias = "tuple[str, bool, str, str | None, str]"
"""Scheme, whether there is an authority, host, port, path: what is compared byte for byte."""

# Printable ASCII without what no part of a URL may hold raw. Braces are let through for an entry's `{}` only.
CHARACTERS = re.compile(r"[\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]{1,2048}")
_ENTRY_CHARACTERS = re.compile(r"[\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7b\x7d\x7e]{1,2048}")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_GENERIC = re.compile(r"([^:/?#]+):(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(#.*)?")  # RFC 3986 appendix B, with a scheme
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]*\]|[^@:\[\]%]*)(?::([1-9][0-9]{0,4}))?")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LOOKS_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
_NATIVE_HOST = re.compile(r"[A-Za-z0-9._~-]*")
_PATH = re.compile(r"(?:/(?:[A-Za-z0-9._~!$&'()+,;=:@*-]|%[0-9A-Fa-f]{2})*)*")
_ENCODED_IN_PATH = re.compile(r"%(?:2[EeFf]|5[Cc]|[01][0-9A-Fa-f]|7[Ff])")  # dot, slashes, controls
QUERY = re.compile(
    r"(?:[A-Za-z0-9._~!$&'()*+,=:@/?-]|%[0-9A-Fa-f]{2})*"
)  # RFC 3986 query without `;`, which some parsers split at
_NAME = re.compile(r"[A-Za-z0-9._~!$:@-]+")


class Malformed(ValueError):
    """A text is not a URL that we read; the message says what kind of fault it is and holds nothing of the text."""


@attrs.frozen
class SplitURL:
    """A URL in its parts, as written. No `authority` or `query` at all is None, which is not an empty one."""

    scheme: str
    authority: str | None
    host: str
    port: str | None
    path: str
    query: str | None

    @property
    def place(self) -> Place:
        """What is compared byte for byte. For http and https an empty path and `/` are one (RFC 3986 section 6.2.3)."""
        path = self.path or "/" if self.scheme in ("http", "https") else self.path
        return (self.scheme, self.authority is not None, self.host, self.port, path)


def split_url(text: str, *, entry: bool = False) -> SplitURL:
    """The parts of an absolute URL of 1 to 2048 printable ASCII characters; the query is not judged beyond that.

    http and https need a host (DNS labels in lower case, a dotted IPv4 or a canonical bracketed IPv6 address); other
    schemes may have one. The port is 1 to 65535 without leading zeros. No user information, no fragment, no dot
    segment or encoded separator in the path. With `entry`, the text is a registered pattern: braces may stand in it
    and `*.` before the host. Raises Malformed.
    """
    if not (_ENTRY_CHARACTERS if entry else CHARACTERS).fullmatch(text) or _BAD_ESCAPE.search(text):
        raise Malformed("it is empty, too long, or holds a character that must be encoded")
    found = _GENERIC.fullmatch(text)
    if found is None:
        raise Malformed("it is not absolute")
    scheme, authority, path, query, fragment = found.groups()
    if not _SCHEME.fullmatch(scheme):
        raise Malformed("the scheme is not in canonical form")
    if fragment is not None:
        raise Malformed("it has a fragment")
    host, port = _host_and_port(scheme, authority, entry=entry)
    be_a_path(path, rooted=authority is None)
    return SplitURL(scheme, authority, host, port, path, query)


def _host_and_port(scheme: str, authority: str | None, *, entry: bool) -> tuple[str, str | None]:
    web = scheme in ("http", "https")
    if authority is None:
        if web:
            raise Malformed("it has no host")
        return "", None
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        raise Malformed("the host or port is not in canonical form, or there is user information")
    host, port = found.groups()
    if port is not None and (int(port) > 65535 or not host):
        raise Malformed("the port is out of range")
    if web or host.startswith("["):
        # A wildcard's own label is any label; what stands behind it is held to the same rule as every host.
        _be_a_host(host.removeprefix("*.") if entry else host)
    elif not _NATIVE_HOST.fullmatch(host):
        raise Malformed("the host holds a character that it may not hold")
    return host, port


def _be_a_host(host: str) -> None:
    if host.startswith("["):
        _be_an_address(host)
        return
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise Malformed("the host is not made of lower-case labels of letters, digits and inner hyphens")
    if _LOOKS_NUMERIC.fullmatch(labels[-1]):
        # Browsers read any host that ends in a number as an IPv4 address, in octal, hexadecimal and short forms too.
        try:
            IPv4Address(host)
        except AddressValueError:
            raise Malformed("the host ends in a number and is not a dotted IPv4 address") from None


def _be_an_address(host: str) -> None:
    try:
        address = IPv6Address(host[1:-1])
    except AddressValueError:
        raise Malformed("the host is not an IPv6 address") from None
    if str(address) != host[1:-1] or address.ipv4_mapped is not None:
        raise Malformed("the IPv6 address is not in canonical form")


def be_a_path(path: str, *, rooted: bool) -> None:
    """Raises Malformed unless the text is a canonical path; a `rooted` one starts with a slash."""
    if not _PATH.fullmatch(path):
        raise Malformed("the path does not start with a slash or holds a character that it may not hold")
    if rooted and not path:
        raise Malformed("it has neither host nor path")
    if path.startswith("//"):
        raise Malformed("the path starts with two slashes")
    if _ENCODED_IN_PATH.search(path):
        raise Malformed("the path holds an encoded dot, slash, backslash or control character")
    if any(segment in (".", "..") for segment in path.split("/")):
        raise Malformed("the path holds a dot segment")


def parameters_by_name(query: str | None) -> dict[str, str | None] | None:
    """The parameters by name, raw; a name without `=` has the value None. No query at all is None."""
    if query is None:
        return None
    pairs: dict[str, str | None] = {}
    for pair in query.split("&"):
        name, equals, value = pair.partition("=")
        if not _NAME.fullmatch(name) or name in pairs:
            raise Malformed("the query holds an empty, repeated or encoded name")
        pairs[name] = value if equals else None
    return pairs
