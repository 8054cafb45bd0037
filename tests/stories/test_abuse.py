"""Abuse that is not one product's: tokens at doors that are not theirs, proof keys that are none, cookies that stand twice, and a stolen database."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from authmw import Provider
from authmw.clock import SystemClock
from authmw.crypto import tokens
from authmw.crypto.pkce import challenge_of
from authmw.declarations import Operation
from authmw.drive import step
from authmw.ledger.incidents import REMEMBERED, Incidents
from authmw.ledger.records import Event
from authmw.people.records import Session
from authmw.storage import And
from tests.world import PROJECT_ID, SECRET, World, make_world

VERIFIER = "v" * 43
CREDENTIALS = (
    "token",
    "session_token",
    "session_jwt",
    "code",
    "access_token",
    "refresh_token",
    "impersonation_token",
    "oauth_attach_token",
    "totp_code",
    "recovery_code",
    "password",
    "id_token",
    "id_token_hint",
)
"""The names under which operations take what was handed to somebody."""
BACK = "https://app.example.org/back"


def sessions(world: World) -> int:
    return step(world.auth.storage.count(Session, And(), at_most=1000))


def full_world(folder: Path, host: str) -> World:
    return make_world(folder, host, impersonation=True, provider=Provider(), pkce_for_magic_links=False)


class Held:
    """Every kind of token there is, each live and unused, and the doors that are its own."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.signed_in = world.sign_in()
        self.user_id: str = self.signed_in["user_id"]
        self.method_id: str = self.signed_in["user"]["emails"][0]["email_id"]
        session = {"session_token", "session_jwt"}
        self.kinds: dict[str, tuple[str, set[str]]] = {
            "opaque": (self.signed_in["session_token"], {"session_token"}),
            "jwt": (self.signed_in["session_jwt"], {"session_jwt"}),
            "login": (self._mailed("/v1/magic_links/email/login_or_create", email="ada@example.org"), {"link"}),
            "signup": (self._mailed("/v1/magic_links/email/login_or_create", email="new@example.org"), {"link"}),
            "invite": (self._mailed("/v1/magic_links/email/invite", email="guest@example.org"), {"link"}),
            "embedded": (self._post("/v1/magic_links", user_id=self.user_id)["token"], {"link"}),
            "code": (self._coded(), {"code"}),
            "impersonation": (self._impersonation(), {"impersonation_token"}),
            "machine": (self._machine(), set()),
        }
        self.kinds |= self._granted()
        assert session <= {door for _, doors in self.kinds.values() for door in doors}

    def _post(self, path: str, **body: Any) -> Any:
        self.world.clock.advance(seconds=2)
        answer = self.world.backend("POST", path, body)
        assert answer.status == 200, answer.json
        return answer.json

    def _mailed(self, path: str, **body: Any) -> str:
        self._post(path, **body)
        return self.world.token()

    def _coded(self) -> str:
        self._post("/v1/otps/email/send", email="ada@example.org", expiration_minutes=10)
        return self.world.code()

    def _impersonation(self) -> str:
        body = {"impersonator_id": "staff-1", "impersonator_email_address": "help@example.com"}
        token: str = self._post("/v1/impersonation/start", user_id=self.user_id, **body)["impersonation_token"]
        return token

    def _machine(self) -> str:
        client = self._post("/v1/m2m/clients", scopes=["read:x"])["m2m_client"]
        token: str = self._token(client, grant_type="client_credentials")["access_token"]
        return token

    def _token(self, client: Any, **body: Any) -> Any:
        whole = {"client_id": client["client_id"], "client_secret": client["client_secret"], **body}
        answer = self.world.send("POST", f"/v1/public/{PROJECT_ID}/oauth2/token", whole)
        assert answer.status == 200, answer.json
        return answer.json

    def _granted(self) -> dict[str, tuple[str, set[str]]]:
        app = self._post(
            "/v1/connected_apps/clients",
            client_type="first_party",
            client_name="App",
            redirect_urls=[BACK],
            full_access_allowed=True,
        )["connected_app"]
        code = self._code_of(app)
        granted = self._token(
            app, grant_type="authorization_code", code=code, redirect_uri=BACK, code_verifier=VERIFIER
        )
        return {
            "authorization code": (self._code_of(app), {"oauth2"}),
            "access token": (granted["access_token"], {"oauth2", "access_token"}),
            "refresh token": (granted["refresh_token"], {"oauth2"}),
            "id token": (granted["id_token"], {"oauth2", "id_token_hint"}),
        }

    def _code_of(self, app: Any) -> str:
        answer = self._post(
            "/v1/idp/oauth/authorize",
            consent_granted=True,
            client_id=app["client_id"],
            redirect_uri=BACK,
            response_type="code",
            scopes=["openid", "offline_access"],
            code_challenge=challenge_of(VERIFIER),
            session_token=self.signed_in["session_token"],
        )
        code: str = answer["authorization_code"]
        return code


