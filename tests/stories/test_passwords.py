"""Passwords, through the public door: made, used, refused, and made stronger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from authmw import PasswordRules
from authmw.crypto.passwords import StoredHash, read_argon2
from authmw.crypto.sealing import unseal
from authmw.drive import step
from authmw.people.records import Credential, User
from tests.world import Answer, World, make_world

CREATE, AUTHENTICATE = "/v1/passwords", "/v1/passwords/authenticate"
STRENGTH, RESET = "/v1/passwords/strength_check", "/v1/passwords/existing_password/reset"
START, BY_MAIL, BY_SESSION = (
    "/v1/passwords/email/reset/start",
    "/v1/passwords/email/reset",
    "/v1/passwords/session/reset",
)
PROVE = "/v1/sessions/authenticate"
ADA, FIRST, SECOND = "ada@example.org", "lovely purple submarine kettle", "nine quiet otters borrow ladders"
CORPUS = json.loads((Path(__file__).parents[1] / "corpus" / "passwords.json").read_text())


def refused(answer: Answer, status: int, error_type: str) -> None:
    assert (answer.status, answer.json["error_type"]) == (status, error_type), answer.json


def pair(password: str = FIRST, email: str = ADA, **more: Any) -> dict[str, Any]:
    return {"email": email, "password": password, "session_duration_minutes": 60, **more}


def created(world: World, password: str = FIRST, email: str = ADA, **more: Any) -> Any:
    answer = world.backend("POST", CREATE, pair(password, email, **more))
    assert answer.status == 200, answer.json
    return answer.json


def owned(world: World, password: str = FIRST, email: str = ADA) -> Any:
    """Somebody who has proved their address and then set a password."""
    signed_in = world.sign_in(email)
    body = {"password": password, "session_token": signed_in["session_token"]}
    answer = world.backend("POST", BY_SESSION, body)
    assert answer.status == 200, answer.json
    return answer.json


def prove(world: World, signed_in: Any) -> int:
    return world.backend("POST", PROVE, {"session_token": signed_in["session_token"]}).status


def hash_of(world: World, user_id: str) -> StoredHash:
    import msgspec

    user = step(world.auth.storage.get(User, user_id))
    assert user is not None
    part = user.parts_of("password")[0]
    row = step(world.auth.storage.get(Credential, part.part_id))
    assert row is not None
    opened = unseal(world.auth.core.roots, "credential password", part.part_id, row.sealed)
    return msgspec.msgpack.decode(opened, type=StoredHash)


def test_a_new_address_with_a_password_makes_a_user_who_signs_in_by_it(world: World) -> None:
    """PW-01, PW-02."""
    made = created(world, name={"first_name": "Ada"}, untrusted_metadata={"theme": "dark"})
    assert made["user"]["emails"] == [{"email_id": made["email_id"], "email": ADA, "verified": False}]
    assert made["user"]["password"]["requires_reset"] is False
    assert (made["user"]["name"]["first_name"], made["user"]["untrusted_metadata"]) == ("Ada", {"theme": "dark"})
    assert prove(world, made) == 200
    signed_in = world.backend("POST", AUTHENTICATE, pair(email="Ada@Example.org")).json
    assert signed_in["user_id"] == made["user_id"]
    factor = signed_in["session"]["authentication_factors"][0]
    assert (factor["type"], factor["delivery_method"]) == ("password", "knowledge")
    assert world.visit("/who", f"authmw_session={signed_in['session_token']}").json == {"user_id": made["user_id"]}


def test_without_a_duration_there_is_no_session(world: World) -> None:
    made = created(world, session_duration_minutes=None)
    assert (made["session"], made["session_token"], made["session_jwt"]) == (None, "", "")
    answer = world.backend("POST", AUTHENTICATE, {"email": ADA, "password": FIRST}).json
    assert (answer["session"], answer["session_token"]) == (None, "")


def test_a_password_is_added_to_the_session_of_its_user_and_to_no_other(world: World) -> None:
    signed_in = owned(world)
    answer = world.backend("POST", AUTHENTICATE, pair(session_token=signed_in["session_token"])).json
    assert answer["session"]["session_id"] == signed_in["session"]["session_id"]
    assert [one["type"] for one in answer["session"]["authentication_factors"]] == ["magic_link", "password"]
    other = world.sign_in("bob@example.org")
    refused(world.backend("POST", AUTHENTICATE, pair(session_token=other["session_token"])), 400, "user_id_mismatch")


def test_what_does_not_sign_in_is_refused_in_one_way_and_backends_learn_of_strangers(world: World) -> None:
    """PW-02, A059, ENU-01: a user without a password has no hash that anything could match."""
    created(world)
    refused(world.backend("POST", AUTHENTICATE, pair(SECOND)), 401, "unauthorized_credentials")
    world.sign_in("bob@example.org")
    for nothing in ("", " ", FIRST):
        refused(world.backend("POST", AUTHENTICATE, pair(nothing, "bob@example.org")), 401, "unauthorized_credentials")
    for body in ({"email": "bob@example.org"}, {"email": "bob@example.org", "password": None}):
        assert world.backend("POST", AUTHENTICATE, body).status == 400
    refused(world.backend("POST", AUTHENTICATE, pair(email="nobody@example.org")), 404, "email_not_found")


def masked(answer: Answer) -> tuple[int, Any, list[tuple[str, str]]]:
    body = {**answer.json, "request_id": ""}
    if "data" in body:
        body["data"] = {**body["data"], "request_id": ""}
    return answer.status, body, sorted(answer.headers)


def test_a_browser_cannot_tell_who_is_known(world: World) -> None:
    """PW-02, A241, A245: a wrong password, nobody, no password, somebody invited; also after so many that a lock stands."""
    created(world)
    world.sign_in("bob@example.org")
    world.clock.advance(seconds=2)
    assert world.backend("POST", "/v1/magic_links/email/invite", {"email": "eve@example.org"}).status == 200
    addresses = (ADA, "bob@example.org", "eve@example.org", "nobody@example.org")
    for _ in range(12):
        answers = [world.browser("POST", "/sdk/v1/passwords/authenticate", pair(SECOND, one)) for one in addresses]
        assert len({str(masked(one)) for one in answers}) == 1
        refused(answers[0], 401, "unauthorized_credentials")
        assert "www-authenticate: Basic" not in str(answers[0].headers)
    # Locked by now, and told to nobody but the backend.
    refused(world.browser("POST", "/sdk/v1/passwords/authenticate", pair()), 401, "unauthorized_credentials")
    refused(world.backend("POST", AUTHENTICATE, pair()), 429, "user_lock_limit_reached")
    refused(world.backend("POST", AUTHENTICATE, pair(email="nobody@example.org")), 429, "user_lock_limit_reached")
    world.clock.advance(minutes=60)
    assert world.browser("POST", "/sdk/v1/passwords/authenticate", pair()).status == 200


def test_a_lock_closes_the_password_and_neither_links_nor_sessions(world: World) -> None:
    """RAT-02."""
    signed_in = owned(world)
    for _ in range(10):
        refused(world.backend("POST", AUTHENTICATE, pair(SECOND)), 401, "unauthorized_credentials")
    refused(world.backend("POST", AUTHENTICATE, pair()), 429, "user_lock_limit_reached")
    assert prove(world, signed_in) == 200
    assert world.sign_in(ADA)["user"]["is_locked"] is True


def test_a_right_password_forgets_what_was_counted(world: World) -> None:
    created(world)
    for _ in range(3):
        for _ in range(9):
            refused(world.backend("POST", AUTHENTICATE, pair(SECOND)), 401, "unauthorized_credentials")
        assert world.backend("POST", AUTHENTICATE, pair()).status == 200


def test_a_taken_address_is_said_to_backends_only(world: World) -> None:
    """A246: a browser gets the form of a sign-up without a session; the owner a message, and nothing of theirs changes."""
    made = created(world)
    refused(world.backend("POST", CREATE, pair(SECOND)), 400, "duplicate_email")
    new = world.browser("POST", "/sdk/v1/passwords", pair(SECOND, "new@example.org"))
    known = world.browser("POST", "/sdk/v1/passwords", pair(SECOND))
    assert (new.status, known.status) == (200, 200)
    assert set(new.json["data"]) == set(known.json["data"])
    assert set(new.json["data"]["user"]) == set(known.json["data"]["user"])
    assert known.json["data"]["user_id"] != made["user_id"]
    assert (known.json["data"]["session"], known.json["data"]["session_token"]) == (None, "")
    assert known.header("set-cookie") == []
    assert new.json["data"]["session"] is not None
    told = world.inbox.arrived(1)
    assert (told.to, told.subject) == (ADA, "You already have a authmw account")
    refused(world.backend("POST", AUTHENTICATE, pair(SECOND)), 401, "unauthorized_credentials")
    assert world.backend("POST", AUTHENTICATE, pair()).json["user_id"] == made["user_id"]
    weak = [world.browser("POST", "/sdk/v1/passwords", pair("password", one)) for one in (ADA, "x@example.org")]
    assert [one.status for one in weak] == [429, 400]  # one message a second to an address, whoever asks


def test_a_weak_password_is_refused_wherever_one_is_set_and_changes_nothing(world: World) -> None:
    """PW-03, PW-04, PW-15, PW-16, A063."""
    owned(world)
    for weak in ("Password1!", "authmw authmw", "grace.hopper@example.org"):
        answer = world.backend("POST", CREATE, pair(weak, "grace.hopper@example.org"))
        refused(answer, 400, "weak_password")
        assert len(answer.json["error_message"]) > 20
        assert weak not in answer.json["error_message"]
    assert world.backend("GET", "/v1/users/search").status in {404, 405}
    change = {"email": ADA, "existing_password": FIRST, "new_password": "Password1!"}
    refused(world.backend("POST", RESET, change), 400, "weak_password")
    token = world.sign_in(ADA)["session_token"]
    refused(
        world.backend("POST", BY_SESSION, {"password": "ada@example.org", "session_token": token}), 400, "weak_password"
    )
    world.clock.advance(seconds=2)
    assert world.backend("POST", START, {"email": ADA}).status == 200
    mail = next(one for one in world.inbox.entries() if one.subject == "Reset your authmw password")
    token = mail.links[0].split("token=")[-1]
    for _ in range(12):
        refused(world.backend("POST", BY_MAIL, {"token": token, "password": "qwertyuiop"}), 400, "weak_password")
    assert world.backend("POST", AUTHENTICATE, pair()).status == 200
    assert world.backend("POST", BY_MAIL, {"token": token, "password": SECOND}).status == 200


def test_strength_is_told_with_what_to_do_about_it(world: World) -> None:
    """PW-14, PW-15, PW-16."""
    strong = world.backend("POST", STRENGTH, {"password": FIRST}).json
    assert (strong["valid_password"], strong["score"], strong["strength_policy"]) == (True, 4, "zxcvbn")
    assert strong["feedback"] == {"warning": "", "suggestions": [], "luds_requirements": None}
    assert (strong["breached_password"], strong["breaches"]) == (False, "not_checked")
    assert strong["breach_detection_on_create"] is False
    own = {"password": "bartholomew.xylophone"}
    assert world.backend("POST", STRENGTH, own).json["valid_password"] is True
    about = world.backend("POST", STRENGTH, {**own, "email": "bartholomew.xylophone@example.org"}).json
    assert (about["valid_password"], bool(about["feedback"]["warning"])) == (False, True)
    refused(
        world.backend("POST", CREATE, pair(own["password"], "bartholomew.xylophone@example.org")), 400, "weak_password"
    )
    shown = world.browser("POST", "/sdk/v1/passwords/strength_check", {"password": "qwertyuiop"}).json["data"]
    assert shown["valid_password"] is False
    assert shown["feedback"]["suggestions"]


def test_a_project_that_counts_kinds_says_which_are_missing(tmp_path: Path) -> None:
    """PW-17."""
    rules = PasswordRules(policy="luds", luds_complexity=3, minimum_length=10)
    world = make_world(tmp_path, "asgi", passwords=rules)
    found = world.backend("POST", STRENGTH, {"password": "zkwpvqmb"}).json
    assert found["strength_policy"] == "luds"
    lacks = found["feedback"]["luds_requirements"]
    assert (lacks["missing_complexity"], lacks["missing_characters"], lacks["has_lower_case"]) == (2, 2, True)
    assert world.backend("POST", CREATE, pair("Zkwpvqmb-9")).status == 200
    refused(world.backend("POST", CREATE, pair("zkwpvqmbxx", "b@example.org")), 400, "weak_password")


class Untouchable:
    """Stands for the machine's cores where no work may be done."""

    def has_room(self) -> bool:
        return True

    async def run(self, work: Any, *args: Any, memory_kib: int = 0) -> Any:
        raise AssertionError("a password was worked on")


