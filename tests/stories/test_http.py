"""The door itself: what passes to the host, what is refused, and what no answer ever does."""

from __future__ import annotations

import base64

import pytest

from tests.world import PROJECT_ID, SECRET, World

USERS = "/v1/users"
KINDS = ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", ""]


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("user", "password"),
    [
        (PROJECT_ID, SECRET + "x"),
        (PROJECT_ID, SECRET[:-1]),
        (PROJECT_ID, ""),
        ("", SECRET),
        (SECRET, PROJECT_ID),
        ("project-test-other", SECRET),
        (PROJECT_ID, "ключ"),
    ],
    ids=range(7),
)
def test_a_wrong_or_foreign_pair_is_refused(world: World, user: str, password: str) -> None:
    """ENV-01."""
    answer = world.send("POST", f"{USERS}/search", {}, authorization=basic(user, password))
    assert (answer.status, answer.json["error_type"]) == (401, "unauthorized_credentials")
    assert answer.header("www-authenticate")


def test_the_scheme_is_read_in_any_case(world: World) -> None:
    """RFC 9110 section 11.1."""
    pair = basic(PROJECT_ID, SECRET).replace("Basic", "bAsIc")
    assert world.send("POST", f"{USERS}/search", {}, authorization=pair).status == 200


@pytest.mark.parametrize("kind", [*KINDS, "application/json; charset=utf-7"])
def test_a_body_of_another_kind_is_not_read(world: World, kind: str) -> None:
    """A260, CSR-02."""
    answer = world.backend("POST", USERS, b'{"email":"a@example.org"}', content_type=kind)
    assert (answer.status, answer.json["error_type"]) == (415, "unsupported_media_type")


def test_an_encoded_slash_is_part_of_an_id_and_leads_to_no_other_address(world: World) -> None:
    """The vendor's clients encode what a host gives them for an id: one that says `emails/...` must not delete an address where a user was meant (RFC 3986 section 2.2)."""
    signed_in = world.sign_in()
    user_id, email_id = signed_in["user_id"], signed_in["user"]["emails"][0]["email_id"]
    for slash in ("%2F", "%2f"):
        read = world.backend("GET", f"{USERS}/{user_id}{slash}connected_apps")
        assert (read.status, read.json["error_type"]) == (400, "invalid_user_id")
        changed = world.backend(
            "PUT", f"{USERS}/{user_id}{slash}exchange_primary_factor", {"email_address": "b@example.org"}
        )
        assert (changed.status, changed.json["error_type"]) == (400, "invalid_user_id")
        for path in (f"{USERS}/emails{slash}{email_id}", f"/auth{USERS}/emails{slash}{email_id}"):
            deleted = world.backend("DELETE", path)
            assert (deleted.status, deleted.json["error_type"]) == (400, "invalid_user_id")
    assert world.backend("GET", f"{USERS}/{user_id}").json["emails"][0]["email"] == "ada@example.org"
    assert world.backend("GET", f"/v1{'%2F'}users/{user_id}").status == 404


@pytest.mark.parametrize("path", ["/v1/users/%25FF", "/v1/users/%25", "/v1/users/%2541", "/v1/users/a%00b"])
def test_a_path_is_decoded_once_and_never_an_error_of_ours(world: World, path: str) -> None:
    """A255."""
    assert world.backend("GET", path).status in {400, 404}


@pytest.mark.parametrize("path", ["/v1/users/", "/v1/users/a/b", "/v1", "/v1/", "/v1//users", "/V1/users", "/sdk/v1/x"])
def test_a_path_that_is_not_quite_ours_passes_to_the_host(world: World, path: str) -> None:
    answer = world.backend("GET", path)
    assert answer.status == 404
    assert not (answer.json or {}).get("error_type")


@pytest.mark.parametrize("query", ["user_id=a&user_id=b", "user_id=%FF", "user_id=a%00"])
def test_an_ambiguous_query_is_refused(world: World, query: str) -> None:
    answer = world.backend("GET", f"/v1/sessions?{query}")
    assert (answer.status, answer.json["error_type"]) == (400, "bad_request")


def test_the_mount_has_the_same_routes(world: World) -> None:
    made = world.backend("POST", f"/auth{USERS}", {"email": "a@example.org"})
    assert made.status == 200
    assert world.backend("GET", f"{USERS}/{made.json['user_id']}").json["user_id"] == made.json["user_id"]


def test_another_method_says_which_are_allowed(world: World) -> None:
    answer = world.backend("PATCH", f"{USERS}/user-test-1")
    assert (answer.status, answer.header("allow")) == (405, ["DELETE, GET, PUT"])


def test_head_answers_as_get_without_a_body(world: World) -> None:
    path = f"/v1/sessions/jwks/{PROJECT_ID}"
    head, get = world.send("HEAD", path), world.send("GET", path)
    assert (head.status, head.json) == (200, None)
    assert head.header("content-length") == get.header("content-length")


