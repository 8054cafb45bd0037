"""Which factors make a whole session: the table, an organization's policy, and time, against models written from the requirements (ACC-01, ACC-02)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.errors import Refused
from authmw.people.records import Email, Part, Phone, Proved, Session, User
from authmw.settings import SessionRules
from authmw.signin.rules import CATEGORIES, SignInPolicy, category_of, check_sensitive, end_of, lives, meets_policy

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
ACCOUNT = "oauth:oauth_google oauth:oauth_slack magic_link:email otp:email magic_link:embedded password:knowledge"
MODEL = {
    **dict.fromkeys((*ACCOUNT.split(), "crypto:crypto_wallet", "sso:sso_saml", "sso:sso_oidc"), 1),
    **dict.fromkeys(("otp:sms", "otp:whatsapp"), 2),
    **dict.fromkeys(("webauthn:webauthn_registration", "totp:authenticator_app"), 3),
    **dict.fromkeys(("recovery_codes:recovery_code", "signature_challenge:biometric"), 3),
}
"""ACC-01 as its words stand, with a number for each pair of braces."""
METHODS = sorted(MODEL)
methods = st.sampled_from(METHODS)


def proved(method: str, age: int = 0) -> Proved:
    type_, _, delivery = method.partition(":")
    at = NOW - timedelta(seconds=age)
    return Proved(type=type_, delivery_method=delivery, last_authenticated_at=at, created_at=at, updated_at=at)


def pairs(chosen: frozenset[str] | None) -> frozenset[tuple[str, str]] | None:
    return None if chosen is None else frozenset((one.partition(":")[0], one.partition(":")[2]) for one in chosen)


def member(*, email: bool, phone: bool, kinds: frozenset[str]) -> User:
    return User(
        id="user-test-1",
        created_at=NOW,
        emails=(Email(email_id="e", address="a@example.org", verified=email, created_at=NOW),),
        phones=(Phone(phone_id="p", number="+14155552671", verified=phone, created_at=NOW),),
        parts=tuple(Part(part_id=kind, kind=kind, verified=True, created_at=NOW) for kind in kinds),
    )


@pytest.mark.parametrize(("one", "other"), list(combinations(METHODS, 2)))
def test_two_factors_are_of_one_category_exactly_where_the_table_groups_them(one: str, other: str) -> None:
    """ACC-01, MFA-01 to MFA-06, ruling X-25."""
    first, second = proved(one), proved(other)
    same = category_of(first.type, first.delivery_method) == category_of(second.type, second.delivery_method)
    assert same is (MODEL[one] == MODEL[other])


def test_the_table_knows_no_category_but_three() -> None:
    assert set(CATEGORIES.values()) == {"account", "phone", "dedicated"}


@given(
    done=st.lists(st.tuples(methods, st.sampled_from([-1, 0, 1, 3599, 3600, 3601, 86_400])), max_size=4),
    email=st.booleans(),
    phone=st.booleans(),
    kinds=st.frozensets(st.sampled_from(["totp", "webauthn", "biometric", "password", "oauth", "crypto_wallet"])),
)
def test_sensitive_calls_pass_exactly_as_the_requirement_says(
    done: list[tuple[str, int]], email: bool, phone: bool, kinds: frozenset[str]
) -> None:
    """ACC-02, A040: with two categories enrolled, two are proved and one factor is less than 3,600 seconds old and not from the future."""
    enrolled = {1} if email or kinds & {"password", "oauth", "crypto_wallet"} else set()
    enrolled |= {2} if phone else set()
    enrolled |= {3} if kinds & {"totp", "webauthn", "biometric"} else set()
    expected = None
    if len(enrolled) >= 2:
        if len({MODEL[method] for method, _ in done}) < 2:
            expected = "insufficient_factors"
        elif not any(0 <= age < 3600 for _, age in done):
            expected = "stale_factors"
    ended = None
    try:
        check_sensitive(member(email=email, phone=phone, kinds=kinds), [proved(*one) for one in done], NOW)
    except Refused as refused:
        ended = refused.error_type
    assert ended == expected


@given(
    done=st.lists(methods, max_size=4),
    allowed=st.none() | st.frozensets(methods),
    second=st.none() | st.frozensets(methods),
    required=st.booleans(),
    enrolled=st.booleans(),
)
def test_a_member_session_is_whole_exactly_under_its_organizations_policy(
    done: list[str], allowed: frozenset[str] | None, second: frozenset[str] | None, required: bool, enrolled: bool
) -> None:
    """DESIGN section 8: no session until every required factor."""
    firsts = {MODEL[one] for one in done if allowed is None or one in allowed}
    seconds = {MODEL[one] for one in done if second is None or one in second}
    expected = bool(firsts)
    if required or enrolled:
        expected = bool(firsts and seconds) and len(firsts | seconds) > 1
    policy = SignInPolicy(methods=pairs(allowed), mfa_required=required, second_methods=pairs(second))
    assert meets_policy(policy, [proved(one) for one in done], enrolled=enrolled) is expected


def test_a_policy_may_name_every_method_of_a_type() -> None:
    policy = SignInPolicy(methods=frozenset({("sso", "*")}))
    assert meets_policy(policy, [proved("sso:sso_saml")], enrolled=False)
    assert not meets_policy(policy, [proved("magic_link:email")], enrolled=False)


@given(
    minutes=st.integers(5, 2000),
    idle=st.none() | st.integers(1, 2000),
    absolute=st.none() | st.integers(1, 2000),
    ticks=st.lists(st.sampled_from([1, 59, 60, 299, 3599, 3600, 86_400, -1, -60, -3600]), min_size=1, max_size=12),
    used=st.lists(st.booleans(), min_size=12, max_size=12),
)
def test_a_session_lives_until_the_first_of_its_ends_however_the_clock_moves(
    minutes: int, idle: int | None, absolute: int | None, ticks: list[int], used: list[bool]
) -> None:
    """SES-04, TOK-08: each end is a moment, dead at it and alive before; a clock that goes back moves none of them."""
    rules = SessionRules(idle_minutes=idle, absolute_minutes=absolute)
    end, accessed, elapsed = minutes * 60, 0, 0
    if absolute is not None:
        end = min(end, absolute * 60)
    for tick, use in zip(ticks, used, strict=False):
        elapsed += tick
        now = NOW + timedelta(seconds=elapsed)
        session = Session(
            session_id="session-test-1",
            subject_id="user-test-1",
            random=b"r",
            key_version=1,
            digest="d",
            started_at=NOW,
            last_accessed_at=NOW + timedelta(seconds=accessed),
            expires_at=end_of(NOW, minutes, NOW, rules),
        )
        expected = elapsed < end and (idle is None or elapsed - accessed < idle * 60)
        assert lives(session, member(email=True, phone=False, kinds=frozenset()), now, rules) is expected
        if use and expected:
            accessed = elapsed
