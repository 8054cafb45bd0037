"""Test and Live, and several of the former, side by side on one storage: each has keys and people of its own, and the values of the sandbox are known in Test only."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import attrs
import pytest

from authmw import Auth, Cookies, Settings
from authmw.drive import step
from authmw.ledger.records import Event
from authmw.storage import And
from authmw.testing import FixedClock
from authmw_adapters.memory import MemoryLimiter, MemoryStorage
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage
from tests.stories import test_crypto_wallets
from tests.world import PROJECT_ID, PUBLIC_TOKEN, SECRET, Answer, Mailbox, World, make_world

OTHER = "project-test-22222222-2222-4222-8222-222222222222"
LIVE = "project-live-33333333-3333-4333-8333-333333333333"
SECRETS = {
    PROJECT_ID: SECRET,
    OTHER: "another-5b1f0c9d8e7a6b5c4d3e2f1a0b9c8d7e",
    LIVE: "9f8e7d6c5b4a39281706f5e4d3c2b1a0ffee",
}
SANDBOX_EMAIL, SANDBOX_PHONE = "sandbox@stytch.com", "+10000000000"


class Environments:
    """Three environments behind one host, on one database with a namespace each."""

    def __init__(self, folder: Path, host: str, **more: Any) -> None:
        clock = FixedClock()
        self.worlds = {project: self._world(folder, host, project, clock, **more) for project in SECRETS}

    def _world(self, folder: Path, host: str, project: str, clock: FixedClock, **more: Any) -> World:
        inbox = Mailbox()
        live = project == LIVE
        settings = Settings(
            project_id=project,
            secret=SECRETS[project],
            public_token=PUBLIC_TOKEN.replace("public-token-test", "public-token-live") if live else PUBLIC_TOKEN,
            root_keys=(bytes(range(32)),) if live else (),
            public_url="https://app.example.org" if live else "http://localhost:8000",
            redirect_urls=("https://app.example.org/authenticate",) if live else None,
            claim_roots=True,
            cookies=Cookies(secure=live),
            **more,
        )
        namespace = f"n{project[-12:]}"
        # Memory is what a test of one process may use; Live refuses it, so Live stands on the database in both corners.
        storage = (
            MemoryStorage() if host == "asgi" and not live else SQLiteStorage(folder / "all.db", namespace=namespace)
        )
        limiter = MemoryLimiter() if host == "asgi" and not live else SQLiteLimiter(folder / "all.db")
        auth = Auth(settings, storage=storage, limiter=limiter, email=inbox, sms=inbox, whatsapp=inbox, clock=clock)
        return World(auth, inbox, clock, host)

    def ask(self, project: str, method: str, path: str, body: Any = None, *, as_project: str, secret: str) -> Answer:
        pair = base64.b64encode(f"{as_project}:{secret}".encode()).decode()
        return self.worlds[project].send(method, path, body, authorization=f"Basic {pair}")

    def own(self, project: str, method: str, path: str, body: Any = None) -> Answer:
        return self.ask(project, method, path, body, as_project=project, secret=SECRETS[project])

    def sign_in(self, project: str, address: str = "ada@example.org") -> Any:
        world = self.worlds[project]
        world.clock.advance(seconds=2)
        where = {"login_magic_link_url": "https://app.example.org/authenticate"} if project == LIVE else {}
        signup = {"signup_magic_link_url": "https://app.example.org/authenticate"} if project == LIVE else {}
        asked = self.own(
            project, "POST", "/v1/magic_links/email/login_or_create", {"email": address, **where, **signup}
        )
        assert asked.status == 200, asked.json
        token = world.inbox.arrived(1).links[0].split("token=")[-1]
        answer = self.own(
            project, "POST", "/v1/magic_links/authenticate", {"token": token, "session_duration_minutes": 60}
        )
        assert answer.status == 200, answer.json
        return answer.json


@pytest.fixture(params=["asgi", "wsgi"])
def all_of_them(request: pytest.FixtureRequest, tmp_path: Path) -> Environments:
    return Environments(tmp_path, request.param)


def test_each_environment_takes_its_own_pair_only(all_of_them: Environments) -> None:
    """ENV-01, ENV-02, ENV-04: a wrong, missing or foreign pair is 401, whichever half is foreign."""
    for project in SECRETS:
        assert all_of_them.own(project, "GET", "/v1/sessions/jwks/" + project).status == 200
        for other in SECRETS:
            for name, secret in ((other, SECRETS[other]), (project, SECRETS[other]), (other, SECRETS[project])):
                if (name, secret) == (project, SECRETS[project]):
                    continue
                answer = all_of_them.ask(project, "POST", "/v1/users/search", {}, as_project=name, secret=secret)
                assert (answer.status, answer.json["error_type"]) == (401, "unauthorized_credentials")
        bare = all_of_them.worlds[project].send("POST", "/v1/users/search", {})
        assert bare.status == 401


def test_each_environment_stands_at_an_address_and_under_a_name_of_its_own(all_of_them: Environments) -> None:
    """ENV-03: links lead to the address of their own environment, and its tokens name it."""
    for project, world in all_of_them.worlds.items():
        signed_in = all_of_them.sign_in(project)
        assert world.inbox.entries()[0].links[0].startswith(world.auth.settings.public_url + "/")
        claims = signed_in["session_jwt"].split(".")[1]
        said = base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)).decode()
        assert project in said
        kind = "live" if project == LIVE else "test"
        assert signed_in["user_id"].startswith(f"user-{kind}-")


def test_nothing_of_one_environment_works_in_another(all_of_them: Environments) -> None:
    """ENV-04, ENV-05, TOK-03: neither user, token, JWT nor link."""
    held = {project: all_of_them.sign_in(project) for project in SECRETS}
    assert len({one["user_id"] for one in held.values()}) == 3
    for project in SECRETS:
        for other, signed_in in held.items():
            by_token = all_of_them.own(
                project, "POST", "/v1/sessions/authenticate", {"session_token": signed_in["session_token"]}
            )
            by_jwt = all_of_them.own(
                project, "POST", "/v1/sessions/authenticate", {"session_jwt": signed_in["session_jwt"]}
            )
            user = all_of_them.own(project, "GET", f"/v1/users/{signed_in['user_id']}")
            works = [answer.status == 200 for answer in (by_token, by_jwt, user)]
            assert works == [project == other] * 3
        total = all_of_them.own(project, "POST", "/v1/users/search", {}).json["results_metadata"]["total"]
        assert total == 1


def test_a_link_of_one_environment_is_unknown_in_another(all_of_them: Environments) -> None:
    """ENV-05."""
    world = all_of_them.worlds[PROJECT_ID]
    all_of_them.own(PROJECT_ID, "POST", "/v1/magic_links/email/login_or_create", {"email": "ada@example.org"})
    token = world.inbox.arrived(1).links[0].split("token=")[-1]
    for other in (OTHER, LIVE):
        answer = all_of_them.own(other, "POST", "/v1/magic_links/authenticate", {"token": token})
        assert (answer.status, answer.json["error_type"]) == (401, "unable_to_auth_magic_link")
    assert all_of_them.own(PROJECT_ID, "POST", "/v1/magic_links/authenticate", {"token": token}).status == 200


# --- The sandbox ---


@pytest.mark.parametrize("channel", ["sms", "whatsapp"])
@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_the_sandbox_number_gets_nothing_and_takes_the_fixed_code(tmp_path: Path, host: str, channel: str) -> None:
    """SBX-01."""
    world = make_world(tmp_path, host)
    sent = world.backend("POST", f"/v1/otps/{channel}/login_or_create", {"phone_number": SANDBOX_PHONE})
    assert sent.status == 200, sent.json
    assert world.inbox.entries() == ()
    body = {"method_id": sent.json["phone_id"], "code": "000000", "session_duration_minutes": 60}
    assert world.backend("POST", "/v1/otps/authenticate", body).status == 200


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_the_sandbox_address_gets_nothing_and_takes_the_fixed_code(tmp_path: Path, host: str) -> None:
    """SBX-02: codes by e-mail; a link to it leaves for nobody either."""
    world = make_world(tmp_path, host)
    sent = world.backend("POST", "/v1/otps/email/login_or_create", {"email": SANDBOX_EMAIL}).json
    body = {"method_id": sent["email_id"], "code": "000000", "session_duration_minutes": 60}
    assert world.backend("POST", "/v1/otps/authenticate", body).status == 200
    world.clock.advance(seconds=2)
    assert world.backend("POST", "/v1/magic_links/email/login_or_create", {"email": SANDBOX_EMAIL}).status == 200
    assert world.inbox.entries() == ()


def test_in_live_the_sandboxs_values_are_ordinary_and_unknown(all_of_them: Environments) -> None:
    """A298, CFG-01: a code of chance goes to the address, the fixed token is none, and the number is no number."""
    live = all_of_them.worlds[LIVE]
    sent = all_of_them.own(LIVE, "POST", "/v1/otps/email/login_or_create", {"email": SANDBOX_EMAIL}).json
    assert live.inbox.arrived(1).to == SANDBOX_EMAIL
    guess = {"method_id": sent["email_id"], "code": "000000"}
    assert live.code() == "000000" or all_of_them.own(LIVE, "POST", "/v1/otps/authenticate", guess).status == 401
    token = {"token": "DOYoip3rvIMMW5lgItikFK-Ak1CfMsgjuiCyI7uuU94="}
    assert all_of_them.own(LIVE, "POST", "/v1/magic_links/authenticate", token).status == 401
    refused = all_of_them.own(LIVE, "POST", "/v1/otps/sms/login_or_create", {"phone_number": SANDBOX_PHONE})
    assert (refused.status, refused.json["error_type"]) == (400, "invalid_phone_number")
    wallet = {**test_crypto_wallets.SANDBOX, "signature": test_crypto_wallets.SIGNATURE}
    refused = all_of_them.own(LIVE, "POST", test_crypto_wallets.AUTHENTICATE, wallet)
    assert (refused.status, refused.json["error_type"]) == (401, "unable_to_authenticate_crypto_wallet")


# --- Live is reached by https ---


@pytest.mark.parametrize(
    "path", ["/v1/users", "/auth/v1/users", "/sdk/v1/magic_links/email/login_or_create", "/v1/oauth2/token"]
)
def test_live_answers_nobody_who_comes_by_plain_http(all_of_them: Environments, path: str) -> None:
    """OPS-01: refused before anything is read, told of once a minute, and nothing is changed."""
    live = attrs.evolve(all_of_them.worlds[LIVE], reached_at="http://app.example.org")
    pair = base64.b64encode(f"{LIVE}:{SECRETS[LIVE]}".encode()).decode()
    for _ in range(2):
        refused = live.send("POST", path, {"email": "ada@example.org"}, authorization=f"Basic {pair}")
        assert (refused.status, refused.json["error_type"]) == (403, "use_https")
        assert refused.header("set-cookie") == []
    assert live.inbox.entries() == ()
    live.auth.notes.flush()
    told = [event.action for event in step(live.auth.storage.page(Event, And(), limit=10)).records]
    assert told == ["PlainHttp"]
    assert all_of_them.own(LIVE, "POST", "/v1/users", {"email": "ada@example.org"}).status == 200


def test_a_header_of_a_visitors_own_makes_no_https_of_plain_http(all_of_them: Environments) -> None:
    """OPS-01, RAT-03: without a trusted proxy the server's own word holds."""
    live = attrs.evolve(all_of_them.worlds[LIVE], reached_at="http://app.example.org")
    said = {"x_forwarded_proto": "https", "forwarded": "proto=https", "x_forwarded_ssl": "on"}
    assert live.send("GET", "/v1/users/x", **said).json["error_type"] == "use_https"


