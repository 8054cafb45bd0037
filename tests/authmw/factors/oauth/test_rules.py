"""What is asked of a provider, and what of its words counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw import Misconfigured, OAuthProvider, Settings
from authmw.errors import Refused
from authmw.factors.oauth.rules import (
    OURS,
    Profile,
    ProviderTokens,
    _primary,
    authorization_url,
    check_callback_issuer,
    granted,
    is_proof,
    merged,
    profile_of,
    scopes_of,
)
from authmw.oauth_providers import PROVIDERS
from tests.world import PROJECT_ID, SECRET

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["email", "primary", "sub", "id", "x"]), inner)
    ),
    max_leaves=8,
)


def provider(name: str, **more: Any) -> OAuthProvider:
    return OAuthProvider(name=name, client_id="id", client_secret="secret", **more)


def test_the_thirteen_are_there_and_each_has_what_a_flow_needs() -> None:
    assert len(PROVIDERS) == 13
    for row in PROVIDERS.values():
        assert row.authorize_url.startswith("https://")
        assert bool(row.jwks_url) == bool(row.issuers)
        assert row.jwks_url or row.userinfo_url


@given(
    st.sampled_from(sorted(PROVIDERS)),
    st.one_of(st.none(), st.text(max_size=8), st.integers(), st.lists(st.booleans())),
)
def test_only_true_makes_an_address_proof_and_only_apple_spells_it_as_text(name: str, flag: Any) -> None:
    """OAU-06, A145."""
    proved = is_proof(PROVIDERS[name], {"hd": "example.org"}, "ada@example.org", flag)
    assert proved is (name == "apple" and flag == "true")


@pytest.mark.parametrize(
    ("said", "email", "proved"),
    [
        ({}, "ada@gmail.com", True),
        ({"hd": "corp.example"}, "ada@corp.example", True),
        ({"hd": "corp.example"}, "ada@other.example", False),
        ({}, "ada@corp.example", False),
        ({}, "ada@gmail.com.evil.example", False),
    ],
)
def test_google_speaks_for_its_own_mailboxes_only(said: dict[str, Any], email: str, proved: bool) -> None:
    assert is_proof(PROVIDERS["google"], said, email, True) is proved


@pytest.mark.parametrize("edov", [True, "1", 1, "true", False, "0", 0, None, "yes"])
def test_microsoft_speaks_where_the_domains_owner_was_verified(edov: Any) -> None:
    proved = is_proof(PROVIDERS["microsoft"], {"xms_edov": edov}, "ada@corp.example", True)
    assert proved is (edov in (True, "1", 1, "true"))


@given(st.sampled_from(sorted(PROVIDERS)), st.dictionaries(st.text(max_size=6), JSON), JSON)
def test_no_profile_makes_another_failure_than_a_refusal(name: str, said: dict[str, Any], emails: Any) -> None:
    row = PROVIDERS[name]
    try:
        profile = profile_of(row, provider(name), said, emails)
    except Refused as refused:
        assert refused.error_type == "oauth_flow_callback_error"
        return
    assert profile.subject
    assert profile.email or not profile.proved


@given(st.integers(100, 599), st.binary(max_size=64) | JSON.map(lambda value: str(value).encode()))
def test_no_token_answer_makes_another_failure_than_a_refusal(status: int, body: bytes) -> None:
    with pytest.raises(Refused):
        granted(status, body, (), NOW)


def test_an_error_counts_whatever_its_status_and_the_type_is_compared_without_case() -> None:
    for body in (b'{"error":"bad_verification_code"}', b'{"ok":false}', b'{"access_token":"a","token_type":"mac"}'):
        with pytest.raises(Refused):
            granted(200, body, (), NOW)
    assert granted(200, b'{"access_token":"a","token_type":"BEARER"}', ("x",), NOW).scopes == ["x"]


@given(st.text(max_size=40) | st.text(st.sampled_from("ab \t\n\x1c\x85\u00a0\u2028"), max_size=8))
def test_scopes_are_added_and_never_replace_the_base(custom: str) -> None:
    """OA-04."""
    row = PROVIDERS["google"]
    try:
        asked = scopes_of(row, provider("google"), custom)
    except Refused as refused:
        assert refused.error_type == "oauth_invalid_scope_requested"
        return
    assert asked[: len(row.scopes)] == row.scopes
    assert len(set(asked)) == len(asked)
    assert asked[len(row.scopes) :] == tuple(
        dict.fromkeys(one for one in custom.split(" ") if one not in ("", *row.scopes))
    )


def test_what_a_provider_granted_is_parted_by_spaces_and_commas_only() -> None:
    body = '{"access_token": "a", "scope": "read\u00a0admin  repo,gist x\\ty"}'.encode()
    assert granted(200, body, (), NOW).scopes == ["read\u00a0admin", "repo", "gist", "x\ty"]


@given(st.text(max_size=30), st.text(max_size=30))
def test_what_a_request_adds_stays_a_value(name: str, value: str) -> None:
    """A151."""
    row = PROVIDERS["github"]
    try:
        url = authorization_url(
            row,
            provider("github"),
            redirect_uri="https://app.example/callback",
            state="s",
            nonce="n",
            verifier="v" * 43,
            scopes=("a",),
            parameters={name: value},
        )
    except (Refused, UnicodeEncodeError):
        return
    asked = parse_qs(urlsplit(url).query, keep_blank_values=True)
    assert asked["redirect_uri"] == ["https://app.example/callback"]
    assert asked["state"] == ["s"]
    assert asked["code_challenge_method"] == ["S256"]


@pytest.mark.parametrize(
    "fault",
    [
        provider("nobody"),
        provider("Acme", issuer="https://idp.example"),
        provider("acme", issuer="http://idp.example"),
        provider("gitlab", token_url="javascript:alert(1)"),
        provider("apple"),
        OAuthProvider(name="google", client_id="", client_secret="x"),
        OAuthProvider(name="google", client_id="x"),
    ],
)
def test_a_provider_that_cannot_work_is_named_when_settings_are_built(fault: OAuthProvider) -> None:
    with pytest.raises(Misconfigured, match="oauth"):
        Settings(project_id=PROJECT_ID, secret=SECRET, oauth=(fault,))


def test_a_secret_of_a_provider_does_not_print() -> None:
    assert "hidden" not in repr(OAuthProvider(name="google", client_id="x", client_secret="hidden"))


def test_a_gitlab_of_ones_own_is_asked_at_its_own_address_and_believed_only_if_the_project_says_so() -> None:
    hosted = provider("gitlab", issuer="https://git.example.org", token_url="https://inside.example.org/token")
    row = hosted.row()
    assert row.authorize_url == "https://git.example.org/oauth/authorize"
    assert row.userinfo_url == "https://git.example.org/oauth/userinfo"
    assert row.jwks_url == "https://git.example.org/oauth/discovery/keys"
    assert row.token_url == "https://inside.example.org/token"
    assert (row.issuers, row.proof) == (("https://git.example.org",), "never")
    below = provider("gitlab", issuer="https://example.org/gitlab/", email_is_proof=True).row()
    assert (below.authorize_url, below.proof) == ("https://example.org/gitlab/oauth/authorize", "flag")
    assert provider("gitlab").row().authorize_url == "https://gitlab.com/oauth/authorize"


@given(st.sampled_from(sorted(PROVIDERS)), st.text(max_size=60), st.frozensets(st.text(max_size=36), max_size=2))
def test_no_text_is_the_issuer_of_a_redirect_but_the_known_one(name: str, said: str, tenants: frozenset[str]) -> None:
    """OAU-02: whatever is listed as a tenant, the text around it stays exact."""
    row = PROVIDERS[name]
    for text in (said, *(issuer.replace("{tenantid}", said) for issuer in row.issuers)):
        if text in {*row.issuers, row.announces_issuer} and "{" not in text:
            continue
        with pytest.raises(Refused):
            check_callback_issuer(row, text, tenants)


@given(st.text("!#[]~abz ,", max_size=60))
def test_what_was_granted_is_what_the_answer_says_or_else_what_was_asked(scope: str) -> None:
    body = msgspec.json.encode({"access_token": "a", "token_type": "Bearer", "scope": scope})
    got = granted(200, body, ["asked"], NOW).scopes
    assert got == (scope.replace(",", " ").split() if scope else ["asked"])


@given(
    st.sampled_from(sorted(PROVIDERS)),
    st.dictionaries(st.text(max_size=6), JSON),
    st.dictionaries(st.text(max_size=6), JSON),
)
def test_userinfo_completes_a_token_of_the_same_subject_only(
    name: str, claims: dict[str, Any], userinfo: dict[str, Any]
) -> None:
    """OAU-04: and an address never borrows the flag of another document."""
    claims, userinfo = {"sub": name, "email_verified": True, **claims}, {"email": "a@example.org", **userinfo}
    if userinfo.get("sub") != claims["sub"]:
        with pytest.raises(Refused):
            merged(claims, userinfo)
    userinfo["sub"] = claims["sub"]
    assert merged(claims, userinfo)["email_verified"] == userinfo.get("email_verified", False)


def test_nothing_of_what_a_provider_said_or_granted_prints() -> None:
    """LOG-01, OAU-08."""
    shown = repr(Profile(subject="hidden", email="hidden@example.org")) + repr(ProviderTokens(access_token="hidden"))
    assert shown == "Profile(***)ProviderTokens(***)"


@pytest.mark.parametrize(
    ("lasts", "ends"),
    [(3600, 3600), ("3600", 3600), (0, None), (-1, None), (True, None), (10**9, None), ("1e3", None), (None, None)],
)
def test_a_token_lasts_as_long_as_its_provider_says_in_seconds_or_text(lasts: Any, ends: int | None) -> None:
    """RFC 6749 section 5.1, and the providers that write the number as text."""
    body = msgspec.json.encode({"access_token": "a", "expires_in": lasts})
    assert granted(200, body, (), NOW).expires_at == (None if ends is None else NOW + timedelta(seconds=ends))


def test_a_provider_that_proves_nothing_is_never_believed() -> None:
    """OAU-06: whatever it says."""
    row = next(row for row in PROVIDERS.values() if row.proof == "never")
    assert not is_proof(row, {"email_verified": True, "hd": "example.org"}, "ada@gmail.com", True)


@pytest.mark.parametrize(
    ("listed", "address", "flag"),
    [
        (
            [{"primary": False, "email": "b@example.org"}, {"primary": True, "email": "a@example.org"}],
            "a@example.org",
            None,
        ),
        ({"values": [{"is_primary": True, "email": "a@example.org", "is_confirmed": True}]}, "a@example.org", True),
        ([{"primary": "true", "email": "a@example.org"}], None, None),
        ({"values": "a@example.org"}, None, None),
        ([], None, None),
        (None, None, None),
    ],
    ids=str,
)
def test_of_many_addresses_only_the_primary_one_counts(listed: Any, address: str | None, flag: Any) -> None:
    """A148."""
    assert _primary(listed) == (address, flag)


@pytest.mark.parametrize("name", sorted(OURS))
def test_no_request_says_what_is_the_flows_to_say(name: str) -> None:
    """A151, OAU-01."""
    with pytest.raises(Refused):
        authorization_url(
            PROVIDERS["github"],
            provider("github"),
            redirect_uri="https://app.example/callback",
            state="s",
            nonce="n",
            verifier="v" * 43,
            scopes=(),
            parameters={name: "x"},
        )


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ({"given_name": "Ada", "family_name": "Byron"}, ("Ada", "Byron")),
        ({"first_name": "Ada", "name": "Augusta Byron"}, ("Ada", "")),
        ({"name": "Ada King Byron"}, ("Ada", "King Byron")),
        ({"data": {"name": "Ada Byron"}}, ("Ada", "Byron")),
        ({"display_name": "Ada"}, ("Ada", "")),
        ({"name": ["Ada"]}, ("", "")),
        ({}, ("", "")),
    ],
    ids=str,
)
def test_names_come_apart_or_whole(said: dict[str, Any], names: tuple[str, str]) -> None:
    profile = profile_of(PROVIDERS["google"], provider("google"), {"sub": "1", **said}, None)
    assert (profile.first_name, profile.last_name) == names
