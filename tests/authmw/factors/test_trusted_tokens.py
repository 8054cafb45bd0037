"""What verified claims of a trusted token mean, whatever they hold."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from authmw import AttributeMapping
from authmw.factors.oauth.id_tokens import InvalidIDToken
from authmw.factors.trusted_token.rules import Attested, attested
from authmw.identifiers import is_own_id
from authmw.testing import FixedClock
from tests.trusted_issuer import profile

NOW = FixedClock().now()
SECONDS = int(NOW.timestamp())
json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda some: st.lists(some) | st.dictionaries(st.text(), some),
    max_leaves=4,
)
near = st.integers(SECONDS - 200_000, SECONDS + 60)
claims_of_any_kind = st.fixed_dictionaries(
    {"iat": near, "exp": st.integers(SECONDS + 1, SECONDS + 200_000)},
    optional={
        "jti": json_values | st.just("t-1"),
        "sub": json_values | st.just("ada-1") | st.just("USER-test-1"),
        "email": json_values | st.just("Ada@Example.org"),
        "email_verified": json_values | st.just(True),
        "given_name": json_values,
        "auth_time": json_values | near,
    },
)
profiles = st.builds(
    profile,
    attribute_mapping=st.builds(
        AttributeMapping, external_id=st.sampled_from(["sub", "other"]), email=st.sampled_from(["email", ""])
    ),
    email_proof=st.sampled_from(["flag", "always", "never"]),
    longest_minutes=st.integers(1, 10_080),
)


@given(claims_of_any_kind, profiles)
def test_claims_are_read_by_the_profile_or_the_token_does_not_count(claims: dict[str, Any], trusted: Any) -> None:
    try:
        said: Attested = attested("head.payload.signature", claims, trusted, NOW)
    except InvalidIDToken:
        return
    assert said.external_id or said.email
    assert not is_own_id(said.external_id)
    if said.email:
        assert trusted.attribute_mapping.email
        assert trusted.email_proof == "always" or claims["email_verified"] is True
        assert said.email == said.email.lower()
    assert claims["exp"] - claims["iat"] <= trusted.longest_minutes * 60
    assert said.proved_at <= min(NOW, datetime.fromtimestamp(claims["iat"], tz=NOW.tzinfo)) or said.proved_at == NOW
    assert said.expires_at > NOW
    assert len(said.first_name) <= 128
    assert isinstance(said.token_id, str) and said.token_id


@given(st.text(min_size=1), st.text(min_size=1))
def test_two_contents_without_an_id_are_two_tokens_and_two_signatures_of_one_are_not(one: str, other: str) -> None:
    claims = {"iat": SECONDS, "exp": SECONDS + 60, "sub": "ada-1"}
    first = attested(f"head.{one}.a", claims, profile(), NOW).token_id
    assert attested(f"head.{one}.b", claims, profile(), NOW).token_id == first
    assert (attested(f"head.{other}.a", claims, profile(), NOW).token_id == first) == (one == other)


def test_the_longest_life_is_allowed_and_a_second_more_is_not() -> None:
    trusted = profile(longest_minutes=10)
    said = {"sub": "ada-1", "iat": SECONDS, "exp": SECONDS + 600}
    assert attested("a.b.c", said, trusted, NOW).expires_at == NOW + timedelta(minutes=10)
    try:
        attested("a.b.c", {**said, "exp": SECONDS + 601}, trusted, NOW)
    except InvalidIDToken as fault:
        assert fault.reason == "lifetime"
    else:
        raise AssertionError
