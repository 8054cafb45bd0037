"""The guarded outbound client against real servers on loopback (AUD-03)."""

from __future__ import annotations

import asyncio
import gzip
import os
import socket
import ssl
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from authmw import Auth, Settings
from authmw.clock import ticks
from authmw.drive import step, using
from authmw.errors import FetchFailed, Misconfigured
from authmw.ports import FetchAnswer, FetchRequest
from authmw_adapters.fetcher import GuardedFetcher
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage
from tests import network, web_servers
from tests.web_servers import (
    LOOPBACK,
    NAME,
    counter,
    encrypted,
    fetcher_for,
    guarded,
    listening,
    nearby,
    reply,
    trusting,
)

SECRET = "s3cr3t"


def fetch(fetcher: GuardedFetcher, url: str, **options: object) -> FetchAnswer:
    return step(fetcher.fetch(FetchRequest(url=url, **options)))  # type: ignore[arg-type]


def fault(fetcher: GuardedFetcher, url: str, **options: object) -> str:
    """Why it failed; the error says nothing else."""
    with pytest.raises(FetchFailed) as failed:
        fetch(fetcher, url, **options)
    shown = f"{failed.value!s} {failed.value!r}"
    assert SECRET not in shown
    assert NAME not in shown
    assert failed.value.__cause__ is None
    assert failed.value.__context__ is None
    return failed.value.reason


def test_a_request_arrives_as_it_was_meant_and_the_answer_comes_back() -> None:
    with counter(reply(201, b"done", x_kind="a")) as server:
        answer = fetch(
            fetcher_for(server.port), f"{server.url}/a/b?c=d", method="POST", headers={"X-Key": "v"}, body=b"hello"
        )
    assert (answer.status, answer.body, answer.headers["x-kind"]) == (201, b"done", "a")
    asked = server.asked[0]
    assert (asked.method, asked.target, asked.body) == ("POST", "/a/b?c=d", b"hello")
    assert asked.headers["host"] == f"{NAME}:{server.port}"
    assert asked.headers["accept-encoding"] == "identity"
    assert asked.headers["user-agent"] == "authmw"
    assert asked.headers["x-key"] == "v"


def test_connections_are_kept_and_cookies_are_not() -> None:
    with counter(reply(set_cookie="a=b; Path=/"), reply()) as server:
        fetcher = fetcher_for(server.port)
        for _ in range(5):
            fetch(fetcher, server.url)
        assert server.connections == 1
        assert not any("cookie" in asked.headers for asked in server.asked)
        fetcher.close()
        fetch(fetcher, server.url)
        assert server.connections == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_answered_and_not_followed(status: int) -> None:
    with counter(reply(status, location="https://elsewhere.example/")) as server:
        answer = fetch(fetcher_for(server.port), server.url)
        assert answer.status == status
        assert len(server.asked) == 1


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with counter() as server, counter() as proxy:
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://{LOOPBACK}:{proxy.port}")
        assert fetch(fetcher_for(server.port), server.url).status == 200
        assert proxy.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://carrier.example/",
        "ftp://carrier.example/",
        "file:///etc/passwd",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[fe80::1%25eth0]/",
        "https://169.254.169.254/latest/meta-data",
        "https://user:s3cr3t@carrier.example/",
        "https://carrier.example\\@127.0.0.1/",
        "https://carrier.example#@127.0.0.1/",
        "https://carrier.example:0/",
        "https://ⓛocalhost/",
        "https://carrier.example/s3cr3t\r\nHost: other",
        "https:///path",
        "//carrier.example/",
        "",
    ],
)
def test_a_url_that_leads_elsewhere_than_to_the_public_web_never_leaves(url: str) -> None:
    looked_up: list[str] = []

    def resolve(host: str, port: int) -> Sequence[str]:
        looked_up.append(host)
        return ["127.0.0.1"]

    before = list(network.attempts)
    assert fault(guarded(resolve=resolve), url) == "refused"
    assert looked_up == []
    assert network.attempts == before


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["1.1.1.1", "10.0.0.1"], ["::1", "2606:4700:4700::1111"], ["fe80::1%lo"], ["not an address"]],
)
def test_a_name_with_one_address_that_is_not_public_is_refused_before_anything_is_dialled(addresses: list[str]) -> None:
    before = list(network.attempts)
    assert fault(guarded(resolve=nearby(*addresses)), f"https://{NAME}/{SECRET}") == "refused"
    assert network.attempts == before


def test_the_address_that_was_judged_is_the_one_dialled_and_the_name_is_looked_up_once() -> None:
    """A name whose second answer is another one (DNS rebinding) gains nothing."""
    answers = [["127.0.0.1"], ["10.0.0.1"], ["10.0.0.1"]]
    with counter() as server:
        fetcher = guarded(local_origins=[server.url], context=trusting(), resolve=lambda host, port: answers.pop(0))
        assert fetch(fetcher, server.url).status == 200
        assert len(answers) == 2
        fetcher.close()
        assert fault(fetcher, server.url) == "refused"


