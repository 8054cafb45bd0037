"""The rules of sessions and factors, held against models that were written apart from them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.errors import Refused
from authmw.people.records import Email, Part, Phone, Proved, Session, User
from authmw.settings import SessionRules
from authmw.signin.rules import (
    CATEGORIES,
    CLAIMS_BYTES,
    FRESH,
    category_of,
    check_may_add,
    check_sensitive,
    end_of,
    is_fresh,
    lives,
    merged_claims,
    needs_touch,
    satisfies_mfa,
    still_held,
    with_factor,
)

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
ACCOUNT = ("magic_link", "email")
SAME_CATEGORY = ("otp", "email")
PHONE = ("otp", "sms")
DEVICE = ("totp", "authenticator_app")
PASSKEY = ("webauthn", "webauthn_registration")
KINDS = ("oauth", "password", "webauthn", "totp", "crypto_wallet", "biometric")


def proved(kind: tuple[str, str], at: datetime = NOW, *, user_verified: bool = False) -> Proved:
    return Proved(
        type=kind[0],
        delivery_method=kind[1],
        last_authenticated_at=at,
        created_at=at,
        updated_at=at,
        user_verified=user_verified,
    )


def user(*parts: Part, email: bool | None = None, phone: bool | None = None) -> User:
    """A user with these parts, and an e-mail or phone that is verified (True), unverified (False) or not there (None)."""
    emails = () if email is None else (Email(email_id="e", address="a@example.org", verified=email, created_at=NOW),)
    phones = () if phone is None else (Phone(phone_id="p", number="+14155552671", verified=phone, created_at=NOW),)
    return User(id="user-test-1", created_at=NOW, emails=emails, phones=phones, parts=parts)


def part(kind: str, *, verified: bool = True) -> Part:
    return Part(part_id=f"{kind}-1", kind=kind, verified=verified, created_at=NOW)


def session(**fields: Any) -> Session:
    whole: dict[str, Any] = {
        "session_id": "session-test-1",
        "subject_id": "user-test-1",
        "random": b"r",
        "key_version": 1,
        "digest": "d",
        "started_at": NOW,
        "last_accessed_at": NOW,
        "expires_at": NOW + timedelta(hours=1),
    }
    return Session(**{**whole, **fields})


@given(
    kinds=st.lists(st.tuples(st.sampled_from(KINDS), st.booleans()), max_size=4),
    done=st.lists(st.tuples(st.sampled_from(sorted(CATEGORIES)), st.booleans()), min_size=1, max_size=4),
    rule=st.sampled_from(["enrolled", "host", "gate"]),
    declared=st.frozensets(st.sampled_from(KINDS)),
)
def test_the_mfa_rule_agrees_with_its_model(
    kinds: list[tuple[str, bool]],
    done: list[tuple[tuple[str, str], bool]],
    rule: Any,
    declared: frozenset[str],
) -> None:
    """ACC-01: two categories, or a passkey that verified its user, once a second factor is active; support, signed in as somebody, proves none of theirs."""
    groups = {
        "phone": {"sms", "whatsapp"},
        "dedicated": {"webauthn_registration", "authenticator_app", "recovery_code", "biometric"},
    }

    def group(method: str) -> str:
        return next((name for name, methods in groups.items() if method in methods), "account")

    enrolled = any(active and (kind == "totp" or kind in declared) for kind, active in kinds)
    several = len({group(kind[1]) for kind, _ in done}) >= 2
    verified_passkey = any(kind[0] == "webauthn" and verified for kind, verified in done)
    support = any(kind[0] == "impersonated" for kind, _ in done)
    expected = rule == "host" or support or not enrolled or several or verified_passkey
    somebody = user(*(part(kind, verified=active) for kind, active in kinds), email=True)
    factors = [proved(kind, user_verified=verified) for kind, verified in done]
    assert satisfies_mfa(somebody, factors, rule, declared) is expected


def test_two_factors_of_one_category_are_not_two() -> None:
    """ACC-01."""
    assert not satisfies_mfa(user(part("totp")), [proved(ACCOUNT), proved(SAME_CATEGORY)], "enrolled")


def test_a_factor_outside_the_table_is_never_guessed() -> None:
    with pytest.raises(KeyError):
        category_of("otp", "pigeon")


@pytest.mark.parametrize(("age", "fresh"), [(0, True), (3599, True), (3600, False), (3601, False), (-1, False)])
def test_a_factor_is_fresh_for_less_than_an_hour_and_never_from_the_future(age: int, fresh: bool) -> None:
    """A040."""
    assert is_fresh(proved(ACCOUNT, NOW - timedelta(seconds=age)), NOW, FRESH) is fresh


@pytest.mark.parametrize("age", [3599, 0])
def test_two_proved_categories_with_a_fresh_factor_may_do_sensitive_things(age: int) -> None:
    """ACC-02, A040."""
    old = proved(ACCOUNT, NOW - timedelta(days=1))
    check_sensitive(user(part("totp"), email=True), [old, proved(DEVICE, NOW - timedelta(seconds=age))], NOW)


@pytest.mark.parametrize("age", [3600, -1, -7200])
def test_stale_or_future_factors_may_not_do_sensitive_things(age: int) -> None:
    """ACC-02, A040."""
    when = NOW - timedelta(seconds=age)
    with pytest.raises(Refused) as refused:
        check_sensitive(user(part("totp"), email=True), [proved(ACCOUNT, when), proved(DEVICE, when)], NOW)
    assert refused.value.error_type == "stale_factors"


def test_one_proved_category_of_two_enrolled_may_not_do_sensitive_things() -> None:
    with pytest.raises(Refused) as refused:
        check_sensitive(user(email=True, phone=True), [proved(ACCOUNT)], NOW)
    assert refused.value.error_type == "insufficient_factors"


def test_who_enrolled_one_category_needs_no_second_for_sensitive_things() -> None:
    check_sensitive(user(email=True, phone=False), [proved(ACCOUNT, NOW - timedelta(days=9))], NOW)


def test_a_person_without_a_proved_identifier_may_not_add_factors() -> None:
    """ACC-03, USR-15."""
    with pytest.raises(Refused) as refused:
        check_may_add(user(email=False, phone=False))
    assert refused.value.error_type == "email_verification_required"


@given(minutes=st.integers(min_value=5, max_value=1440), spent=st.integers(min_value=0, max_value=300))
def test_extending_moves_the_end_to_that_many_minutes_from_now(minutes: int, spent: int) -> None:
    """SS-05."""
    later = NOW + timedelta(minutes=spent)
    assert end_of(later, minutes, NOW, SessionRules()) == later + timedelta(minutes=minutes)


@given(minutes=st.integers(min_value=5, max_value=1440), spent=st.integers(min_value=0, max_value=300))
def test_no_extension_passes_the_absolute_limit(minutes: int, spent: int) -> None:
    end = end_of(NOW + timedelta(minutes=spent), minutes, NOW, SessionRules(absolute_minutes=120))
    assert end <= NOW + timedelta(minutes=120)


@pytest.mark.parametrize(("minutes", "allowed"), [(60, True), (61, False)])
def test_a_duration_over_the_maximum_is_refused(minutes: int, allowed: bool) -> None:
    """SS-03."""
    rules = SessionRules(maximum_minutes=60)
    if allowed:
        assert end_of(NOW, minutes, NOW, rules) == NOW + timedelta(minutes=60)
        return
    with pytest.raises(Refused) as refused:
        end_of(NOW, minutes, NOW, rules)
    assert refused.value.error_type == "invalid_session_duration"


@given(st.lists(st.sampled_from([ACCOUNT, PHONE, DEVICE]), min_size=1, max_size=12))
def test_each_factor_stands_once_with_its_newest_proof_and_its_first_creation(kinds: list[tuple[str, str]]) -> None:
    """SS-11, SES-05."""
    factors: tuple[Proved, ...] = ()
    first: dict[tuple[str, str], datetime] = {}
    last: dict[tuple[str, str], datetime] = {}
    for step, kind in enumerate(kinds):
        at = NOW + timedelta(minutes=step)
        factors = with_factor(factors, proved(kind, at))
        first.setdefault(kind, at)
        last[kind] = at
    assert [(one.type, one.delivery_method) for one in factors] == list(first)
    for one in factors:
        kind = (one.type, one.delivery_method)
        assert (one.created_at, one.last_authenticated_at) == (first[kind], last[kind])


@pytest.mark.parametrize(("seconds", "alive"), [(3599, True), (3600, False)])
def test_a_session_is_dead_at_its_end(seconds: int, alive: bool) -> None:
    """SS-01."""
    assert lives(session(), user(), NOW + timedelta(seconds=seconds), SessionRules()) is alive


@pytest.mark.parametrize(("seconds", "alive"), [(599, True), (600, False)])
def test_a_session_is_dead_when_it_was_idle_for_the_whole_limit(seconds: int, alive: bool) -> None:
    assert lives(session(), user(), NOW + timedelta(seconds=seconds), SessionRules(idle_minutes=10)) is alive


@pytest.mark.parametrize(("seconds", "alive"), [(599, True), (600, False)])
def test_a_session_is_dead_at_the_absolute_limit(seconds: int, alive: bool) -> None:
    assert lives(session(), user(), NOW + timedelta(seconds=seconds), SessionRules(absolute_minutes=10)) is alive


def test_a_session_of_an_earlier_epoch_is_dead() -> None:
    """SES-06."""
    assert not lives(session(subject_epoch=1), user(), NOW, SessionRules())


@pytest.mark.parametrize(
    ("idle", "seconds", "due"), [(None, 899, False), (None, 900, True), (10, 59, False), (10, 60, True)]
)
def test_use_is_noted_after_a_quarter_of_an_hour_or_a_tenth_of_the_idle_limit(
    idle: int | None, seconds: int, due: bool
) -> None:
    assert needs_touch(session(), NOW + timedelta(seconds=seconds), SessionRules(idle_minutes=idle)) is due


_json = st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5), st.lists, max_leaves=4)
_claims = st.dictionaries(st.sampled_from(["a", "b", "sub", "exp", "aud", "iss", "iat", "nbf"]), _json, max_size=5)


@given(before=st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers()), changes=_claims)
def test_claims_replace_delete_by_null_and_never_touch_what_is_ours(
    before: dict[str, Any], changes: dict[str, Any]
) -> None:
    """A025, TOK-10."""
    kept = merged_claims(before, changes)
    assert not {"sub", "exp", "aud", "iss", "iat", "nbf"} & kept.keys()
    for name in {"a", "b", "c"}:
        expected = changes.get(name, before.get(name)) if name in changes else before.get(name)
        assert kept.get(name) == expected
        assert (name in kept) is (expected is not None)


@pytest.mark.parametrize(("over", "allowed"), [(0, True), (1, False)])
def test_claims_may_have_exactly_their_limit(over: int, allowed: bool) -> None:
    frame = len(msgspec.json.encode({"x": ""}))
    claims = {"x": "y" * (CLAIMS_BYTES - frame + over)}
    if allowed:
        assert merged_claims({}, claims) == claims
        return
    with pytest.raises(Refused) as refused:
        merged_claims({}, claims)
    assert refused.value.error_type == "custom_claims_too_large"


NAMED = {
    "e": ("magic_link", "email", {"email_factor": {"email_id": "e", "email_address": "a@example.org"}}),
    "p": ("otp", "sms", {"phone_number_factor": {"phone_id": "p", "phone_number": "+14155552671"}}),
    "totp-1": ("totp", "authenticator_app", {"authenticator_app_factor": {"totp_id": "totp-1"}}),
    "oauth-1": ("oauth", "oauth_google", {"google_oauth_factor": {"id": "oauth-1", "email_id": "e"}}),
    "crypto_wallet-1": ("crypto", "crypto_wallet", {"crypto_wallet_factor": {"crypto_wallet_id": "crypto_wallet-1"}}),
    "webauthn-1": ("webauthn", "webauthn_registration", {"f": {"webauthn_registration_id": "webauthn-1"}}),
    "biometric-1": ("signature_challenge", "biometric", {"f": {"biometric_registration_id": "biometric-1"}}),
    "password-1": ("password", "knowledge", {}),
}
"""A factor of each kind of part, as sessions hold it."""
OF_NO_PART = (
    ("magic_link", "embedded", {"embeddable_magic_link_factor": {"embedded_id": "magic-link-1"}}),
    ("impersonated", "impersonation", {"impersonated_factor": {"impersonator_id": "staff-7"}}),
    ("trusted_auth_token", "trusted_token_exchange", {"trusted_auth_token_factor": {"token_id": "t"}}),
)


def named(kind: str, method: str, details: dict[str, Any]) -> Proved:
    return Proved(
        type=kind, delivery_method=method, last_authenticated_at=NOW, created_at=NOW, updated_at=NOW, details=details
    )


@given(st.sets(st.sampled_from(sorted(NAMED))), st.sets(st.sampled_from(sorted(NAMED))))
def test_a_factor_counts_for_as_long_as_its_subject_has_it(proofs: set[str], held: set[str]) -> None:
    """ACC-01, SES-07; what names no part of the subject is not taken away with one."""
    subject = user(
        *(part(one.removesuffix("-1")) for one in sorted(held - {"e", "p"})),
        email=True if "e" in held else None,
        phone=True if "p" in held else None,
    )
    always = [named(*one) for one in OF_NO_PART]
    factors = [*always, *(named(*NAMED[one]) for one in sorted(proofs))]
    assert still_held(factors, subject) == (*always, *(named(*NAMED[one]) for one in sorted(proofs & held)))


def test_a_recovery_code_is_of_the_app_that_it_stands_in_for() -> None:
    factor = named("recovery_codes", "recovery_code", {"recovery_code_factor": {"totp_recovery_code_id": "totp-1"}})
    assert still_held([factor], user(part("totp"))) == (factor,)
    assert still_held([factor], user()) == ()
