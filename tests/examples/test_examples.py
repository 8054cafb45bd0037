"""The examples run, protect their routes, and are what the README shows."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from authmw import Auth
from authmw.drive import step

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["fastapi_app", "flask_app"])
def example(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    return runpy.run_path(str(ROOT / "examples" / f"{request.param}.py"))


def get(example: dict[str, Any], path: str, **headers: str) -> tuple[int, Any, str]:
    if "Flask" in example:
        answer = example["app"].test_client(use_cookies=False).get(path, headers=headers)
        return answer.status_code, answer.json, answer.headers.get("location", "")
    client = TestClient(example["app"])
    found = client.get(path, headers=headers, follow_redirects=False)
    return found.status_code, found.json() if found.content else None, found.headers.get("location", "")


def session_cookie(auth: Auth) -> tuple[str, str]:
    user = step(auth.users.create(email="ada@example.org"))
    token = step(auth.magic_links.create(user_id=user.user_id)).token
    signed_in = step(auth.magic_links.authenticate(token=token, session_duration_minutes=60))
    return user.user_id, f"authmw_session={signed_in.session_token}"


def protected(example: dict[str, Any]) -> list[str]:
    return ["/dashboard", "/later"] if "Flask" in example else ["/dashboard", "/me"]


def test_a_visitor_without_a_session_is_refused_or_sent_to_sign_in(example: dict[str, Any]) -> None:
    for path in protected(example):
        assert get(example, path)[:1] == (401,)
        status, _, location = get(example, path, accept="text/html")
        assert (status, location) == (303, f"/login?next={path}")


def test_a_visitor_with_a_session_sees_the_page(example: dict[str, Any]) -> None:
    user_id, cookie = session_cookie(example["auth"])
    for path in protected(example):
        assert get(example, path, cookie=cookie)[:2] == (200, {"user": user_id})


def test_fastapi_shows_the_scheme_in_its_docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    app = runpy.run_path(str(ROOT / "examples" / "fastapi_app.py"))["app"]
    assert "Session" in app.openapi()["components"]["securitySchemes"]


@pytest.mark.parametrize("name", ["fastapi_app", "flask_app"])
def test_the_readme_shows_the_examples_as_they_are(name: str) -> None:
    code = (ROOT / "examples" / f"{name}.py").read_text().split('"""\n\n', 1)[1].strip()
    assert code in (ROOT / "README.md").read_text()
