"""Being the provider, told through the endpoints: a person lets an app in, the app uses and refreshes what it got, and everything ends when it should."""

from __future__ import annotations

import base64
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import attrs
import jwt
import pytest

from authmw import Settings
from authmw.people.apps import Grant
from authmw.provider import Provider, Resource
from authmw.storage import And, encode
from tests.world import PROJECT_ID, SECRET, URL, Answer, World, make_world

FORM = "application/x-www-form-urlencoded"
BACK = "https://app.example/back"
MCP = "https://mcp.example/mcp"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
CHECKS = json.loads((Path(__file__).parents[1] / "corpus" / "provider_checks.json").read_text())


@pytest.fixture(params=["asgi", "wsgi"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    provider = Provider(
        scopes={"notes:read": "Read your notes."}, resources=(Resource(url=MCP), Resource(url=f"{MCP}/two"))
    )
    return make_world(tmp_path, request.param, provider=provider)


@attrs.define(eq=False)
class App:
    """A client, and the person it asks."""

    world: World
    shown: dict[str, Any]
    person: Any

    @property
    def id(self) -> str:
        return self.shown["client_id"]

    def credentials(self) -> dict[str, str]:
        secret = self.shown.get("client_secret")
        return {"client_id": self.id, **({"client_secret": secret} if secret else {})}

    def asks(self, **more: Any) -> Answer:
        body = {
            "client_id": self.id,
            "redirect_uri": BACK,
            "response_type": "code",
            "scopes": ["openid", "email", "offline_access"],
            "session_token": self.person["session_token"],
            "consent_granted": True,
            "code_challenge": CHALLENGE,
            "state": "s t/a+te",
            "nonce": "n-1",
            **more,
        }
        return self.world.backend("POST", "/v1/idp/oauth/authorize", {k: v for k, v in body.items() if v is not None})

    def code(self, **more: Any) -> str:
        answer = self.asks(**more)
        assert answer.status == 200, answer.json
        return answer.json["authorization_code"]

    def form(self, endpoint: str, fields: dict[str, str | None]) -> Answer:
        return self.raw(endpoint, urlencode({k: v for k, v in fields.items() if v is not None}).encode())

    def raw(self, endpoint: str, body: bytes, **headers: str) -> Answer:
        return self.world.send("POST", f"/v1/oauth2/{endpoint}", body, content_type=FORM, **headers)

    def redeems(self, code: str, **more: str | None) -> Answer:
        return self.form(
            "token",
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": BACK,
                "code_verifier": VERIFIER,
                **self.credentials(),
                **more,
            },
        )

    def refreshes(self, token: str, **more: str | None) -> Answer:
        return self.form("token", {"grant_type": "refresh_token", "refresh_token": token, **self.credentials(), **more})

    def tokens(self, **more: Any) -> Any:
        answer = self.redeems(self.code(**more))
        assert answer.status == 200, answer.json
        return answer.json

    def active(self, token: str) -> bool:
        return self.form("introspect", {"token": token, **self.credentials()}).json["active"]


def app(world: World, client_type: str = "third_party", **more: Any) -> App:
    body = {"client_type": client_type, "client_name": "Notes", "redirect_urls": [BACK], **more}
    answer = world.backend("POST", "/v1/connected_apps/clients", body)
    assert answer.status == 200, answer.json
    return App(world, answer.json["connected_app"], world.sign_in())


def userinfo(world: World, token: str) -> Answer:
    return world.send("GET", "/v1/oauth2/userinfo", authorization=f"Bearer {token}")


def claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


@pytest.mark.parametrize("client_type", ["first_party", "first_party_public", "third_party", "third_party_public"])
def test_a_person_lets_an_app_in_and_the_app_learns_what_they_agreed_to(world: World, client_type: str) -> None:
    one = app(world, client_type)
    assert bool(one.shown["client_secret"]) == ("public" not in client_type)
    answer = one.asks()
    sent = urlsplit(answer.json["redirect_uri"])
    query = dict(parse_qsl(sent.query))
    assert f"{sent.scheme}://{sent.netloc}{sent.path}" == BACK
    assert query == {"code": answer.json["authorization_code"], "state": "s t/a+te", "iss": f"{URL}/auth"}
    tokens = one.redeems(query["code"]).json
    assert tokens["token_type"] == "bearer"
    assert tokens["expires_in"] == 3600
    assert tokens["scope"] == "openid email offline_access"
    told = userinfo(world, tokens["access_token"]).json
    assert (told["sub"], told["email"], told["email_verified"]) == (one.person["user_id"], "ada@example.org", True)
    assert one.active(tokens["access_token"])
    assert one.active(tokens["refresh_token"])


def test_an_id_token_is_for_this_app_and_says_who_when_and_for_which_request(world: World) -> None:
    one = app(world)
    tokens = one.tokens()
    said = claims(tokens["id_token"])
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert (said["iss"], said["aud"], said["sub"], said["nonce"]) == (
        f"{URL}/auth",
        one.id,
        one.person["user_id"],
        "n-1",
    )
    assert said["at_hash"] == base64.urlsafe_b64encode(half).rstrip(b"=").decode()
    assert said["auth_time"] <= said["iat"]
    kids = {jwt.get_unverified_header(tokens[name])["kid"] for name in ("access_token", "id_token")}
    assert len(kids) == 2
    assert kids <= {key["kid"] for key in world.send("GET", "/.well-known/jwks.json").json["keys"]}


def test_a_token_is_good_for_its_audience_and_nowhere_else(world: World) -> None:
    """TOK-03, TOK-07: neither a session nor at UserInfo; RFC 8707 and RFC 9068 for a resource."""
    one = app(world)
    for token in (one.tokens()["access_token"], one.tokens()["id_token"]):
        refused = world.backend("POST", "/v1/sessions/authenticate", {"session_jwt": token})
        assert refused.json["error_type"] == "unable_to_parse_session_jwt"
        assert world.visit("/who", f"authmw_session_jwt={token}").status == 401
    at = one.tokens(resources=[MCP])["access_token"]
    assert (claims(at)["aud"], claims(at)["iss"], claims(at)["client_id"]) == ([MCP], f"{URL}/auth", one.id)
    assert jwt.get_unverified_header(at)["typ"] == "at+jwt"
    assert userinfo(world, at).json["error"] == "invalid_token"
    assert userinfo(world, one.person["session_jwt"]).json["error"] == "invalid_token"
    both = one.tokens(resources=[MCP, f"{MCP}/two"])
    assert claims(both["access_token"])["aud"] == [MCP, f"{MCP}/two"]
    narrowed = one.refreshes(both["refresh_token"], resource=MCP).json
    assert claims(narrowed["access_token"])["aud"] == [MCP]
    assert one.refreshes(narrowed["refresh_token"], resource="https://other.example").json["error"] == "invalid_target"
    own = app(world, access_token_custom_audience="urn:notes").tokens()["access_token"]
    assert claims(own)["aud"] == ["urn:notes"]


@pytest.mark.parametrize("check", CHECKS, ids=[check["name"] for check in CHECKS])
def test_the_server_checks_hold(world: World, check: dict[str, Any]) -> None:
    """What a correct authorization server refuses, as data: each changes one thing of a flow that works."""
    one = app(world, check.get("type", "third_party"), **check.get("app", {}))
    step, change = check["at"], check.get("change", {})
    if step == "authorize":
        answer = one.asks(**change)
        assert (answer.status, answer.json.get("error_type", "")) == (check["status"], check["error"])
        return
    code = one.code(**check.get("asked", {}))
    if step == "token":
        fields: dict[str, Any] = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER,
            **one.credentials(), **change,
        }  # fmt: skip
    else:
        first = one.redeems(code).json
        fields = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"], **one.credentials(), **change}
        fields = {k: v.replace("{id}", first["refresh_token"].split(".")[0]) if v else v for k, v in fields.items()}
    headers: dict[str, str] = {}
    if check.get("basic"):
        pair = [part.format(id=one.id, secret=one.shown["client_secret"]) for part in check["basic"]]
        headers["authorization"] = "Basic " + base64.b64encode(":".join(pair).encode()).decode()
        fields = {
            k: v for k, v in fields.items() if k in check.get("keep", ()) or k not in ("client_id", "client_secret")
        }
    if check.get("other_client"):
        fields.update(app(world).credentials())
    world.clock.advance(seconds=check.get("after", 0))
    body = urlencode({k: v for k, v in fields.items() if v is not None}) + check.get("repeat", "")
    answer = one.raw(f"token{check.get('query', '')}", body.encode(), **headers)
    assert (answer.status, answer.json.get("error", "")) == (check["status"], check["error"]), answer.json


