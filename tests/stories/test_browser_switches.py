"""What browsers may call: a project switches products off for them, and backends go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from authmw import Settings
from authmw.errors import Misconfigured
from authmw.switches import BrowserProduct
from authmw.testing import StandIns
from tests.world import PROJECT_ID, PUBLIC_TOKEN, SECRET, URL, Answer, World, make_world

REFUSED = (401, "endpoint_not_authorized_for_sdk")


def error(answer: Answer) -> tuple[int, str]:
    return answer.status, (answer.json or {}).get("error_type", "")


def paths(world: World) -> list[tuple[str, str]]:
    """Every path of the browser API, with something for its places."""
    return [(row.method, row.path.replace("{", "").replace("}", "")) for row in world.auth.rows()]


def called(world: World, method: str, path: str, token: str) -> Answer:
    return world.browser(method, path, {} if method in {"POST", "PUT"} else None, token=token)


@pytest.mark.parametrize("product", get_args(BrowserProduct))
def test_a_product_that_is_off_for_browsers_refuses_all_its_calls_and_no_others(tmp_path: Path, product: Any) -> None:
    """SW-01: with a living session, so that nothing else refuses first."""
    world = make_world(tmp_path, "asgi", browser_off={product})
    token = world.sign_in()["session_token"]
    closed = {path for method, path in paths(world) if error(called(world, method, path, token)) == REFUSED}
    assert closed == {path for _, path in paths(world) if path.startswith(f"/sdk/v1/{product}/")} | (
        {"/sdk/v1/passwords"} if product == "passwords" else {"/sdk/v1/totps"} if product == "totps" else set()
    )
    assert closed


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_what_is_off_for_browsers_goes_on_for_backends(tmp_path: Path, host: str) -> None:
    """SW-02."""
    world = make_world(tmp_path, host, browser_off=get_args(BrowserProduct))
    signed_in = world.sign_in()
    assert world.backend("POST", "/v1/totps", {"user_id": signed_in["user_id"]}).status == 200
    assert world.backend("GET", f"/v1/users/{signed_in['user_id']}").status == 200
    token = signed_in["session_token"]
    assert error(world.browser("GET", "/sdk/v1/users/me", token=token)) == REFUSED
    assert world.browser("POST", "/sdk/v1/sessions/authenticate", {}, token=token).status == 200
    assert world.browser("POST", "/sdk/v1/sessions/revoke", {}, token=token).status == 200


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_no_browser_begins_a_sign_in_by_a_provider_where_that_is_off(tmp_path: Path, host: str) -> None:
    """SW-01: a link leads there, and is a browser's call too."""
    providers = StandIns(f"{URL}/stand-ins")
    world = make_world(tmp_path, host, browser_off={"oauth"}, oauth=providers.configured(), fetcher=providers)
    for path in ("/v1/public/oauth/google/start", "/v1/public/oauth/google/onetap/start"):
        answer = world.visit(f"{path}?public_token={PUBLIC_TOKEN}")
        assert error(answer) == REFUSED
        assert not answer.header("location")


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_sending_to_known_people_alone_is_switched_off(tmp_path: Path, host: str) -> None:
    """SW-03: `login_or_create` goes on, and so does `send` for backends."""
    world = make_world(tmp_path, host, browser_sending=False)
    token = world.sign_in()["session_token"]
    world.clock.advance(seconds=2)
    for product, body in (
        ("magic_links/email", {"email": "ada@example.org"}),
        ("otps/email", {"email": "ada@example.org"}),
        ("otps/sms", {"phone_number": "+12025550142"}),
        ("otps/whatsapp", {"phone_number": "+12025550142"}),
    ):
        for kind in ("primary", "secondary"):
            assert error(world.browser("POST", f"/sdk/v1/{product}/send/{kind}", body, token=token)) == REFUSED
        assert world.browser("POST", f"/sdk/v1/{product}/login_or_create", body).status == 200
        world.clock.advance(seconds=2)
        assert world.backend("POST", f"/v1/{product}/send", body).status == 200
        world.clock.advance(seconds=2)


def test_a_product_that_there_is_not_cannot_be_switched_off() -> None:
    with pytest.raises(Misconfigured, match="browser_off"):
        Settings(project_id=PROJECT_ID, secret=SECRET, browser_off=frozenset({"faxes"}))  # type: ignore[arg-type]