@pytest.mark.parametrize("header", ["x_http_method_override", "x_http_method", "x_method_override"])
def test_no_header_makes_another_method_of_a_request(world: World, header: str) -> None:
    """CSR-02: it is refused, and is neither of the two."""
    made = world.backend("POST", "/v1/users", {"email": "ada@example.org"}).json
    refused = world.backend("POST", "/v1/users", {"email": "bob@example.org"}, **{header: "DELETE"})
    assert (refused.status, refused.json["error_type"]) == (400, "bad_request")
    assert world.backend("POST", f"/v1/users/{made['user_id']}", {}, **{header: "DELETE"}).status in {400, 405}
    assert world.backend("POST", "/v1/users/search", {}).json["results_metadata"]["total"] == 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_body_that_comes_with_a_get_is_refused(world: World, method: str) -> None:
    """CSR-02: caches and proxies may read such a request otherwise."""
    made = world.backend("POST", "/v1/users", {"email": "ada@example.org"}).json
    path = f"/v1/users/{made['user_id']}"
    assert world.backend(method, path, {"user_id": "another"}).status == 400
    assert world.backend(method, path).status == 200


def test_no_answer_is_kept_by_a_cache(world: World) -> None:
    """A048, SES-08."""
    signed_in = world.sign_in()
    answers = [
        world.backend("POST", "/v1/sessions/authenticate", {"session_token": signed_in["session_token"]}),
        world.backend("GET", f"{USERS}/{signed_in['user_id']}"),
        world.backend("GET", f"{USERS}/user-test-nobody"),
        world.browser("GET", "/sdk/v1/users/me", token=signed_in["session_token"]),
        world.send("POST", USERS, {}),
    ]
    for answer in answers:
        assert answer.header("cache-control") == ["no-store"]
        assert answer.header("x-content-type-options") == ["nosniff"]


def test_reading_any_route_of_ours_sets_no_cookie_and_changes_nothing(world: World) -> None:
    """A050, SES-09."""
    signed_in = world.sign_in()
    cookie = f"authmw_session={signed_in['session_token']}"
    paths = {operation.path for _, operation in world.auth.table()} | {"/sdk/v1/users/me", "/sdk/v1/sessions/revoke"}
    for path in paths:
        concrete = path.replace("{project_id}", PROJECT_ID).replace("{user_id}", signed_in["user_id"])
        for method in ("GET", "HEAD"):
            for answer in (
                world.backend(method, concrete, cookie=cookie),
                world.browser(method, concrete, cookie=cookie),
            ):
                assert not answer.header("set-cookie"), path
                assert answer.status < 500
    assert world.visit("/who", cookie).json == {"user_id": signed_in["user_id"]}


@pytest.mark.parametrize("header", ["x_authmw_user_id", "x_authmw_session", "authmw_session", "remote_user"])
def test_no_header_of_a_visitor_is_an_identity(world: World, header: str) -> None:
    """A264, RAT-03."""
    user = world.sign_in()["user_id"]
    assert world.send("GET", "/who", **{header: user}).status == 401


def test_a_request_id_is_ours_and_never_the_callers(world: World) -> None:
    """A262, LOG-02."""
    answer = world.backend("POST", f"{USERS}/search", {}, x_request_id="canary", request_id="canary")
    assert answer.json["request_id"].startswith("request-id-test-")
    assert "canary" not in str(answer.headers)


def test_a_refused_visitor_of_the_hosts_own_page_is_not_asked_for_a_password(world: World) -> None:
    """A Basic challenge on a page of the host makes browsers open their own password dialog."""
    answer = world.send("GET", "/who")
    assert answer.status == 401
    assert not any(one.lower().startswith("basic") for one in answer.header("www-authenticate"))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/who", "/login?next=/who"),
        ("/who?a=1&b=2", "/login?next=/who%3Fa%3D1%26b%3D2"),
        ("/who?next=https://evil.example", "/login?next=/who%3Fnext%3Dhttps%3A//evil.example"),
    ],
)
def test_a_visitor_who_must_sign_in_comes_back(world: World, path: str, expected: str) -> None:
    """RED-05."""
    answer = world.send("GET", path, accept="text/html,*/*")
    assert (answer.status, answer.header("location")) == (303, [expected])


def test_a_signed_in_visitor_without_a_second_factor_is_not_sent_to_sign_in_again(world: World) -> None:
    cookie = f"authmw_session={world.sign_in()['session_token']}"
    answer = world.visit("/mfa", cookie, accept="text/html")
    assert (answer.status, answer.json["error_type"]) == (401, "insufficient_factors")


def test_a_dead_session_is_removed_from_the_browser_by_the_refusal_itself(world: World) -> None:
    signed_in = world.sign_in()
    world.backend("POST", "/v1/sessions/revoke", {"session_id": signed_in["session"]["session_id"]})
    world.clock.advance(minutes=2)
    answer = world.visit("/who", f"authmw_session={signed_in['session_token']}")
    assert answer.status == 401
    assert sorted(one.split("=")[0] for one in answer.header("set-cookie")) == ["authmw_session", "authmw_session_jwt"]
