"""The event log as it is read: every call is there, however it ended, and nothing of it is a secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from authmw import Provider, Refused
from authmw.http.browser import browser_routes
from authmw.http.pages import page_routes
from tests.world import PROJECT_ID, PUBLIC_TOKEN, SECRET, World, make_world

EVENTS = "/v1/project/events"


def log(world: World, query: str = "") -> list[dict[str, Any]]:
    """The entries of everything but the reading itself, newest first."""
    world.auth.notes.flush()
    answer = world.backend("GET", f"{EVENTS}?limit=1000{query}")
    assert answer.status == 200, answer.json
    return [entry for entry in answer.json["events"] if entry["action"] != "ListEvents"]


def test_each_request_reads_as_a_start_and_one_end_under_the_id_of_its_answer(world: World) -> None:
    """EVT-01, EVT-03, EVT-04, A303, AUD-01."""
    made = world.backend("POST", "/v1/users", {"email": "ada@example.org"}).json
    refused = world.backend("POST", "/v1/users", {"email": "ada@example.org"}).json
    entries = log(world, "&action=CreateUser")
    assert [
        (entry["request_id"], entry["status"]) for entry in entries if entry["request_id"] == made["request_id"]
    ] == [
        (made["request_id"], "success"),
        (made["request_id"], "start"),
    ]
    (end,) = [e for e in entries if e["request_id"] == refused["request_id"] and e["status"] != "start"]
    assert (end["status"], end["http_status"], end["error_type"]) == ("error", 400, "duplicate_email")
    assert len(entries) == 4


@pytest.mark.parametrize(
    ("body", "error"),
    [({"email": 7}, "bad_request"), (b"{", "json_invalid"), ({"limit": 10**30}, "json_invalid")],
)
def test_what_is_refused_before_a_body_is_an_error_of_its_action(world: World, body: Any, error: str) -> None:
    """AUD-01: strict decoding is part of the call."""
    answer = world.backend("POST", "/v1/users", body, content_type="application/json").json
    assert answer["error_type"] == error
    entries = log(world, "&action=CreateUser&status=error")
    assert [(entry["request_id"], entry["error_type"]) for entry in entries] == [(answer["request_id"], error)]


FORM = "application/x-www-form-urlencoded"
PUBLIC = f"/v1/public/{PROJECT_ID}/oauth2"
CALLBACK = "/v1/oauth/callback/oauth-callback-test-00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("method", "path", "body", "kind", "error", "action"),
    [
        ("POST", f"{PUBLIC}/token", b"grant_type=a&grant_type=b", FORM, "bad_request", "M2MToken"),
        ("POST", f"{PUBLIC}/token", b"x" * 70_000, FORM, "body_too_large", "M2MToken"),
        ("POST", f"{PUBLIC}/token", b"{", "application/json", "json_invalid", "M2MToken"),
        ("POST", f"{PUBLIC}/token", b"grant_type=password", FORM, "unsupported_grant_type", "M2MToken"),
        ("POST", f"{PUBLIC}/introspect?token=x", b"token=x", FORM, "bad_request", "IDPIntrospectToken"),
        ("POST", f"{PUBLIC}/revoke", b"token=x", "text/plain", "unsupported_media_type", "IDPRevokeToken"),
        ("GET", "/v1/oauth2/userinfo", None, "", "invalid_token", "IDPUserInfo"),
        ("GET", "/v1/public/oauth/google/start?provider_a=1&provider_a=2", None, "", "bad_request", "OAuthStart"),
        ("GET", f"{CALLBACK}?state=a&state=b", None, "", "bad_request", "OAuthCallback"),
        ("POST", CALLBACK, b"{}", "application/json", "unsupported_media_type", "OAuthCallbackForm"),
        ("POST", "/v1/public/oauth/google/onetap/submit", b"{}", "application/json", "cross_site_request", "GoogleOneTapSubmit"),
        ("POST", "/auth/oauth/authorize", b"decision=allow", FORM, "cross_site_request", "IDPOAuthAuthorize"),
        ("POST", "/auth/oauth/device", b"decision=allow", FORM, "cross_site_request", "IDPDevice"),
    ],
    ids=range(13),
)  # fmt: skip
def test_what_cannot_be_read_at_the_doors_of_apps_and_browsers_is_in_the_log_too(
    tmp_path: Path, method: str, path: str, body: bytes | None, kind: str, error: str, action: str
) -> None:
    """AUD-01: whoever asks in a way that nobody understands has asked."""
    world = make_world(tmp_path, "asgi", provider=Provider(device_grant=True))
    cookie = f"authmw_session={world.sign_in()['session_token']}" if path.startswith("/auth/") else ""
    sent = {"content_type": kind} if kind else {}
    answer = world.send(method, path, body, **sent, **({"cookie": cookie} if cookie else {}))
    assert answer.status >= 400
    entries = log(world, f"&action={action}&status=error")
    assert [entry["error_type"] for entry in entries] == [error]
    assert answer.json is None or answer.json["request_id"] == entries[0]["request_id"]


def test_wrong_credentials_and_tokens_are_errors_of_their_action(world: World) -> None:
    backend = world.send("POST", "/v1/users", {"email": "ada@example.org"}, authorization="Basic Zm9vOmJhcg==").json
    browser = world.send(
        "POST", "/sdk/v1/magic_links/email/login_or_create", {}, authorization="Basic Zm9vOmJhcg=="
    ).json
    ends = {entry["request_id"]: entry for entry in log(world, "&status=error")}
    assert ends[backend["request_id"]]["error_type"] == "unauthorized_credentials"
    assert ends[backend["request_id"]]["action"] == "CreateUser"
    assert ends[browser["request_id"]]["action"] == "MagicLinksEmailLoginOrCreate"


def test_a_python_call_held_to_the_bounds_leaves_an_event_too(world: World) -> None:
    with pytest.raises(Refused) as refused:
        world.auth.run(world.auth.users.get(user_id="spaces are none"))
    assert [entry["request_id"] for entry in log(world, "&action=GetUser&status=error")] == [refused.value.request_id]


def test_the_log_is_filtered_by_status_subject_request_and_time(world: World) -> None:
    """EVT-05."""
    ada = world.backend("POST", "/v1/users", {"email": "ada@example.org"}).json
    world.clock.advance(minutes=10)
    eve = world.backend("POST", "/v1/users", {"email": "eve@example.org"}).json
    assert {entry["subject_id"] for entry in log(world, f"&subject_id={ada['user_id']}&status=success")} == {
        ada["user_id"]
    }
    assert {entry["request_id"] for entry in log(world, f"&request_id={eve['request_id']}")} == {eve["request_id"]}
    assert {entry["status"] for entry in log(world, "&status=start")} == {"start"}
    later = log(world, f"&action=CreateUser&started_from={world.clock.now().isoformat().replace('+00:00', 'Z')}")
    assert {entry["request_id"] for entry in later} == {eve["request_id"]}
    assert world.backend("GET", f"{EVENTS}?started_from=yesterday").json["error_type"] == "bad_request"


def test_pages_join_to_the_whole_newest_first(world: World) -> None:
    made = []
    for number in range(5):
        made.append(world.backend("POST", "/v1/users", {"email": f"u{number}@example.org"}).json["request_id"])
        world.clock.advance(seconds=1)
    world.auth.notes.flush()
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = world.backend("GET", f"{EVENTS}?action=CreateUser&status=success&limit=2&cursor={cursor}").json
        seen += [entry["request_id"] for entry in page["events"]]
        cursor = page["next_cursor"]
    assert seen == made[::-1]
    forged = world.backend("GET", f"{EVENTS}?cursor=W1tdLCJhIl0.forged")
    assert (forged.status, forged.json["error_type"]) == (400, "invalid_argument")


def test_entries_are_gone_after_thirty_days(world: World) -> None:
    """EVT-07."""
    world.backend("POST", "/v1/users", {"email": "ada@example.org"})
    world.clock.advance(days=29)
    assert log(world, "&action=CreateUser")
    world.clock.advance(days=1, seconds=1)
    assert log(world, "&action=CreateUser") == []


def test_the_log_holds_neither_secret_nor_token_nor_address(world: World) -> None:
    signed_in = world.sign_in("ada@example.org")
    text = str(log(world))
    for secret in (SECRET, signed_in["session_token"], signed_in["session_jwt"], "ada@example.org"):
        assert secret not in text


def test_what_belongs_to_no_operation_is_a_closed_list(world: World) -> None:
    """Whatever else a browser calls is a row, whose call is logged."""
    rows = {(row.method, row.path) for row in world.auth.rows()}
    routes = {(method, path) for method, path, _ in browser_routes(world.auth)}
    assert routes - rows == {("GET", "/sdk/v1/projects/bootstrap/{public_token}"), ("POST", "/sdk/v1/events")}
    assert {path for _, path, _ in page_routes(world.auth)} == {"/v1/magic_links/redirect", "/errors"}


def test_what_every_page_view_of_anybody_asks_leaves_no_row_however_often(world: World) -> None:
    asked = world.backend("POST", "/v1/magic_links/email/login_or_create", {"email": "ada@example.org"})
    assert asked.status == 200
    before = [entry["request_id"] for entry in log(world)]
    link = f"/v1/magic_links/redirect?token={world.token()}"
    for _ in range(20):
        answers = [
            world.send("GET", f"/sdk/v1/projects/bootstrap/{PUBLIC_TOKEN}"),
            world.send("GET", "/sdk/v1/projects/bootstrap/public-token-test-of-nobody"),
            world.send("POST", "/sdk/v1/events", [{"telemetry": {}}]),
            world.send("GET", link),
            world.send("GET", "/v1/magic_links/redirect?token=unknown"),
            world.send("GET", "/auth/errors"),
        ]
        assert [answer.status for answer in answers] == [200, 404, 200, 303, 404, 200]
    assert answers[0].json["data"]["request_id"]
    assert [entry["request_id"] for entry in log(world)] == before
    spent = world.browser(
        "POST", "/sdk/v1/magic_links/authenticate", {"token": world.token(), "session_duration_minutes": 60}
    )
    assert spent.json["data"]["request_id"] in {entry["request_id"] for entry in log(world)}
