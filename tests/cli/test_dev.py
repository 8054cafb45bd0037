"""The main job: a newcomer asks for a link, reads it in the inbox, clicks, and is signed in."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from authmw.cli.demo import demo_app
from authmw.cli.dev import dev_auth
from authmw_adapters.inbox import Inbox
from tests.serving import dev_server

URL = "http://localhost:8000"
FORM = {"origin": URL}


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def browser(tmp_path: Path, inbox: Inbox) -> TestClient:
    auth = dev_auth(tmp_path / "dev.sqlite3", URL, inbox)
    return TestClient(demo_app(auth, inbox), base_url=URL)


def ask(browser: TestClient, by: str = "link", address: str = "ada@example.org") -> str:
    answer = browser.post("/login", data={"email": address, "by": by}, headers=FORM)
    assert answer.status_code == 200
    return answer.text


def test_a_link_from_the_inbox_signs_in_after_one_click_and_once(browser: TestClient) -> None:
    ask(browser)
    link = browser.get("/dev/inbox.json").json()[0]["links"][0]
    for _ in range(2):
        landing = browser.get(link)
        assert landing.url.path == "/authenticate"
        assert landing.url.params["stytch_token_type"] == "magic_links"
    token = landing.url.params["token"]
    assert browser.get("/api/me").status_code == 401
    account = browser.post("/authenticate", data={"token": token}, headers=FORM)
    assert account.url.path == "/account"
    assert "ada@example.org" in account.text
    assert "testclient" in account.text  # the device, as its browser calls itself
    assert browser.get("/api/me").status_code == 200
    again = browser.post("/authenticate", data={"token": token}, headers=FORM)
    assert again.status_code == 401


def test_a_code_from_the_inbox_signs_in(browser: TestClient) -> None:
    page = ask(browser, "code")
    method_id = page.split('name="method_id" value="')[1].split('"')[0]
    code = browser.get("/dev/inbox.json").json()[0]["code"]
    account = browser.post("/code", data={"code": code, "method_id": method_id, "next": "/account"}, headers=FORM)
    assert account.url.path == "/account"


def test_signing_out_ends_the_session_and_clears_the_cookies(browser: TestClient, inbox: Inbox) -> None:
    test_a_code_from_the_inbox_signs_in(browser)
    kept = dict(browser.cookies)
    browser.post("/logout", headers=FORM)
    assert browser.get("/api/me").status_code == 401
    browser.cookies.update(kept)
    assert browser.get("/api/me").status_code == 401


def test_known_and_unknown_addresses_get_the_same_page(browser: TestClient) -> None:
    assert ask(browser, address="known@example.org") == ask(browser, address="unknown@example.org")


@pytest.mark.parametrize("path", ["/login", "/code", "/authenticate", "/logout"])
@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"origin": "null"}, {}])
def test_a_form_from_another_site_is_refused(browser: TestClient, path: str, headers: dict[str, str]) -> None:
    assert browser.post(path, data={"email": "a@example.org"}, headers=headers).status_code == 403


def test_a_visitor_without_a_session_is_sent_to_sign_in_and_back(browser: TestClient) -> None:
    answer = browser.get("/account", headers={"accept": "text/html"}, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=/account"


@pytest.mark.parametrize(
    "following", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_a_next_that_leads_elsewhere_is_forgotten(browser: TestClient, following: str) -> None:
    page = browser.get("/login", params={"next": following}).text
    assert 'name="next" value="/account"' in page


def test_another_session_can_be_ended_from_the_account_page(browser: TestClient, inbox: Inbox) -> None:
    test_a_code_from_the_inbox_signs_in(browser)
    other = TestClient(browser.app, base_url=URL)
    inbox.clear()
    while not inbox.entries():  # one mail a second to one address: the limiter says when
        ask_again = other.post("/login", data={"email": "ada@example.org", "by": "code"}, headers=FORM)
    method_id = ask_again.text.split('name="method_id" value="')[1].split('"')[0]
    other.post("/code", data={"code": inbox.entries()[0].code, "method_id": method_id}, headers=FORM)
    assert other.get("/api/me").status_code == 200
    browser.post("/account/end", data={"session_id": "others"}, headers=FORM)
    assert other.get("/api/me").status_code == 401
    assert browser.get("/api/me").status_code == 200


def backend(facts: dict[str, Any]) -> httpx2.Client:
    """A backend of the project that runs; `localhost` may mean an address that nobody listens at."""
    near = facts["url"].replace("localhost", "127.0.0.1")
    return httpx2.Client(base_url=near, auth=(facts["project_id"], facts["secret"]))


def test_people_sessions_and_keys_survive_a_restart(tmp_path: Path) -> None:
    """What was signed before is proved after, under keys that are published as before; the file that says it is ready is of one run."""
    made: dict[str, Any] = {}
    told: list[tuple[Any, ...]] = []
    for _ in range(2):
        with dev_server(tmp_path) as (process, facts), backend(facts) as client:
            assert facts["pid"] == process.pid
            if not made:
                user = client.post("/v1/users", json={"email": "ada@example.org"}).json()
                link = client.post("/v1/magic_links", json={"user_id": user["user_id"]}).json()
                body = {"token": link["token"], "session_duration_minutes": 60}
                made = client.post("/v1/magic_links/authenticate", json=body).json()
            proved = client.post("/v1/sessions/authenticate", json={"session_jwt": made["session_jwt"]}).json()
            keys = client.get(f"/v1/sessions/jwks/{facts['project_id']}").json()["keys"]
            told.append((proved["session"]["session_id"], proved["user"]["emails"], keys))
        assert not (tmp_path / "ready.json").exists()
    assert told[0] == told[1]


def test_the_command_serves_and_stops_cleanly(tmp_path: Path) -> None:
    with dev_server(tmp_path) as (process, facts):
        assert facts["pid"] == process.pid
        assert facts["inbox_url"] == f"{facts['url']}/dev/inbox.json"
        with backend(facts) as client:
            assert client.get("/api/me").status_code == 401
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
