"""Canaries: values that occur nowhere else go through every operation, also where it fails, and come out in no log, event, error, representation or message.

Law: what a request says is never echoed by a refusal, and what is secret is in nothing that a person or a program keeps to look at (LOG-01).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
from msgspec.inspect import IntType, ListType, StructType, type_info

from authmw.declarations import Operation
from authmw.drive import step
from authmw.errors import SendingFailed, StorageError
from authmw.kinds import KINDS
from authmw.ledger.outbox import dispatch_due
from authmw.ledger.records import Event
from authmw.storage import And
from tests.stories.test_abuse import Held, full_world
from tests.world import SECRET, Answer, World, make_world

PASSWORD = "canary-nine quiet lanterns follow winter"


class Kept(logging.Handler):
    """Everything that anything logs but the client that asks, as text with what it carries."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith("httpx"):
            self.text += logging.Formatter().format(record) + repr(record.__dict__)


@pytest.fixture
def logs() -> Iterator[Kept]:
    kept, root = Kept(), logging.getLogger()
    before = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(kept)
    yield kept
    root.removeHandler(kept)
    root.setLevel(before)


@pytest.fixture(params=["asgi", "wsgi"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return full_world(tmp_path, request.param)


def everything_stored(world: World, kinds: tuple[type[Any], ...] = KINDS) -> list[Any]:
    world.auth.notes.flush()
    return [one for kind in kinds for one in step(world.auth.storage.page(kind, And(), limit=1000)).records]


def shaped(operation: Operation, canary: str) -> dict[str, Any]:
    """A body in which every text is the canary and everything else has its type, as far as a schema says."""
    body: dict[str, Any] = {}
    for field in type_info(operation.body).fields:  # type: ignore[union-attr]  # a struct
        kinds = getattr(field.type, "types", (field.type,))
        kind = next((one for one in kinds if type(one).__name__ not in {"NoneType", "UnsetType"}), kinds[0])
        if isinstance(kind, IntType):
            body[field.encode_name] = kind.ge or 5
        elif isinstance(kind, ListType):
            body[field.encode_name] = [canary]
        elif isinstance(kind, StructType) or type(kind).__name__ == "DictType":
            body[field.encode_name] = {canary: canary}
        elif type(kind).__name__ == "BoolType":
            body[field.encode_name] = True
        else:
            body[field.encode_name] = canary
    return body


def bodies(operation: Operation, canary: str) -> Iterator[Any]:
    names = [field.name for field in msgspec.structs.fields(operation.body)]
    yield shaped(operation, canary)
    yield dict.fromkeys(names, canary)
    yield {name: {canary: [canary, 1, None]} for name in names}
    yield {canary: canary}
    yield f'{{"{canary}": "{canary}'.encode()
    yield canary.encode()


def numbered(path: str, canary: str) -> str:
    return re.sub(r"\{\w+\}", canary, path)


def refusal_holds(answer: Answer, canary: str) -> bool:
    """Whether a refusal says what it was told. What an answer of success shows is the caller's own."""
    assert answer.status < 500 or answer.json["error_type"] in {"downstream_carrier_error", "server_unavailable"}
    return answer.status >= 400 and canary in str(answer.json) + str(answer.headers)


def test_no_refusal_log_or_event_says_what_a_request_said(world: World, logs: Kept) -> None:
    """A302, A255: every operation of the backend, with the canary in every place of every body, in the path, the query and the headers."""
    asked = 0
    for number, (_, operation) in enumerate(world.auth.table()):
        if operation.door != "backend":
            continue
        for each, body in enumerate(bodies(operation, canary := f"canary{number:04}of0a0b0c0d0e0f")):
            path = numbered(operation.path, canary)
            if operation.method == "GET":
                answer = world.backend("GET", f"{path}?{canary}={canary}&limit={canary}")
            else:
                answer = world.backend(operation.method, path, body, content_type="application/json")
            asked += 1
            assert not refusal_holds(answer, canary), (operation.action, each, answer.json)
            wrong = world.send(operation.method, path, authorization=f"Basic {canary}", x_request_id=canary)
            assert not refusal_holds(wrong, canary), operation.action
    assert asked > 500
    assert "canary" not in logs.text
    for event in everything_stored(world, (Event,)):
        # Ids of the host's own choice say whom a call that stands was about, and which of its staff acted.
        about = attrs.evolve(event, subject_id="") if event.status == "success" else event
        about = attrs.evolve(about, actor="") if event.action == "ImpersonationStart" else about
        assert "canary" not in str(attrs.asdict(about)), event.action


def test_no_refusal_of_the_browser_api_says_what_a_request_said(world: World, logs: Kept) -> None:
    """A302: every row of the browser API, without and with a session that is none."""
    rows = list(world.auth.rows())
    for number, row in enumerate(rows):
        canary = f"canary{number:04}of0a0b0c0d0e0f"
        path = numbered(row.path, canary)
        for body in ({canary: canary}, f'{{"{canary}'.encode(), dict.fromkeys(("email", "token", "code"), canary)):
            content = None if row.method == "GET" else body
            for token in ("", canary):
                more = {"token": token} if token else {}
                answer = world.browser(row.method, path, content, content_type="application/json", **more)
                assert not refusal_holds(answer, canary), (row.path, answer.json)
    assert len(rows) > 50
    assert "canary" not in logs.text
    for event in everything_stored(world, (Event,)):
        assert "canary" not in str(attrs.asdict(event)), event.action


def test_what_was_handed_out_is_in_no_log_event_or_representation(world: World, logs: Kept) -> None:
    """A302, A049, A085, LOG-01: every kind of token and code, a password, a seed, recovery codes, and the addresses they belong to."""
    held = Held(world)
    made = world.backend("POST", "/v1/totps", {"user_id": held.user_id}).json
    password = world.backend("POST", "/v1/passwords", {"email": "canary.person@example.org", "password": PASSWORD})
    assert password.status == 200, password.json
    secrets = {name: token for name, (token, _) in held.kinds.items() if name != "code"}
    secrets |= {"seed": made["secret"], "password": PASSWORD, "secret": SECRET}
    secrets |= {f"recovery code {number}": one for number, one in enumerate(made["recovery_codes"])}
    secrets |= {"address": "ada@example.org", "other address": "canary.person@example.org"}
    records = everything_stored(world)
    assert len({type(record) for record in records}) > 10
    said = "".join(repr(record) + str(record) for record in records)
    events = "".join(str(attrs.asdict(one)) for one in everything_stored(world, (Event,)))
    read = str(world.backend("GET", "/v1/project/events?limit=1000").json)
    objects = repr(world.auth.settings) + repr(world.auth) + repr(world.auth.core)
    for name, secret in secrets.items():
        for where, text in (
            ("repr", said),
            ("events", events),
            ("read", read),
            ("objects", objects),
            ("log", logs.text),
        ):
            assert secret not in text, (name, where)


class Loud:
    """A port that says everything that it was given when it fails."""

    io = "instant"

    def __init__(self, fault: type[Exception]) -> None:
        self.fault = fault

    async def send(self, message: Any) -> None:
        raise self.fault(f"canary-of-the-carrier {message!r} {message.to} {message.text}")


@pytest.mark.parametrize("fault", [SendingFailed, RuntimeError, ValueError, OSError])
@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_what_a_failing_sender_says_reaches_nobody(
    tmp_path: Path, host: str, fault: type[Exception], logs: Kept
) -> None:
    """A305: not the caller, not the log, not the event; whether the first attempt fails or a later one."""
    world = make_world(tmp_path, host)
    world.auth.core.email = world.auth.core.sms = Loud(fault)  # type: ignore[assignment]  # what it is to fail
    answers = [
        world.backend("POST", "/v1/magic_links/email/login_or_create", {"email": "canary.person@example.org"}),
        world.backend("POST", "/v1/otps/sms/login_or_create", {"phone_number": "+12025550142"}),
        world.browser("POST", "/sdk/v1/magic_links/email/login_or_create", {"email": "canary.person@example.org"}),
    ]
    world.clock.advance(hours=1)
    world.auth.run(dispatch_due(world.auth.core, world.clock.now()))
    said = "".join(str(answer.json) for answer in answers) + logs.text
    said += "".join(repr(event) for event in everything_stored(world, (Event,)))
    assert answers[0].status >= 500
    for canary in ("canary", "+12025550142", "token="):
        assert canary not in said


class Failing:
    """A storage that says everything that it was given when it fails."""

    def __init__(self, inner: Any, fault: type[Exception]) -> None:
        self.inner, self.fault = inner, fault

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def find(self, kind: Any, index: str, value: Any) -> Any:
        raise self.fault(f"canary-of-the-database {value!r}")

    get = find


@pytest.mark.parametrize("fault", [StorageError, RuntimeError])
@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_what_a_failing_storage_says_reaches_nobody(
    tmp_path: Path, host: str, fault: type[Exception], logs: Kept
) -> None:
    """A305, LOG-02: the caller gets a fixed word and the request id."""
    world = make_world(tmp_path, host)
    world.auth.core.storage = Failing(world.auth.core.storage, fault)  # type: ignore[assignment]  # what it is to fail
    answer = world.backend("POST", "/v1/magic_links/authenticate", {"token": "canary-of-the-request-0123456789"})
    assert answer.status in {500, 503}
    assert answer.json["request_id"].startswith("request-id-")
    assert "canary" not in str(answer.json) + logs.text