def test_a_code_is_redeemed_once_and_a_second_time_ends_all_that_came_of_it(world: World) -> None:
    one = app(world)
    code = one.code()
    tokens = one.redeems(code).json
    assert one.redeems(code).json["error"] == "invalid_grant"
    assert one.refreshes(tokens["refresh_token"]).json["error"] == "invalid_grant"
    assert not one.active(tokens["access_token"])
    assert userinfo(world, tokens["access_token"]).status == 401


def test_a_code_is_redeemed_once_also_in_a_race(world: World) -> None:
    one = app(world)
    code = one.code()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: one.redeems(code).status, range(32)))
    assert sorted(answers) == [200] + [400] * 31


@pytest.mark.parametrize(
    "ending", ["revoke_consent", "delete_app", "delete_user", "raise_epoch", "revoke_refresh", "revoke_access"]
)
def test_whatever_a_grant_rests_on_ends_it(world: World, ending: str) -> None:
    one = app(world)
    tokens, user_id = one.tokens(), one.person["user_id"]
    if ending == "revoke_consent":
        assert world.backend("POST", f"/v1/users/{user_id}/connected_apps/{one.id}/revoke", {}).status == 200
    elif ending == "delete_app":
        assert world.backend("DELETE", f"/v1/connected_apps/clients/{one.id}").status == 200
    elif ending == "delete_user":
        assert world.backend("DELETE", f"/v1/users/{user_id}").status == 200
    elif ending == "raise_epoch":
        email = {"email_address": "new@example.org"}
        assert world.backend("PUT", f"/v1/users/{user_id}/exchange_primary_factor", email).status == 200
    else:
        token = tokens["refresh_token" if ending == "revoke_refresh" else "access_token"]
        assert one.form("revoke", {"token": token, **one.credentials()}).status == 200
    error = "invalid_client" if ending == "delete_app" else "invalid_grant"
    assert one.refreshes(tokens["refresh_token"]).json["error"] == error
    assert userinfo(world, tokens["access_token"]).status == 401


