"""Every method of the vendor's Python client in the hands of somebody who means harm: each argument in turn is hostile, and the others are right.

Law: the client's own calls carry it, so that what it cannot say is left out, and what it says is judged. Each answer is a response that it can read, or a documented
error; it comes from the operation that was called, and never from a fault of ours. What was used up is made anew, and nothing is counted: each value meets what would have worked.
"""

from __future__ import annotations

import inspect
import itertools
import json
from collections.abc import Iterator
from typing import Any

import attrs
import jwt
import pytest
import requests
import stytch
from stytch.core.response_base import StytchError

from authmw import Auth
from authmw.cli.dev import PROJECT_ID, SECRET, dev_auth
from authmw.errors import ERROR_TYPES
from authmw.hosts.wsgi import AuthMiddleware
from authmw.http.api import Api
from authmw.settings import PasswordRules
from authmw_adapters.inbox import Inbox
from authmw_adapters.memory import MemoryStorage
from tests.clients.hostile import Directly, Unlimited, cases
from tests.clients.methods import VALID, Facts, Intelligence, Mail, Services, methods_of, settings_of
from tests.clients.test_every_method import LOCAL, METHODS, NEVER, required

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

HOST = "http://localhost:8000"
SHARE = 6
"""Of the values of an argument that may be left out, every so manieth is tried, beginning elsewhere for each; 1 tries all of all, which takes minutes."""
ITS_OWN = {
    ("sessions.authenticate_jwt", "authorization_check"),
    ("idp.introspect_token_network", "authorization_check"),
}
"""Arguments that the client judges by itself, after a call that they are no part of."""


