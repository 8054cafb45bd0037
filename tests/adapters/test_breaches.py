"""A source of breached passwords over HTTP: what it is asked, and which answers count."""

from __future__ import annotations

import socket
import time

import pytest

from authmw import Misconfigured
from authmw.drive import step
from authmw.errors import BreachSourceFailed
from authmw.factors.password.breaches import named
from authmw_adapters.breaches import PwnedPasswords
from tests.web_servers import NAME, Counter, counter, encrypted, fetcher_for, read_request, reply

PASSWORD = "lovely purple submarine kettle"
PREFIX, SUFFIX = named(PASSWORD)
OTHER = "0" * 35


def source(server: Counter, **options: int) -> PwnedPasswords:
    return PwnedPasswords(fetcher_for(server.port), base_url=server.url, **options)


def asked(server: Counter, **options: int) -> frozenset[str]:
    return step(source(server, **options).suffixes(PREFIX))


def test_five_digits_leave_and_nothing_else() -> None:
    """PWD-06, breach_source of the corpus: no address, no id, and padding asked for."""
    with counter(reply(body=f"{OTHER}:3\r\n{SUFFIX}:2\r\n{'F' * 35}:0".encode())) as server:
        assert asked(server) == {OTHER, SUFFIX}
    sent = server.asked[0]
    assert (sent.method, sent.target, sent.body) == ("GET", f"/range/{PREFIX}", b"")
    assert sent.headers["add-padding"] == "true"
    assert set(sent.headers) == {"host", "accept-encoding", "user-agent", "add-padding"}
    assert SUFFIX not in str(sent)


def test_padding_and_what_was_seen_too_seldom_do_not_count() -> None:
    with counter(reply(body=f"{OTHER}:0\n{SUFFIX}:9\n".encode())) as server:
        assert asked(server) == {SUFFIX}
        assert asked(server, least=10) == frozenset()


BAD = {
    "html": reply(body=b"<html><body>Sign in to the network</body></html>"),
    "nothing": reply(body=b""),
    "one bad line among good ones": reply(body=f"{SUFFIX}:2\r\nxyz\r\n".encode()),
    "a count that is none": reply(body=f"{SUFFIX}:-1\r\n".encode()),
    "an error": reply(503, b"busy"),
    "a redirect": reply(302, location="https://elsewhere.example/range"),
    "too much": reply(body=b"A" * 1_100_000),
}


@pytest.mark.parametrize("name", BAD)
def test_an_answer_that_is_not_one_counts_as_none(name: str) -> None:
    """breach_source of the corpus: a parse error is not a clean password; a redirect is not followed; 1 MiB at most."""
    with counter(BAD[name]) as server, pytest.raises(BreachSourceFailed) as failed:
        asked(server)
    assert len(server.asked) == 1
    assert PREFIX not in str(failed.value)
    assert SUFFIX not in str(failed.value)


def test_a_source_that_drips_is_given_up_after_a_second() -> None:
    def drip(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        while True:
            connection.sendall(b"A")
            if connection.recv(1) == b"":  # until the client goes away
                return

    with encrypted(drip) as port:
        began = time.monotonic()
        with pytest.raises(BreachSourceFailed, match="late"):
            step(PwnedPasswords(fetcher_for(port), base_url=f"https://{NAME}:{port}").suffixes(PREFIX))
        assert time.monotonic() - began < 5


def test_a_range_and_an_address_must_be_well_formed() -> None:
    with counter() as server:
        for wrong in ("abcde", "1234", "123456", "../..", PREFIX + "\n"):
            with pytest.raises(BreachSourceFailed):
                step(source(server).suffixes(wrong))
        assert server.asked == []
    for wrong in ("https://mirror.example/", "mirror.example"):
        with pytest.raises(Misconfigured):
            PwnedPasswords(fetcher_for(1), base_url=wrong)
