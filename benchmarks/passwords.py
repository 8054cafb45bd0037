"""`python -m benchmarks.passwords`: how long a visitor waits for a protected page while 20 people sign in with passwords all the time.

A password takes a core for tens of milliseconds (argon2id), so whoever lets hashes take all cores, or the loop, is felt by everybody else. Beside authmw stands a bare application
under the same load: it compares as many hashes of the same cost at once, in as many threads, and nobody is asked who they are. Both are served by uvicorn (ASGI) and by gunicorn with
threads (WSGI), in one process. The people and the visitor are processes of their own on the same machine, which the figures of both sides hold alike.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import platform
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Any

import attrs

from authmw import drive
from benchmarks.apps import PRIVATE, flask_app, starlette_app
from benchmarks.processes import listening_socket, spawned
from benchmarks.sign_ins import PASSWORD
from benchmarks.site import Site

RESULTS = Path(__file__).parent / "results"
PEOPLE = 20
THREADS = 32
"""Of gunicorn: those that sign in hold 20 of them."""
PAUSE = 0.002
"""Seconds between two looks of the visitor."""
SIGN_IN = "/sign-in"
COLUMNS = ("median, ms", "p99, ms", "sign-ins a second")


def _bare_check() -> Callable[[], Any]:
    """Compares a password with a hash of our cost in a pool of our size; a future."""
    from argon2.low_level import Type, hash_secret, verify_secret

    cost = {"time_cost": 2, "memory_cost": 19456, "parallelism": 1, "hash_len": 32}
    kept = hash_secret(PASSWORD.encode(), b"s" * 16, type=Type.ID, **cost)
    pool = ThreadPoolExecutor(drive.heavy.cores)
    return lambda: pool.submit(verify_secret, kept, PASSWORD.encode(), Type.ID)


def _asgi(site: Site | None) -> Any:
    app = starlette_app(site)
    if site is None:
        from starlette.requests import Request
        from starlette.responses import PlainTextResponse

        check = _bare_check()

        async def sign_in(request: Request) -> PlainTextResponse:
            await asyncio.wrap_future(check())
            return PlainTextResponse("welcome")

        app.add_route(SIGN_IN, sign_in, methods=["POST"])
    return app


def _wsgi(site: Site | None) -> Any:
    app = flask_app(site)
    if site is None:
        check = _bare_check()

        def sign_in() -> str:
            check().result()
            return "welcome"

        app.add_url_rule(SIGN_IN, view_func=sign_in, methods=["POST"])
    return app


@attrs.frozen
class Asked:
    """What is sent: by the visitor, and by each of the people."""

    visit: bytes
    sign_ins: tuple[bytes, ...]


async def _asked(site: Site | None, people: int) -> Asked:
    """What this project is asked, once everybody has a password there."""
    if site is None:
        return Asked(_request("GET", PRIVATE), (_request("POST", SIGN_IN),) * people)
    settings = site.auth.settings
    addresses = [f"bob{one}@example.org" for one in range(people)]
    for address in addresses:
        await site.auth.passwords.create(email=address, password=PASSWORD)
    who = base64.b64encode(f"{settings.project_id}:{settings.secret.reveal()}".encode()).decode()
    path = f"{settings.mount}/v1/passwords/authenticate"
    bodies = [{"email": one, "password": PASSWORD, "session_duration_minutes": 60} for one in addresses]
    return Asked(
        _request("GET", PRIVATE, cookie=site.cookie(await site.signed_in())),
        tuple(_request("POST", path, json.dumps(body).encode(), authorization=f"Basic {who}") for body in bodies),
    )


def _request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    if body:
        headers["content-type"] = "application/json"
    named = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n{named}\r\n".encode() + body


def _uvicorn(told: Connection, listening: socket.socket, bare: bool, people: int) -> None:
    import uvicorn

    site = None if bare else Site()
    told.send(asyncio.run(_asked(site, people)))
    config = uvicorn.Config(_asgi(site), log_level="error", access_log=False, lifespan="off")
    uvicorn.Server(config).run(sockets=[listening])


def _gunicorn(told: Connection, listening: socket.socket, bare: bool, people: int) -> None:
    from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

    class Application(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            chosen = {
                "bind": f"fd://{listening.fileno()}",
                "worker_class": "gthread",
                "threads": THREADS,
                "keepalive": 60,
                "loglevel": "error",
                "control_socket_disable": True,
            }
            for name, value in chosen.items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            """In the worker, which has threads and a storage of its own."""
            site = None if bare else Site()
            told.send(drive.run("instant", _asked(site, people)))
            return _wsgi(site)

    os.environ.pop("GUNICORN_CMD_ARGS", None)
    Application().run()


SERVERS = {"uvicorn": _uvicorn, "gunicorn, threads": _gunicorn}


def _people(orders: Connection, port: int, sign_ins: Sequence[bytes]) -> None:
    """A process of its own: everybody signs in again and again until told to stop; then how many did so a second."""
    orders.send(asyncio.run(_signing_in(orders, port, sign_ins)))


async def _signing_in(orders: Connection, port: int, sign_ins: Sequence[bytes]) -> float:
    done, stopped = 0, asyncio.Event()
    everybody = asyncio.Barrier(len(sign_ins) + 1)

    async def person(request: bytes) -> None:
        nonlocal done
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await _sign_in(reader, writer, request)
        await everybody.wait()
        while not stopped.is_set():
            signed_in = await _sign_in(reader, writer, request)
            done += signed_in
        writer.close()

    async with asyncio.TaskGroup() as tasks:
        for request in sign_ins:
            tasks.create_task(person(request))
        await everybody.wait()
        began = perf_counter()
        asyncio.get_running_loop().add_reader(orders.fileno(), stopped.set)
        orders.send(0.0)
        await stopped.wait()
        rate = done / (perf_counter() - began)
    orders.recv()
    return rate


async def _sign_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> int:
    """How many signed in: none, where there was no room (a machine of one core takes 16 at once)."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    body = await reader.readexactly(_length(head))
    if b" 503 " in head.split(b"\r\n")[0]:
        await asyncio.sleep(0.1)
        return 0
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise AssertionError(body[:200])
    return 1


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])