def test_the_second_address_of_a_name_is_dialled_when_the_first_does_not_answer() -> None:
    with counter() as server:
        fetcher = guarded(
            local_origins=[server.url], context=trusting(), resolve=nearby("127.0.0.2", "::1", "127.0.0.1")
        )
        assert fetch(fetcher, server.url).status == 200


def test_a_listed_origin_is_one_scheme_host_and_port() -> None:
    with counter() as server, counter() as other:
        fetcher = fetcher_for(server.port)
        assert fault(fetcher, other.url) == "refused"
        assert fault(fetcher, f"http://{NAME}:{server.port}/") == "refused"
        assert other.connections == 0


def test_plain_http_reaches_a_listed_origin() -> None:
    server = web_servers.Counter()
    with listening(server.talk) as port:
        fetcher = guarded(local_origins=[f"http://{LOOPBACK}:{port}"])
        assert fetch(fetcher, f"http://{LOOPBACK}:{port}/x").status == 200


@pytest.mark.parametrize(
    "origin", ["localhost:80", "https://localhost/", "https://localhost?x", "ftp://localhost", "*"]
)
def test_what_is_no_origin_cannot_be_listed(origin: str) -> None:
    with pytest.raises(Misconfigured):
        GuardedFetcher(local_origins=[origin])


def test_the_server_sees_the_name_of_the_url_and_must_prove_it() -> None:
    names: list[str | None] = []
    right = web_servers.serving(NAME)
    right.sni_callback = lambda connection, name, context: names.append(name)
    with counter(context=right) as server:
        assert fetch(fetcher_for(server.port), server.url).status == 200
    assert names == [NAME]
    with counter(context=web_servers.serving("other.example")) as server:
        assert fault(fetcher_for(server.port), server.url) == "certificate"
        assert server.asked == []


def test_a_certificate_of_an_unknown_authority_is_refused() -> None:
    with counter() as server:
        fetcher = guarded(local_origins=[server.url], resolve=nearby())
        assert fault(fetcher, server.url) == "certificate"


def drip(connection: socket.socket, head: bytes, drop: bytes, gone: threading.Event) -> None:
    web_servers.read_request(connection)
    connection.sendall(head)
    while not gone.wait(0.02):
        connection.sendall(drop)


@pytest.mark.parametrize(
    ("head", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"),
        (b"HTTP/1.1 200 OK\r\nx-long: ", b"x"),
        (b"", b""),
    ],
)
def test_a_server_that_drips_bytes_is_left_when_the_time_is_over(head: bytes, drop: bytes) -> None:
    gone = threading.Event()
    with encrypted(lambda connection: drip(connection, head, drop, gone)) as port:
        began = ticks()
        assert fault(fetcher_for(port), f"https://{NAME}:{port}/{SECRET}", deadline=0.3) == "late"
        assert ticks() - began < 2
        gone.set()


def test_a_server_that_never_shakes_hands_is_left_when_the_time_is_over() -> None:
    gone = threading.Event()
    with listening(lambda connection: gone.wait(5) and None) as port:
        assert fault(fetcher_for(port), f"https://{NAME}:{port}/", deadline=0.3) == "late"
        gone.set()


def test_a_server_that_does_not_read_is_left_when_the_time_is_over() -> None:
    gone = threading.Event()
    with encrypted(lambda connection: gone.wait(5) and None) as port:
        url = f"https://{NAME}:{port}/"
        assert fault(fetcher_for(port), url, method="POST", body=b"x" * 30_000_000, deadline=0.5) == "late"
        gone.set()


def test_a_resolver_that_hangs_is_left_when_the_time_is_over() -> None:
    gone = threading.Event()

    def resolve(host: str, port: int) -> Sequence[str]:
        gone.wait(5)
        return []

    fetcher = guarded(resolve=resolve)
    began = ticks()
    assert fault(fetcher, f"https://{NAME}/", deadline=0.2) == "late"
    assert ticks() - began < 2
    gone.set()


