"""Hosts as newcomers write them, in several languages, against `authmw dev` in a process of its own."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import flask
import pytest
import requests

from authmw.cli.dev import PROJECT_ID, SECRET
from tests.servers import Machine
from tests.world import World, make_world

HOST = Path(__file__).parents[1] / "js" / "quickstart.mjs"
LANDING = "http://localhost:3000/authenticate"
SEND, LINK, CHECK = "/v1/magic_links/email/login_or_create", "/v1/magic_links/authenticate", "/v1/sessions/authenticate"
HINT, PAGE = "Log in to view this page", "You're logged in."


@attrs.define(eq=False)
class Dev:
    """A running `authmw dev`, and the mail it would have sent."""

    url: str
    inbox_url: str

    def landed(self, address: str) -> str:
        """Where the newest mailed link to this address leads a browser."""
        mails = requests.get(self.inbox_url, timeout=30).json()
        link = next(mail["links"][0] for mail in mails if mail["to"] == address)
        answer = requests.get(link.replace("localhost", "127.0.0.1"), allow_redirects=False, timeout=30)
        assert answer.status_code == 303
        return answer.headers["location"]

    def token(self, address: str) -> str:
        """The token that the app is given there."""
        return parse_qs(urlsplit(self.landed(address)).query)["token"][0]


@pytest.fixture
def dev(facts: dict[str, str]) -> Dev:
    near = {name: str(value).replace("localhost", "127.0.0.1") for name, value in facts.items()}
    return Dev(near["url"], near["inbox_url"])


def test_the_mailed_link_lands_at_the_app_with_its_token_and_consumes_nothing(dev: Dev) -> None:
    """QS-05."""
    body = {"email": "lands@example.org", "login_magic_link_url": LANDING, "signup_magic_link_url": LANDING}
    sent = requests.post(dev.url + SEND, auth=(PROJECT_ID, SECRET), json=body, timeout=30)
    assert sent.status_code == 200
    for _ in range(2):
        place = urlsplit(dev.landed("lands@example.org"))
        assert f"{place.scheme}://{place.netloc}{place.path}" == LANDING
        assert parse_qs(place.query)["stytch_token_type"] == ["magic_links"]
    token = {"token": dev.token("lands@example.org"), "session_duration_minutes": 60}
    assert requests.post(dev.url + LINK, auth=(PROJECT_ID, SECRET), json=token, timeout=30).status_code == 200


def test_plain_http_from_python_signs_in_and_checks_the_session(dev: Dev) -> None:
    """QS-02."""
    pair = (PROJECT_ID, SECRET)
    body = {"email": "python@example.org", "login_magic_link_url": LANDING, "signup_magic_link_url": LANDING}
    sent = requests.post(dev.url + SEND, auth=pair, json=body, timeout=30)
    assert (sent.status_code, sent.json()["user_created"]) == (200, True)
    token = dev.token("python@example.org")
    signed_in = requests.post(
        dev.url + LINK, auth=pair, json={"token": token, "session_duration_minutes": 60}, timeout=30
    )
    session_jwt = signed_in.json()["session_jwt"]
    checked = requests.post(dev.url + CHECK, auth=pair, json={"session_jwt": session_jwt}, timeout=30)
    assert (checked.status_code, checked.json()["status_code"]) == (200, 200)
    assert checked.json()["session"]["user_id"] == signed_in.json()["user_id"]
    requests.post(dev.url + "/v1/sessions/revoke", auth=pair, json={"session_jwt": session_jwt}, timeout=30)
    over = requests.post(dev.url + CHECK, auth=pair, json={"session_jwt": session_jwt}, timeout=30)
    assert over.status_code == over.json()["status_code"] == 404


# Go, Ruby and Java: their requests as they stand on the wire

BASIC = base64.b64encode(f"{PROJECT_ID}:{SECRET}".encode()).decode()


def go(path: str, host: str, values: dict[str, Any]) -> bytes:
    """Go's `net/http`; `encoding/json` sorts a map's keys."""
    body = json.dumps(values, separators=(",", ":"), sort_keys=True)
    return (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: {len(body)}\r\n"
        f"Authorization: Basic {BASIC}\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n{body}"
    ).encode()


def ruby(path: str, host: str, values: dict[str, Any]) -> bytes:
    """Ruby's `Net::HTTP`."""
    body = json.dumps(values, separators=(",", ":"))
    return (
        f"POST {path} HTTP/1.1\r\nAccept-Encoding: gzip;q=1.0,deflate;q=0.6,identity;q=0.3\r\nAccept: */*\r\n"
        f"User-Agent: Ruby\r\nHost: {host}\r\nAuthorization: Basic {BASIC}\r\nContent-Type: application/json\r\n"
        f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def java(path: str, host: str, values: dict[str, Any]) -> bytes:
    """Java's `HttpClient`, which offers HTTP/2 on every clear connection, with a text block as its body."""
    lines = ",\n".join(f'    "{name}": {json.dumps(value)}' for name, value in values.items())
    body = f"  {{\n{lines}\n  }}\n"
    return (
        f"POST {path} HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nContent-Length: {len(body)}\r\nHost: {host}\r\n"
        "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nUpgrade: h2c\r\nUser-Agent: Java-http-client/21\r\n"
        f"Authorization: Basic {BASIC}\r\nContent-Type: application/json\r\n\r\n{body}"
    ).encode()


def replayed(dev: Dev, request: bytes) -> tuple[int, dict[str, Any]]:
    """The answer to these bytes."""
    place = urlsplit(dev.url)
    with socket.create_connection((place.hostname or "", place.port or 80), timeout=30) as connection:
        connection.sendall(request)
        reader = connection.makefile("rb")
        status = int(reader.readline().split()[1])
        length = 0
        while (line := reader.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            assert name.lower() != b"transfer-encoding"
            assert name.lower() != b"content-encoding"
            length = int(value) if name.lower() == b"content-length" else length
        return status, json.loads(reader.read(length))


@pytest.mark.parametrize("language", [go, ruby, java])
def test_requests_of_other_languages_get_the_same_answers(dev: Dev, language: Any) -> None:
    """QS-03, QS-04."""
    host, address = urlsplit(dev.url).netloc, f"{language.__name__}@example.org"
    links = {"email": address, "login_magic_link_url": LANDING, "signup_magic_link_url": LANDING}
    status, sent = replayed(dev, language(SEND, host, links))
    assert (status, sent["status_code"], sent["user_created"]) == (200, 200, True)
    token = {"token": dev.token(address), "session_duration_minutes": 60}
    status, signed_in = replayed(dev, language(LINK, host, token))
    assert (status, signed_in["user"]["emails"][0]["email"]) == (200, address)
    status, again = replayed(dev, language(LINK, host, token))
    assert (status, again["status_code"]) == (401, 401)
    session = {"session_jwt": signed_in["session_jwt"]}
    status, checked = replayed(dev, language(CHECK, host, session))
    assert (status, checked["session"]["user_id"]) == (200, signed_in["user_id"])
    assert set(checked) >= {"status_code", "request_id", "user", "session", "session_token", "session_jwt"}
    replayed(dev, language("/v1/sessions/revoke", host, session))
    status, over = replayed(dev, language(CHECK, host, session))
    assert (status, over["status_code"], over["error_type"]) == (404, 404, "session_not_found")


# Node


@contextmanager
def node_host(machine: Machine, dev: Dev) -> Iterator[str]:
    credentials = {"STYTCH_PROJECT_ID": PROJECT_ID, "STYTCH_SECRET": SECRET, "STYTCH_ADDRESS": f"{dev.url}/"}
    command = [str(machine.server("node").where), str(HOST)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, **credentials}, start_new_session=True
    ) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        # With what it started: some systems have a script under the name of node.
        os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.server("node")
@pytest.mark.xdist_group("node")
def test_a_host_on_node_signs_in_checks_and_drops_what_is_over(machine: Machine, dev: Dev) -> None:
    """QS-01, QS-04, QS-06, QS-08: the client's own calls, credentials from the environment, the JWT in the host's own session."""
    with node_host(machine, dev) as url, requests.Session() as browser:
        assert browser.get(f"{url}/dashboard", timeout=30).text == HINT
        sent = browser.post(f"{url}/login", json={"email": "node@example.org"}, timeout=30).json()
        assert (sent["status_code"], sent["user_created"]) == (200, True)
        query = urlsplit(dev.landed("node@example.org")).query
        assert browser.get(f"{url}/authenticate?{query}", timeout=30).text == PAGE
        assert browser.get(f"{url}/dashboard", timeout=30).text == PAGE
        browser.post(f"{url}/sign-out", timeout=30)
        over = browser.get(f"{url}/dashboard", timeout=30)
        assert (over.text, over.headers["x-status-seen"]) == (HINT, "404")
        assert browser.get(f"{url}/dashboard", timeout=30).headers["x-status-seen"] == ""


# Python, with the JWT in a cookie that the host signs


def flask_host(call: Any) -> flask.Flask:
    """A host that knows authmw by HTTP only. `call` posts to it and gives the answer's body."""
    app = flask.Flask(__name__)
    app.secret_key = "the host's own"

    @app.post("/login")
    def login() -> dict[str, Any]:
        links = {"login_magic_link_url": LANDING, "signup_magic_link_url": LANDING}
        return dict(call(SEND, {"email": flask.request.form["email"], **links}))

    @app.get("/authenticate")
    def authenticate() -> Any:
        answer = call(LINK, {"token": flask.request.args["token"], "session_duration_minutes": 60})
        flask.session["session_jwt"] = answer["session_jwt"]
        return flask.redirect("/dashboard")

    @app.get("/dashboard")
    def dashboard() -> str:
        session_jwt = flask.session.get("session_jwt")
        if not session_jwt:
            return HINT
        answer = call(CHECK, {"session_jwt": session_jwt})
        if answer["status_code"] != 200:
            flask.session.pop("session_jwt")
            return HINT
        return PAGE

    return app


def test_a_jwt_in_the_hosts_signed_cookie_is_good_for_as_long_as_the_session(world: World) -> None:
    """QS-04, QS-06, QS-07: also behind the JWT's own five minutes."""
    app = flask_host(lambda path, body: world.backend("POST", path, body).json)
    with app.test_client() as browser:
        assert browser.get("/dashboard").text == HINT
        assert browser.post("/login", data={"email": "ada@example.org"}).json["status_code"] == 200
        assert browser.get(f"/authenticate?token={world.token()}").location == "/dashboard"
        assert browser.get("/dashboard").text == PAGE
        world.clock.advance(minutes=59)
        assert browser.get("/dashboard").text == PAGE
        world.clock.advance(minutes=1)
        assert browser.get("/dashboard").text == HINT
        with browser.session_transaction() as kept:
            assert "session_jwt" not in kept


@pytest.fixture(params=["asgi", "wsgi"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return make_world(tmp_path, request.param, redirect_urls=(LANDING,))


def test_a_host_reads_its_credentials_from_a_file_and_the_library_reads_none(dev: Dev, tmp_path: Path) -> None:
    """QS-08."""
    (tmp_path / ".env").write_text(f'STYTCH_PROJECT_ID="{PROJECT_ID}"\nSTYTCH_SECRET="{SECRET}"\n')
    lines = (tmp_path / ".env").read_text().splitlines()
    kept = {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines)}
    pair = (kept["STYTCH_PROJECT_ID"], kept["STYTCH_SECRET"])
    assert requests.post(f"{dev.url}/v1/users/search", auth=pair, json={}, timeout=30).status_code == 200
    package = Path(__file__).parents[2] / "authmw"
    readers = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"os\.environ|os\.getenv|dotenv", path.read_text())
    ]
    assert [path for path in readers if not path.startswith(("cli/", "testing/"))] == []
