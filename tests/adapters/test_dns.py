"""Mail servers by DNS, against a server on loopback that answers as it is told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from authmw import drive
from authmw_adapters.dns import DNSMailServers

ZONE = {
    ("mail.example.", "MX"): ["10 mx1.mail.example.", "20 mx2.mail.example."],
    ("null.example.", "MX"): ["0 ."],
    ("old.example.", "A"): ["192.0.2.1"],
    ("new.example.", "AAAA"): ["2001:db8::1"],
    ("nothing.example.", "TXT"): ['"here"'],
}
NAMES = {name for name, _ in ZONE}


class Server:
    """A name server over UDP. `broken` domains are answered with SERVFAIL, `silent` ones never."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]

    def serve(self) -> None:
        while True:
            try:
                wire, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            if not wire:
                return
            answer = self.answer(wire)
            if answer is not None:
                self.socket.sendto(answer, peer)

    def answer(self, wire: bytes) -> bytes | None:
        query = dns.message.from_wire(wire)
        (question,) = query.question
        name, kind = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        if name.startswith("silent"):
            return None
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        if name.startswith("broken"):
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif name not in NAMES:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif (name, kind) in ZONE:
            answer.answer.append(dns.rrset.from_text(name, 300, "IN", kind, *ZONE[name, kind]))
        return answer.to_wire()


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", server.port))
        thread.join()
        server.socket.close()


def asking(server: Server, deadline: float = 6) -> DNSMailServers:
    return DNSMailServers(nameservers=["127.0.0.1"], port=server.port, deadline=deadline)


@pytest.mark.parametrize(
    ("domain", "takes"),
    [
        ("mail.example", True),
        ("old.example", True),
        ("new.example", True),
        ("null.example", False),
        ("nothing.example", False),
        ("unknown.example", False),
        ("broken.example", None),
        ("x" * 70 + ".example", False),
    ],
)
def test_a_domain_takes_mail_as_its_records_say(domain: str, takes: bool | None) -> None:
    with serving() as server:
        assert drive.step(asking(server).take_mail(domain)) is takes


def test_a_server_that_is_silent_leaves_it_unknown_within_the_deadline() -> None:
    with serving() as server:
        assert drive.step(asking(server, deadline=0.3).take_mail("silent.example")) is None
        assert {name for name, _ in server.asked} == {"silent.example."}


def test_an_answer_is_remembered_as_long_as_it_says() -> None:
    with serving() as server:
        servers = asking(server)
        for _ in range(3):
            drive.step(servers.take_mail("mail.example"))
        assert server.asked == [("mail.example.", "MX")]


def test_the_resolvers_of_the_machine_are_asked_where_none_are_given() -> None:
    assert DNSMailServers()._resolver.nameservers