class Watching(requests.Session):
    """A session that remembers what came back."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[requests.Response] = []

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        self.answers.append(super().send(*args, **kwargs))
        return self.answers[-1]


def host(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """The application behind ours: nothing of the client may come to it."""
    start_response("404 Not Found", [("content-type", "application/json")])
    return [b'{"host": true}']


class Place:
    """A project without limits in this process, and the client of its backend."""

    def __init__(self, auth: Auth, inbox: Inbox, devices: Intelligence) -> None:
        self.auth, self.inbox, self.devices = auth, inbox, devices
        self.table = Api(auth)._table
        self.session = Watching()
        self.session.mount("http://", Directly(AuthMiddleware(host, auth)))
        client = stytch.Client(
            PROJECT_ID,
            SECRET,
            environment=f"{HOST}/",
            fraud_environment=f"{HOST}/",
            sync_session=self.session,
            suppress_warnings=True,
        )
        # The client fetches the keys with another library, which knows of no adapter.
        client.jwks_client.fetch_data = lambda: {"keys": auth.run(auth.keys.published())}
        self.methods = methods_of(client)

    def facts(self) -> Facts:
        return Facts(self.auth, self.inbox, self.devices)

    def led(self, answer: requests.Response) -> Any:
        """What stands at the address that a request was sent to; None if nothing does."""
        path = answer.request.path_url.partition("?")[0]
        found = self.table.match(path)
        return None if found is None else found.methods.get(str(answer.request.method))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    inbox, devices, services = Inbox(), Intelligence(), Services(f"{HOST}/dev/providers")
    base = dev_auth(tmp_path_factory.mktemp("hostile") / "dev.sqlite3", HOST)
    # What an argument says is judged before or behind the hashing, which is tried elsewhere at its full cost.
    passwords = PasswordRules(memory_kib=1024, iterations=1)
    settings = attrs.evolve(settings_of(base.settings, services), passwords=passwords)
    base.close()
    auth = Auth(
        settings,
        storage=MemoryStorage(),
        limiter=Unlimited(),
        email=inbox,
        sms=inbox,
        whatsapp=inbox,
        fetcher=services,
        devices=devices,
        mail_servers=Mail({"example.org": True}),
    )
    yield Place(auth, inbox, devices)
    auth.close()


@pytest.mark.parametrize("name", sorted(VALID.keys() - LOCAL))
def test_no_argument_gets_anything_but_an_answer_of_its_own_operation(place: Place, name: str) -> None:
    method, good = place.methods[name], VALID[name](place.facts())
    place.session.answers.clear()
    call(place, method, good)
    meant = {id(place.led(one)) for one in place.session.answers}
    good = VALID[name](place.facts())
    faults: list[str] = []
    for turn, parameter in enumerate(inspect.signature(METHODS[name]).parameters.values()):
        share = 1 if parameter.default is parameter.empty else SHARE
        beginning = (turn + len(name)) % share
        if (name, parameter.name) in ITS_OWN:
            continue
        for case, value in itertools.islice(cases(parameter.name, parameter.annotation), beginning, None, share):
            if value == "" and is_in_path(place, name, good, parameter.name):
                continue  # Without an id it is another address, of which the next test tells.
            fault = judged(place, method, {**good, parameter.name: value}, meant)
            if fault:
                faults.append(f"{case}={value!r:.60}: {fault}")
            if place.session.answers and place.session.answers[-1].status_code < 300:
                good = VALID[name](place.facts())
    assert faults == []


@pytest.mark.parametrize("step", [".", "..", ""])
@pytest.mark.parametrize("name", sorted(VALID.keys() - LOCAL))
def test_a_step_instead_of_an_id_does_nothing(place: Place, name: str, step: str) -> None:
    """The library under the client takes it out of the address, with the name before it, or leaves nothing there: that is the host's address, or an operation's that refuses it."""
    good = VALID[name](place.facts())
    for parameter in required(METHODS[name]):
        if not isinstance(good[parameter], str) or not is_in_path(place, name, good, parameter):
            continue
        place.session.answers.clear()
        with pytest.raises(StytchError) as refused:
            call(place, place.methods[name], {**good, parameter: step})
        assert refused.value.details.status_code in {400, 404, 405}


def is_in_path(place: Place, name: str, good: dict[str, Any], parameter: str) -> bool:
    place.session.answers.clear()
    judged(place, place.methods[name], {**good, parameter: "mark-of-the-path"}, set())
    return any("mark-of-the-path" in one.request.path_url.partition("?")[0] for one in place.session.answers)


def call(place: Place, method: Any, arguments: dict[str, Any]) -> Any:
    answer = method(**arguments)
    return next(iter(answer), None) if method.__name__ == "search_all" else answer


def judged(place: Place, method: Any, arguments: dict[str, Any], meant: set[int]) -> str:
    """What is wrong with the outcome of one call; nothing if it is a response or a documented error of the operation that was meant."""
    answers = place.session.answers
    answers.clear()
    try:
        call(place, method, arguments)
    except StytchError as refused:
        fault = _undocumented(refused)
        if fault:
            return fault
    except (AttributeError, TypeError):
        pass  # The client itself cannot use such an argument.
    except (ValueError, jwt.PyJWTError, requests.exceptions.RequestException) as fault:
        # It would not say it, or cannot read what came back.
        if answers:
            return f"{type(fault).__name__} on {answers[-1].status_code} {answers[-1].text[:200]}"
    for one in answers:
        if one.status_code >= 500:
            return f"{one.status_code} {one.text[:200]}"
        if id(place.led(one)) not in meant:
            return f"led to {one.request.method} {one.request.path_url}"
    return ""


def _undocumented(refused: StytchError) -> str:
    said = refused.details.original_json or {}
    # The token endpoints speak as RFC 6749 section 5.2 wants; their error_uri names our own row.
    error_type = said.get("error_type") or str(said.get("error_uri")).rpartition("#")[2]
    if error_type not in ERROR_TYPES.keys() - NEVER:
        return f"is no documented error: {json.dumps(said)[:300]}"
    if refused.details.status_code != ERROR_TYPES[error_type].status:
        return f"has another status than {error_type}: {refused.details.status_code}"
    return ""
