"""The wire answers as its own OpenAPI document says, whatever is sent: generated requests, and hostile values of the corpora put into them."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import attrs
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, assume, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.responses import JSONResponse

from tests.world import PROJECT_ID, SECRET, World, asgi_app, make_world, wsgi_app

CORPUS = Path(__file__).parents[1] / "corpus"
CASES_PER_RUN = 120
"""How many requests one run sends, shared by all operations, so that the run stays short however many there are."""

AUTHORIZATION = {"Authorization": "Basic " + base64.b64encode(f"{PROJECT_ID}:{SECRET}".encode()).decode()}
DOCUMENTED = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
Answers: TypeAlias = Counter[tuple[str, int]]


def cases(name: str, key: str) -> Iterator[str]:
    for case in json.loads((CORPUS / f"{name}.json").read_text())["cases"]:
        if isinstance(case.get(key), str):
            yield case[key]


SHARP: list[Any] = [
    *("\0ada@example.org", "a\0b", "\ud800", "\u202e\ufeff", "\r\nSet-Cookie: a=b", "x" * 20_000),
    *(-1, 2**64, 10**400, 1e308, True, [], [None], {"": {"a": [[[]]]}}),
]
"""What every field of every operation is given, one at a time."""

HOSTILE: list[Any] = [
    *SHARP,
    *cases("emails", "input"),
    *cases("phones", "input"),
    *cases("redirects", "candidate"),
    *cases("jwt_attacks", "token"),
    *("%00", "%ff", "'; drop table users --", "{{7*7}}", "../../etc/passwd", "<script>alert(1)</script>"),
]


def can_be_encoded(values: object) -> bool:
    """Half a surrogate pair has no form in an address or in a form that a client could send; JSON has one for it."""
    return "\\ud" not in ascii(values)


@attrs.frozen
class Explorer:
    """Sends generated requests to an application and remembers what came back that the document does not say."""

    world: World
    app: Any
    known: dict[str, list[str]]
    answers: Answers = attrs.field(factory=Counter)
    faults: dict[str, str] = attrs.field(factory=dict)

    def schema(self, *, hostile: bool) -> Any:
        load = schemathesis.openapi.from_asgi if self.world.host == "asgi" else schemathesis.openapi.from_wsgi
        schema = load("/openapi.json", self.app)
        refused = ["400", "401", "403", "404", "405", "413", "415", "429"]
        schema.config.checks.negative_data_rejection.expected_statuses = refused
        if hostile:
            # A hook is given an attribute, which a bound method cannot take.
            schema.hook("flatmap_body")(lambda context, body: self.body(context, body))
            schema.hook("flatmap_query")(lambda context, query: self.query(query))
            schema.hook("flatmap_path_parameters")(lambda context, path_parameters: self.path(path_parameters))
        return schema

    def value(self, name: str) -> st.SearchStrategy[Any]:
        """A value for a field: one that exists, so that the request gets past the door, or a hostile one."""
        hostile = st.sampled_from(HOSTILE)
        return st.one_of(st.sampled_from(self.known[name]), hostile) if name in self.known else hostile

    def body(self, context: Any, body: Any) -> st.SearchStrategy[Any]:
        return self.filled(body, self.fields(context.operation)) if isinstance(body, dict) else st.just(body)

    def fields(self, operation: Any) -> list[str]:
        """The names that a body may have; a path that several operations share takes those of each."""
        schemas = operation.schema.raw_schema["components"]["schemas"]
        name = operation.definition.raw["operationId"]
        return [field for one in name.split("_or_") for field in schemas[f"{one}Body"]["properties"]]

    def query(self, query: Any) -> st.SearchStrategy[Any]:
        return self.filled(query, list(query)).filter(can_be_encoded) if query else st.just(query)

    def path(self, parameters: Any) -> st.SearchStrategy[Any]:
        if not parameters:
            return st.just(parameters)
        known = {name: self.known.get(name, ["one-that-is-not"]) for name in parameters}
        return st.fixed_dictionaries({name: st.sampled_from(values) for name, values in known.items()})

    def filled(self, values: dict[str, Any], names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
        """These values, some of them known, and one of them perhaps hostile."""
        known = [name for name in names if name in self.known]
        if not names:
            return st.just(values)
        some = st.fixed_dictionaries({}, optional={name: st.sampled_from(self.known[name]) for name in known})
        one = st.sampled_from(names).flatmap(lambda name: self.value(name).map(lambda value: {name: value}))
        poison = st.one_of(st.just({}), one)
        return st.tuples(some, poison).map(lambda drawn: {**values, **drawn[0], **drawn[1]})

    def operations(self, *, hostile: bool) -> list[Any]:
        found = [one.ok() for one in self.schema(hostile=hostile).get_all_operations()]
        # Whoever is deleted first is found by nobody after.
        return sorted(found, key=lambda one: (one.method == "delete", one.label))

    def explore(self, mode: GenerationMode, *, hostile: bool) -> None:
        """Generated requests to every operation."""
        operations = self.operations(hostile=hostile)
        for operation in operations:
            strategy = operation.as_strategy(generation_mode=mode)
            self.send(operation.label, strategy, max(3, CASES_PER_RUN // len(operations)), hostile=hostile)

    def sweep(self, label: str = "") -> None:
        """A true request to every operation, and every sharp value in every field of a body whose other fields are true ones."""
        for operation in self.operations(hostile=False):
            if label in {"", operation.label}:
                self.put(operation, {})
                for name in self.fields(operation) if operation.body else ():
                    for value in SHARP:
                        self.put(operation, {name: value})

    def put(self, operation: Any, poison: dict[str, Any]) -> None:
        places = {one.name: self.known.get(one.name, ["nobody"])[0] for one in operation.path_parameters}
        given: dict[str, Any] = {}
        if operation.body:
            # A session is named once, by its token.
            names = set(self.fields(operation)) & self.known.keys() - {"session_jwt", "session_id"}
            known = {name: self.known[name][0] for name in names}
            given = {"body": json.dumps({**known, **poison}).encode(), "media_type": "application/json"}
        self.judge(operation.label, operation.Case(path_parameters=places, **given), checks=DOCUMENTED)

    def judge(self, label: str, case: Any, **checks: Any) -> None:
        self.world.clock.advance(seconds=2)
        answer = case.call(headers=AUTHORIZATION)
        self.answers[label, answer.status_code] += 1
        try:
            case.validate_response(answer, headers=AUTHORIZATION, **checks)
        except FailureGroup as group:
            for one in group.exceptions:
                self.faults[f"{label} {answer.status_code} {type(one).__name__}"] = str(one).partition("\n")[0]

    def send(self, label: str, strategy: Any, count: int, *, hostile: bool) -> None:
        # A schema cannot say all: an unregistered address is refused although it is well formed.
        excluded = [positive_data_acceptance, *([negative_data_rejection] if hostile else [])]

        @given(case=strategy)
        @settings(
            max_examples=count,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            verbosity=Verbosity.quiet,
            database=None,
        )
        def each(case: Any) -> None:
            assume(case.media_type != "application/x-www-form-urlencoded" or can_be_encoded(case.body))
            self.judge(label, case, excluded_checks=excluded)

        each()


def explorer(world: World, app: Any = None) -> Explorer:
    """An explorer that knows a signed-in user, a fresh link and a fresh code."""
    signed_in = world.sign_in()
    world.clock.advance(seconds=2)
    world.backend("POST", "/v1/magic_links/email/login_or_create", {"email": "ada@example.org"})
    link = world.token()
    sent = world.backend("POST", "/v1/otps/email/login_or_create", {"email": "bob@example.org"}).json
    known = {
        "user_id": [signed_in["user_id"], "user-test-nobody"],
        "email": ["ada@example.org", "bob@example.org", "new@example.org"],
        "email_address": ["other@example.org"],
        "phone_number": ["+14155552671"],
        "session_token": [signed_in["session_token"]],
        "session_jwt": [signed_in["session_jwt"]],
        "session_id": [signed_in["session"]["session_id"]],
        "session_duration_minutes": [60],
        "token": [link],
        "method_id": [sent["email_id"]],
        "email_id": [sent["email_id"]],
        "code": [world.code()],
        "project_id": [PROJECT_ID],
        "login_magic_link_url": ["http://localhost:3000"],
        "password": ["lovely purple submarine kettle"],
        "existing_password": ["lovely purple submarine kettle"],
        "new_password": ["nine quiet otters borrow ladders"],
        "hash": ["5f4dcc3b5aa765d61d8327deb882cf99"],
        "hash_type": ["md_5"],
    }
    return Explorer(world, app or (asgi_app(world.auth) if world.host == "asgi" else wsgi_app(world.auth)), known)


def test_no_request_gets_an_answer_that_the_document_does_not_describe(world: World) -> None:
    """A255, RAT-06: hostile values among true ones, so that they get past the door."""
    found = explorer(world)
    found.explore(GenerationMode.POSITIVE, hostile=True)
    assert found.faults == {}


def test_no_sharp_value_in_any_field_gets_an_answer_that_the_document_does_not_describe(world: World) -> None:
    """A255, RAT-06: one field at a time, so that whatever would fall falls alone."""
    found = explorer(world)
    found.sweep()
    assert found.faults == {}
    done = {label for label, status in found.answers if status == 200}
    assert {
        "GET /v1/users/{user_id}",
        "PUT /v1/users/{user_id}",
        "POST /v1/magic_links/authenticate",
    } <= done  # which changes the session's secret


def test_no_request_that_breaks_the_document_is_taken(world: World) -> None:
    found = explorer(world)
    found.explore(GenerationMode.NEGATIVE, hostile=False)
    assert found.faults == {}


def test_a_crash_on_one_hostile_character_would_be_found(tmp_path: Path) -> None:
    """A fault planted in front of the application: an address that begins with NUL makes it fall."""
    world = make_world(tmp_path, "asgi")
    inner = asgi_app(world.auth)

    async def fragile(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        body = message.get("body", b"")

        async def again() -> Any:
            return message

        if b"email" in body and str(json.loads(body).get("email")).startswith("\0"):
            await JSONResponse({}, 500)(scope, again, send)
        else:
            await inner(scope, again, send)

    found = explorer(world, fragile)
    found.sweep("POST /v1/users")
    assert "POST /v1/users 500 ServerError" in found.faults