def doors(world: World) -> Iterator[tuple[Operation, str]]:
    """Every operation of the backend, with each parameter by which it takes a credential."""
    for _, operation in world.auth.table():
        if operation.door == "backend":
            names = {field.name for field in msgspec.structs.fields(operation.body)}
            # A password is a credential where it is asked for; where one is chosen or judged, any text will do.
            chosen = set[str]() if operation.path == "/v1/passwords/authenticate" else {"password"}
            yield from ((operation, name) for name in CREDENTIALS if name in names - chosen)


def own(operation: Operation, parameter: str, its: set[str]) -> bool:
    """Whether a token of these doors belongs here."""
    if "link" in its and operation.path == "/v1/magic_links/authenticate":
        return parameter == "token"
    if "code" in its and operation.path == "/v1/otps/authenticate":
        return parameter == "code"
    return parameter in its


def request_of(held: Held, operation: Operation, parameter: str, token: str) -> dict[str, Any]:
    """A request in which only the credential is not what it should be, as far as a name tells what a value should be."""
    fill: dict[str, Any] = {
        "user_id": held.user_id,
        "method_id": held.method_id,
        "email": "ada@example.org",
        "session_duration_minutes": 60,
        "client_id": "connected-app-test-11111111-1111-4111-8111-111111111111",
        "redirect_uri": BACK,
        "response_type": "code",
        "scopes": ["openid"],
        "phone_number": "+12025550123",
        "consent_granted": True,
    }
    fields = msgspec.structs.fields(operation.body)
    body = {field.name: fill.get(field.name, "x") for field in fields if field.required}
    if any(field.name == "session_duration_minutes" for field in fields):
        body["session_duration_minutes"] = 60
    return {**body, parameter: token}


def test_a_token_of_one_kind_is_nothing_at_the_door_of_another(tmp_path: Path) -> None:
    """A107, TOK-03: every live token at every parameter of every operation that takes one; none but its own lets in."""
    world = full_world(tmp_path, "wsgi")
    held = Held(world)
    before, tried = sessions(world), 0
    for operation, parameter in doors(world):
        for kind, (token, its) in held.kinds.items():
            if own(operation, parameter, its):
                continue
            path = operation.path
            for place in operation.places:
                path = path.replace(f"{{{place}}}", held.user_id)
            answer = world.backend(operation.method, path, request_of(held, operation, parameter, token))
            tried += 1
            if operation.path.endswith("/revoke"):
                assert sessions(world) == before  # Ending nothing is no fault, and nothing was ended.
                continue
            assert 400 <= answer.status < 500, (kind, operation.path, parameter, answer.json)
            assert token not in str(answer.json)
            assert not answer.header("set-cookie")
    assert tried > 200
    assert sessions(world) == before
    still_own(world, held)


