"""The demo's own defences: where a link leads on to, under which names it answers, and what its answers say."""

from __future__ import annotations

import html
from pathlib import Path

import pytest
from click import ClickException
from starlette.testclient import TestClient

from authmw.cli.demo import demo_app
from authmw.cli.dev import dev_auth, serve
from authmw_adapters.inbox import Inbox

URL = "http://localhost:8000"
FORM = {"origin": URL}


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def browser(tmp_path: Path, inbox: Inbox) -> TestClient:
    return TestClient(demo_app(dev_auth(tmp_path / "dev.sqlite3", URL, inbox), inbox), base_url=URL)


def landing(browser: TestClient, inbox: Inbox, following: str) -> dict[str, str]:
    """Ask for a link and follow it; the fields of the landing page's form."""
    form = {"email": "ada@example.org", "by": "link", "next": following}
    assert browser.post("/login", data=form, headers=FORM).status_code == 200
    page = browser.get(inbox.latest().links[0])
    assert page.url.path == "/authenticate"
    return {"token": page.url.params["token"], "next": page.text.split('name="next" value="')[1].split('"')[0]}


def test_a_link_leads_on_to_the_page_that_asked_for_sign_in(browser: TestClient, inbox: Inbox) -> None:
    fields = landing(browser, inbox, "/account?tab=devices")
    assert fields["next"] == "/account?tab=devices"
    answer = browser.post("/authenticate", data=fields, headers=FORM, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account?tab=devices")


ELSEWHERE = ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"]


@pytest.mark.parametrize("following", ELSEWHERE)
def test_a_link_never_leads_on_to_another_site(browser: TestClient, inbox: Inbox, following: str) -> None:
    assert landing(browser, inbox, following)["next"] == "/account"


@pytest.mark.parametrize("following", ELSEWHERE)
def test_the_landing_form_never_leads_on_to_another_site(browser: TestClient, inbox: Inbox, following: str) -> None:
    fields = {**landing(browser, inbox, "/account"), "next": following}
    answer = browser.post("/authenticate", data=fields, headers=FORM, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")


@pytest.mark.parametrize("path", ["/", "/dev/inbox", "/dev/inbox.json"])
def test_a_strangers_name_for_this_machine_is_not_answered(browser: TestClient, path: str) -> None:
    assert browser.get(path, headers={"host": "evil.example:8000"}).status_code == 400


def test_a_strangers_name_for_this_machine_cannot_post_a_form(browser: TestClient, inbox: Inbox) -> None:
    evil = {"host": "evil.example:8000", "origin": "http://evil.example:8000"}
    answer = browser.post("/login", data={"email": "ada@example.org", "by": "link"}, headers=evil)
    assert answer.status_code == 400
    assert inbox.entries() == ()


def test_the_loopback_address_is_answered_as_well(browser: TestClient) -> None:
    assert browser.get("/login", headers={"host": "127.0.0.1:8000"}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/login", "/authenticate", "/dev/inbox", "/dev/inbox.json"])
def test_no_answer_is_kept_framed_or_guessed_at(browser: TestClient, path: str) -> None:
    headers = browser.get(path).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_the_browser_api_takes_the_demos_other_address(browser: TestClient) -> None:
    asked = {"origin": "http://127.0.0.1:8000", "access-control-request-method": "POST"}
    answer = browser.options("/sdk/v1/magic_links/email/login_or_create", headers=asked)
    assert answer.headers["access-control-allow-origin"] == "http://127.0.0.1:8000"


def test_a_host_that_is_not_this_machine_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(ClickException, match="is no address of this machine"):
        serve("192.0.2.1", 0, tmp_path / "dev.sqlite3", None)


@pytest.mark.parametrize("name", ["no/such/folder/dev.sqlite3", "junk.sqlite3", "."])
def test_a_file_that_is_no_database_of_ours_is_said_to_be_none(tmp_path: Path, name: str) -> None:
    (tmp_path / "junk.sqlite3").write_text("a letter to grandmother, and no database\n" * 100)
    with pytest.raises(ClickException, match="cannot be used"):
        serve("127.0.0.1", 0, tmp_path / name, None)


def test_a_ready_file_that_cannot_be_written_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(ClickException, match="cannot be written"):
        serve("127.0.0.1", 0, tmp_path / "dev.sqlite3", tmp_path / "no" / "ready.json")


PASSWORD = "lovely purple submarine kettle"


def by_password(browser: TestClient, email: str, password: str, **more: str) -> tuple[int, str]:
    answer = browser.post("/password", data={"email": email, "password": password, **more}, headers=FORM)
    return answer.status_code, answer.text.replace(email, "")


def test_a_wrong_password_and_a_stranger_are_answered_alike(browser: TestClient) -> None:
    """ENU-01, on pages that call operations themselves."""
    assert by_password(browser, "ada@example.org", PASSWORD, by="new")[0] == 200
    browser.cookies.clear()
    answers = {by_password(browser, one, "wrong") for one in ("ada@example.org", "nobody@example.org")}
    assert {status for status, _ in answers} == {401}
    assert len(answers) == 1
    assert PASSWORD not in str(answers)


def test_a_weak_password_is_refused_with_the_reason_and_not_shown_again(browser: TestClient) -> None:
    status, text = by_password(browser, "ada@example.org", "qwertyuiop", by="new")
    assert (status, 'role="alert"' in text, "qwertyuiop" in text) == (400, True, False)


def test_who_signs_up_twice_is_asked_to_reset(browser: TestClient, inbox: Inbox) -> None:
    by_password(browser, "ada@example.org", PASSWORD, by="new")
    browser.cookies.clear()
    status, text = by_password(browser, "ada@example.org", "nine quiet otters borrow ladders", by="new")
    assert (status, "Set another password" in text) == (200, True)
    for email in ("ada@example.org", "nobody@example.org"):
        assert browser.post("/password/forgotten", data={"email": email}, headers=FORM).status_code == 200
    assert [one.to for one in inbox.entries()] == ["ada@example.org"]
    page = browser.get(inbox.latest().links[0])
    fields = {"token": page.url.params["token"], "password": "qwertyuiop"}
    assert browser.post("/password/new", data=fields, headers=FORM).status_code == 400
    stranger = {**FORM, "origin": "http://evil.example"}
    assert browser.post("/password/new", data={**fields, "password": PASSWORD}, headers=stranger).status_code == 403


WALLET = "Ethereum wallet one"


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/phone", {"phone": "+1 415 555 2671", "by": "sms"}),
        ("/wallet", {"wallet": WALLET}),
        ("/wallet/sign", {"wallet": WALLET, "text": "anything"}),
    ],
)
def test_a_strangers_page_sends_no_text_and_has_no_wallet_sign(
    browser: TestClient, inbox: Inbox, path: str, fields: dict[str, str]
) -> None:
    """CSR-01."""
    for origin in ("http://evil.example", "null", ""):
        answer = browser.post(path, data=fields, headers={"origin": origin})
        assert (answer.status_code, answer.json()["error_type"]) == (403, "cross_site_request")
    assert inbox.entries() == ()


def test_a_stand_in_signs_in_by_the_text_that_it_was_shown_and_by_no_other(browser: TestClient) -> None:
    """WAL-01."""
    for fields in ({"wallet": WALLET, "text": "another text"}, {"wallet": "my own", "text": ""}):
        assert browser.post("/wallet/sign", data=fields, headers=FORM).status_code in {400, 401}
    assert browser.post("/wallet", data={"wallet": "my own"}, headers=FORM).status_code == 400
    assert browser.get("/api/me").status_code == 401


@pytest.mark.parametrize("following", ELSEWHERE)
def test_neither_phone_nor_wallet_leads_on_to_another_site(browser: TestClient, inbox: Inbox, following: str) -> None:
    """RED-06."""
    for path in ("/phone", "/wallet"):
        assert 'name="next" value="/account"' in browser.get(path, params={"next": following}).text
    shown = browser.post("/wallet", data={"wallet": WALLET, "next": following}, headers=FORM).text
    text = html.unescape(shown.split('name="text" value="')[1].split('"')[0])
    fields = {"wallet": WALLET, "text": text, "next": following}
    answer = browser.post("/wallet/sign", data=fields, headers=FORM, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert browser.get("/api/me").status_code == 200


def test_recovery_codes_are_shown_to_who_is_signed_in_and_has_some(browser: TestClient) -> None:
    assert browser.get("/account/recovery-codes").status_code == 401
    by_password(browser, "ada@example.org", PASSWORD, by="new")
    answer = browser.get("/account/recovery-codes")
    assert (answer.status_code, 'role="alert"' in answer.text) == (400, True)
