"""Where links lead, what they are for and what they prove."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.consumer.magic_links.rules import (
    PURPOSES,
    check_purpose,
    factor_of,
    invite_destination,
    login_destination,
    signup_destination,
)
from authmw.errors import Refused
from authmw.factors.challenges import Challenge
from authmw.redirects import RedirectList, RedirectType, RedirectURL
from authmw.signin.rules import category_of
from authmw.templates import TemplateType

NOW = datetime(2026, 1, 1, tzinfo=UTC)
APP = "https://app.example.org"
REDIRECTS = RedirectList.parse(
    [
        RedirectURL(f"{APP}/login", [RedirectType.LOGIN], [RedirectType.LOGIN]),
        RedirectURL(f"{APP}/signup", [RedirectType.SIGNUP], [RedirectType.SIGNUP]),
        RedirectURL(f"{APP}/invite", [RedirectType.INVITE], [RedirectType.INVITE]),
        RedirectURL(f"{APP}/any", [RedirectType.LOGIN, RedirectType.SIGNUP, RedirectType.INVITE]),
    ],
    "live",
)
NOTHING = RedirectList.parse([], "live")
KINDS = {
    "login": (login_destination, TemplateType.LOGIN),
    "signup": (signup_destination, TemplateType.SIGNUP),
    "invite": (invite_destination, TemplateType.INVITE),
}


@given(
    kind=st.sampled_from(sorted(KINDS)),
    path=st.sampled_from([None, "/login", "/signup", "/invite", "/any", "/none", "//evil.example"]),
    minutes=st.integers(5, 10_080),
)
def test_a_link_leads_to_what_is_registered_for_its_type_only(kind: str, path: str | None, minutes: int) -> None:
    """RU-02, RU-03: and to the default of its type if the request names nothing."""
    lead, template = KINDS[kind]
    url = None if path is None else APP + path
    if path not in {None, f"/{kind}", "/any"}:
        with pytest.raises(Refused) as refused:
            lead(REDIRECTS, url, minutes)
        assert refused.value.error_type in {
            "no_match_for_provided_magic_link_url",
            f"invalid_{kind}_magic_link_url",
        }
        return
    made = lead(REDIRECTS, url, minutes)
    assert (made.purpose, made.template, made.life) == (kind, template, timedelta(minutes=minutes))
    assert made.url == (url or f"{APP}/{kind}")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_without_a_default_a_link_must_say_where_it_leads(kind: str) -> None:
    """RU-01, RU-03."""
    with pytest.raises(Refused) as refused:
        KINDS[kind][0](NOTHING, None, 60)
    assert refused.value.error_type == f"no_default_{kind}_redirect_url_set"


def challenge(purpose: str) -> Challenge:
    return Challenge(
        challenge_id="magic-link-1",
        purpose=purpose,
        subject_id="ada",
        method_id="email-1",
        address="ada@example.org",
        created_at=NOW,
        expires_at=NOW,
    )


@pytest.mark.parametrize("purpose", ["email_otp", "sms_otp", "oauth", "oauth_attach", "wallet", "reset", "", None])
def test_what_was_made_for_something_else_is_as_unknown_as_what_was_never_made(purpose: str | None) -> None:
    """TOK-03, A107."""
    with pytest.raises(Refused) as refused:
        check_purpose(None if purpose is None else challenge(purpose))
    assert refused.value.error_type == "unable_to_auth_magic_link"


@pytest.mark.parametrize("purpose", sorted(PURPOSES))
def test_a_link_proves_a_mailbox_or_that_the_host_delivered_it(purpose: str) -> None:
    """ML-22, ACC-01: both are of the category of online accounts."""
    sent = challenge(purpose)
    assert check_purpose(sent) is sent
    factor = factor_of(sent, NOW)
    assert category_of(factor.type, factor.delivery_method) == factor.category == "account"
    assert factor.delivery_method == ("embedded" if purpose == "embedded" else "email")
    assert ("ada@example.org" in str(factor.details)) is (purpose != "embedded")
