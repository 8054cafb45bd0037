"""The machinery behind tests that need real parts: servers answer, and nothing leaves the machine."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests import handshakes, network
from tests.servers import PORTS, Machine, commands_for


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.server(name)) for name in PORTS])
def test_a_server_that_was_reached_takes_our_log_in(machine: Machine, name: str) -> None:
    where = machine.server(name).where
    assert where is not None
    assert handshakes.serves(name, where)


@pytest.mark.parametrize("name", sorted(PORTS))
def test_an_open_port_that_hangs_up_is_no_server(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        with handshakes.connect(address) as connection:
            listening.accept()[0].close()
            with pytest.raises(OSError):
                handshakes.HANDSHAKES[name](connection)


@pytest.mark.parametrize("name", sorted(PORTS))
def test_a_socket_that_is_not_there_is_no_server(name: str, tmp_path: Path) -> None:
    assert not handshakes.serves(name, str(tmp_path / "nobody"))


@pytest.mark.parametrize("name", sorted(PORTS))
def test_servers_of_our_own_open_no_port(name: str, tmp_path: Path) -> None:
    commands = commands_for(name, tmp_path)
    if commands is not None:
        assert {"listen_addresses=", "--skip-networking", "0"} & set(commands[-1])


@pytest.mark.parametrize("host", ["192.0.2.1", "169.254.169.254", "::ffff:192.0.2.1", "2001:db8::1"])
def test_a_connection_beyond_this_machine_is_refused(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    before = len(network.attempts)
    with socket.socket(family) as connection, pytest.raises(network.OutboundRefused):
        connection.connect((host, 80))
    assert network.attempts[before:] == [repr(host)]


@pytest.mark.parametrize("look_up", [lambda name: socket.getaddrinfo(name, 443), socket.gethostbyname])
def test_a_name_beyond_this_machine_is_not_looked_up(look_up) -> None:
    with pytest.raises(network.OutboundRefused):
        look_up("elsewhere.example")


def test_a_datagram_beyond_this_machine_is_refused() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as connection, pytest.raises(network.OutboundRefused):
        connection.sendto(b"hello", ("192.0.2.1", 53))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "app.localhost", b"localhost", None])
def test_this_machine_is_near(host: object) -> None:
    assert network.is_near(host)
