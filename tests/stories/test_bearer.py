"""Access tokens on a host's routes, under ASGI and WSGI: the challenge, the audience, the scopes, and the key that a token is bound to."""

from __future__ import annotations

import base64
import hashlib
import json
import urllib.parse
from pathlib import Path
from typing import Any

import attrs
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from authmw import Auth, Refused, current_token, require_bearer
from authmw.guard.bearer import BearerGuard, Presented
from authmw.hosts.asgi import AuthMiddleware
from authmw.hosts.wsgi import AuthMiddleware as WSGIAuthMiddleware
from authmw.provider import Provider, Resource
from tests.stories.test_provider import App, app, userinfo
from tests.world import URL, Answer, World, make_world

API = f"{URL}/api"
METADATA = f"{URL}/.well-known/oauth-protected-resource/api"


@pytest.fixture(params=["asgi", "wsgi"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    api = Resource(url=API, scopes={"notes:read": "Read.", "notes:write": "Write."}, name="Notes")
    return make_world(tmp_path, request.param, provider=Provider(resources=(api, Resource(url=f"{URL}/other"))))


def said() -> dict[str, Any]:
    token = current_token()
    return {"subject": token.subject_id, "scopes": list(token.scopes), "speaker": token.speaker}


def call(world: World, path: str, **headers: str) -> Answer:
    """A request to a host with three guarded views."""
    guards = {
        "/api": require_bearer(resource="/api", scopes=("notes:read",)),
        "/api/write": require_bearer(resource=API, scopes=("notes:write",)),
        "/own": require_bearer(exact=True),
    }
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if world.host == "asgi":
        from starlette.applications import Starlette
        from starlette.middleware import Middleware
        from starlette.requests import Request
        from starlette.responses import JSONResponse
        from starlette.routing import Route
        from starlette.testclient import TestClient

        async def view(request: Request) -> JSONResponse:
            return JSONResponse(said())

        routes = [Route(where, guard(view)) for where, guard in guards.items()]
        host = Starlette(routes=routes, middleware=[Middleware(AuthMiddleware, auth=world.auth)])
        got = TestClient(host, base_url=URL).get(path, headers=named)
        return Answer(got.status_code, got.json(), list(got.headers.multi_items()))
    from werkzeug.test import Client

    def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = json.dumps(guards[environ["PATH_INFO"]](said)()).encode()
        start_response("200 OK", [("Content-Type", "application/json")])
        return [body]

    answer = Client(WSGIAuthMiddleware(wsgi, world.auth), use_cookies=False).get(path, headers=named, base_url=URL)
    return Answer(answer.status_code, answer.get_json(), list(answer.headers.items()))


def challenge(answer: Answer) -> str:
    (value,) = answer.header("www-authenticate")
    return value


def for_api(one: App, **more: Any) -> str:
    return one.tokens(scopes=["notes:read"], resources=[API], **more)["access_token"]


def test_a_client_without_a_token_is_told_where_to_get_one(world: World) -> None:
    """RFC 9728 section 5.1, RFC 6750 section 3."""
    refused = call(world, "/api")
    assert refused.status == 401
    assert challenge(refused) == f'Bearer scope="notes:read", resource_metadata="{METADATA}"'
    document = world.send("GET", "/.well-known/oauth-protected-resource/api").json
    assert document["resource"] == API
    assert document["authorization_servers"] == [world.send("GET", "/.well-known/openid-configuration").json["issuer"]]
    assert document["scopes_supported"] == ["notes:read", "notes:write"]
    assert document["resource_name"] == "Notes"


def test_a_token_for_the_resource_opens_it(world: World) -> None:
    one = app(world)
    answer = call(world, "/api", authorization=f"bearer {for_api(one)}")
    assert answer.json == {"subject": one.person["user_id"], "scopes": ["notes:read"], "speaker": "access"}


def test_two_credentials_are_none(world: World) -> None:
    """RFC 6750 section 2: which of them a server before us looked at, nobody knows."""
    guard, one = BearerGuard(world.auth.core, world.auth.keys), f"Bearer {for_api(app(world))}"

    def proves(*values: str) -> str:
        here = Presented(method="GET", path="/api", headers={"authorization": values}, guard=guard)
        return world.auth.run(guard.proved(here, "/api", ("notes:read",), exact=False)).subject_id

    assert proves(one)
    for several in ((one, one), (one, "Bearer wrong"), ("Bearer wrong", one), ()):
        with pytest.raises(Refused) as refused:
            proves(*several)
        assert refused.value.error_type == "invalid_token"


def test_a_missing_scope_is_asked_for(world: World) -> None:
    refused = call(world, "/api/write", authorization=f"Bearer {for_api(app(world))}")
    assert refused.status == 403
    assert challenge(refused).startswith('Bearer error="insufficient_scope", scope="notes:write"')


def test_a_machine_may_call_the_resource_too(world: World) -> None:
    made = world.backend("POST", "/v1/m2m/clients", {"scopes": ["notes:read"]}).json["m2m_client"]
    body = {"grant_type": "client_credentials", "client_id": made["client_id"], "client_secret": made["client_secret"]}
    token = world.send("POST", "/v1/oauth2/token", {**body, "resource": API}).json["access_token"]
    answer = call(world, "/api", authorization=f"Bearer {token}")
    assert (answer.json["subject"], answer.json["speaker"]) == (made["client_id"], "machine")
    plain = world.send("POST", "/v1/oauth2/token", body).json["access_token"]
    assert call(world, "/api", authorization=f"Bearer {plain}").status == 401


@pytest.mark.parametrize("kind", ["session", "identity", "project", "other", "nonsense", "expired", "cookie", "query"])
def test_nothing_else_opens_it(world: World, kind: str) -> None:
    """TOK-03, TOK-07: neither a session, an ID token nor a token for somebody else; and no token anywhere but in the header."""
    one = app(world)
    good = for_api(one)
    token = {
        "session": one.person["session_jwt"],
        "identity": one.tokens()["id_token"],
        "project": one.tokens(scopes=["notes:read"])["access_token"],
        "other": one.tokens(scopes=["notes:read"], resources=[f"{URL}/other"])["access_token"],
        "nonsense": "a.b.c",
    }.get(kind, good)
    if kind == "expired":
        world.clock.advance(hours=1)
    if kind == "cookie":
        assert call(world, "/api", cookie=f"authmw_session={one.person['session_token']}").status == 401
        return
    if kind == "query":
        assert call(world, f"/api?access_token={good}").status == 401
        return
    refused = call(world, "/api", authorization=f"Bearer {token}")
    assert refused.status == 401
    assert 'error="invalid_token"' in challenge(refused)


def test_an_exact_guard_sees_revocation_at_once(world: World) -> None:
    one = app(world)
    token = one.tokens()["access_token"]
    assert call(world, "/own", authorization=f"Bearer {token}").status == 200
    world.backend("POST", f"/v1/users/{one.person['user_id']}/connected_apps/{one.id}/revoke", {})
    assert call(world, "/own", authorization=f"Bearer {token}").status == 401


class Holder:
    """A client with a key of its own."""

    def __init__(self, world: World) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.jwk: dict[str, Any] = json.loads(ECAlgorithm.to_jwk(self.key.public_key()))
        self.jwk = {name: self.jwk[name] for name in ("kty", "crv", "x", "y")}
        self._world, self._count = world, 0

    def proof(self, method: str, url: str, token: str | None = None, header: Any = None, **claims: Any) -> str:
        self._count += 1
        said: dict[str, Any] = {
            "jti": f"proof-{self._count}",
            "htm": method,
            "htu": url,
            "iat": int(self._world.clock.now().timestamp()),
        }
        if token is not None:
            said["ath"] = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
        said = {name: value for name, value in {**said, **claims}.items() if value is not None}
        return jwt.encode(said, self.key, "ES256", headers={"typ": "dpop+jwt", "jwk": self.jwk, **(header or {})})


TOKEN_URL = f"{URL}/auth/v1/oauth2/token"


def bound(one: App, holder: Holder, **more: Any) -> Any:
    fields = {
        "grant_type": "authorization_code",
        "code": one.code(scopes=["notes:read", "offline_access"], resources=[API]),
        "redirect_uri": "https://app.example/back",
        "code_verifier": "v" * 43,
        **one.credentials(),
    }
    proof = more.pop("proof", None) or holder.proof("POST", TOKEN_URL)
    return one.raw("token", urllib.parse.urlencode(fields).encode(), dpop=proof)


def test_a_token_bound_to_a_key_is_good_with_its_proof_only(world: World) -> None:
    """RFC 9449."""
    one, holder, thief = app(world, "third_party_public"), Holder(world), Holder(world)
    answer = bound(one, holder)
    token = answer.json["access_token"]
    assert answer.json["token_type"] == "DPoP"
    good = {"authorization": f"DPoP {token}", "dpop": holder.proof("GET", API, token)}
    assert call(world, "/api", **good).status == 200
    assert call(world, "/api", **good).status == 401  # a proof passes once
    for headers in (
        {"authorization": f"Bearer {token}"},
        {"authorization": f"DPoP {token}"},
        {"authorization": f"DPoP {token}", "dpop": thief.proof("GET", API, token)},
    ):
        refused = call(world, "/api", **headers)
        assert refused.status == 401
        assert challenge(refused).startswith('DPoP error="invalid_dpop_proof"')
    plain = for_api(app(world))
    assert call(world, "/api", authorization=f"DPoP {plain}", dpop=holder.proof("GET", API, plain)).status == 401
    refresh = {"grant_type": "refresh_token", "refresh_token": answer.json["refresh_token"], **one.credentials()}
    body = "&".join(f"{name}={value}" for name, value in refresh.items()).encode()
    assert one.raw("token", body).json["error"] == "invalid_dpop_proof"
    assert one.raw("token", body, dpop=thief.proof("POST", TOKEN_URL)).json["error"] == "invalid_dpop_proof"
    assert one.raw("token", body, dpop=holder.proof("POST", TOKEN_URL)).json["token_type"] == "DPoP"


def machine(world: World, **headers: str) -> Answer:
    """What a machine gets at the token endpoint."""
    body = {"scopes": ["notes:read"], "client_name": "nightly"}
    client = world.backend("POST", "/v1/m2m/clients", body).json["m2m_client"]
    fields = {
        "grant_type": "client_credentials",
        "client_id": client["client_id"],
        "client_secret": client["client_secret"],
        "resource": API,
    }
    form = urllib.parse.urlencode(fields).encode()
    return world.send("POST", "/v1/oauth2/token", form, content_type="application/x-www-form-urlencoded", **headers)


def test_a_machines_token_is_bound_to_the_key_that_it_proves_too(world: World) -> None:
    """RFC 9449 section 5, for the client credentials grant."""
    holder = Holder(world)
    answer = machine(world, dpop=holder.proof("POST", TOKEN_URL))
    token = answer.json["access_token"]
    assert answer.json["token_type"] == "DPoP"
    assert call(world, "/api", authorization=f"Bearer {token}").status == 401
    proof = holder.proof("GET", API, token)
    assert call(world, "/api", authorization=f"DPoP {token}", dpop=proof).json["speaker"] == "machine"
    assert machine(world).json["token_type"] == "bearer"
    forged = machine(world, dpop=holder.proof("GET", TOKEN_URL))
    assert forged.json["error"] == "invalid_dpop_proof"


def test_a_machines_bound_token_for_the_project_needs_its_key_named(world: World) -> None:
    client = world.backend("POST", "/v1/m2m/clients", {"scopes": ["notes:read"]}).json["m2m_client"]
    pair = {"client_id": client["client_id"], "client_secret": client["client_secret"]}
    bound_one = world.auth.run(world.auth.m2m.token(**pair, dpop_key="k" * 43)).access_token
    plain = world.auth.run(world.auth.m2m.token(**pair)).access_token
    check = world.auth.m2m.authenticate_token
    assert world.auth.run(check(access_token=bound_one, dpop_key="k" * 43)).client_id == client["client_id"]
    assert world.auth.run(check(access_token=plain)).client_id == client["client_id"]
    for token, key in ((bound_one, None), (bound_one, "x" * 43), (plain, "k" * 43)):
        with pytest.raises(Refused) as refused:
            world.auth.run(check(access_token=token, dpop_key=key))
        assert refused.value.error_type == "invalid_token"


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_where_keys_are_required_no_unbound_token_is_given_or_taken(tmp_path: Path, host: str) -> None:
    """Provider(require_dpop=True): codes, refreshes and machines alike, and tokens from before it was asked for."""
    api = Resource(url=API, scopes={"notes:read": "Read."})
    before = make_world(tmp_path, host, provider=Provider(resources=(api,)))
    one, holder = app(before, "third_party_public"), Holder(before)
    unbound, machines = for_api(one), machine(before).json["access_token"]
    own = one.tokens(scopes=["openid"])["access_token"]
    refresh = one.tokens()["refresh_token"]
    strict = attrs.evolve(before.auth.settings, provider=Provider(resources=(api,), require_dpop=True))
    auth = Auth(strict, storage=before.auth.storage, limiter=before.auth.core.limiter, clock=before.clock)
    world = attrs.evolve(before, auth=auth)
    one = attrs.evolve(one, world=world)
    for token in (unbound, machines):
        assert call(world, "/api", authorization=f"Bearer {token}").status == 401
    assert userinfo(world, own).status == 401
    refused = [one.redeems(one.code()), one.refreshes(refresh), machine(world)]
    assert [answer.json["error"] for answer in refused] == ["invalid_dpop_proof"] * 3
    token = bound(one, holder).json["access_token"]
    assert call(world, "/api", authorization=f"DPoP {token}", dpop=holder.proof("GET", API, token)).status == 200
    fields = {"grant_type": "refresh_token", "refresh_token": refresh, **one.credentials()}
    kept = one.raw("token", urllib.parse.urlencode(fields).encode(), dpop=holder.proof("POST", TOKEN_URL)).json
    assert kept["token_type"] == "DPoP"
    fields["refresh_token"] = kept["refresh_token"]
    thief = one.raw("token", urllib.parse.urlencode(fields).encode(), dpop=Holder(world).proof("POST", TOKEN_URL))
    assert thief.json["error"] == "invalid_dpop_proof"
    machines = machine(world, dpop=holder.proof("POST", TOKEN_URL)).json["access_token"]
    proof = holder.proof("GET", API, machines)
    assert call(world, "/api", authorization=f"DPoP {machines}", dpop=proof).status == 200


def test_a_key_named_in_the_body_binds_nothing(world: World) -> None:
    one = app(world)
    answer = one.redeems(one.code(), dpop_key="x")
    assert answer.json["token_type"] == "bearer"


FORGERIES: dict[str, dict[str, Any]] = {
    "another type": {"header": {"typ": "JWT"}},
    "another method": {"htm": "GET"},
    "another URL": {"htu": f"{URL}/auth/v1/oauth2/introspect"},
    "a URL on another host": {"htu": "https://evil.example/auth/v1/oauth2/token"},
    "a URL with a query": {"htu": f"{TOKEN_URL}?x=1"},
    "too old": {"age": 301},
    "from the future": {"age": -61},
    "no time": {"iat": None},
    "no id": {"jti": None},
    "a private key in it": {"private": True},
    "another key in it": {"other": True},
    "a symmetric algorithm": {"symmetric": True},
    "no algorithm": {"none": True},
    "a signature cut short": {"cut": True},
    "a key by reference": {"header": {"jku": "https://evil.example/jwks"}},
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_proof_proves_nothing(world: World, name: str) -> None:
    one, holder = app(world, "third_party_public"), Holder(world)
    change = dict(FORGERIES[name])
    if "age" in change:
        change["iat"] = int(world.clock.now().timestamp()) - change.pop("age")
    if change.pop("private", False):
        private = json.loads(ECAlgorithm.to_jwk(holder.key))
        change["header"] = {"jwk": {part: private[part] for part in ("kty", "crv", "x", "y", "d")}}
    if change.pop("other", False):
        change["header"] = {"jwk": Holder(world).jwk}
    cut, none, symmetric = (change.pop(one_of, False) for one_of in ("cut", "none", "symmetric"))
    proof = holder.proof("POST", TOKEN_URL, **change)
    if cut:
        proof = proof[:-8]
    if none or symmetric:
        said = jwt.decode(proof, options={"verify_signature": False})
        headers = {"typ": "dpop+jwt", "jwk": {"kty": "oct", "k": "a2V5"} if symmetric else holder.jwk}
        proof = jwt.encode(said, "k" * 32 if symmetric else None, "HS256" if symmetric else "none", headers=headers)
    assert bound(one, holder, proof=proof).json.get("error") == "invalid_dpop_proof"
    assert bound(one, holder).status == 200
