"""What browsers may call: a project switches products off for them, and backends go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import attrs
import pytest

from authmw import Auth, Settings
from authmw.drive import step
from authmw.errors import Misconfigured
from authmw.ledger.records import Event
from authmw.project import StoredBrowserAccess, StoredProject
from authmw.storage import And, Insert
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


ACCESS = "/v1/project/browser_access"


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_what_browsers_may_call_changes_while_the_service_runs(tmp_path: Path, host: str) -> None:
    """SW-01 to SW-03, EVT-02: from the next call on here, within five seconds in another process, and declared values come first."""
    providers = StandIns(f"{URL}/stand-ins")
    more: dict[str, Any] = {"oauth": providers.configured(), "fetcher": providers}
    world = make_world(tmp_path, host, managed={"browser_access"}, browser_off={"totps"}, **more)
    core = world.auth.core
    auth = Auth(core.settings, storage=core.storage, limiter=core.limiter, clock=world.clock, fetcher=providers)
    other = attrs.evolve(world, auth=auth)
    token = world.sign_in()["session_token"]

    def closed(here: World) -> set[str]:
        asked = {
            "totps": here.browser("POST", "/sdk/v1/totps", {}, token=token),
            "users": here.browser("GET", "/sdk/v1/users/me", token=token),
            "oauth": here.visit(f"/v1/public/oauth/google/start?public_token={PUBLIC_TOKEN}"),
            "send": here.browser("POST", "/sdk/v1/otps/email/send/primary", {"email": "nobody@example.org"}),
        }
        return {name for name, answer in asked.items() if error(answer) == REFUSED}

    assert closed(world) == closed(other) == {"totps"}
    shown = world.backend("GET", ACCESS).json
    assert (shown["products_off"], shown["sending"]) == (["totps"], True)
    changed = world.backend("PUT", ACCESS, {"products_off": ["users", "oauth", "users"]}).json
    assert (changed["products_off"], changed["sending"]) == (["oauth", "users"], True)
    assert closed(world) == {"users", "oauth"}
    assert closed(other) == {"totps"}
    assert world.backend("GET", f"/v1/users/{world.sign_in()['user_id']}").status == 200
    world.clock.advance(seconds=5)
    assert closed(other) == {"users", "oauth"}
    assert world.backend("PUT", ACCESS, {"products_off": [], "sending": False}).status == 200
    assert closed(world) == {"send"}
    world.auth.notes.flush()
    events = step(world.auth.storage.page(Event, And(), limit=200)).records
    assert [one.source for one in events if one.action == "UpdateBrowserAccess"] == ["DASHBOARD"] * 2


def test_a_switch_that_is_wrong_or_declared_in_code_changes_nothing(tmp_path: Path) -> None:
    world = make_world(tmp_path / "managed", "asgi", managed={"browser_access"})
    wrong: list[dict[str, Any]] = [{"products_off": ["faxes"]}, {"products_off": "otps"}, {"sending": "no"}]
    assert [error(world.backend("PUT", ACCESS, body)) for body in wrong] == [(400, "bad_request")] * 3
    assert world.backend("GET", ACCESS).json["products_off"] == []
    declared = make_world(tmp_path / "declared", "asgi", browser_off={"otps"})
    assert error(declared.backend("PUT", ACCESS, {"products_off": []})) == (400, "setting_not_managed")
    assert declared.backend("GET", ACCESS).json["products_off"] == ["otps"]


def test_a_stored_switch_of_a_product_that_this_version_does_not_know_stops_nothing(tmp_path: Path) -> None:
    """A newer version may have stored it, and processes are replaced in turn."""
    world = make_world(tmp_path, "asgi", managed={"browser_access"})
    stored = StoredBrowserAccess(off=("faxes", "users"))
    step(world.auth.storage.commit(Insert(StoredProject(project_id=PROJECT_ID, browser_access=stored))))
    assert error(world.browser("GET", "/sdk/v1/users/me")) == REFUSED
    assert world.backend("GET", ACCESS).json["products_off"] == ["users"]


def test_a_product_that_there_is_not_cannot_be_switched_off() -> None:
    with pytest.raises(Misconfigured, match="browser_off"):
        Settings(project_id=PROJECT_ID, secret=SECRET, browser_off=frozenset({"faxes"}))  # type: ignore[arg-type]