def still_own(world: World, held: Held) -> None:
    """The control: where they belong, all of them are still good."""
    links = {"token": "/v1/magic_links/authenticate"}
    for kind in ("login", "signup", "invite", "embedded"):
        assert world.backend("POST", links["token"], {"token": held.kinds[kind][0]}).status == 200, kind
    token = held.kinds["impersonation"][0]
    assert world.backend("POST", "/v1/impersonation/authenticate", {"impersonation_token": token}).status == 200
    for name, kind in (("session_token", "opaque"), ("session_jwt", "jwt")):
        assert world.backend("POST", "/v1/sessions/authenticate", {name: held.kinds[kind][0]}).status == 200


@pytest.mark.parametrize(
    "challenge",
    ["", challenge_of(""), VERIFIER[:42], VERIFIER + "A", "=" * 43, "v" * 42 + "B", VERIFIER[:-1] + "\n", "plain"],
)
def test_a_code_challenge_that_no_verifier_can_have_is_refused(world: World, challenge: str) -> None:
    """A109, OTP-10."""
    body = {"email": "ada@example.org", "code_challenge": challenge}
    answer = world.backend("POST", "/v1/magic_links/email/login_or_create", body)
    assert answer.status == 400
    assert world.inbox.entries() == ()


@pytest.mark.parametrize(
    "verifier", ["", "v" * 42, "v" * 129, "v" * 42 + "+", "v" * 42 + " ", "ü" * 43, "v" * 43 + "\n"]
)
def test_a_code_verifier_that_is_none_is_refused_and_spends_nothing(world: World, verifier: str) -> None:
    """A109, OTP-10."""
    body = {"email": "ada@example.org", "code_challenge": challenge_of(VERIFIER)}
    assert world.backend("POST", "/v1/magic_links/email/login_or_create", body).status == 200
    token = {"token": world.token()}
    place = "/v1/magic_links/authenticate"
    assert world.backend("POST", place, {**token, "code_verifier": verifier}).status in {400, 401}
    assert world.backend("POST", place, {**token, "code_verifier": challenge_of(VERIFIER)}).status in {400, 401}
    assert world.backend("POST", place, {**token, "code_verifier": VERIFIER}).status == 200


def test_the_plain_method_is_refused_where_a_method_can_be_named(tmp_path: Path) -> None:
    """A109: the challenge is the verifier itself."""
    world = full_world(tmp_path, "wsgi")
    held = Held(world)
    app = held._post(
        "/v1/connected_apps/clients", client_type="first_party_public", client_name="App", redirect_urls=[BACK]
    )["connected_app"]
    body = {
        "client_id": app["client_id"],
        "redirect_uri": BACK,
        "response_type": "code",
        "scope": "openid",
        "code_challenge": VERIFIER[:42] + "A",
        "code_challenge_method": "plain",
    }
    place = f"/v1/public/{PROJECT_ID}/oauth2/par"
    assert world.send("POST", place, body).status == 400
    assert world.send("POST", place, {**body, "code_challenge_method": "S256"}).status == 201


# Cookies that stand twice


def incidents(world: World) -> list[Event]:
    world.auth.notes.flush()
    page = step(world.auth.storage.page(Event, And(), limit=1000))
    return [event for event in page.records if event.error_type == "duplicate_cookie"]


def test_a_session_cookie_that_stands_twice_is_told_of_once_a_minute(world: World) -> None:
    """A032, SES-03: on a view of the host and on the browser API, whichever of the two comes first."""
    signed_in = world.sign_in()
    mine, planted = f"authmw_session={signed_in['session_token']}", "authmw_session=planted"
    for cookies in ((mine, planted), (planted, mine), (mine, mine)):
        assert world.visit("/who", *cookies).status == 401
    (told,) = incidents(world)
    assert (told.action, told.status, told.http_status) == ("DuplicateCookie", "error", 401)
    assert signed_in["session_token"] not in repr(told)
    assert "planted" not in repr(told)
    world.clock.advance(minutes=1)
    answer = world.browser("GET", "/sdk/v1/users/me", cookie=f"{mine}; {planted}")
    assert answer.status == 401
    assert len(incidents(world)) == 2
    (shown, *_) = world.backend("GET", "/v1/project/events?action=DuplicateCookie").json["events"]
    assert shown["action"] == "DuplicateCookie"


