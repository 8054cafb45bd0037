"""The OAuth example, as a browser would use it, with stand-ins for the providers."""

from __future__ import annotations

import html
import re
import runpy
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from starlette.testclient import TestClient

from authmw.testing.stand_ins import Person, StandIns

EXAMPLE = Path(__file__).parents[2] / "examples" / "oauth_sign_in.py"


def test_a_person_goes_to_the_provider_and_comes_back_signed_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    providers = StandIns("http://localhost:8000/elsewhere")
    app = runpy.run_path(str(EXAMPLE))["make_app"](providers.configured(), providers)
    with TestClient(app, base_url="http://localhost:8000", follow_redirects=False) as browser:
        starts = [html.unescape(one) for one in re.findall(r'href="([^"]+)"', browser.get("/").text)]
        start = next(one for one in starts if "/github/" in one)
        there = browser.get(start).headers["location"]
        back = providers.agree("github", dict(parse_qsl(urlsplit(there).query)), Person(email="ada@example.org"))
        landing = browser.get(back.url, params=dict(back.parameters)).headers["location"]
        token = re.search(r'value="([^"]+)"', browser.get(landing).text)
        assert token is not None
        assert browser.get("/me").status_code == 401
        assert browser.post("/landing", data={"token": token.group(1)}).headers["location"] == "/me"
        assert browser.get("/me").json()["user"].startswith("user-test-")
        assert "did not let you in" in browser.get("/landing", params={"error": "x"}).text
