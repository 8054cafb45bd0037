"""Over real HTTP: requests a second as a share of the bare application's, and the slowest hundredth, uvicorn on loopback with a few connections."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import socket
from collections.abc import Iterator
from time import perf_counter
from typing import Any

from benchmarks.apps import PRIVATE, starlette_app
from benchmarks.site import Site

CONNECTIONS = 8


def _serve(listening: socket.socket, cookies: Any, bare: bool) -> None:
    import uvicorn

    site = Site()
    cookies.send(site.cookie(asyncio.run(site.signed_in())))
    app = starlette_app(None if bare else site)
    config = uvicorn.Config(app, log_level="error", access_log=False, lifespan="off")
    uvicorn.Server(config).run(sockets=[listening])


@contextlib.contextmanager
def _server(*, bare: bool) -> Iterator[tuple[int, str]]:
    """The port of a server in a process of its own, and the Cookie header that opens its private route."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe(duplex=False)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        # Handed down to each connection: without it the second half of an answer waits 40 ms for an acknowledgement.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        process = spawn.Process(target=_serve, args=(listening, there, bare), daemon=True)
        process.start()
        try:
            yield listening.getsockname()[1], here.recv()
        finally:
            process.terminate()
            process.join()


async def _many(port: int, cookie: str, times: int) -> list[float]:
    """Milliseconds of each of so many requests on one connection that stays open."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    asking = f"GET {PRIVATE} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nCookie: {cookie}\r\n\r\n".encode()
    took = []
    for _ in range(times):
        began = perf_counter()
        writer.write(asking)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise AssertionError(head.split(b"\r\n")[0].decode())
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        took.append((perf_counter() - began) * 1000)
    writer.close()
    return took


async def _round(port: int, cookie: str, times: int) -> tuple[float, list[float]]:
    began = perf_counter()
    took = await asyncio.gather(*(_many(port, cookie, times // CONNECTIONS) for _ in range(CONNECTIONS)))
    return times / (perf_counter() - began), sorted(one for some in took for one in some)


def beside_bare(*, times: int = 2400, rounds: int = 7) -> dict[str, float]:
    """Rounds that alternate; the share is the median of the rounds' shares, the slowest hundredth the median of the rounds'."""
    shares, slow, slow_bare = [], [], []
    with _server(bare=True) as bare, _server(bare=False) as ours:
        for server in (bare, ours):
            asyncio.run(_round(*server, times // 4))
        for _ in range(rounds):
            per_second_bare, took_bare = asyncio.run(_round(*bare, times))
            per_second, took = asyncio.run(_round(*ours, times))
            shares.append(per_second / per_second_bare)
            slow.append(took[len(took) * 99 // 100])
            slow_bare.append(took_bare[len(took_bare) * 99 // 100])
    return {
        "throughput, share of bare": sorted(shares)[rounds // 2],
        "p99 of a protected route, ms": sorted(slow)[rounds // 2],
        "p99 of the bare route, ms": sorted(slow_bare)[rounds // 2],
    }
