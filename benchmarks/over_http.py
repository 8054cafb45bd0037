"""Over HTTP: what authmw leaves of a server's throughput, and the slowest hundredth; uvicorn on loopback, a few connections.

Requests a second of the clock depend on who else uses the machine and on the client, which shares its cores; so where the kernel tells how long the server's thread was on a
processor, that is what is compared. The share without the kernel is lower, since what the kernel does for a request costs the same with and without authmw, but steadier.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import socket
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.apps import PRIVATE, starlette_app
from benchmarks.clients import Drive, microseconds
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
def _server(*, bare: bool) -> Iterator[tuple[int, str, int]]:
    """The port of a server in a process of its own, the Cookie header that opens its private route, and its process."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe(duplex=False)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        # Handed down to each connection: without it the second half of an answer waits 40 ms for an acknowledgement.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        process = spawn.Process(target=_serve, args=(listening, there, bare), daemon=True)
        process.start()
        try:
            yield listening.getsockname()[1], here.recv(), process.pid or 0
        finally:
            process.terminate()
            process.join()


class _Transport(asyncio.Transport):
    """Takes what a server writes."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()

    def write(self, data: Any) -> None:
        self.written += data

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("127.0.0.1", 50000), "sockname": ("127.0.0.1", 8000)}.get(name, default)

    def close(self) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def _asked(cookie: str) -> bytes:
    return f"GET {PRIVATE} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nCookie: {cookie}\r\n\r\n".encode()


def _served(app: Any, cookie: str, loop: asyncio.AbstractEventLoop) -> Drive:
    """Requests on one connection to an application in uvicorn's hands."""
    import uvicorn
    from uvicorn.server import ServerState

    config = uvicorn.Config(app, log_level="error", access_log=False, lifespan="off")
    config.load()
    transport, asked = _Transport(), _asked(cookie)
    protocol_of: Any = config.http_protocol_class  # by httptools, where that is installed
    protocol = protocol_of(config=config, server_state=ServerState(), app_state={}, _loop=loop)
    protocol.connection_made(transport)

    async def many(times: int) -> None:
        for _ in range(times):
            transport.written.clear()
            protocol.data_received(asked)
            while not transport.written.endswith(b"hello"):
                await asyncio.sleep(0)
            if not transport.written.startswith(b"HTTP/1.1 200"):
                raise AssertionError(bytes(transport.written[:40]))

    return lambda times: loop.run_until_complete(many(times))


def share_of_bare(loop: asyncio.AbstractEventLoop, *, times: int = 100, rounds: int = 100) -> float:
    """The same without the kernel: uvicorn's protocol is handed requests in this process, and its answers are taken."""
    site = Site()
    cookie = site.cookie(loop.run_until_complete(site.signed_in()))
    drives = {
        "bare": _served(starlette_app(None), cookie, loop),
        "ours": _served(starlette_app(site), cookie, loop),
    }
    best = microseconds(drives, times=times, rounds=rounds)
    return best["bare"] / best["ours"]


async def _many(port: int, cookie: str, times: int) -> list[float]:
    """Milliseconds of each of so many requests on one connection that stays open."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    asking = _asked(cookie)
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


def _on_processor(process: int) -> float:
    """Seconds that the main thread of a process was on a processor; the clock, where the kernel does not tell."""
    try:
        return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9
    except (OSError, ValueError, IndexError):
        return perf_counter()


async def _round(port: int, cookie: str, process: int, times: int) -> tuple[float, list[float]]:
    """Requests a second, and the milliseconds of each, in order."""
    began = _on_processor(process)
    took = await asyncio.gather(*(_many(port, cookie, times // CONNECTIONS) for _ in range(CONNECTIONS)))
    return times / (_on_processor(process) - began), sorted(one for some in took for one in some)


def beside_bare(*, times: int = 2400, rounds: int = 7) -> dict[str, float]:
    """Rounds that alternate; the share is that of the best rounds, since noise only ever adds; the slowest hundredth the median of the rounds'."""
    most, most_bare = 0.0, 0.0
    slow: list[float] = []
    slow_bare: list[float] = []
    with _server(bare=True) as bare, _server(bare=False) as ours:
        for server in (bare, ours):
            asyncio.run(_round(*server, times // 4))
        for _ in range(rounds):
            per_second, took = asyncio.run(_round(*bare, times))
            most_bare = max(most_bare, per_second)
            slow_bare.append(took[len(took) * 99 // 100])
            per_second, took = asyncio.run(_round(*ours, times))
            most = max(most, per_second)
            slow.append(took[len(took) * 99 // 100])
    return {
        "throughput, share of bare": most / most_bare,
        "requests a second of a processor": most,
        "p99 of a protected route, ms": sorted(slow)[rounds // 2],
        "p99 of the bare route, ms": sorted(slow_bare)[rounds // 2],
    }
