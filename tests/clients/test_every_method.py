"""Every method of the vendor's Python client, called with what must work and with what must not.

None can be forgotten: the client is asked for its methods, and each must have arguments here.
"""

from __future__ import annotations

import asyncio
import inspect
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import jwt
import pytest
import requests
import stytch
from stytch.core.response_base import StytchError

from authmw import Auth
from authmw.cli.dev import PROJECT_ID, SECRET, dev_auth
from authmw.errors import ERROR_TYPES
from authmw.ledger.records import Event
from authmw.storage import Equals
from authmw_adapters.inbox import Inbox
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage
from tests.clients.conftest import running
from tests.clients.methods import VALID, Facts, Intelligence, Mail, Services, methods_of, settings_of

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
    pytest.mark.xdist_group("every method"),
]

NEVER = {"route_not_found", "method_not_allowed", "internal_server_error", "server_unavailable"}
HOSTILE: list[Any] = [7, True, [], {"a": {"b": []}}, "", "x", "\0\u202e", "x" * 20_000]
"""What each argument is, one at a time."""
IN_A_PATH: list[Any] = ["x", "a b", "%2e%2e", "\u202e", "x" * 200]
"""The same for arguments that are part of an address, which cannot be empty or hold a slash."""

with warnings.catch_warnings():
    # The client's own dependencies complain of the client.
    warnings.simplefilter("ignore")
    METHODS = methods_of(stytch.Client(PROJECT_ID, SECRET, environment="http://127.0.0.1:9/"))
NAMES = [name for name in METHODS if not name.endswith("_async")]
LOCAL = {"idp.introspect_access_token_local", "m2m.authenticate_token", "sessions.authenticate_jwt_local"}
"""What the client does by itself, with our keys."""


def required(method: Any) -> list[str]:
    return [one.name for one in inspect.signature(method).parameters.values() if one.default is one.empty]


