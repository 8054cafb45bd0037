"""A plugin: for the whole run no Python code of a test process may reach beyond this machine.

Law: a test talks to loopback or to a Unix socket. What tries more is refused at once and remembered in `attempts`, so that a test of an outbound client can
assert that nothing was tried. It watches the interpreter's audit events, which every library's sockets pass.
"""

from __future__ import annotations

import ipaddress
import socket
import sys

attempts: list[str] = []
"""Where the tests of this process tried to go, newest last."""

_allowed: set[str] = {"", "localhost"}


class OutboundRefused(RuntimeError):
    """A test tried to leave the machine. Not an OSError: code that forgives an unreachable network must not forgive this."""


def allow(host: str) -> None:
    """Let this host be reached too: a server for tests that the environment names."""
    _allowed.add(host)


def is_near(host: object) -> bool:
    """Whether this host is this machine, or was allowed."""
    if host is None:
        return True
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    if name in _allowed or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


def refuse_outbound(event: str, args: tuple[object, ...]) -> None:
    """The audit hook: looks at connections, datagrams and name look-ups, and lets everything else pass."""
    if event in ("socket.connect", "socket.sendto"):
        connection, address = args[0], args[1]
        if not isinstance(connection, socket.socket) or connection.family not in (socket.AF_INET, socket.AF_INET6):
            return
        host: object = address[0] if isinstance(address, tuple) else address
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = args[0]
    else:
        return
    if not is_near(host):
        attempts.append(repr(host))
        raise OutboundRefused(f"{event} to a host beyond this machine")


def pytest_configure() -> None:
    """Begin to watch; an audit hook stays until the process ends."""
    _allowed.add(socket.gethostname())
    sys.addaudithook(refuse_outbound)
