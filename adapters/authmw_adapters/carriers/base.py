"""What every carrier over HTTP shares: one request through the guarded client, and one table of outcomes.

Law: an error holds no number, no address, no text and nothing that the carrier said. A time-out may have reached the carrier, so a retried
message can arrive twice; where the carrier knows a repeated one by a key, the key is the message's id.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec

from authmw.crypto.secret import Secret
from authmw.errors import FetchFailed, Misconfigured, SendingFailed
from authmw.ports import IO, FetchAnswer, Fetcher, FetchRequest
from authmw.urls import Malformed, split_url

_TEMPORARY = frozenset({408, 425, 429})
_LONGEST_WAIT = 3600.0
_USUAL = {"https": "443", "http": "80"}
_NO_ADDRESS = "A carrier's base_url must be an address without a slash at its end."


class Carrier:
    """A carrier reached through a `Fetcher`. `base_url` replaces the carrier's own address, for its other regions and for tests."""

    deadline = 5.0
    """Seconds that the carrier has for its answer, at most 5."""

    def __init__(self, fetcher: Fetcher, base_url: str) -> None:
        try:
            url = split_url(base_url)
        except Malformed:
            raise Misconfigured(_NO_ADDRESS) from None
        if url.scheme not in _USUAL or url.query is not None or url.path.endswith("/"):
            raise Misconfigured(_NO_ADDRESS)
        self._fetcher = fetcher
        self._host = url.host if url.port in (None, _USUAL[url.scheme]) else f"{url.host}:{url.port}"
        self._root = url.path
        self._base_url = base_url
        self.io: IO = fetcher.io

    async def _post(self, path: str, headers: Mapping[str, str], body: bytes) -> FetchAnswer:
        """The answer of a carrier that took the message. Raises SendingFailed."""
        request = FetchRequest(
            method="POST",
            url=self._base_url + path,
            headers=headers,
            body=body,
            maximum_bytes=65_536,
            deadline=self.deadline,
        )
        try:
            answer = await self._fetcher.fetch(request)
        except FetchFailed as failed:
            failure = SendingFailed(f"The carrier could not be asked: {failed.reason}.", retryable=failed.retryable)
        else:
            if 200 <= answer.status < 300:
                return answer
            failure = self._refused(answer)
        raise failure

    def _refused(self, answer: FetchAnswer) -> SendingFailed:
        return refusal(answer, retryable=answer.status in _TEMPORARY or answer.status >= 500)


def refusal(answer: FetchAnswer, *, retryable: bool) -> SendingFailed:
    """What to say of an answer that is no success: its status, and how long the carrier wants to be left alone."""
    wait = answer.headers.get("retry-after", "")
    seconds = min(float(wait), _LONGEST_WAIT) if wait.isascii() and wait.isdigit() else None
    return SendingFailed(f"The carrier answered {answer.status}.", retryable=retryable, retry_after=seconds)


def secret_of(value: Secret | str, name: str) -> Secret:
    """A credential that can stand in a header. Raises Misconfigured."""
    secret = value if isinstance(value, Secret) else Secret(value)
    text = secret.reveal()
    if not text or not all("!" <= one <= "~" for one in text):
        raise Misconfigured(f"{name} must be printable ASCII without spaces.")
    return secret


def basic(user: str, secret: Secret) -> str:
    """The value of an Authorization header (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{secret.reveal()}".encode()).decode("ascii")


def as_form(values: Mapping[str, str]) -> tuple[dict[str, str], bytes]:
    """Headers and body of a form."""
    return {"Content-Type": "application/x-www-form-urlencoded"}, urlencode(values).encode("ascii")


def as_json(value: object) -> tuple[dict[str, str], bytes]:
    """Headers and body of a JSON document, in ASCII."""
    return {"Content-Type": "application/json"}, json.dumps(value).encode("ascii")


def read_json(answer: FetchAnswer) -> dict[str, object]:
    """The object that a carrier answered with; empty for anything else."""
    try:
        return msgspec.json.decode(answer.body, type=dict[str, object])
    except msgspec.MsgspecError:
        return {}
