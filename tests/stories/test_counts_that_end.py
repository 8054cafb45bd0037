"""What is counted of a link, a code or a provider's answer is counted no longer than these live: a project that signs people in does not grow by one count each time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from authmw.limits import Limit, nanoseconds, remaining, take_all
from authmw.testing import FixedClock
from authmw_adapters.memory import MemoryLimiter
from tests.oauth_provider import fetcher_of, playing
from tests.stories.test_oauth import PEOPLE, came_back, signed_in
from tests.stories.test_totps import code as totp_code
from tests.stories.test_totps import enrolled
from tests.world import World, make_world

STANDING = {"failures", "failures before a lock"}
"""What is counted of a person's authenticators, which last: as many counts as there are of these, and a right guess ends them."""


class Remembering(MemoryLimiter):
    """One that knows what was counted and not ended since."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[Limit, datetime] = {}

    async def take(self, *limits: Limit, now: datetime) -> None:
        await super().take(*limits, now=now)
        self.held.update(dict.fromkeys(limits, now))

    async def reset(self, *limits: Limit) -> None:
        await super().reset(*limits)
        for limit in limits:
            self.held.pop(limit, None)

    def left(self) -> set[str]:
        """The names of the counts that no time ends."""
        return {limit.name for limit in self.held if limit.per is None}


def counting(folder: Path, **more: Any) -> tuple[World, Remembering]:
    limiter = Remembering()
    return make_world(folder, "asgi", limiter=limiter, **more), limiter


def test_a_link_leaves_no_count_for_ever(tmp_path: Path) -> None:
    world, limiter = counting(tmp_path)
    world.sign_in("ada@example.org")
    assert "link" in {limit.name for limit in limiter.held}
    assert limiter.left() == set()


def test_a_link_can_be_looked_at_ten_times_however_long_it_lives(tmp_path: Path) -> None:
    """A110."""
    world, _ = counting(tmp_path)
    asked = {"email": "ada@example.org", "code_challenge": "A" * 43, "signup_expiration_minutes": 10_080}
    assert world.backend("POST", "/v1/magic_links/email/login_or_create", asked).status == 200
    body = {"token": world.token(), "code_verifier": "b" * 43}
    for _ in range(10):
        world.clock.advance(hours=16)
        assert world.backend("POST", "/v1/magic_links/authenticate", body).json["error_type"] == "pkce_mismatch"
    answer = world.backend("POST", "/v1/magic_links/authenticate", body)
    assert answer.json["error_type"] == "unable_to_auth_magic_link"
    assert answer.header("retry-after") == []


def test_a_code_that_was_guessed_wrong_and_forgotten_leaves_no_count_of_its_own_for_ever(tmp_path: Path) -> None:
    world, limiter = counting(tmp_path)
    sent = world.backend("POST", "/v1/otps/email/login_or_create", {"email": "ada@example.org"}).json
    wrong = {"method_id": sent["email_id"], "code": "000000" if world.code() != "000000" else "111111"}
    assert world.backend("POST", "/v1/otps/authenticate", wrong).status == 401
    assert limiter.left() == STANDING


def test_a_code_takes_five_guesses_however_long_it_lives(tmp_path: Path) -> None:
    world, _ = counting(tmp_path)
    asked = {"email": "ada@example.org", "expiration_minutes": 10}
    sent = world.backend("POST", "/v1/otps/email/login_or_create", asked).json
    right = {"method_id": sent["email_id"], "code": world.code()}
    wrong = {**right, "code": "000000" if world.code() != "000000" else "111111"}
    for _ in range(5):
        world.clock.advance(minutes=1)
        assert world.backend("POST", "/v1/otps/authenticate", wrong).status == 401
    world.clock.advance(minutes=4)
    answer = world.backend("POST", "/v1/otps/authenticate", right)
    assert answer.json["error_type"] == "unable_to_auth_otp_code"
    assert answer.header("retry-after") == []


def test_a_clock_that_goes_back_frees_no_guess_at_a_code_and_the_next_code_signs_in(tmp_path: Path) -> None:
    world, _ = counting(tmp_path)
    sent = world.backend("POST", "/v1/otps/email/login_or_create", {"email": "ada@example.org"}).json
    right = {"method_id": sent["email_id"], "code": world.code()}
    wrong = {**right, "code": "000000" if world.code() != "000000" else "111111"}
    assert world.backend("POST", "/v1/otps/authenticate", wrong).status == 401
    world.clock.advance(hours=-1)
    assert world.backend("POST", "/v1/otps/authenticate", right).json["error_type"] == "unable_to_auth_otp_code"
    world.clock.advance(hours=1, seconds=2)
    assert world.backend("POST", "/v1/otps/email/login_or_create", {"email": "ada@example.org"}).status == 200
    world.clock.advance(hours=-1)
    assert world.backend("POST", "/v1/otps/authenticate", {**right, "code": world.code()}).status == 200


def test_a_clock_that_goes_back_frees_no_look_at_a_link_and_the_next_link_signs_in(tmp_path: Path) -> None:
    world, _ = counting(tmp_path)
    asked = {"email": "ada@example.org", "signup_expiration_minutes": 5}
    bound = {**asked, "code_challenge": "A" * 43}
    assert world.backend("POST", "/v1/magic_links/email/login_or_create", bound).status == 200
    body = {"token": world.token(), "code_verifier": "b" * 43}
    assert world.backend("POST", "/v1/magic_links/authenticate", body).json["error_type"] == "pkce_mismatch"
    world.clock.advance(hours=-1)
    refused = world.backend("POST", "/v1/magic_links/authenticate", body).json["error_type"]
    assert refused == "unable_to_auth_magic_link"
    world.clock.advance(hours=1, seconds=2)
    assert world.backend("POST", "/v1/magic_links/email/login_or_create", asked).status == 200
    world.clock.advance(hours=-1)
    assert world.backend("POST", "/v1/magic_links/authenticate", {"token": world.token()}).status == 200


def test_a_provider_s_answer_leaves_no_count_for_ever(tmp_path: Path) -> None:
    clock = FixedClock()
    person, _, _ = PEOPLE["google"]
    with playing("google", clock, **person) as provider:
        more: dict[str, Any] = {"clock": clock, "fetcher": fetcher_of(provider), "oauth": (provider.configured(),)}
        world, limiter = counting(tmp_path, **more)
        token = came_back(world, provider)
        assert signed_in(world, token).status == 200
    assert "oauth token" in {limit.name for limit in limiter.held}
    assert limiter.left() == set()


def test_an_app_s_code_that_was_guessed_wrong_leaves_no_count_of_its_step_for_ever(tmp_path: Path) -> None:
    world, limiter = counting(tmp_path)
    signed, made = enrolled(world)
    wrong = next(one for one in ("000000", "111111", "222222", "333333") if one != totp_code(world, made["secret"]))
    body = {"user_id": signed["user_id"], "totp_code": wrong}
    assert world.backend("POST", "/v1/totps/authenticate", body).status == 401
    assert limiter.left() == STANDING


@pytest.mark.parametrize("burst", [1, 10])
def test_of_what_is_counted_during_a_life_nothing_comes_back_before_it_is_over(burst: int) -> None:
    limit = Limit.during(timedelta(minutes=10), "one", (), burst)
    counts = {limit: 0}
    for _ in range(burst):
        counts = take_all(counts, 0)
    last = nanoseconds(datetime(1970, 1, 1, 0, 9, 59, tzinfo=UTC))
    assert remaining(limit, counts[limit], last) == 0
    assert remaining(limit, counts[limit], last + 1_000_000_000) == 1