LONG = ["x" * 1025, "x" * 1_000_000, "é" * 1025]


@pytest.mark.parametrize("long", LONG, ids=lambda text: str(len(text)))
def test_what_is_too_long_is_refused_before_any_work(world: World, long: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A056, PWD-04."""
    made = created(world)
    monkeypatch.setattr("authmw.drive.heavy", Untouchable())
    bodies = {
        CREATE: pair(long, "new@example.org"),
        AUTHENTICATE: pair(long),
        STRENGTH: {"password": long},
        BY_MAIL: {"token": "t" * 43, "password": long},
        BY_SESSION: {"password": long, "session_token": made["session_token"]},
        RESET: {"email": ADA, "existing_password": FIRST, "new_password": long},
    }
    for path, body in bodies.items():
        answer = world.backend("POST", path, body)
        assert answer.status in {400, 413}, path
        assert long[:20] not in str(answer.json)


def test_a_password_over_the_projects_own_length_signs_in_but_is_not_set(world: World) -> None:
    """A062: 128 are taken and 129 are not."""
    letters = "".join(chr(ord("a") + place * place % 23) for place in range(129))
    refused(world.backend("POST", CREATE, pair(letters)), 400, "bad_request")
    assert world.backend("POST", STRENGTH, {"password": letters}).json["valid_password"] is False
    created(world, letters[:128])
    assert world.backend("POST", AUTHENTICATE, pair(letters[:128])).status == 200
    refused(world.backend("POST", AUTHENTICATE, pair(letters)), 401, "unauthorized_credentials")


@pytest.mark.parametrize("case", CORPUS["equivalence"], ids=lambda case: ascii(case["a"]))
def test_two_ways_of_typing_are_one_password_only_where_the_corpus_says_so(world: World, case: dict[str, Any]) -> None:
    """A060, A061, PWD-03."""
    behind = " kettle submarine"
    created(world, case["a"] + behind)
    answer = world.backend("POST", AUTHENTICATE, pair(case["b"] + behind))
    assert (answer.status == 200) == case["same"]


def test_a_new_hash_is_argon2id_salted_for_itself(world: World) -> None:
    """A052, PWD-01."""
    one, other = created(world), created(world, email="bob@example.org")
    first, second = hash_of(world, one["user_id"]), hash_of(world, other["user_id"])
    assert first.text != second.text
    found = read_argon2(first.text)
    assert (found.kind, found.salt_bytes, found.hash_bytes) == ("argon2id", 16, 32)
    assert found.memory_kib >= 19_456
    assert found.iterations >= 2


def test_neither_password_nor_hash_lies_open_in_the_store_or_the_events(world: World, tmp_path: Path) -> None:
    """LOG-01, A273."""
    made = created(world)
    world.backend("POST", AUTHENTICATE, pair(SECOND))
    dump = world.at_rest(tmp_path)
    assert made["user_id"].encode() in dump
    for secret in (FIRST.encode(), SECOND.encode(), b"$argon2", hash_of(world, made["user_id"]).text[-43:].encode()):
        assert secret not in dump


def test_a_hash_made_at_less_cost_or_under_an_older_pepper_is_made_anew_at_sign_in(tmp_path: Path) -> None:
    """PWD-01: the first sign-in after the policy was raised; a stronger hash stays as it is."""
    old, new = b"p" * 32, b"q" * 32
    cheap = make_world(tmp_path, "wsgi", passwords=PasswordRules(memory_kib=1024, iterations=1, peppers=(old,)))
    user_id = created(cheap)["user_id"]
    before = hash_of(cheap, user_id)
    cheap.auth.close()
    dear = make_world(tmp_path, "wsgi", passwords=PasswordRules(peppers=(new, old)))
    assert dear.backend("POST", AUTHENTICATE, pair()).status == 200
    after = hash_of(dear, user_id)
    assert (read_argon2(before.text).memory_kib, read_argon2(after.text).memory_kib) == (1024, 19_456)
    assert after.pepper not in {None, before.pepper}
    assert dear.backend("POST", AUTHENTICATE, pair()).status == 200
    assert hash_of(dear, user_id) == after
    dear.auth.close()
    lost = make_world(tmp_path, "wsgi", passwords=PasswordRules(peppers=(old,)))
    refused(lost.backend("POST", AUTHENTICATE, pair()), 401, "unauthorized_credentials")
    lost.auth.close()


def test_a_hash_moves_under_the_newest_root_key_when_its_person_signs_in(tmp_path: Path) -> None:
    """KEY-02: so that the older key can be dropped once everybody was there."""
    old, new = bytes(range(32)), bytes(range(1, 33))
    for keys in ((old,), (new, old), (new,)):
        world = make_world(tmp_path, "wsgi", root_keys=keys)
        if keys == (old,):
            user_id = created(world, session_duration_minutes=None)["user_id"]
            kept = hash_of(world, user_id)
        # Without a session: the key that signs its JWTs rests under the older root key still.
        assert world.backend("POST", AUTHENTICATE, {"email": ADA, "password": FIRST}).status == 200
        assert hash_of(world, user_id) == kept
        world.auth.close()


def test_a_project_can_judge_right_passwords_at_sign_in_and_does_not_by_itself(tmp_path: Path) -> None:
    """PW-18, MIG-06."""
    world = make_world(tmp_path, "wsgi", passwords=PasswordRules(policy="luds", luds_complexity=1))
    created(world, "zkwpvqmb")
    world.auth.close()
    for strict in (False, True):
        later = make_world(tmp_path, "wsgi", passwords=PasswordRules(minimum_length=12, strength_at_sign_in=strict))
        answer = later.backend("POST", AUTHENTICATE, pair("zkwpvqmb"))
        if strict:
            refused(answer, 400, "weak_password")
            refused(later.backend("POST", AUTHENTICATE, pair("wrong")), 401, "unauthorized_credentials")
        else:
            assert answer.status == 200
        later.auth.close()


def test_a_password_can_be_removed_with_its_hash(world: World) -> None:
    made = owned(world)
    password_id = made["user"]["password"]["password_id"]
    gone = world.backend("DELETE", f"/v1/users/passwords/{password_id}").json
    assert gone["user"]["password"] is None
    assert step(world.auth.storage.get(Credential, password_id)) is None
    assert prove(world, made) == 404
    refused(world.backend("POST", AUTHENTICATE, pair()), 401, "unauthorized_credentials")


def test_the_python_call_tells_a_hosts_own_view_no_more_than_a_browser(world: World) -> None:
    from authmw import Refused

    created(world)
    for _ in range(12):
        for address in (ADA, "nobody@example.org"):
            with pytest.raises(Refused) as caught:
                world.auth.run(world.auth.passwords.authenticate(email=address, password=SECOND))
            told = (caught.value.error_type, caught.value.message)
            assert told == ("unauthorized_credentials", "The credentials are not valid.")
