"""Which address a request came from, and what its limits are counted by.

Law: only the socket is believed. A forwarded header is read as far as trusted proxies wrote it, from the right;
whatever stands further left is the visitor's own invention (RAT-03). `Forwarded`, `X-Real-IP`, `True-Client-IP` and
their like are never read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

UNKNOWN = ""
"""The address of a request whose socket has none, such as one through a Unix socket."""

_LIMIT_PREFIX = 64
_LONGEST_MET = 64


def client_ip(
    peer: str | None,
    forwarded_for: Sequence[str] = (),
    trusted_proxies: int | tuple[IPv4Network | IPv6Network, ...] = 0,
) -> str:
    """The address of the visitor in its canonical text, or `UNKNOWN`.

    `peer` is the other end of the socket, `forwarded_for` the values of the request's `X-Forwarded-For` headers in
    their order. `trusted_proxies` says who may speak for others: a number of proxies before us, or the networks they
    are in (right when the number varies). 0 and the empty tuple trust nobody, and the header is ignored.

    The chain is walked from the socket to the left: with a number, that many hops are passed over; with networks,
    every hop inside of them; the next one is the visitor. The walk ends early at a hop that is no address, or at the
    end of the header, with the last address it saw, so junk in the header never yields a fresh address to count by.
    IPv4 inside IPv6 (`::ffff:192.0.2.1`) is folded to IPv4; ports and zone identifiers are dropped. A peer without an
    address is a proxy of ours (a Unix socket has no strangers) and is one of the number.
    """
    address = None if peer is None else _address(peer)
    if peer and address is None:
        return UNKNOWN  # a socket that names something else, such as "testclient": nothing it forwards can be trusted
    passed = 0
    hops = _from_the_right(forwarded_for)
    while _is_trusted(address, passed, trusted_proxies):
        hop = next(hops, None)
        onward = None if hop is None else _address(hop)
        if onward is None:
            break
        address, passed = onward, passed + 1
    return UNKNOWN if address is None else str(address)


def _is_trusted(
    address: IPv4Address | IPv6Address | None, passed: int, trusted_proxies: int | tuple[IPv4Network | IPv6Network, ...]
) -> bool:
    if isinstance(trusted_proxies, int):
        return passed < trusted_proxies
    if address is None:
        return bool(trusted_proxies)
    return any(address in network for network in trusted_proxies)


def _from_the_right(forwarded_for: Sequence[str]) -> Iterator[str]:
    for header in reversed(forwarded_for):
        yield from reversed(header.split(","))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """As `_read`; the same few visitors and proxies come again and again. What a header can hold at most is not kept."""
    return _met(text) if len(text) <= _LONGEST_MET else _read(text)


@lru_cache(maxsize=1024)
def _met(text: str) -> IPv4Address | IPv6Address | None:
    return _read(text)


def _read(text: str) -> IPv4Address | IPv6Address | None:
    """The address in `192.0.2.9`, `192.0.2.9:4711`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:4711`, or None."""
    text = text.strip(" \t")
    if text.startswith("["):
        text, bracket, port = text[1:].partition("]")
        if not bracket or (port and not _is_port(port)):
            return None
    elif text.count(":") == 1:
        text, _, port = text.partition(":")
        if not _is_port(":" + port):
            return None
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _is_port(text: str) -> bool:
    return text.startswith(":") and text[1:].isascii() and text[1:].isdigit() and len(text) <= 6


def is_encrypted(scheme: str, forwarded_proto: Sequence[str] = (), trusted_proxies: int = 0) -> bool:
    """Whether a request came by https all the way that can be told of.

    `scheme` is the server's own (ASGI `scheme`, WSGI `wsgi.url_scheme`), `forwarded_proto` the values of the request's `X-Forwarded-Proto` headers. Behind proxies
    theirs count, read from the right as far as trusted ones wrote them: each must say https. Where they say nothing, and without proxies, the server's own word holds.
    """
    said = [one.strip(" \t").lower() for header in forwarded_proto for one in header.split(",")]
    trusted = said[-trusted_proxies:] if trusted_proxies > 0 else []
    return all(one == "https" for one in trusted) if trusted else scheme == "https"


def prefix(ip: str) -> str:
    """What limits are counted by: an IPv4 address itself, the /64 network of an IPv6 address (one visitor has all of
    it).

    `ip` is an answer of `client_ip`; all visitors of an unknown address share one count. Raises ValueError for what is
    no address.
    """
    if ip == UNKNOWN:
        return UNKNOWN
    address = _address(ip)
    if address is None:
        raise ValueError("Not an address.")
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address) >> _LIMIT_PREFIX << _LIMIT_PREFIX, _LIMIT_PREFIX)))
