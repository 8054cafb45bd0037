"""Mail servers by DNS (dnspython): whether a domain takes mail at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver


class DNSMailServers:
    """Asks the machine's resolvers, or those given by their addresses, for at most `deadline` seconds a domain.

    Nothing is looked up beyond MX, A and AAAA of the domain itself, and search lists are not used.
    """

    io: Literal["blocking"] = "blocking"

    def __init__(self, *, nameservers: Sequence[str] = (), port: int = 53, deadline: float = 2.0) -> None:
        self._resolver = dns.resolver.Resolver(configure=not nameservers)
        if nameservers:
            self._resolver.nameservers = list(nameservers)
            self._resolver.port = port
        self._resolver.lifetime = self._resolver.timeout = deadline / 3
        self._resolver.cache = dns.resolver.LRUCache(1000)

    async def take_mail(self, domain: str) -> bool | None:
        """Whether a domain has an MX record that is not null (RFC 7505), or without any an address (RFC 5321 section 5.1). None if no resolver says."""
        try:
            name = dns.name.from_text(domain)
        except dns.exception.DNSException:
            return False
        try:
            answer = self._resolver.resolve(name, "MX", search=False)
        except dns.resolver.NXDOMAIN:
            return False
        except dns.resolver.NoAnswer:
            return self._has_address(name)
        except (dns.exception.DNSException, OSError):
            return None
        return any(exchange.exchange != dns.name.root for exchange in answer)

    def _has_address(self, name: dns.name.Name) -> bool | None:
        known = True
        for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
            try:
                self._resolver.resolve(name, kind, search=False)
            except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
                continue
            except (dns.exception.DNSException, OSError):
                known = False
            else:
                return True
        return False if known else None
