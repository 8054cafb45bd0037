"""Logging in to a database or Redis by its own protocol with nothing but a socket: what tells a server that tests may use from an open port."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from pathlib import Path

PATIENCE = 5.0
"""Seconds that a server has for each answer."""

MYSQL_CAPABILITIES = 0x0200 | 0x8000 | 0x0008_0000  # protocol 4.1, secure connection, named authentication plugin
LONGEST_PACKET = 1 << 24
UTF8MB4 = 45


def connect(where: str) -> socket.socket:
    """A connection to `host:port` or to the Unix socket of this path; OSError if nobody answers."""
    if where.startswith("/"):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(PATIENCE)
        try:
            connection.connect(where)
        except OSError:
            connection.close()
            raise
        return connection
    host, _, port = where.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE)


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise ConnectionError("the server hung up")
        data += more
    return data


def postgresql(connection: socket.socket) -> bool:
    """Whether `postgres` may log in without a password."""
    body = struct.pack("!i", 196608) + b"user\0postgres\0database\0postgres\0\0"
    connection.sendall(struct.pack("!i", len(body) + 4) + body)
    kind = _exactly(connection, 1)
    (size,) = struct.unpack("!i", _exactly(connection, 4))
    return kind == b"R" and _exactly(connection, size - 4)[:4] == b"\0\0\0\0"


def _mysql_packet(connection: socket.socket) -> tuple[int, bytes]:
    header = _exactly(connection, 4)
    return header[3], _exactly(connection, int.from_bytes(header[:3], "little"))


def mariadb(connection: socket.socket) -> bool:
    """Whether `root` may log in without a password."""
    _, greeting = _mysql_packet(connection)
    if greeting[:1] == b"\xff":
        return False
    body = struct.pack("<IIB", MYSQL_CAPABILITIES, LONGEST_PACKET, UTF8MB4) + bytes(23) + b"root\0\0"
    body += b"mysql_native_password\0"
    connection.sendall(len(body).to_bytes(3, "little") + b"\x01" + body)
    number, answer = _mysql_packet(connection)
    if answer[:1] == b"\xfe":  # asked to authenticate another way: an empty password is an empty packet in each
        connection.sendall(b"\0\0\0" + bytes([number + 1]))
        _, answer = _mysql_packet(connection)
    return answer[:1] == b"\0"


def redis(connection: socket.socket) -> bool:
    """Whether commands are taken without a password."""
    connection.sendall(b"PING\r\n")
    return _exactly(connection, 5) == b"+PONG"


HANDSHAKES: dict[str, Callable[[socket.socket], bool]] = {"postgresql": postgresql, "mariadb": mariadb, "redis": redis}


def serves(name: str, where: str) -> bool:
    """Whether the server of this kind at `host:port`, or at the Unix socket of this path, takes our log-in."""
    if where.startswith("/") and not Path(where).exists():
        return False
    try:
        with connect(where) as connection:
            return HANDSHAKES[name](connection)
    except OSError:
        return False