def test_a_name_that_does_not_resolve_and_a_closed_port_are_unreachable() -> None:
    def resolve(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(-2, f"{host} is not known")

    assert fault(guarded(resolve=resolve), f"https://{NAME}/{SECRET}") == "unreachable"
    with socket.create_server((LOOPBACK, 0)) as closed:
        port = closed.getsockname()[1]
    assert fault(fetcher_for(port), f"https://{NAME}:{port}/{SECRET}") == "unreachable"


def endless(connection: socket.socket) -> None:
    web_servers.read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")


def test_an_endless_body_is_given_up_at_the_limit() -> None:
    with encrypted(endless) as port:
        assert fault(fetcher_for(port), f"https://{NAME}:{port}/") == "too_large"


@pytest.mark.parametrize(("size", "limit", "fits"), [(10, 10, True), (11, 10, False), (0, 0, True)])
def test_a_body_may_be_as_long_as_the_limit_and_not_a_byte_longer(size: int, limit: int, fits: bool) -> None:
    with counter(reply(200, b"x" * size)) as server:
        fetcher = fetcher_for(server.port)
        if fits:
            assert len(fetch(fetcher, server.url, maximum_bytes=limit).body) == size
        else:
            assert fault(fetcher, server.url, maximum_bytes=limit) == "too_large"


def test_a_packed_body_is_refused_and_never_unpacked() -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    with counter(reply(200, bomb, content_encoding="gzip")) as server:
        assert fault(fetcher_for(server.port), server.url) == "encoded"


@pytest.mark.parametrize(
    "answer", [b"SSH-2.0-x\r\n", b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx", b"\0" * 200_000]
)
def test_what_is_not_whole_http_is_broken(answer: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        web_servers.read_request(connection)
        connection.sendall(answer)

    with encrypted(talk) as port:
        assert fault(fetcher_for(port), f"https://{NAME}:{port}/{SECRET}") == "broken"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "other"},
        {"content-length": "0"},
        {"Transfer-Encoding": "chunked"},
        {"X": f"{SECRET}\r\nY: z"},
        {"X": "ü"},
    ],
)
def test_headers_that_would_change_the_message_itself_never_leave(headers: dict[str, str]) -> None:
    with counter() as server:
        assert fault(fetcher_for(server.port), server.url, headers=headers) == "refused"
        assert server.asked == []


@pytest.mark.parametrize(("deadline", "maximum"), [(0, 1), (5.1, 1), (1, -1), (1, 1_048_577)])
def test_limits_can_only_be_set_lower(deadline: float, maximum: int) -> None:
    with pytest.raises(ValueError):
        FetchRequest(url="https://carrier.example/", deadline=deadline, maximum_bytes=maximum)


def test_a_request_shows_neither_its_url_nor_what_it_carries() -> None:
    shown = repr(FetchRequest(url=f"https://a.example/{SECRET}", headers={"a": SECRET}, body=SECRET.encode()))
    assert SECRET not in shown
    assert SECRET not in repr(FetchAnswer(status=200, headers={"a": SECRET}, body=SECRET.encode()))


def test_a_failure_leaves_the_client_fit_for_the_next_request() -> None:
    with counter(reply(200, b"x" * 100), reply(200, b"ok")) as server:
        fetcher = fetcher_for(server.port)
        assert fault(fetcher, server.url, maximum_bytes=10) == "too_large"
        assert fetch(fetcher, server.url, maximum_bytes=10).body == b"ok"


def test_many_threads_share_it_and_each_gets_its_own_answer() -> None:
    def talk(connection: socket.socket) -> None:
        while (asked := web_servers.read_request(connection)) is not None:
            connection.sendall(reply(200, asked.target.encode()))

    with encrypted(talk) as port:
        fetcher = fetcher_for(port)
        wrong: list[str] = []

        def work(name: int) -> None:
            for turn in range(10):
                target = f"/{name}/{turn}"
                if fetch(fetcher, f"https://{NAME}:{port}{target}").body != target.encode():
                    wrong.append(target)

        threads = [threading.Thread(target=work, args=(name,)) for name in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        fetcher.close()


def test_it_is_called_from_a_loop_without_holding_it_up() -> None:
    async def main(server: web_servers.Counter) -> int:
        fetcher = fetcher_for(server.port)
        answer = await using(fetcher.io, fetcher.fetch, FetchRequest(url=server.url))
        return answer.status

    with counter() as server:
        assert asyncio.run(main(server)) == 200


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_of_a_fork_opens_its_own_connections() -> None:
    with counter() as server:
        fetcher = fetcher_for(server.port)
        fetch(fetcher, server.url)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = 0 if fetch(fetcher, server.url).status == 200 else 1
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert fetch(fetcher, server.url).status == 200
        assert server.connections == 2


def test_an_old_protocol_version_is_refused() -> None:
    context = web_servers.serving(NAME)
    with pytest.warns(DeprecationWarning):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with counter(context=context) as server:
        assert fault(fetcher_for(server.port), server.url) == "unreachable"


def test_live_refuses_a_client_that_reaches_this_machine(tmp_path: Path) -> None:
    settings = Settings(
        project_id="project-live-00000000-0000-4000-8000-000000000000",
        secret="0123456789abcdefghijklmnopqrstuvwxyz",
        root_keys=(bytes(range(32)),),
        public_url="https://app.example",
    )
    storage = SQLiteStorage(tmp_path / "live.db")
    limiter = SQLiteLimiter(tmp_path / "live.db")
    with pytest.raises(Misconfigured):
        Auth(settings, storage=storage, limiter=limiter, fetcher=GuardedFetcher(local_origins=["http://localhost:1"]))
    auth = Auth(settings, storage=storage, limiter=limiter, fetcher=GuardedFetcher())
    assert auth.core.fetcher is not None
    auth.close()