@pytest.mark.parametrize(
    ("said", "passes"), [("https", True), ("http, https", True), ("https, http", False), ("http", False), ("", False)]
)
@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_behind_a_proxy_its_word_holds_of_how_a_visitor_came(
    host: str, said: str, tmp_path: Path, *, passes: bool
) -> None:
    live = Environments(tmp_path, host, trusted_proxies=1).worlds[LIVE]
    live = attrs.evolve(live, reached_at="http://app.example.org")
    headers = {"x_forwarded_proto": said} if said else {}
    refused = live.send("GET", "/v1/users/x", **headers)
    assert refused.json["error_type"] == ("invalid_authorization_header" if passes else "use_https")


def test_no_page_of_a_live_host_gives_cookies_over_plain_http(all_of_them: Environments) -> None:
    """OPS-01: a session that is known goes on there, but nothing that opens it is sent back in plain text."""
    token = all_of_them.sign_in(LIVE)["session_token"]
    live = all_of_them.worlds[LIVE]
    cookie = f"__Host-authmw_session={token}"
    plain = attrs.evolve(live, reached_at="http://app.example.org").visit("/who", cookie)
    assert (plain.status, plain.header("set-cookie")) == (200, [])
    assert [one.partition("=")[0] for one in live.visit("/who", cookie).header("set-cookie")] == [
        "__Host-authmw_session_jwt"
    ]


