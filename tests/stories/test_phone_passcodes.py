"""One-time passcodes by SMS and WhatsApp through the public door."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from authmw import PhoneRules
from authmw.errors import SendingFailed
from authmw.ports import IO, PhoneMessage
from tests.world import World, make_world

NUMBER, OTHER = "+14155552671", "+14165550123"
AUTHENTICATE = "/v1/otps/authenticate"
CHANNELS = pytest.mark.parametrize("channel", ["sms", "whatsapp"])


def ask(world: World, channel: str = "sms", number: str = NUMBER, **more: object) -> str:
    world.clock.advance(seconds=2)
    answer = world.backend("POST", f"/v1/otps/{channel}/login_or_create", {"phone_number": number, **more})
    assert answer.status == 200, answer.json
    return answer.json["phone_id"]


def present(world: World, method: str, code: str, **more: object):
    return world.backend("POST", AUTHENTICATE, {"method_id": method, "code": code, **more})


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


@CHANNELS
def test_a_code_signs_in_once_and_leaves_by_its_own_channel(world: World, channel: str) -> None:
    """PC-04, PC-07, PC-13."""
    method = ask(world, channel)
    sent = world.inbox.latest()
    assert (sent.channel, sent.to) == (channel, NUMBER)
    answer = present(world, method, world.code(), session_duration_minutes=60)
    assert answer.status == 200
    factor = answer.json["session"]["authentication_factors"][0]
    assert (factor["type"], factor["delivery_method"]) == ("otp", channel)
    assert factor["phone_number_factor"] == {"phone_id": method, "phone_number": NUMBER}
    assert answer.json["user"]["phone_numbers"] == [{"phone_id": method, "phone_number": NUMBER, "verified": True}]
    assert present(world, method, sent.code or "").status == 401


def test_the_text_is_one_line_bound_to_the_domain_and_says_who_sends_it(world: World) -> None:
    """OTP-11."""
    ask(world)
    code, text = world.code(), world.inbox.latest().text
    line, binding = text.split("\n")
    assert code in line
    assert world.auth.settings.name in line
    assert binding == f"@localhost #{code}"
    ask(world, "whatsapp")
    assert "\n" not in world.inbox.latest().text


@pytest.mark.parametrize(
    ("locale", "word"), [("de-DE", "Ihr Code"), ("zh-Hans", "验证码"), ("fr", "votre code"), ("cs", "kód")]
)
def test_a_text_is_in_the_language_that_was_asked_for(world: World, locale: str, word: str) -> None:
    ask(world, locale=locale)
    assert word in world.inbox.latest().text


@pytest.mark.parametrize(
    "number",
    [
        "14155552671",
        "+1 415 555 2671",
        "(415) 555-2671",
        "+1415555267a",
        "+１4155552671",
        "+14155552671\n",
        14155552671,
    ],
)
def test_a_number_is_taken_in_e164_only(world: World, number: object) -> None:
    """PC-10, A088."""
    answer = world.backend("POST", "/v1/otps/sms/login_or_create", {"phone_number": number})
    assert answer.status == 400
    assert str(number) not in str(answer.json)
    assert world.inbox.entries() == ()


@CHANNELS
@pytest.mark.parametrize("number", ["+447911123456", "+18762345678"])
def test_other_countries_are_not_texted_unless_they_are_listed(world: World, channel: str, number: str) -> None:
    answer = world.backend("POST", f"/v1/otps/{channel}/login_or_create", {"phone_number": number})
    assert (answer.status, answer.json["error_type"]) == (400, "invalid_phone_number_country_code")
    assert world.inbox.entries() == ()


def test_a_listed_country_is_texted(tmp_path: Path) -> None:
    world = make_world(tmp_path, "asgi", phones=PhoneRules(countries=frozenset({"GB"})))
    ask(world, number="+447400123456")
    assert world.inbox.latest().to == "+447400123456"


@pytest.mark.parametrize(("minutes", "status"), [(0, 400), (1, 200), (10, 200), (11, 400), (True, 400)])
def test_a_life_out_of_bounds_is_refused(world: World, minutes: object, status: int) -> None:
    """PC-12, A076."""
    body = {"phone_number": NUMBER, "expiration_minutes": minutes}
    assert world.backend("POST", "/v1/otps/sms/login_or_create", body).status == status


@pytest.mark.parametrize(("seconds", "status"), [(119, 200), (120, 401)])
def test_a_code_holds_for_two_minutes(world: World, seconds: int, status: int) -> None:
    """PC-11."""
    method = ask(world)
    world.clock.advance(seconds=seconds)
    assert present(world, method, world.code()).status == status


@CHANNELS
def test_send_texts_known_users_only(world: World, channel: str) -> None:
    """PC-05, PC-08."""
    path, body = f"/v1/otps/{channel}/send", {"phone_number": NUMBER}
    unknown = world.backend("POST", path, body)
    assert (unknown.status, unknown.json["error_type"]) == (404, "phone_number_not_found")
    assert world.inbox.entries() == ()
    method = ask(world, channel)
    world.clock.advance(seconds=2)
    assert world.backend("POST", path, body).json["phone_id"] == method


@CHANNELS
def test_a_signed_in_user_adds_a_number_which_enters_when_it_is_proved(world: World, channel: str) -> None:
    """PC-06, PC-09, PC-16."""
    signed_in = world.sign_in()
    token = signed_in["session_token"]
    body = {"phone_number": NUMBER, "session_token": token}
    sent = world.backend("POST", f"/v1/otps/{channel}/send", body)
    user = world.backend("GET", f"/v1/users/{signed_in['user_id']}").json
    assert user["phone_numbers"] == []
    answer = present(world, sent.json["phone_id"], world.code(), session_token=token)
    assert answer.status == 200
    assert answer.json["user_id"] == signed_in["user_id"]
    assert [one["phone_number"] for one in answer.json["user"]["phone_numbers"]] == [NUMBER]
    methods = [factor["delivery_method"] for factor in answer.json["session"]["authentication_factors"]]
    assert methods == ["email", channel]


def test_a_number_that_is_anothers_cannot_be_added(world: World) -> None:
    method = ask(world)
    assert present(world, method, world.code()).status == 200
    token = world.sign_in("eve@example.org")["session_token"]
    world.clock.advance(seconds=2)
    answer = world.backend("POST", "/v1/otps/sms/send", {"phone_number": NUMBER, "session_token": token})
    assert (answer.status, answer.json["error_type"]) == (400, "duplicate_phone_number")


def test_a_browser_is_not_told_whose_number_is_taken_and_nothing_is_sent(world: World) -> None:
    """ENU-01: the answer is the one for any number, and adds nothing."""
    method = ask(world)
    assert present(world, method, world.code()).status == 200
    token = world.sign_in("eve@example.org")["session_token"]
    world.clock.advance(seconds=2)
    before = len(world.inbox.entries())
    path = "/sdk/v1/otps/sms/send/secondary"
    taken = world.browser("POST", path, {"phone_number": NUMBER}, token=token)
    free = world.browser("POST", path, {"phone_number": "+14155550132"}, token=token)
    assert (
        (taken.status, set(taken.json["data"]))
        == (free.status, set(free.json["data"]))
        == (200, set(free.json["data"]))
    )
    assert "+14155550132" in str(world.inbox.arrived(before + 1).to)
    assert len(world.inbox.entries()) == before + 1


def test_who_proves_a_number_takes_it_from_who_only_claimed_it(world: World) -> None:
    """A210: a user made beforehand with somebody's number keeps nothing of it."""
    claimed = world.backend("POST", "/v1/users", {"email": "eve@example.org", "phone_number": NUMBER})
    assert claimed.status == 200
    token = world.sign_in("ada@example.org")["session_token"]
    sent = world.backend("POST", "/v1/otps/sms/send", {"phone_number": NUMBER, "session_token": token})
    assert present(world, sent.json["phone_id"], world.code(), session_token=token).status == 200
    assert world.backend("GET", f"/v1/users/{claimed.json['user_id']}").json["phone_numbers"] == []


