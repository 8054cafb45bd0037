"""`GuardedFetcher`: the one client that every outbound URL passes (AUD-03).

It stands directly on httpcore2's pool. What a full client adds is what must not be here: redirects, cookies that one call
leaves for the next, proxies from the environment, unpacking of bodies.

Law: https to globally routable addresses only, one deadline for the whole request, a bounded body that is never
unpacked, and one type of error that holds nothing of the URL.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Collection

import attrs
import httpcore2

from authmw.clock import ticks
from authmw.errors import FetchFailed, FetchFault, Misconfigured
from authmw.ports import IO, FetchAnswer, FetchRequest
from authmw.urls import Malformed, SplitURL, split_url
from authmw_adapters.fetcher.dialling import (
    Dialler,
    LateError,
    NotAllowedError,
    Resolve,
    deadline,
    left,
    system_addresses,
)

_OURS = frozenset(
    {"host", "content-length", "transfer-encoding", "accept-encoding", "connection", "te", "upgrade", "expect"}
)
"""Headers that say how the message travels; a caller that sets one is refused."""
_PORTS = {"https": 443, "http": 80}


@attrs.frozen
class _Live:
    """What belongs to one process: a pool shared with a child would mix two conversations on one connection."""

    process: int
    pool: httpcore2.ConnectionPool


class GuardedFetcher:
    """Makes outbound requests over HTTP/1.1 and TLS. May be used from any thread and after a fork.

    `local_origins` are origins on this machine (`http://localhost:8000`, `https://idp.example:8443`) that may be reached too, over plain
    http as well; their names must resolve to loopback addresses only. They are for development and tests, and Live refuses them.
    `context` replaces `ssl.create_default_context()`, `resolve` the operating system's resolver. `user_agent` is what
    servers see. Raises Misconfigured for an origin that is none.
    """

    io: IO = "blocking"

    def __init__(
        self,
        *,
        local_origins: Collection[str] = (),
        context: ssl.SSLContext | None = None,
        resolve: Resolve = system_addresses,
        user_agent: str = "authmw",
        maximum_connections: int = 20,
    ) -> None:
        self._local = frozenset(map(_origin, local_origins))
        self._context = context
        self._resolve = resolve
        self._user_agent = user_agent
        self._maximum_connections = maximum_connections
        self._live: list[_Live] = []

    @property
    def local(self) -> bool:
        """Whether origins on this machine may be reached."""
        return bool(self._local)

    async def fetch(self, request: FetchRequest) -> FetchAnswer:
        """The answer to a request, whatever its status. Raises `authmw.errors.FetchFailed`."""
        outcome = self._attempt(request)
        if isinstance(outcome, FetchAnswer):
            return outcome
        # Outside of every handler: an error of the libraries below would stay attached to it, with the URL's words.
        raise FetchFailed(outcome)

    def close(self) -> None:
        """Let go of the connections of this process."""
        for live in self._live:
            if live.process == os.getpid():
                live.pool.close()
        self._live = []

    def _attempt(self, request: FetchRequest) -> FetchAnswer | FetchFault:
        token = deadline.set(ticks() + request.deadline)
        try:
            return self._exchange(request, self._target(request))
        except (NotAllowedError, httpcore2.LocalProtocolError):
            return "refused"
        except (LateError, httpcore2.TimeoutException):
            return "late"
        except httpcore2.ConnectError as fault:
            # The pool drops the cause; what it was made of stays.
            unproved = any(isinstance(origin, ssl.SSLCertVerificationError) for origin in fault.args)
            return "certificate" if unproved else "unreachable"
        except (httpcore2.NetworkError, httpcore2.ProtocolError):
            return "broken"
        finally:
            deadline.reset(token)

    def _target(self, request: FetchRequest) -> httpcore2.URL:
        try:
            url = split_url(request.url)
        except Malformed:
            raise NotAllowedError from None
        host, port = _host(url), int(url.port or _PORTS.get(url.scheme, 0))
        if url.scheme != "https" and (url.scheme, host, port) not in self._local:
            raise NotAllowedError
        if any(name.lower() in _OURS or not (name + value).isascii() for name, value in request.headers.items()):
            raise NotAllowedError
        target = (url.path or "/") + (f"?{url.query}" if url.query is not None else "")
        return httpcore2.URL(scheme=url.scheme, host=host, port=port, target=target)

    def _exchange(self, request: FetchRequest, url: httpcore2.URL) -> FetchAnswer | FetchFault:
        sent = httpcore2.Request(
            request.method,
            url,
            headers=self._headers(request, url),
            content=request.body,
            extensions={"timeout": {"pool": left()}},
        )
        answer = self._pool().handle_request(sent)
        try:
            headers = _joined(answer.headers)
            if headers.get("content-encoding", "identity") != "identity":
                return "encoded"  # to unpack it would let a few bytes become gigabytes
            body = bytearray()
            for part in answer.iter_stream():
                body += part
                if len(body) > request.maximum_bytes:
                    return "too_large"
            return FetchAnswer(status=answer.status, headers=headers, body=bytes(body))
        finally:
            answer.close()  # a connection that was not read to its end is not used again

    def _headers(self, request: FetchRequest, url: httpcore2.URL) -> list[tuple[str, str]]:
        host = url.host.decode("ascii")
        name = f"[{host}]" if ":" in host else host
        usual = url.port == _PORTS[url.scheme.decode("ascii")]
        headers = [("Host", name if usual else f"{name}:{url.port}"), ("Accept-Encoding", "identity")]
        if request.body or request.method in ("POST", "PUT", "PATCH"):
            headers.append(("Content-Length", str(len(request.body))))
        if not any(each.lower() == "user-agent" for each in request.headers):
            headers.append(("User-Agent", self._user_agent))
        return headers + list(request.headers.items())

    def _pool(self) -> httpcore2.ConnectionPool:
        process = os.getpid()
        if not self._live or self._live[-1].process != process:
            pool = httpcore2.ConnectionPool(
                ssl_context=self._context or ssl.create_default_context(),
                max_connections=self._maximum_connections,
                keepalive_expiry=20,
                network_backend=Dialler(self._resolve, frozenset((host, port) for _, host, port in self._local)),
            )
            # No lock, which a fork could inherit held: two threads that come first may each make a pool, and one is used
            # once. A parent's pool stays, unused: to close it here would take locks that another thread held at the fork.
            self._live.append(_Live(process, pool))
            return pool
        return self._live[-1].pool


def _origin(text: str) -> tuple[str, str, int]:
    """Scheme, host and port of a listed origin. Raises Misconfigured."""
    try:
        url = split_url(text)
    except Malformed as fault:
        raise Misconfigured(f"A local origin of the fetcher is not one: {fault}.") from None
    if url.scheme not in _PORTS or url.path or url.query is not None:
        raise Misconfigured("A local origin of the fetcher is a scheme, a host and a port, and nothing behind them.")
    return url.scheme, _host(url), int(url.port or _PORTS[url.scheme])


def _host(url: SplitURL) -> str:
    return url.host[1:-1] if url.host.startswith("[") else url.host


def _joined(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by their name in lower case; one that came several times is joined by commas (RFC 9110 section 5.3)."""
    joined: dict[str, str] = {}
    for raw, value in headers:
        name, text = raw.decode("ascii").lower(), value.decode("latin-1")
        joined[name] = f"{joined[name]}, {text}" if name in joined else text
    return joined
