"""One-time passcodes by e-mail through the public door."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.world import World

LOGIN = "/v1/otps/email/login_or_create"
AUTHENTICATE = "/v1/otps/authenticate"


def ask(world: World, address: str = "ada@example.org", **more: object) -> str:
    world.clock.advance(seconds=2)
    answer = world.backend("POST", LOGIN, {"email": address, **more})
    assert answer.status == 200, answer.json
    return answer.json["email_id"]


def present(world: World, method: str, code: str, **more: object):
    return world.backend("POST", AUTHENTICATE, {"method_id": method, "code": code, **more})


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


def test_a_code_signs_in_once(world: World) -> None:
    """PC-01, PC-13."""
    method = ask(world)
    code = world.code()
    answer = present(world, method, code, session_duration_minutes=60)
    assert answer.status == 200
    assert answer.json["session"]["authentication_factors"][0]["type"] == "otp"
    assert present(world, method, code).status == 401


@pytest.mark.parametrize(("seconds", "status"), [(119, 200), (120, 401)])
def test_a_code_holds_for_two_minutes(world: World, seconds: int, status: int) -> None:
    """PC-11, A076."""
    method = ask(world)
    world.clock.advance(seconds=seconds)
    assert present(world, method, world.code()).status == status


@pytest.mark.parametrize(("minutes", "status"), [(0, 400), (1, 200), (10, 200), (11, 400), (1.5, 400), (True, 400)])
def test_a_life_out_of_bounds_is_refused(world: World, minutes: object, status: int) -> None:
    """PC-12."""
    body = {"email": "ada@example.org", "expiration_minutes": minutes}
    assert world.backend("POST", LOGIN, body).status == status


def test_a_code_of_another_address_is_refused(world: World) -> None:
    """PC-14, A077."""
    ask(world, "ada@example.org")
    code = world.code()
    other = ask(world, "bob@example.org")
    if code == world.code():
        code = wrong(code)
    assert present(world, other, code).status == 401


def test_a_new_code_ends_the_one_before(world: World) -> None:
    """A080, OTP-04."""
    method = ask(world)
    first = world.code()
    ask(world)
    if first != world.code():
        assert present(world, method, first).status == 401
    assert present(world, method, world.code()).status == 200


def test_five_wrong_guesses_end_a_code(world: World) -> None:
    """A073, OTP-03."""
    method = ask(world)
    code = world.code()
    for _ in range(5):
        assert present(world, method, wrong(code)).status == 401
    assert present(world, method, code).status == 401


def test_parallel_guesses_are_counted_before_they_are_compared(world: World) -> None:
    """A074: with the right code among the last, at most five of all were compared."""
    method = ask(world)
    code = world.code()
    guesses = [wrong(code)] * 30 + [code] * 10
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda guess: present(world, method, guess).status, guesses))
    assert statuses.count(200) <= 1
    assert statuses[:20].count(200) == 0


def test_repeated_failure_locks_the_factor_for_an_hour_and_no_session(world: World) -> None:
    """A252, RAT-02."""
    signed_in = world.sign_in()
    for _ in range(2):
        method = ask(world)
        for _ in range(5):
            present(world, method, wrong(world.code()))
    method = ask(world)
    locked = present(world, method, world.code())
    assert (locked.status, locked.json["error_type"]) == (429, "user_lock_limit_reached")
    assert world.backend("GET", f"/v1/users/{signed_in['user_id']}").json["is_locked"] is True
    token = signed_in["session_token"]
    assert world.backend("POST", "/v1/sessions/authenticate", {"session_token": token}).status == 200
    world.clock.advance(hours=1)
    method = ask(world)
    assert present(world, method, world.code()).status == 200


@pytest.mark.parametrize("code", ["123456\n", " 123456", "１２３４５６", "12345", "1234567", 123456, ["123456"], None])
def test_what_is_no_code_is_refused_and_never_an_error_of_ours(world: World, code: object) -> None:
    """A083."""
    method = ask(world)
    answer = world.backend("POST", AUTHENTICATE, {"method_id": method, "code": code})
    assert answer.status in {400, 401}


def test_the_sandbox_address_gets_no_mail_and_the_fixed_code(world: World) -> None:
    """SBX-02."""
    method = ask(world, "sandbox@stytch.com")
    assert not world.inbox.entries()
    assert present(world, method, "000000").status == 200


def test_a_lock_is_told_to_backends_and_to_no_stranger(world: World) -> None:
    """A252, ENU-01: in a browser a locked address answers as one that nobody has."""
    world.sign_in()
    for _ in range(2):
        method = ask(world)
        for _ in range(5):
            present(world, method, wrong(world.code()))
    method = ask(world)
    body = {"method_id": method, "token": world.code(), "session_duration_minutes": 60}
    nobody = {**body, "method_id": "email-test-00000000-0000-4000-8000-000000000000"}
    for said in (body, body, nobody):
        answer = world.browser("POST", "/sdk/v1/otps/authenticate", said)
        assert (answer.status, answer.json["error_type"]) == (401, "unable_to_auth_otp_code")
    assert present(world, method, world.code()).json["error_type"] == "user_lock_limit_reached"


def test_a_lock_is_told_in_a_browser_to_who_is_signed_in_as_whom_it_is_about(world: World) -> None:
    """RAT-02, ENU-01: the session lives on, and may know what everybody else may not; nobody else's session may."""
    own = world.sign_in()["session_token"]
    other = world.sign_in("eve@example.org")["session_token"]
    for _ in range(2):
        method = ask(world)
        for _ in range(5):
            present(world, method, wrong(world.code()))
    body = {"method_id": ask(world), "token": world.code(), "session_duration_minutes": 60}
    answers = [world.browser("POST", "/sdk/v1/otps/authenticate", body, token=token) for token in (own, other, own)]
    assert [answer.json["error_type"] for answer in answers] == [
        "user_lock_limit_reached",
        "unable_to_auth_otp_code",
        "user_lock_limit_reached",
    ]
    assert world.visit("/who", f"authmw_session={own}").status == 200


def test_a_lock_of_codes_leaves_links_open(world: World) -> None:
    """RAT-02."""
    world.sign_in()
    for _ in range(3):
        method = ask(world)
        for _ in range(5):
            present(world, method, wrong(world.code()))
    assert present(world, method, world.code()).status == 429
    world.sign_in()
