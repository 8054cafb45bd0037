"""The recipes run: in every framework, from the request for a link to the protected page (QS-07, QS-09)."""

from __future__ import annotations

import logging
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from starlette.testclient import TestClient
from werkzeug.test import Client

EXAMPLES = Path(__file__).parents[2] / "examples"
URL = "http://localhost:8000"
RECIPES = [
    *("fastapi_sign_in", "flask_sign_in:app", "django_app", "django_app:wsgi_app"),
    *("starlette_app", "quart_app", "litestar_app", "falcon_app:wsgi_app", "asgi_app", "wsgi_app"),
]
NEVER_ASYNC = {"asgi_app", "wsgi_app", "falcon_app:wsgi_app"}
Answer: TypeAlias = tuple[int, str, dict[str, str]]
_django: dict[str, Any] = {}


class Visitor:
    """A browser of either protocol, with cookies."""

    def __init__(self, recipe: dict[str, Any], protocol: str) -> None:
        self.inbox = recipe["inbox"]
        self.client: Any = (
            Client(recipe.get("wsgi_app") or recipe["app"])
            if protocol == "wsgi"
            else TestClient(recipe["app"], base_url=URL, raise_server_exceptions=False)
        )

    def go(self, method: str, path: str, form: dict[str, str] | None = None, accept: str = "*/*") -> Answer:
        if isinstance(self.client, Client):
            got = self.client.open(
                path, method=method, data=form, headers={"accept": accept}, base_url=URL, buffered=True
            )
            return got.status_code, got.text, {name.lower(): value for name, value in got.headers.items()}
        answer = self.client.request(method, path, data=form, headers={"accept": accept}, follow_redirects=False)
        return answer.status_code, answer.text, dict(answer.headers)


@pytest.fixture(params=RECIPES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def visitor(name: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Visitor]:
    monkeypatch.chdir(tmp_path_factory.mktemp("recipe"))
    module, _, wsgi = name.partition(":")
    if module != "django_app":
        recipe = runpy.run_path(str(EXAMPLES / f"{module}.py"))
    else:
        # Django is configured once per process.
        if not _django:
            monkeypatch.syspath_prepend(str(EXAMPLES))
            import django_app

            _django.update(vars(django_app))
        recipe = _django
    yield Visitor(recipe, "wsgi" if wsgi or module == "wsgi_app" else "asgi")
    if module != "django_app":
        recipe["auth"].close()


def sign_in(visitor: Visitor, address: str) -> None:
    assert visitor.go("POST", "/login", {"email": address})[:2] == (200, "Look into your inbox.")
    # The mailed link leads to our page, which goes on to the app's and consumes nothing.
    status, _, headers = visitor.go("GET", visitor.inbox.entries()[0].links[0].removeprefix(URL))
    landing = headers["location"]
    assert (status, landing.startswith(f"{URL}/authenticate?")) == (303, True)
    page = visitor.go("GET", landing.removeprefix(URL))[1]
    token = re.search(r'value="([^"]+)"', page)
    assert token is not None
    assert visitor.go("POST", "/authenticate", {"token": token[1]})[0] in {200, 303}


def test_a_stranger_signs_in_by_the_mailed_link_and_sees_the_page(visitor: Visitor, name: str) -> None:
    """QS-09: POST /login, the mail in the inbox, the click, signed in."""
    assert visitor.go("GET", "/dashboard")[:2] == (200, "Log in to view this page")
    sign_in(visitor, f"{name.replace(':', '-')}@example.org")
    assert visitor.go("GET", "/dashboard")[:2] == (200, "You're logged in.")
    for path in ["/me"] if name in NEVER_ASYNC else ["/me", "/later"]:
        status, text, _ = visitor.go("GET", path)
        assert status == 200
        assert text.startswith("user-test-")


def test_a_guarded_view_refuses_a_stranger_or_leads_to_sign_in(
    visitor: Visitor, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """QS-07. A refusal is no error of the host's: no framework logs one."""
    caplog.set_level(logging.WARNING)
    for path in ["/me"] if name in NEVER_ASYNC else ["/me", "/later"]:
        status, text, headers = visitor.go("GET", path)
        assert (status, headers["content-type"]) == (401, "application/json")
        assert "user_unauthenticated" in text
        status, text, headers = visitor.go("GET", path, accept="text/html")
        assert (status, headers["location"], text) == (303, f"/login?next={path}", "")
    assert [
        record.getMessage() for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR
    ] == []