def test_a_code_of_one_number_does_not_open_another(world: World) -> None:
    """PC-14, A077, A078."""
    ask(world, number=NUMBER)
    code = world.code()
    other = ask(world, number=OTHER)
    if code == world.code():
        code = wrong(code)
    assert present(world, other, code).status == 401


def test_a_new_code_ends_the_one_before_on_whichever_channel(world: World) -> None:
    """A080, OTP-04."""
    method = ask(world, "sms")
    first = world.code()
    ask(world, "whatsapp")
    if first != world.code():
        assert present(world, method, first).status == 401
    answer = present(world, method, world.code(), session_duration_minutes=5)
    assert answer.json["session"]["authentication_factors"][0]["delivery_method"] == "whatsapp"


def test_parallel_guesses_are_counted_before_they_are_compared(world: World) -> None:
    """A074, OTP-03: of 32 at once at most five are compared."""
    method = ask(world)
    code = world.code()
    guesses = [wrong(code)] * 24 + [code] * 8
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda guess: present(world, method, guess).status, guesses))
    assert statuses.count(200) <= 1
    assert statuses[:16].count(200) == 0
    assert present(world, method, code).status == 401


def test_the_right_code_at_once_from_everywhere_signs_in_once(world: World) -> None:
    """A075."""
    method = ask(world)
    code = world.code()
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: present(world, method, code).status, range(32)))
    assert statuses.count(200) == 1


def test_the_sandbox_number_takes_its_code_and_nothing_leaves(world: World) -> None:
    method = ask(world, number="+10000000000")
    assert world.inbox.entries() == ()
    assert present(world, method, "000000").status == 200