class Watching(requests.Session):
    """A session that remembers what came back."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[requests.Response] = []

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs["timeout"] = 60
        self.answers.append(super().send(*args, **kwargs))
        return self.answers[-1]


class Place:
    """A project that serves, and the inbox of its people."""

    def __init__(self, auth: Auth, inbox: Inbox, devices: Intelligence, url: str) -> None:
        self.auth, self.inbox, self.devices, self.url = auth, inbox, devices, url

    def facts(self) -> Facts:
        return Facts(self.auth, self.inbox, self.devices)

    def events(self, request_id: str) -> Sequence[Event]:
        """How the call of this request is written down."""
        self.auth.notes.flush()
        return self.auth.run(self.auth.storage.page(Event, Equals("request", (request_id,)), limit=10)).records

    def actions(self, method: str, path: str) -> set[str]:
        """What the operations at an address are logged as."""
        return {
            one.action
            for _, one in self.auth.table()
            if one.method == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", one.path), path.partition("?")[0])
        }

    def client(self, watching: Watching | None = None) -> stytch.Client:
        return stytch.Client(
            PROJECT_ID,
            SECRET,
            environment=self.url,
            fraud_environment=self.url,
            sync_session=watching or Watching(),
            suppress_warnings=True,
        )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder, inbox, devices = tmp_path_factory.mktemp("methods"), Inbox(), Intelligence()
    made: list[Auth] = []

    def make(url: str) -> Auth:
        services = Services(f"{url}/dev/providers")
        base = dev_auth(folder / "dev.sqlite3", url)
        made.append(
            Auth(
                settings_of(base.settings, services),
                storage=SQLiteStorage(folder / "app.sqlite3"),
                limiter=SQLiteLimiter(folder / "app.sqlite3"),
                email=inbox,
                sms=inbox,
                whatsapp=inbox,
                fetcher=services,
                devices=devices,
                mail_servers=Mail({"example.org": True}),
            )
        )
        base.close()
        return made[0]

    with running(make, inbox) as client:
        yield Place(made[0], inbox, devices, client.api_base.base_url)


def test_every_method_has_arguments_and_nothing_else_has() -> None:
    assert set(NAMES) == VALID.keys()
    assert {name.removesuffix("_async") for name in METHODS} == VALID.keys()
    twins = {name for name in NAMES if f"{name}_async" not in METHODS}
    assert twins == {"idp.introspect_access_token_local"}


@pytest.mark.parametrize("name", sorted(VALID))
def test_what_must_work_works_and_is_in_the_log_under_its_action(place: Place, name: str) -> None:
    arguments = VALID[name](place.facts())
    watching = Watching()
    answer = methods_of(place.client(watching))[name](**arguments)
    if name == "users.search_all":
        answer = next(iter(answer))
    assert answer is not None
    assert getattr(answer, "status_code", 200) == 200
    assert bool(watching.answers) == (name not in LOCAL)
    for each in watching.answers:
        (event,) = place.events(each.json()["request_id"])
        assert event.action in place.actions(str(each.request.method), each.request.path_url)
        assert (event.status, event.http_status, event.audience) == ("success", 200, "backend")


@pytest.mark.parametrize("name", sorted(name for name in VALID if f"{name}_async" in METHODS))
def test_what_must_work_works_asynchronously(place: Place, name: str) -> None:
    arguments = VALID[name](place.facts())

    async def call() -> Any:
        client = place.client()
        try:
            asked = methods_of(client)[f"{name}_async"](**arguments)
            return await anext(aiter(asked)) if hasattr(asked, "__aiter__") else await asked
        finally:
            await client.async_client.close()

    answer = asyncio.run(call())
    assert answer is not None
    assert getattr(answer, "status_code", 200) == 200


@pytest.mark.parametrize("name", [name for name in NAMES if name not in LOCAL])
def test_what_must_not_work_is_refused_by_a_documented_error(place: Place, name: str) -> None:
    watching = Watching()
    method = methods_of(place.client(watching))[name]
    good, needed = VALID[name](place.facts()), required(method)
    for turn, parameter in enumerate(inspect.signature(method).parameters):
        values = IN_A_PATH if in_path(place, name, parameter, good) else HOSTILE
        # The described wire is tried with every value elsewhere; of what may be left out two are enough here.
        chosen = values if parameter in needed else [values[turn % len(values)], values[-1 - turn % len(values)]]
        for value in chosen:
            check(watching, name, method, {**good, parameter: value}, (parameter, value))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in LOCAL and required(METHODS[name])])
def test_what_must_not_work_is_refused_asynchronously(place: Place, name: str) -> None:
    """A sample: the twin says the same by another library."""
    good = VALID[name](place.facts())
    chosen = len(name)

    async def call() -> None:
        client = place.client()
        method = methods_of(client)[f"{name}_async"]
        try:
            for parameter in required(METHODS[name]):
                value = HOSTILE[chosen % len(HOSTILE)]
                if in_path(place, name, parameter, good):
                    value = IN_A_PATH[chosen % len(IN_A_PATH)]
                try:
                    await method(**{**good, parameter: value})
                except StytchError as refused:
                    said = refused.details.original_json or {}
                    error_type = said.get("error_type") or str(said.get("error_uri")).rpartition("#")[2]
                    assert error_type in ERROR_TYPES.keys() - NEVER, (name, parameter, value, said)
                except (AttributeError, TypeError, jwt.PyJWTError):
                    pass  # The client itself cannot use such an argument.
        finally:
            await client.async_client.close()

    asyncio.run(call())


@pytest.mark.parametrize("name", sorted(LOCAL))
def test_what_the_client_does_by_itself_refuses_what_is_no_token(place: Place, name: str) -> None:
    method = methods_of(place.client())[name]
    (token,) = required(method)
    for value in ("", "x", "a.b.c", "x" * 20_000):
        try:
            assert method(**{token: value}) is None
        except Exception as fault:
            assert "validation" not in type(fault).__name__.lower()


def check(watching: Watching, name: str, method: Any, arguments: dict[str, Any], case: Any) -> None:
    """One call: its answer parses, or it is refused by a row of our table, or the client never sent it."""
    watching.answers.clear()
    try:
        answer = method(**arguments)
        if name == "users.search_all":
            next(iter(answer), None)
    except StytchError as refused:
        said = refused.details.original_json or {}
        # The token endpoints speak as RFC 6749 section 5.2 wants; their error_uri names our own row.
        error_type = said.get("error_type") or str(said.get("error_uri")).rpartition("#")[2]
        assert error_type in ERROR_TYPES, (name, case, said)
        assert error_type not in NEVER, (name, case, said)
        if "error_type" in said:
            assert refused.details.status_code == ERROR_TYPES[error_type].status, (name, case, said)
    except (AttributeError, TypeError):
        pass  # The client itself cannot use such an argument.
    except Exception as fault:
        if not watching.answers:
            return  # The client would not say it.
        message = f"{name} {case}: {watching.answers[-1].text[:500]}"
        raise AssertionError(message) from fault
    for each in watching.answers:
        assert each.status_code < 500, (name, case, each.text)


def in_path(place: Place, name: str, parameter: str, good: dict[str, Any]) -> bool:
    """Whether an argument of this method is part of the address that it calls."""
    watching = Watching()
    given = {**good, parameter: "mark-of-the-path"}
    try:
        methods_of(place.client(watching))[name](**given)
    except Exception:
        pass
    return any("mark-of-the-path" in str(each.request.url).partition("?")[0] for each in watching.answers)