def test_a_code_dies_with_what_it_rests_on(world: World) -> None:
    one = app(world)
    code = one.code()
    world.backend("POST", f"/v1/users/{one.person['user_id']}/connected_apps/{one.id}/revoke", {})
    assert one.redeems(code).json["error"] == "invalid_grant"


def test_a_user_sees_and_ends_what_they_agreed_to(world: World) -> None:
    one = app(world)
    one.tokens(scopes=["openid"])
    one.tokens(scopes=["notes:read"])
    session = one.person["session_token"]
    seen = world.browser("GET", "/sdk/v1/users/connected_apps", token=session).json["data"]["connected_apps"]
    assert seen == world.backend("GET", f"/v1/users/{one.person['user_id']}/connected_apps").json["connected_apps"]
    assert [(each["connected_app_id"], each["scopes_granted"]) for each in seen] == [(one.id, "openid notes:read")]
    ended = world.browser("POST", f"/sdk/v1/users/connected_apps/{one.id}/revoke", {}, token=session)
    assert ended.status == 200
    assert world.backend("GET", f"/v1/users/{one.person['user_id']}/connected_apps").json["connected_apps"] == []


def test_a_person_is_asked_when_they_must_be(world: World) -> None:
    def required(one: App, **more: Any) -> bool:
        body = {
            "client_id": one.id, "redirect_uri": BACK, "response_type": "code", "scopes": ["openid", "offline_access"],
            "session_token": one.person["session_token"], **more,
        }  # fmt: skip
        answer = world.backend("POST", "/v1/idp/oauth/authorize/start", body)
        assert answer.status == 200, answer.json
        return answer.json["consent_required"]

    third = app(world)
    assert required(third)
    third.asks(scopes=["openid", "offline_access"])
    assert not required(third)
    assert required(third, scopes=["openid", "notes:read"])
    assert required(third, prompt="consent")
    first = app(world, "first_party")
    assert required(first)
    assert not required(first, scopes=["openid"])
    assert not required(app(world, "first_party", bypass_consent_for_offline_access=True))
    native = app(world, "third_party_public", redirect_urls=["http://127.0.0.1/back"])
    native.asks(scopes=["openid"], redirect_uri="http://127.0.0.1:4711/back")
    assert required(native, scopes=["openid"], redirect_uri="http://127.0.0.1:4712/back")  # RFC 8252 section 8.6


