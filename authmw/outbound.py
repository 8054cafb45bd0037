"""Which addresses authmw may dial: a pure rule over one address (AUD-03).

Law: everything that is not known to be globally routable is refused. IPv6 is judged by what is allocated for global
unicast, not by what is known to be bad, so a range that is invented tomorrow is refused today. An address that
carries another one inside of it (IPv4-mapped, NAT64, 6to4, Teredo) is refused whatever it carries: the network, not
we, would decide where it leads.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_NEVER_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network (RFC 791)
            "10.0.0.0/8",  # private (RFC 1918)
            "100.64.0.0/10",  # carrier-grade NAT (RFC 6598); metadata services of some clouds too
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # a public address by its form, the host's own services in one large cloud
            "169.254.0.0/16",  # link-local (RFC 3927): metadata services
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocol assignments (RFC 6890)
            "192.0.2.0/24",  # documentation (RFC 5737)
            "192.88.99.0/24",  # 6to4 relays, withdrawn (RFC 7526)
            "192.168.0.0/16",  # private
            "198.18.0.0/15",  # benchmarks (RFC 2544)
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
_GLOBAL_V6 = IPv6Network("2000::/3")
"""The only block that global unicast addresses are given out of (RFC 4291 section 2.4, IANA)."""
_NEVER_V6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments (RFC 2928): Teredo, benchmarks, ORCHID
            "2001:db8::/32",  # documentation (RFC 3849)
            "2002::/16",  # 6to4 (RFC 3056)
            "3fff::/20",  # documentation (RFC 9637)
        ),
    )
)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is globally routable unicast, and so may be dialled for a URL that others can choose."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NEVER_V4)
    # A zone is part of link-local addresses only, and those are not in the block.
    return address in _GLOBAL_V6 and not any(address in network for network in _NEVER_V6)


def is_loopback(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is this machine by its plain form; `::ffff:127.0.0.1` is not plain."""
    return address.is_loopback and (isinstance(address, IPv4Address) or address.ipv4_mapped is None)


def may_dial(addresses: list[str], *, local: bool = False) -> bool:
    """Whether everything that a name resolves to may be dialled; one bad address among good ones refuses the name.

    `local` says that the origin was listed as one of this machine: then every address must be loopback, and no public
    one will do. A text that is no address refuses the name too, and so does an empty answer.
    """
    try:
        parsed = [ip_address(address) for address in addresses]
    except ValueError:
        return False
    return bool(parsed) and all(map(is_loopback if local else is_public, parsed))
