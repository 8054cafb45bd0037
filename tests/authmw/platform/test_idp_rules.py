"""What a provider may be asked for, whether a person must be asked, and what a code or a refresh token is worth: against models of the RFCs."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw import Settings
from authmw.errors import Refused
from authmw.people.apps import ConnectedApp, Consent, Grant
from authmw.people.records import Email, Phone, User
from authmw.permissions import Permission, Policy, Role, Scope
from authmw.permissions import Resource as Thing
from authmw.platform.idp.records import AuthorizationCode
from authmw.platform.idp.rules import (
    MAXIMUM_RESOURCES,
    answer_url,
    asked_scopes,
    audience_of,
    check_code,
    check_key,
    check_refresh,
    check_request,
    checked_challenge,
    checked_resources,
    consent_required,
    is_grantable,
    narrowed,
)
from authmw.provider import Provider, Resource
from tests.world import PROJECT_ID, SECRET

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
CALLBACK = "https://app.example.org/callback"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
APP = ConnectedApp(client_id="app", client_type="third_party", redirect_urls=(CALLBACK,), created_at=NOW)
CODE = AuthorizationCode(
    digest="d",
    client_id="app",
    subject_id="ada",
    subject_epoch=0,
    consent_id="c",
    redirect_uri=CALLBACK,
    scopes=("openid",),
    challenge=CHALLENGE,
    created_at=NOW,
    expires_at=NOW + timedelta(minutes=5),
)
GRANT = Grant(
    grant_id="g",
    subject_id="ada",
    subject_epoch=0,
    client_id="app",
    consent_id="c",
    scopes=("openid",),
    random=b"r",
    key_version=1,
    counter=4,
    rotated_at=NOW,
    created_at=NOW,
    expires_at=NOW + timedelta(days=30),
)
POLICY = Policy(
    resources=(Thing(resource_id="notes", actions=("read", "write")), Thing(resource_id="bills", actions=("pay",))),
    roles=(
        Role(role_id="writer", permissions=(Permission(resource_id="notes", actions=("*",)),)),
        Role(role_id="reader", permissions=(Permission(resource_id="notes", actions=("read",)),)),
        Role(role_id="payer", permissions=(Permission(resource_id="bills", actions=("pay",)),)),
    ),
    scopes=(
        Scope(scope="notes:read", permissions=(Permission(resource_id="notes", actions=("read",)),)),
        Scope(scope="notes:all", permissions=(Permission(resource_id="notes", actions=("*",)),)),
        Scope(
            scope="office",
            permissions=(
                Permission(resource_id="notes", actions=("read",)),
                Permission(resource_id="bills", actions=("pay",)),
            ),
        ),
    ),
)
SETTINGS = Settings(
    project_id=PROJECT_ID,
    secret=SECRET,
    rbac=POLICY,
    provider=Provider(
        scopes={"calendar": "See your calendar."},
        resources=tuple(Resource(url=f"https://api.example.org/{number}") for number in range(8)),
    ),
)
URLS = [one.url for one in SETTINGS.provider.resources]


def refusal(rule: Any, *args: Any, **named: Any) -> str:
    with pytest.raises(Refused) as refused:
        rule(*args, **named)
    return refused.value.error_type


def test_only_an_app_that_stands_may_ask_and_only_for_its_own_addresses() -> None:
    assert check_request(APP, CALLBACK, "code", NOW) is APP
    over = attrs.evolve(APP, expires_at=NOW)
    for app in (None, attrs.evolve(APP, status="disabled"), over):
        assert refusal(check_request, app, CALLBACK, "code", NOW) == "connected_app_not_found"
    wrong = "connected_app_supplied_redirect_url_not_found_in_client"
    for url in (CALLBACK + "/", CALLBACK + "?x=1", CALLBACK.upper(), "", "https://evil.example/"):
        assert refusal(check_request, APP, url, "code", NOW) == wrong
    for kind in ("token", "code id_token", ""):
        assert refusal(check_request, APP, CALLBACK, kind, NOW) == "unsupported_response_type"


@given(st.lists(st.sampled_from(["openid", "email", "calendar", "notes:read", "calender", "", "*"]), max_size=6))
def test_scopes_are_declared_and_each_is_once(scopes: list[str]) -> None:
    if set(scopes) & {"calender", "", "*"}:
        assert refusal(asked_scopes, SETTINGS, scopes) == "oauth_invalid_scope_requested"
        return
    got = asked_scopes(SETTINGS, scopes)
    assert set(got) == set(scopes)
    assert len(got) == len(set(got))
    assert sorted(got, key=scopes.index) == list(got)


GRANTED = {"reader": {"notes:read"}, "writer": {"notes:read", "notes:all"}, "payer": set[str]()}
"""Which scopes one role makes grantable, read off the policy by hand; `office` needs a note reader and a payer."""


@given(roles=st.sets(st.sampled_from(sorted(GRANTED))), scope=st.sampled_from(["notes:read", "notes:all", "office"]))
def test_people_grant_what_they_may_do_themselves(roles: set[str], scope: str) -> None:
    """RBAC rows of CHECKLIST: a scope is grantable only to who holds all of its permissions."""
    mine = {granted for role in roles for granted in GRANTED[role]}
    if "payer" in roles and roles & {"reader", "writer"}:
        mine.add("office")
    user = User(id="ada", created_at=NOW)
    assert is_grantable(scope, APP, user, sorted(roles), POLICY) is (scope in mine)


def test_an_action_of_a_resource_that_is_gone_from_the_policy_takes_no_role() -> None:
    """Policies name only what they declare; the star of a resource without actions grants, and takes, nothing."""
    empty = Policy(
        resources=(Thing(resource_id="void", actions=()),),
        scopes=(Scope(scope="void:all", permissions=(Permission(resource_id="void", actions=("*",)),)),),
    )
    assert is_grantable("void:all", APP, User(id="ada", created_at=NOW), (), empty)


@pytest.mark.parametrize("verified", [True, False])
def test_an_address_is_granted_only_once_it_is_proved(verified: bool) -> None:
    user = User(
        id="ada",
        created_at=NOW,
        emails=(Email(email_id="e", address="a@example.org", verified=verified, created_at=NOW),),
        phones=(Phone(phone_id="p", number="+14155552671", verified=verified, created_at=NOW),),
    )
    assert is_grantable("email", APP, user, (), POLICY) is verified
    assert is_grantable("phone", APP, user, (), POLICY) is verified
    assert is_grantable("openid", APP, user, (), POLICY)


@pytest.mark.parametrize("kind", ["first_party", "first_party_public", "third_party", "third_party_public"])
@pytest.mark.parametrize("allowed", [True, False])
def test_only_the_projects_own_app_acts_as_the_person(kind: str, allowed: bool) -> None:
    app = attrs.evolve(APP, client_type=kind, full_access_allowed=allowed)
    user = User(id="ada", created_at=NOW)
    assert is_grantable("full_access", app, user, (), POLICY) is (allowed and kind.startswith("first"))


SCOPES = st.sets(st.sampled_from(["openid", "email", "offline_access"]))


@given(
    kind=st.sampled_from(["first_party", "first_party_public", "third_party", "third_party_public"]),
    bypass=st.booleans(),
    agreed=st.none() | SCOPES,
    asked=SCOPES,
    native=st.booleans(),
    prompt=st.sampled_from([None, "login", "consent", "login consent"]),
)
def test_the_person_is_asked_as_the_model_says(
    kind: str, bypass: bool, agreed: set[str] | None, asked: set[str], native: bool, prompt: str | None
) -> None:
    """RFC 8252 section 8.6 for public apps; OpenID Connect Core section 3.1.2.1 for `prompt`."""
    app = attrs.evolve(APP, client_type=kind, bypass_consent_for_offline_access=bypass)
    consent = None
    if agreed is not None:
        consent = Consent(
            consent_key="k",
            consent_id="c",
            subject_id="ada",
            client_id="app",
            scopes=tuple(agreed),
            created_at=NOW,
            updated_at=NOW,
        )
    url = "com.example.app:/callback" if native else CALLBACK
    if prompt and "consent" in prompt:
        wanted = True
    elif kind.startswith("first"):
        wanted = "offline_access" in asked - (agreed or set()) and not bypass
    elif kind.endswith("public") and native:
        wanted = True
    else:
        wanted = agreed is None or bool(asked - agreed)
    assert consent_required(app, consent, sorted(asked), url, prompt) is wanted


def is_base64url(text: str) -> bool:
    return len(text) == 43 and text.isascii() and text.replace("-", "a").replace("_", "a").isalnum()


@given(st.text(max_size=50) | st.text("abAQ-_", min_size=42, max_size=44))
def test_a_challenge_is_43_characters_of_base64url(text: str) -> None:
    """RFC 7636 section 4.2, RFC 9700 section 2.1.1, A109; the last of them spells the four bits that are left of 256."""
    if not text:
        assert refusal(checked_challenge, text) == "pkce_required_for_idp_authorization_flow"
    elif is_base64url(text) and base64.urlsafe_b64encode(base64.urlsafe_b64decode(text + "=")) == f"{text}=".encode():
        assert checked_challenge(text) == text
    else:
        assert refusal(checked_challenge, text) == "invalid_pkce_code_challenge"


def test_no_challenge_at_all_is_refused() -> None:
    assert refusal(checked_challenge, None) == "pkce_required_for_idp_authorization_flow"


@given(st.lists(st.sampled_from([*URLS, "https://api.example.org", URLS[0] + "/"]), max_size=7))
def test_resources_are_declared_and_at_most_five(asked: list[str]) -> None:
    """RFC 8707 section 2."""
    if set(asked) - set(URLS) or len(asked) > MAXIMUM_RESOURCES:
        assert refusal(checked_resources, SETTINGS, asked) == "invalid_target"
    else:
        assert checked_resources(SETTINGS, asked) == tuple(sorted(set(asked), key=asked.index))


@given(
    known=st.booleans(),
    client=st.sampled_from(["app", "other"]),
    used=st.booleans(),
    seconds=st.sampled_from([-3600, 0, 299, 300, 3600]),
    url=st.sampled_from([CALLBACK, CALLBACK + "/", None]),
    verifier=st.sampled_from([VERIFIER, "w" * 43, "short", None]),
)
def test_a_code_is_good_once_for_its_client_and_its_other_half(
    known: bool, client: str, used: bool, seconds: int, url: str | None, verifier: str | None
) -> None:
    """RFC 6749 section 4.1.3, RFC 7636 section 4.6."""
    code = attrs.evolve(CODE, used_grant="g" if used else None) if known else None
    now = NOW + timedelta(seconds=seconds)
    asked: dict[str, Any] = {"client_id": client, "redirect_uri": url, "verifier": verifier, "now": now}
    if not known or client != "app":
        assert refusal(check_code, code, **asked) == "invalid_grant"
    elif used:
        assert check_code(code, **asked) == "replayed"
    elif seconds < 300 and url == CALLBACK and verifier == VERIFIER:
        assert check_code(code, **asked) == "fresh"
    else:
        assert refusal(check_code, code, **asked) == "invalid_grant"


@given(counter=st.integers(0, 8), seconds=st.integers(-100, 100), grace=st.integers(0, 60))
def test_yesterdays_refresh_token_is_late_within_the_grace_and_reused_after_it(
    counter: int, seconds: int, grace: int
) -> None:
    """RFC 9700 section 4.14.2."""
    now = NOW + timedelta(seconds=seconds)
    wanted = "current" if counter == 4 else "late" if counter == 3 and seconds < grace else "reused"
    assert check_refresh(GRANT, counter, now, timedelta(seconds=grace)) == wanted


@given(
    held=st.lists(st.sampled_from("abc"), unique=True),
    asked=st.none() | st.lists(st.sampled_from("abcd"), max_size=4).map(" ".join),
)
def test_one_token_holds_no_more_than_the_family(held: list[str], asked: str | None) -> None:
    """RFC 6749 section 6."""
    wanted = (asked or "").split()
    if not set(wanted) <= set(held):
        assert refusal(narrowed, held, asked) == "invalid_scope"
        return
    got = narrowed(held, asked)
    assert set(got) == (set(wanted) or set(held))
    assert len(got) == len(set(got))


@pytest.mark.parametrize(
    ("own", "agreed", "asked", "audience"),
    [
        (None, (), None, ()),
        ("own", (), None, ("own",)),
        ("own", ("a", "b"), None, ("a", "b")),
        (None, ("a", "b"), "b", ("b",)),
        (None, ("a",), "b", None),
        ("own", (), "own", None),
    ],
)
def test_a_token_is_for_what_was_agreed_to(
    own: str | None, agreed: tuple[str, ...], asked: str | None, audience: tuple[str, ...] | None
) -> None:
    """RFC 8707 section 2.2."""
    app = attrs.evolve(APP, access_token_custom_audience=own)
    if audience is None:
        assert refusal(audience_of, app, agreed, asked) == "invalid_target"
    else:
        assert audience_of(app, agreed, asked) == audience


@given(bound=st.sampled_from([None, "k", "l"]), proved=st.sampled_from([None, "k", "l"]), required=st.booleans())
def test_what_is_bound_to_a_key_stays_bound_to_it(bound: str | None, proved: str | None, required: bool) -> None:
    """RFC 9449 sections 5 and 10."""
    if bound not in {None, proved} or (required and proved is None):
        assert refusal(check_key, bound, proved, required=required) == "invalid_dpop_proof"
    else:
        assert check_key(bound, proved, required=required) == proved


@given(
    st.sampled_from([CALLBACK, CALLBACK + "?a=1&b="]), st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
)
def test_an_answer_adds_its_parameters_and_nothing_else(url: str, value: str) -> None:
    """RED-05: whatever a value holds, it is that value which arrives."""
    split = urlsplit(answer_url(url, code=value, state=None))
    assert split._replace(query="").geturl() == CALLBACK
    before = parse_qs(urlsplit(url).query, keep_blank_values=True)
    assert parse_qs(split.query, keep_blank_values=True) == {**before, "code": [value]}