# --- The log, and keys that are gone ---


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_an_entry_is_there_with_the_answer_or_within_a_second_of_it(tmp_path: Path, host: str) -> None:
    """EVT-06: what commits is in the log with its commit; what does not is written behind, and is there when the notes are."""
    world = make_world(tmp_path, host)
    made = world.backend("POST", "/v1/users", {"email": "ada@example.org"}).json
    at_once = step(world.auth.storage.page(Event, And(), limit=10)).records
    assert made["request_id"] in {event.request_id for event in at_once}
    gone = world.backend("GET", "/v1/users/user-test-00000000-0000-4000-8000-000000000000").json
    world.auth.notes.flush()
    after = step(world.auth.storage.page(Event, And(), limit=10)).records
    assert gone["request_id"] in {event.request_id for event in after}


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_a_jwt_still_proves_a_session_whose_root_key_is_gone_and_gets_it_a_new_token(tmp_path: Path, host: str) -> None:
    """DESIGN section 6, KEY-02: the token that nobody can make any more is replaced, in the same session."""
    old, new = b"old key of thirty-two bytes....1", b"new key of thirty-two bytes....2"
    first = make_world(tmp_path, host, root_keys=(old,))
    signed_in = first.sign_in(minutes=525_600)

    def under(*keys: bytes) -> World:
        auth = Auth(
            Settings(
                project_id=PROJECT_ID,
                secret=SECRET,
                public_token=PUBLIC_TOKEN,
                root_keys=keys,
                claim_roots=True,
                cookies=Cookies(secure=False),
            ),
            storage=first.auth.storage,
            limiter=first.auth.core.limiter,
            email=first.inbox,
            clock=first.clock,
        )
        return World(auth, first.inbox, first.clock, host)

    both = under(new, old)
    both.auth.run(both.auth.keys.rotate())
    both.auth.run(both.auth.keys.rotate())
    first.clock.advance(days=31)
    session = {"session_token": signed_in["session_token"]}
    renewed = both.backend("POST", "/v1/sessions/authenticate", session).json
    assert renewed["session_token"] == signed_in["session_token"]
    after = under(new)
    answer = after.backend("POST", "/v1/sessions/authenticate", {"session_jwt": renewed["session_jwt"]})
    assert answer.status == 200, answer.json
    fresh = answer.json["session_token"]
    assert fresh not in {"", signed_in["session_token"]}
    assert answer.json["session"]["session_id"] == signed_in["session"]["session_id"]
    late = after.backend("POST", "/v1/sessions/authenticate", session)
    assert late.json["error_type"] == "invalid_session_token"
    assert after.backend("POST", "/v1/sessions/authenticate", {"session_token": fresh}).status == 200
    assert after.visit("/who", f"authmw_session={fresh}").status == 200
    first.clock.advance(seconds=61)
    assert after.backend("POST", "/v1/sessions/authenticate", session).json["error_type"] == "session_not_found"
