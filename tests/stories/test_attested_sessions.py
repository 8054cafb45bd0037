"""Stories of signing in by a token of a service that the project trusts, through the public door."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest

from authmw import AttributeMapping, Misconfigured
from authmw.drive import step
from authmw.errors import AuthError
from authmw.people.records import User
from authmw.testing import FixedClock, interleave
from tests.stories.test_interleavings import Stage, refused
from tests.trusted_issuer import AUDIENCE, ISSUER, PROFILE, Issuer, key, key_set, profile, public_pem, publishing
from tests.world import Answer, World, make_world

JWT_ATTACKS = json.loads((Path(__file__).parents[1] / "corpus" / "jwt_attacks.json").read_text())["cases"]
BY_EMAIL = AttributeMapping()
Trust = tuple[World, Issuer]


def trusting(folder: Path, host: str, **more: Any) -> Trust:
    clock = FixedClock()
    fetcher = more.pop("fetcher", None)
    world = make_world(folder, host, clock=clock, fetcher=fetcher, trusted_tokens=(profile(**more),))
    return world, Issuer(clock)


@pytest.fixture(params=["asgi", "wsgi"])
def trust(request: pytest.FixtureRequest, tmp_path: Path) -> Trust:
    return trusting(tmp_path, request.param, can_jit_provision=True)


def attest(world: World, token: str, **more: Any) -> Answer:
    body = {"profile_id": PROFILE, "token": token, "session_duration_minutes": 60, **more}
    return world.backend("POST", "/v1/sessions/attest", body)


def create(world: World, **more: Any) -> Any:
    answer = world.backend("POST", "/v1/users", {"email": "ada@example.org", **more})
    assert answer.status == 200, answer.json
    return answer.json["user"]


def test_a_token_of_somebody_unknown_makes_a_user_and_the_next_one_finds_them(trust: Trust) -> None:
    world, issuer = trust
    first = attest(world, issuer.token()).json
    user = first["user"]
    assert (user["external_id"], user["name"]["first_name"]) == ("ada-1", "Ada")
    assert [(one["email"], one["verified"]) for one in user["emails"]] == [("ada@example.org", True)]
    factor = first["session"]["authentication_factors"][0]
    assert (factor["type"], factor["delivery_method"]) == ("trusted_auth_token", "trusted_token_exchange")
    assert factor["trusted_auth_token_factor"] == {"token_id": "token-1"}
    again = attest(world, issuer.token(email="moved@example.org")).json
    assert again["user_id"] == first["user_id"]
    assert len(again["user"]["emails"]) == 1
    proved = world.backend("POST", "/v1/sessions/authenticate", {"session_token": again["session_token"]})
    assert proved.json["user_id"] == first["user_id"]


def test_without_a_duration_there_is_no_session(trust: Trust) -> None:
    world, issuer = trust
    answer = attest(world, issuer.token(), session_duration_minutes=None).json
    assert (answer["session"], answer["session_token"], answer["session_jwt"]) == (None, "", "")


def test_a_token_is_good_once_also_for_32_who_present_it_at_once(trust: Trust) -> None:
    """A287"""
    world, issuer = trust
    token = issuer.token()
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: attest(world, token), range(32)))
    assert sorted(answer.status for answer in answers) == [200] + [400] * 31
    assert {answer.json.get("error_type") for answer in answers} == {None, "invalid_trusted_auth_token"}
    user_id = next(answer.json["user_id"] for answer in answers if answer.status == 200)
    world.backend("DELETE", f"/v1/users/{user_id}")
    world.auth.run(world.auth.work())
    assert attest(world, token).json["error_type"] == "invalid_trusted_auth_token"


def test_a_token_without_an_id_is_told_by_what_was_signed(trust: Trust) -> None:
    world, issuer = trust
    token = issuer.token(jti=...)
    told = attest(world, token).json["session"]["authentication_factors"][0]["trusted_auth_token_factor"]["token_id"]
    assert len(told) == 64
    assert attest(world, token).json["error_type"] == "invalid_trusted_auth_token"
    assert attest(world, issuer.token(jti=..., exp=issuer.later(minutes=9))).status == 200


def claims_that_do_not_count(issuer: Issuer) -> dict[str, dict[str, Any]]:
    return {
        "another issuer": {"iss": ISSUER + "/"},
        "another audience": {"aud": "another-app"},
        "no audience": {"aud": ...},
        "an audience of numbers": {"aud": [1]},
        "no subject": {"sub": ...},
        "a subject that is one of our ids": {"sub": "user-test-00000000-0000-4000-8000-000000000000"},
        "a subject with a space": {"sub": "ada 1"},
        "over": {"exp": issuer.later()},
        "not yet": {"nbf": issuer.later(minutes=5)},
        "made tomorrow": {"iat": issuer.later(days=1), "exp": issuer.later(days=2)},
        "no end": {"exp": ...},
        "no beginning": {"iat": ...},
        "too long a life": {"iat": issuer.later(minutes=-1500)},
        "an id that is a number": {"jti": 7},
        "an id without end": {"jti": "x" * 257},
        "an address that is none": {"email": "ada@"},
        "an address of another type": {"email": ["ada@example.org"]},
    }


@pytest.mark.parametrize("name", claims_that_do_not_count(Issuer(FixedClock())))
def test_a_token_that_does_not_count_signs_nobody_in(trust: Trust, name: str) -> None:
    world, issuer = trust
    answer = attest(world, issuer.token(**claims_that_do_not_count(issuer)[name]))
    assert (answer.status, answer.json["error_type"]) == (400, "invalid_trusted_auth_token")
    assert world.backend("POST", "/v1/users/search", {}).json["results_metadata"]["total"] == 0


def test_a_token_of_other_keys_or_of_none_signs_nobody_in(trust: Trust) -> None:
    world, issuer = trust
    head, payload, signature = issuer.token().split(".")
    nothing = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    hmac = jwt.encode({"iss": ISSUER, "aud": AUDIENCE}, "k" * 32, "HS256")
    forged = [
        issuer.token(signed_by="two"),
        f"{nothing}.{payload}.",
        f"{head}.{payload}.{signature[::-1]}",
        hmac,
        "a.b.c",
        "",
    ]
    forged += [
        case["token"] for case in JWT_ATTACKS if isinstance(case.get("token"), str) and len(case["token"]) < 16000
    ]
    for token in forged:
        # A text that no JSON may hold is refused before that.
        assert attest(world, token).json["error_type"] in {"invalid_trusted_auth_token", "json_invalid"}
    assert world.backend("POST", "/v1/users/search", {}).json["results_metadata"]["total"] == 0


def test_a_token_for_several_audiences_counts_if_we_are_one(trust: Trust) -> None:
    world, issuer = trust
    assert attest(world, issuer.token(aud=["userinfo", AUDIENCE], azp="client-of-theirs")).status == 200


def test_a_profile_that_makes_no_users_signs_only_known_ones_in(tmp_path: Path) -> None:
    world, issuer = trusting(tmp_path, "asgi")
    assert attest(world, issuer.token()).json["error_type"] == "user_not_found"
    user = create(world, external_id="ada-1", email="other@example.org")
    assert attest(world, issuer.token()).json["user_id"] == user["user_id"]
    unknown = attest(world, issuer.token(), profile_id="another")
    assert (unknown.status, unknown.json["error_type"]) == (404, "trusted_token_profile_not_found")


def test_what_stands_on_an_account_that_nobody_has_proved_dies_with_the_first_token_of_its_external_id(
    tmp_path: Path,
) -> None:
    """A209: a host gave its own id to an account that a stranger had prepared."""
    world, issuer = trusting(tmp_path, "asgi", email_proof="never")
    body = {"email": "ada@example.org", "password": "correct horse battery staple", "session_duration_minutes": 60}
    planted = world.backend("POST", "/v1/passwords", body).json
    world.backend("PUT", f"/v1/users/{planted['user_id']}", {"external_id": "ada-1"})
    answer = attest(world, issuer.token()).json
    assert (answer["user_id"], answer["user"]["password"]) == (planted["user_id"], None)
    over = world.backend("POST", "/v1/sessions/authenticate", {"session_token": planted["session_token"]})
    assert over.json["error_type"] == "session_not_found"
    known = world.backend("POST", "/v1/passwords/authenticate", body)
    assert known.status == 401


def test_somebody_pending_is_active_from_their_first_token_on(tmp_path: Path) -> None:
    world, issuer = trusting(tmp_path, "asgi", email_proof="never")
    create(world, external_id="ada-1", create_user_as_pending=True)
    assert attest(world, issuer.token()).json["user"]["status"] == "active"


def test_an_address_proved_on_both_sides_links_the_external_id(trust: Trust) -> None:
    """ACC-05"""
    world, issuer = trust
    user = world.sign_in()["user"]
    assert attest(world, issuer.token()).json["user_id"] == user["user_id"]
    found = world.backend("GET", "/v1/users/ada-1").json
    assert found["user_id"] == user["user_id"]
    refused = attest(world, issuer.token(sub="ada-2"))
    assert (refused.status, refused.json["error_type"]) == (400, "duplicate_email")


@pytest.mark.parametrize("flag", [..., False, "true", 1, None])
def test_an_address_that_the_token_does_not_call_verified_links_nobody(trust: Trust, flag: Any) -> None:
    """A145"""
    world, issuer = trust
    user = world.sign_in()["user"]
    made = attest(world, issuer.token(email_verified=flag)).json["user"]
    assert made["user_id"] != user["user_id"]
    assert made["emails"] == []


def test_what_a_stranger_prepared_around_an_unproved_address_dies(trust: Trust) -> None:
    """A209: the address stands unverified on an account that nobody owns."""
    world, issuer = trust
    planted = create(world, phone_number="+14155552671")
    answer = attest(world, issuer.token()).json
    assert answer["user_id"] == planted["user_id"]
    assert answer["user"]["phone_numbers"] == []
    assert answer["user"]["emails"][0]["verified"]


def test_an_address_that_another_account_merely_names_goes_to_who_proves_it(trust: Trust) -> None:
    """A209: an owner of one address wrote a second one, unproved, on their account and waits for its holder."""
    world, issuer = trust
    mallory = world.sign_in("mallory@example.org")
    body = {"email": "ada@example.org", "user_id": mallory["user_id"]}
    assert world.backend("POST", "/v1/magic_links/email/send", body).status == 200
    ada = attest(world, issuer.token()).json
    assert ada["user_id"] != mallory["user_id"]
    assert [one["email"] for one in ada["user"]["emails"]] == ["ada@example.org"]
    theirs = world.backend("GET", f"/v1/users/{mallory['user_id']}").json
    assert [one["email"] for one in theirs["emails"]] == ["mallory@example.org"]


def test_a_factor_joins_the_session_of_the_same_user_only(trust: Trust) -> None:
    world, issuer = trust
    ada = world.sign_in()
    joined = attest(world, issuer.token(), session_token=ada["session_token"]).json
    assert joined["session"]["session_id"] == ada["session"]["session_id"]
    assert len(joined["session"]["authentication_factors"]) == 2
    again = attest(world, issuer.token(), session_jwt=joined["session_jwt"]).json
    assert len(again["session"]["authentication_factors"]) == 2
    other = attest(world, issuer.token(sub="bob-1", email=...), session_token=again["session_token"])
    assert other.json["error_type"] == "user_id_mismatch"
    assert world.backend("GET", "/v1/users/bob-1").status == 404


def test_an_exchange_is_no_fresher_than_its_issuer_says(trust: Trust) -> None:
    """SES-05"""
    world, issuer = trust

    def proved(**claims: Any) -> datetime:
        made = attest(world, issuer.token(**claims)).json["session"]
        return datetime.fromisoformat(made["authentication_factors"][0]["last_authenticated_at"])

    now = world.clock.now()
    assert proved(iat=issuer.later(minutes=-30)) == now - timedelta(minutes=30)
    assert proved(auth_time=issuer.later(days=-1)) == now - timedelta(days=1)
    for nonsense in (issuer.later(days=1), -1, True, "yesterday", 1e300):
        assert proved(auth_time=nonsense) == now


def test_published_keys_are_read_once_and_again_when_the_issuer_changes_them(tmp_path: Path) -> None:
    with publishing(key_set("one"), key_set("one", "two")) as (server, fetcher):
        world, issuer = trusting(
            tmp_path, "asgi", jwks_url=f"{server.url}/keys", fetcher=fetcher, can_jit_provision=True
        )
        assert attest(world, issuer.token()).status == 200
        assert attest(world, issuer.token()).status == 200
        assert len(server.asked) == 1
        assert attest(world, issuer.token(signed_by="two")).status == 400
        world.clock.advance(seconds=61)
        assert attest(world, issuer.token(signed_by="two")).status == 200
        assert len(server.asked) == 2


def test_an_issuer_whose_keys_cannot_be_read_is_a_refusal_of_its_own(tmp_path: Path) -> None:
    with publishing(b"{}", key_set("one")) as (server, fetcher):
        world, issuer = trusting(
            tmp_path, "wsgi", jwks_url=f"{server.url}/keys", fetcher=fetcher, can_jit_provision=True
        )
        token = issuer.token()
        refused = attest(world, token)
        assert (refused.status, refused.json["error_type"]) == (400, "invalid_jwks_url")
        assert attest(world, token).status == 200


def test_addresses_alone_can_say_who_somebody_is(tmp_path: Path) -> None:
    world, issuer = trusting(tmp_path, "asgi", attribute_mapping=BY_EMAIL, email_proof="always", can_jit_provision=True)
    first = attest(world, issuer.token(email_verified=...)).json
    assert first["user"]["external_id"] is None
    assert attest(world, issuer.token(sub="renamed")).json["user_id"] == first["user_id"]
    assert attest(world, issuer.token(email=...)).json["error_type"] == "invalid_trusted_auth_token"


def test_each_listed_key_is_tried_whatever_the_token_calls_it(tmp_path: Path) -> None:
    pems = [public_pem(key("two")), public_pem(key("one"))]
    world, issuer = trusting(tmp_path, "asgi", pem_keys=pems, can_jit_provision=True)
    assert attest(world, issuer.token(header={"kid": "anything"})).status == 200
    assert attest(world, issuer.token(signed_by="two")).status == 200
    assert attest(world, issuer.token(signed_by="three")).status == 400


def test_the_event_names_the_user_and_the_factor_and_no_token_is_logged(
    trust: Trust, caplog: pytest.LogCaptureFixture
) -> None:
    world, issuer = trust
    token = issuer.token()
    user_id = attest(world, token).json["user_id"]
    events = world.backend("GET", "/v1/project/events").json["events"]
    (ended,) = (one for one in events if one["action"] == "SessionsAttest" and one["status"] == "success")
    assert (ended["subject_id"], ended["factor"]) == (user_id, "trusted_auth_token:trusted_token_exchange")
    assert token not in caplog.text + repr(events)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"pem_keys": ["-----BEGIN PUBLIC KEY-----"]}, "public keys"),
        ({"pem_keys": [public_pem(key("one"))] * 6}, "at most 5"),
        ({"jwks_url": "http://keys.example"}, "https"),
        ({"pem_keys": ()}, "jwks_url or pem_keys"),
        ({"attribute_mapping": AttributeMapping(email="")}, "who somebody is"),
        ({"attribute_mapping": BY_EMAIL, "email_proof": "never"}, "who somebody is"),
        ({"audience": ""}, "audience"),
        ({"profile_id": "a b"}, "an id is"),
        ({"longest_minutes": 0}, "longest_minutes"),
        ({"issuer": "stytch.com/project-test-00000000-0000-4000-8000-000000000000"}, "own issuer"),
        ({"jwks_url": "https://keys.example"}, "fetcher"),
    ],
)
def test_a_profile_that_cannot_work_is_named_at_the_start(tmp_path: Path, more: dict[str, Any], said: str) -> None:
    with pytest.raises(Misconfigured, match=said):
        trusting(tmp_path, "asgi", **more)


def stage() -> tuple[Stage, Issuer]:
    made = Stage(trusted_tokens=(profile(can_jit_provision=True),))
    return made, Issuer(made.clock)


def test_two_tokens_of_one_unknown_person_make_one_user_whatever_the_order() -> None:
    made, issuer = stage()
    for seed in range(100):
        claims = {"sub": f"ada-{seed}", "email": f"ada{seed}@example.org"}
        asked = [
            made.auth.sessions.attest(profile_id=PROFILE, token=issuer.token(**claims), session_duration_minutes=60)
            for _ in range(2)
        ]
        first, second = interleave(asked, seed)
        assert not isinstance(first, AuthError), seed
        assert not isinstance(second, AuthError), seed
        assert first.user_id == second.user_id, seed


def test_a_token_and_a_link_for_one_address_lead_to_one_owner_whatever_the_order() -> None:
    made, issuer = stage()
    for seed in range(100):
        address = f"ada{seed}@example.org"
        link = made.link(address)
        token = issuer.token(sub=f"ada-{seed}", email=address)
        attested, linked = interleave(
            [
                made.auth.sessions.attest(profile_id=PROFILE, token=token, session_duration_minutes=60),
                made.auth.magic_links.authenticate(token=link, session_duration_minutes=60),
            ],
            seed,
        )
        assert not refused(attested), seed
        assert not refused(linked), seed
        holder = step(made.storage.find(User, "email", (address,)))
        assert holder is not None
        assert holder.external_id == f"ada-{seed}"
        assert [one.verified for one in holder.emails] == [True]


def test_nobody_is_signed_in_by_a_token_as_somebody_deleted_whatever_the_order() -> None:
    made, issuer = stage()
    for seed in range(100):
        known = made.run(made.auth.users.create(external_id=f"ada-{seed}", email=f"ada{seed}@example.org"))
        token = issuer.token(sub=f"ada-{seed}", email=...)
        attested, deleted = interleave(
            [
                made.auth.sessions.attest(profile_id=PROFILE, token=token, session_duration_minutes=60),
                made.auth.users.delete(user_id=known.user_id),
            ],
            seed,
        )
        assert not refused(deleted), seed
        assert not isinstance(attested, AuthError), seed
        if attested.user_id == known.user_id:
            assert not made.lives(attested.session_token), seed