def _visits(port: int, request: bytes, times: int) -> list[float]:
    """Milliseconds of each of so many looks at the page, in order of length."""
    took: list[float] = []
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection, connection.makefile("rb") as reader:
        for _ in range(times):
            sleep(PAUSE)
            began = perf_counter()
            connection.sendall(request)
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += reader.readline() or _ended(head)
            reader.read(_length(head))
            took.append((perf_counter() - began) * 1000)
            if b" 200 " not in head.split(b"\r\n")[0]:
                raise AssertionError(head)
    return sorted(took)


def _ended(head: bytes) -> bytes:
    message = f"The server left: {head!r}"
    raise AssertionError(message)


def one_round(port: int, asked: Asked, visits: int) -> dict[str, float]:
    """So many looks at the page of one server while its people sign in. EOFError if they are refused."""
    with spawned(_people, port, asked.sign_ins) as people:
        people.recv()
        took = _visits(port, asked.visit, visits)
        people.send(None)
        return dict(zip(COLUMNS, (took[len(took) // 2], took[len(took) * 99 // 100], people.recv()), strict=True))


def pages(server: str, *, visits: int = 1000, rounds: int = 5, people: int = PEOPLE) -> dict[str, dict[str, float]]:
    """What a visitor of either side waits under one server: the median of rounds, which alternate."""
    with ExitStack() as stack:
        sides: dict[str, tuple[int, Asked]] = {}
        for side, bare in {"authmw": False, "bare": True}.items():
            listening = stack.enter_context(listening_socket())
            told = stack.enter_context(spawned(SERVERS[server], listening, bare, people))
            sides[side] = listening.getsockname()[1], told.recv()
        taken: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
        for _ in range(rounds):
            for side, (port, asked) in sides.items():
                taken[side].append(one_round(port, asked, visits))
    return {
        side: {column: median(one[column] for one in rounds_) for column in COLUMNS} for side, rounds_ in taken.items()
    }


def main(arguments: list[str] | None = None) -> dict[str, dict[str, float]]:
    """Measure, print, write the same as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.passwords", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny work: shows that it runs, measures nothing")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder that the JSON is written to")
    chosen = parser.parse_args(arguments)
    work: dict[str, int] = {"visits": 20, "rounds": 1, "people": 2} if chosen.quick else {}
    figures: dict[str, dict[str, float]] = {}
    print(f"{'a protected page while people sign in':40}" + "".join(f"{column:>20}" for column in COLUMNS))
    for server in SERVERS:
        for side, columns in pages(server, **work).items():
            figures[f"{server}: {side}"] = columns
            print(f"{f'{server}: {side}':40}" + "".join(f"{columns[one]:>20.2f}" for one in COLUMNS), flush=True)
    chosen.results.mkdir(parents=True, exist_ok=True)
    path = chosen.results / "passwords.json"
    path.write_text(json.dumps({"python": platform.python_version(), "figures": figures}, indent=2) + "\n")
    print(f"written: {path}")
    return figures


if __name__ == "__main__":
    main()