def test_scopes_are_shown_in_words_and_what_cannot_be_granted_is_left_out(world: World) -> None:
    one = app(world)
    scopes = ["openid", "phone", "full_access", "notes:read"]
    body = {
        "client_id": one.id,
        "redirect_uri": BACK,
        "response_type": "code",
        "scopes": scopes,
        "user_id": one.person["user_id"],
    }
    shown = world.backend("POST", "/v1/idp/oauth/authorize/start", body).json
    assert shown["client"] == {
        "client_id": one.id, "client_name": "Notes", "client_description": "", "client_type": "third_party", "logo_url": None,
    }  # fmt: skip
    results = {each["scope"]: each["is_grantable"] for each in shown["scope_results"]}
    assert results == {"openid": True, "phone": False, "full_access": False, "notes:read": True}
    assert shown["scope_results"][3]["description"] == "Read your notes."
    assert one.tokens(scopes=scopes)["scope"] == "openid notes:read"
    full = app(world, "first_party", full_access_allowed=True)
    assert full.tokens(scopes=["full_access"])["scope"] == "full_access"


def test_a_person_who_says_no_sends_the_app_away_with_its_state(world: World) -> None:
    answer = app(world).asks(consent_granted=False).json
    assert answer["authorization_code"] is None
    assert dict(parse_qsl(urlsplit(answer["redirect_uri"]).query)) == {
        "error": "access_denied", "state": "s t/a+te", "iss": f"{URL}/auth",
    }  # fmt: skip


def test_a_browser_speaks_for_whom_it_is_signed_in_as(world: World) -> None:
    one = app(world)
    eve = world.sign_in("eve@example.org")
    body = {
        "client_id": one.id, "redirect_uri": BACK, "response_type": "code", "scopes": ["openid"],
        "consent_granted": True, "code_challenge": CHALLENGE,
    }  # fmt: skip
    submit = "/sdk/v1/idp/oauth/authorize/submit"
    assert (
        world.browser("POST", submit, {**body, "user_id": eve["user_id"]}, token=one.person["session_token"]).status
        == 400
    )
    assert world.browser("POST", submit, body).status == 401
    code = world.browser("POST", submit, body, token=eve["session_token"]).json["data"]["authorization_code"]
    assert claims(one.redeems(code).json["id_token"])["sub"] == eve["user_id"]
    start = {name: body[name] for name in ("client_id", "redirect_uri", "response_type", "scopes")}
    seen = world.browser("POST", "/sdk/v1/idp/oauth/authorize/start", start, token=eve["session_token"]).json["data"]
    assert seen["user"]["user_id"] == eve["user_id"]


def test_an_app_sees_its_own_tokens_only(world: World) -> None:
    one, other = app(world), app(world)
    tokens = one.tokens()
    for token in (tokens["access_token"], tokens["refresh_token"]):
        answer = other.form("introspect", {"token": token, **other.credentials()})
        assert {k: v for k, v in answer.json.items() if k != "request_id"} == {"active": False, "status_code": 200}
        assert other.form("revoke", {"token": token, **other.credentials()}).status == 200
        assert one.active(token)
    assert not one.active("nonsense")
    assert (
        one.form("introspect", {"token": "x", "client_id": one.id, "client_secret": "wrong"}).json["error"]
        == "invalid_client"
    )