def test_a_number_gets_so_many_texts_an_hour_whatever_the_channel(tmp_path: Path) -> None:
    """RAT-04."""
    world = make_world(tmp_path, "asgi", phones=PhoneRules(per_number_hour=3))
    for channel in ("sms", "whatsapp", "sms"):
        ask(world, channel)
    world.clock.advance(seconds=2)
    answer = world.backend("POST", "/v1/otps/whatsapp/login_or_create", {"phone_number": NUMBER})
    assert (answer.status, answer.json["error_type"]) == (429, "too_many_requests")
    ask(world, number=OTHER)
    world.clock.advance(hours=1)
    ask(world)


@pytest.mark.parametrize(
    ("rules", "numbers"),
    [
        (PhoneRules(per_range_hour=2), [f"+1415555267{last}" for last in range(3)]),
        (PhoneRules(per_country_hour=2), ["+14155552671", "+12125552671", "+13105552671"]),
        (PhoneRules(per_day=2), [NUMBER, OTHER, "+12125552671"]),
    ],
    ids=["range", "country", "day"],
)
def test_many_numbers_share_budgets(tmp_path: Path, rules: PhoneRules, numbers: list[str]) -> None:
    """RAT-04: numbers that were bought to be texted are well-formed; budgets are what stops them."""
    world = make_world(tmp_path, "asgi", phones=rules)
    *fine, last = numbers
    for number in fine:
        ask(world, number=number)
    world.clock.advance(seconds=2)
    answer = world.backend("POST", "/v1/otps/sms/login_or_create", {"phone_number": last})
    assert answer.status == 429
    assert len(world.inbox.entries()) == len(fine)


def test_one_visitor_gets_so_many_texts_an_hour(tmp_path: Path) -> None:
    world = make_world(tmp_path, "asgi", phones=PhoneRules(per_address_hour=1))
    ask(world, attributes={"ip_address": "192.0.2.1"})
    body = {"phone_number": OTHER, "attributes": {"ip_address": "192.0.2.1"}}
    assert world.backend("POST", "/v1/otps/sms/login_or_create", body).status == 429
    body["attributes"] = {"ip_address": "192.0.2.2"}
    assert world.backend("POST", "/v1/otps/sms/login_or_create", body).status == 200


@CHANNELS
def test_a_browser_signs_in_by_phone_and_is_not_told_who_is_known(world: World, channel: str) -> None:
    """PC-17, ENU-01."""
    path = f"/sdk/v1/otps/{channel}/send/primary"
    stranger = world.browser("POST", path, {"phone_number": NUMBER})
    assert stranger.status == 200
    assert world.inbox.entries() == ()
    known = world.browser("POST", f"/sdk/v1/otps/{channel}/login_or_create", {"phone_number": OTHER})
    assert known.status == 200
    code = world.inbox.arrived(1).code
    assert stranger.json["data"].keys() == known.json["data"].keys()
    body = {"method_id": known.json["data"]["method_id"], "token": code, "session_duration_minutes": 30}
    answer = world.browser("POST", "/sdk/v1/otps/authenticate", body)
    assert answer.status == 200, answer.json


class Failing:
    """A carrier that fails as it is told, then works."""

    io: IO = "instant"

    def __init__(self, *failures: SendingFailed) -> None:
        self.failures = list(failures)
        self.sent: list[PhoneMessage] = []

    async def send(self, message: PhoneMessage) -> None:
        if self.failures:
            raise self.failures.pop()
        self.sent.append(message)


@pytest.mark.parametrize(
    ("retryable", "expected"), [(True, (503, "server_unavailable")), (False, (400, "downstream_carrier_error"))]
)
def test_a_carrier_that_fails_is_a_clear_error_and_the_next_request_works(
    world: World, retryable: bool, expected: tuple[int, str]
) -> None:
    carrier = Failing(SendingFailed("The carrier said no.", retryable=retryable))
    world.auth.core.sms = carrier
    body = {"phone_number": NUMBER}
    failed = world.backend("POST", "/v1/otps/sms/login_or_create", body)
    assert (failed.status, failed.json["error_type"]) == expected
    assert NUMBER not in str(failed.json)
    method = ask(world)
    assert present(world, method, carrier.sent[-1].code or "").status == 200


def test_a_browser_is_not_told_that_a_carrier_failed(world: World) -> None:
    world.auth.core.sms = Failing(SendingFailed("The carrier said no.", retryable=False))
    assert world.browser("POST", "/sdk/v1/otps/sms/login_or_create", {"phone_number": NUMBER}).status == 200


@CHANNELS
def test_without_a_sender_the_channel_says_so(world: World, channel: str) -> None:
    setattr(world.auth.core, channel, None)
    answer = world.backend("POST", f"/v1/otps/{channel}/login_or_create", {"phone_number": NUMBER})
    assert (answer.status, answer.json["error_type"]) == (400, "downstream_carrier_error")
    assert world.backend("POST", "/v1/users/search", {}).json["results"] == []
