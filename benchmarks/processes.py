"""Processes of a bench's own, and what they listen on."""

from __future__ import annotations

import multiprocessing
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Concatenate, ParamSpec

P = ParamSpec("P")
SECONDS = 30
"""How long one may take to end."""


@contextmanager
def spawned(
    target: Callable[Concatenate[Connection, P], None], *arguments: P.args, **named: P.kwargs
) -> Generator[Connection]:
    """A process that is given a connection before its arguments; the other end of it. What the process has begun is not waited for in the end."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=target, args=(there, *arguments), kwargs=named)
    process.start()
    there.close()  # so that whoever waits for a process that failed is told
    try:
        yield here
    finally:
        here.close()
        process.terminate()
        process.join(SECONDS)
        process.kill()


@contextmanager
def listening_socket() -> Generator[socket.socket]:
    """A socket of loopback that listens already, for a server that is handed it."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        # Handed down to each connection: without it the second half of an answer waits 40 ms for an acknowledgement.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listening
