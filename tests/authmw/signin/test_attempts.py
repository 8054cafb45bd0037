"""What a guess is counted by, and who is told of a lock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import pytest

from authmw.errors import Refused
from authmw.limits import LimitReached, take_all
from authmw.people.records import Lock, User
from authmw.people.rules import check_unlocked
from authmw.settings import LockRules
from authmw.signin.attempts import FAILURES, GUESSES, Guess, guess_limits

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
ADA = User(id="user-test-ada", created_at=NOW)
CODE = Guess(subject=ADA, factor="otp:email", authenticator="email-1", challenge=("email-1", "first"), refusal="no")
PASSWORD = attrs.evolve(CODE, factor="password", authenticator="password-1", challenge=())


def reached(guess: Guess, locks: LockRules) -> tuple[str, int]:
    """Which limit ends a row of guesses, and after how many."""
    counts = dict.fromkeys(guess_limits("project", guess, locks), 0)
    for taken in range(1000):
        try:
            counts = take_all(counts, 0)
        except LimitReached as full:
            return full.name, taken
    raise AssertionError


def test_a_code_takes_five_guesses() -> None:
    """A073, OTP-03."""
    assert reached(CODE, LockRules()) == ("guesses", GUESSES)


def test_a_standing_secret_takes_as_many_guesses_as_the_project_says() -> None:
    assert reached(PASSWORD, LockRules(threshold=7)) == ("failures before a lock", 7)


def test_a_hundred_failures_in_a_row_end_an_authenticator() -> None:
    """OTP-03."""
    assert reached(PASSWORD, LockRules(threshold=1000)) == ("failures", FAILURES)


@pytest.mark.parametrize(
    "changes",
    [
        {"challenge": ("email-1", "second")},
        {"authenticator": "email-2"},
        {"factor": "totp"},
        {"subject": attrs.evolve(ADA, id="user-test-bob")},
    ],
)
def test_guesses_at_other_challenges_authenticators_factors_and_people_are_counted_apart(
    changes: dict[str, object],
) -> None:
    """RAT-01, RAT-02."""
    here = guess_limits("project", CODE, LockRules())
    there = guess_limits("project", attrs.evolve(CODE, **changes), LockRules())
    assert len(set(here) & set(there)) == 2
    assert not set(here) & set(guess_limits("another project", CODE, LockRules()))


def test_a_lock_closes_its_own_factor_until_its_time_is_over() -> None:
    """RAT-02."""
    ends = NOW + timedelta(hours=1)
    locked = attrs.evolve(ADA, locks=(Lock(factor="otp:email", created_at=NOW, expires_at=ends),))
    check_unlocked(locked, "totp", NOW)
    check_unlocked(locked, "otp:email", ends)
    with pytest.raises(Refused, match=r".") as refused:
        check_unlocked(locked, "otp:email", ends - timedelta(microseconds=1))
    assert refused.value.error_type == "user_lock_limit_reached"