def test_nothing_of_a_dump_is_of_use(world: World) -> None:
    """TOK-02: no row holds a code, a refresh token or a secret."""
    one = app(world)
    code = one.code()
    tokens = one.redeems(code).json
    from authmw.kinds import KINDS

    storage = world.auth.storage
    rows = [row for kind in KINDS for row in world.auth.run(storage.page(kind, And(), limit=1000)).records]
    dump = b"".join(encode(row) for row in rows)
    for secret in (code, tokens["refresh_token"], tokens["refresh_token"].split(".")[2], one.shown["client_secret"]):
        assert secret.encode() not in dump
    grant = next(row for row in rows if isinstance(row, Grant))
    assert "random" not in repr(grant)


def test_discovery_is_where_clients_look_and_announces_what_is_served(world: World) -> None:
    from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
    from authlib.oidc.discovery import OpenIDProviderMetadata

    places = (
        "/.well-known/oauth-authorization-server/auth",
        "/.well-known/openid-configuration/auth",
        "/auth/.well-known/openid-configuration",
        "/auth/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
    )
    documents = [world.send("GET", place).json for place in places]
    assert all(document == documents[0] for document in documents)
    document = documents[0]
    assert document["issuer"] == f"{URL}/auth"
    secure = json.loads(json.dumps(document).replace("http://localhost:8000", "https://auth.example"))
    AuthorizationServerMetadata(secure).validate()
    OpenIDProviderMetadata(secure).validate()
    for name in ("token_endpoint", "introspection_endpoint", "revocation_endpoint"):
        path = urlsplit(document[name]).path
        assert world.send("POST", path, b"", content_type=FORM).json["error"] in {"invalid_request", "invalid_client"}
    assert world.send("GET", urlsplit(document["userinfo_endpoint"]).path).status == 401
    assert world.send("GET", urlsplit(document["jwks_uri"]).path).status == 200


def test_a_host_that_keeps_its_root_still_serves_the_documents_of_its_issuer(tmp_path: Path) -> None:
    world = make_world(tmp_path, "asgi", claim_roots=False)
    assert world.send("GET", "/.well-known/oauth-authorization-server/auth").json["issuer"] == f"{URL}/auth"
    assert world.send("GET", "/.well-known/openid-configuration").json is None
    assert world.send("POST", "/auth/v1/oauth2/token", {}).json["error"] == "invalid_request"


def test_an_app_wishes_a_person_signed_out_and_the_person_is_asked_unless_it_is_sure_who_they_are(world: World) -> None:
    one = app(world, post_logout_redirect_urls=["https://app.example/bye"])
    hint = one.tokens()["id_token"]
    body = {"client_id": one.id, "post_logout_redirect_uri": "https://app.example/bye", "state": "x"}
    place, session = "/sdk/v1/oauth/logout/start", one.person["session_token"]
    plain = world.browser("POST", place, body, token=session).json["data"]
    assert (plain["consent_required"], plain["redirect_uri"]) == (True, "https://app.example/bye?state=x")
    world.clock.advance(hours=2)
    hinted = world.browser("POST", place, {**body, "id_token_hint": hint}, token=world.sign_in()["session_token"])
    assert hinted.json["data"]["consent_required"] is False
    eve = world.sign_in("eve@example.org")["session_token"]
    assert (
        world.browser("POST", place, {**body, "id_token_hint": hint}, token=eve).json["data"]["consent_required"]
        is True
    )
    wrong = world.browser("POST", place, {**body, "post_logout_redirect_uri": BACK}, token=session)
    assert wrong.json["error_type"] == "connected_app_supplied_redirect_url_not_found_in_client"


def test_settings_that_cannot_work_are_refused() -> None:
    from authmw.errors import Misconfigured

    with pytest.raises(Misconfigured, match=r"refresh_days.*refresh_grace_seconds"):
        Settings(project_id=PROJECT_ID, secret=SECRET, provider=Provider(refresh_days=0, refresh_grace_seconds=61))
