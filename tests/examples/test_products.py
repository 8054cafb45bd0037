"""The examples of single products, as their pages, machines and staff would use them."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from starlette.testclient import TestClient

from authmw.crypto.pkce import challenge_of
from tests.adapters.test_dns import ZONE, serving
from tests.web_servers import counter, fetcher_for, reply

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def example(name: str) -> tuple[TestClient, Any, dict[str, Any]]:
    told = runpy.run_path(str(EXAMPLES / f"{name}.py"))
    return TestClient(told["app"]), told["auth"], told


def signed_in(client: TestClient, auth: Any, address: str, *roles: str) -> str:
    """A browser in which somebody with these roles has signed in; their id."""
    user = auth.run(auth.users.create(email=address, roles=list(roles))).user_id
    link = auth.run(auth.magic_links.create(user_id=user))
    answer = auth.run(auth.magic_links.authenticate(token=link.token, session_duration_minutes=60))
    client.cookies.set("authmw_session", answer.session_token)
    client.cookies.set("authmw_session_jwt", answer.session_jwt)
    return user


def test_a_code_comes_by_the_carrier_and_signs_in_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with counter(reply(201, b'{"sid": "SM1"}')) as server:
        monkeypatch.setattr("authmw_adapters.fetcher.GuardedFetcher", lambda: fetcher_for(server.port))
        for name, value in {"ACCOUNT": "AC1", "TOKEN": "t" * 32, "NUMBER": "+15005550006", "URL": server.url}.items():
            monkeypatch.setenv(f"TWILIO_{name}", value)
        client, _, _ = example("phone_codes")
        method = client.post("/code", params={"number": "+14155552671"}).json()["method"]
        form = parse_qs(server.asked[0].body.decode())
        assert form["To"] == ["+14155552671"]
        code = "".join(letter for letter in form["Body"][0].split("code")[0] if letter.isdigit())[:6]
        user = client.post("/sign-in", params={"method": method, "code": code}).json()["user"]
        assert client.get("/me").json() == {"user": user}
        assert client.post("/sign-in", params={"method": method, "code": code}).status_code == 401
        assert client.post("/code", params={"number": "+8613912345678"}).status_code == 400


def test_a_code_comes_by_mail_and_signs_in_once(capsys: pytest.CaptureFixture[str]) -> None:
    told = runpy.run_path(str(EXAMPLES / "email_codes.py"))
    client = told["app"].test_client()
    method = client.post("/code", data={"email": "ada@example.org"}).json["method"]
    printed = capsys.readouterr()
    code = re.search(r"^\W*(\d{6})\b", printed.out + printed.err, re.MULTILINE)
    assert code is not None
    asked = {"method": method, "code": code[1]}
    wrong = {"method": method, "code": f"{(int(code[1]) + 1) % 10**6:06d}"}
    assert client.post("/sign-in", data=wrong).status_code == 401
    user = client.post("/sign-in", data=asked).json["user"]
    assert client.get("/me").json == {"user": user}
    assert client.post("/sign-in", data=asked).status_code == 401
    assert told["app"].test_client().get("/me").status_code == 401


def test_who_is_signed_in_elsewhere_needs_to_prove_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with counter(reply(body=b'{"email": "ada@example.org"}'), reply(401)) as server:
        monkeypatch.setattr("authmw_adapters.fetcher.GuardedFetcher", lambda: fetcher_for(server.port))
        monkeypatch.setenv("FORMER_USERINFO", f"{server.url}/userinfo")
        client, auth, _ = example("moving_in")
        user = auth.run(auth.users.create(email="ada@example.org")).user_id
        assert client.post("/from-former", params={"session": "of-the-former"}).json() == {"user": user}
        assert server.asked[0].headers["authorization"] == "Bearer of-the-former"
        assert client.get("/me").json() == {"user": user}
        assert client.post("/from-former", params={"session": "none"}).status_code == 400
    token = token_of_own_app(auth, client.cookies["authmw_session"])
    there = TestClient(client.app)
    assert there.post("/from-app", params={"access_token": token}).json() == {"user": user}
    assert there.get("/me").json() == {"user": user}
    assert there.post("/from-app", params={"access_token": token}).status_code == 404


def token_of_own_app(auth: Any, session_token: str) -> str:
    """An access token that a first-party app got for whom a session belongs to."""
    back, verifier = "https://app.example/back", "v" * 43
    made = auth.run(
        auth.connected_app.clients.create(
            client_type="first_party", client_name="Our app", redirect_urls=[back], full_access_allowed=True
        )
    ).connected_app
    agreed = auth.run(
        auth.idp.oauth.authorize(
            client_id=made.client_id,
            redirect_uri=back,
            response_type="code",
            scopes=["full_access"],
            consent_granted=True,
            session_token=session_token,
            code_challenge=challenge_of(verifier),
        )
    )
    got = auth.idp.exchange_code(
        client_id=made.client_id,
        client_secret=made.client_secret,
        code=agreed.authorization_code,
        redirect_uri=back,
        code_verifier=verifier,
    )
    return str(auth.run(got).access_token)


def test_a_machine_gets_a_token_for_what_it_may_and_opens_nothing_else() -> None:
    client, auth, told = example("machine_tokens")
    machine = told["new_machine"]("nightly reports")
    asked = {"grant_type": "client_credentials", "scope": "reports:read", **machine}
    got = client.post(f"/v1/public/{auth.settings.project_id}/oauth2/token", data=asked).json()
    bearer = {"authorization": f"Bearer {got['access_token']}"}
    assert client.get("/reports", headers=bearer).json() == {"for": machine["client_id"]}
    assert client.post("/reports", headers=bearer).status_code == 403
    assert client.get("/reports").status_code == 401


def test_a_role_opens_what_it_may_and_is_gone_when_it_is_taken_back() -> None:
    client, auth, _ = example("roles")
    signed_in(client, auth, "editor@example.org", "editor")
    assert client.put("/documents").json() == {"written": True}
    assert client.delete("/documents").status_code == 403
    owner = signed_in(client, auth, "owner@example.org", "owner")
    assert client.delete("/documents").json() == {"deleted": True}
    auth.run(auth.users.update(user_id=owner, roles=[]))
    assert client.delete("/documents").status_code == 403


def test_staff_sees_what_a_user_sees_and_is_named() -> None:
    client, auth, told = example("support_view")
    user = auth.run(auth.users.create(email="ada@example.org")).user_id
    staff = signed_in(client, auth, "staff@example.org", "support")
    token = client.post("/support/token", params={"user": user}).json()["token"]
    window = TestClient(told["app"])
    assert window.post("/support/enter", params={"token": token}).json() == {"user": user}
    seen = window.get("/me").json()
    assert seen["user"] == user
    assert seen["seen_by"] == [{"impersonator_id": staff, "impersonator_email_address": "staff@example.org"}]
    assert window.post("/support/token", params={"user": staff}).status_code == 403
    other = TestClient(told["app"])
    signed_in(other, auth, "eve@example.org")
    assert other.post("/support/token", params={"user": user}).status_code == 403


def test_an_address_that_no_mail_reaches_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    import authmw_adapters.dns as adapter

    real = adapter.DNSMailServers
    monkeypatch.setitem(ZONE, ("example.org.", "MX"), ["10 mx.example.org."])
    monkeypatch.setattr("tests.adapters.test_dns.NAMES", {"example.org."})
    with serving() as server:
        monkeypatch.setattr(adapter, "DNSMailServers", lambda: real(nameservers=["127.0.0.1"], port=server.port))
        client, _, _ = example("careful_sign_up")
        told = client.post("/sign-up", params={"email": "ada@example.org"})
        assert (told.status_code, told.json()) == (202, {"sent": True, "unknown": ["has_known_bounces"]})
        assert client.post("/sign-up", params={"email": "ada@nowhere.example.org"}).status_code == 400
        assert client.post("/sign-up", params={"email": "ada@mailinator.com"}).status_code == 400
        assert client.post("/sign-up", params={"email": "not an address"}).status_code == 400