def test_cookies_of_others_that_stand_twice_are_nobodys_business(world: World) -> None:
    signed_in = world.sign_in()
    cookies = (f"authmw_session={signed_in['session_token']}", "theme=dark", "theme=light")
    assert world.visit("/who", *cookies).status == 200
    assert incidents(world) == []


def test_a_flood_of_addresses_is_remembered_within_bounds(world: World) -> None:
    told = Incidents(world.auth.notes, SystemClock(), "test")
    for number in range(REMEMBERED + 50):
        told.tell("duplicate_cookie", f"192.0.2.{number}", f"192.0.2.{number}")
    assert len(told._told) == REMEMBERED


def test_a_visitor_with_a_network_of_addresses_is_one_visitor(tmp_path: Path) -> None:
    world = make_world(tmp_path, "wsgi", trusted_proxies=1)
    twice = "authmw_session=a; authmw_session=b"
    for number in range(5):
        assert world.visit("/who", twice, x_forwarded_for=f"2001:db8::{number}").status == 401
    assert len(incidents(world)) == 1
    assert world.visit("/who", twice, x_forwarded_for="2001:db8:0:1::1").status == 401
    assert len(incidents(world)) == 2


# A stolen database


def spellings(value: object) -> Iterator[str]:
    """How a thief would try what a column holds."""
    if isinstance(value, str) and 16 <= len(value) <= 2000:
        yield value
    elif isinstance(value, bytes) and 16 <= len(value) <= 512:
        yield value.hex()
        yield base64.b64encode(value).decode()
        yield base64.urlsafe_b64encode(value).rstrip(b"=").decode()
        if value.isascii():
            yield value.decode("ascii")
    elif isinstance(value, dict):
        for one in value.values():
            yield from spellings(one)
    elif isinstance(value, list):
        for one in value:
            yield from spellings(one)


def columns(database: Path) -> Iterator[object]:
    """Every value of every table, and what the records in them hold."""
    with sqlite3.connect(database) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            for row in connection.execute(f'SELECT * FROM "{name}"'):
                for value in row:
                    yield value
                    if isinstance(value, bytes):
                        yield from unpacked(value)
    connection.close()


def unpacked(value: bytes) -> Iterator[object]:
    for decode in (msgspec.msgpack.decode, msgspec.json.decode):
        try:
            yield decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue


def test_nothing_that_is_stored_signs_anybody_in(tmp_path: Path) -> None:
    """A027, TOK-02: every column of every table after every flow, raw, in hexadecimal and in base64, at every door."""
    world = full_world(tmp_path, "wsgi")
    held = Held(world)
    world.auth.notes.flush()
    dumped = {text for value in columns(tmp_path / "world.sqlite3") for text in spellings(value)}
    assert held.user_id in dumped
    for token, _ in held.kinds.values():
        assert token not in dumped
    places = [
        ("/v1/magic_links/authenticate", "token"),
        ("/v1/sessions/authenticate", "session_token"),
        ("/v1/sessions/authenticate", "session_jwt"),
        ("/v1/impersonation/authenticate", "impersonation_token"),
        ("/v1/oauth/authenticate", "token"),
    ]
    before = sessions(world)
    for text in sorted(dumped):
        for path, parameter in places:
            answer = world.backend("POST", path, {parameter: text, "session_duration_minutes": 60})
            assert 400 <= answer.status < 500, (path, parameter)
        assert world.visit("/who", f"authmw_session={tokens.base64url(text.encode())[:4000]}").status == 401
        if text.isascii() and text.isprintable() and not set(text) & set('",;\\ '):
            assert world.visit("/who", f"authmw_session={text}").status == 401
    assert sessions(world) == before


def test_the_secret_of_the_project_is_not_in_the_database_either(tmp_path: Path) -> None:
    world = full_world(tmp_path, "wsgi")
    held = Held(world)
    whole = b"".join(one.read_bytes() for one in tmp_path.iterdir())
    assert SECRET.encode() not in whole
    assert held.user_id.encode() in whole
