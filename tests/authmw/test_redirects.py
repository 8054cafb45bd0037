"""Redirect URLs: what matches a registered one, and how a token is added (RED-01 to RED-06)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.errors import Refused
from authmw.redirects import (
    TEST_DEFAULT_URL,
    RedirectErrors,
    RedirectList,
    RedirectType,
    RedirectURL,
    local_default,
    with_token,
)

CORPUS = json.loads((Path(__file__).parents[1] / "corpus" / "redirects.json").read_text())
LOGIN = RedirectType.LOGIN
ERRORS = RedirectErrors(
    missing="no_default_login_redirect_url_set",
    unmatched="no_match_for_provided_magic_link_url",
    invalid="invalid_login_redirect_url",
)


def registered(*urls: str, environment: Literal["test", "live"] = "live") -> RedirectList:
    return RedirectList.parse([RedirectURL(url, [LOGIN]) for url in urls], environment)


LISTS = {name: registered(*value["entries"], environment=value["env"]) for name, value in CORPUS["allowlists"].items()}
EVERY_ENTRY = [(LISTS[name], entry) for name, value in CORPUS["allowlists"].items() for entry in value["entries"]]


def accepts(urls: RedirectList, candidate: str) -> bool:
    try:
        return urls.match(candidate, LOGIN, errors=ERRORS) == candidate
    except Refused as refusal:
        if refusal.error_type not in (ERRORS.unmatched, ERRORS.invalid):
            raise
        return False


# --- Candidates ---


@pytest.mark.parametrize("case", CORPUS["cases"], ids=lambda case: case["id"])
def test_a_candidate_of_the_corpus_comes_out_as_marked(case: dict[str, Any]) -> None:
    assert accepts(LISTS[case["allowlist"]], case["candidate"]) is (case["expected"] == "accept"), case["why"]


@pytest.mark.parametrize(
    "candidate",
    [
        pytest.param("//app.example.com/auth", id="without a scheme"),
        pytest.param("/auth", id="path"),
        pytest.param("https:/app.example.com/auth", id="one slash"),
        pytest.param("https://app.example.com:443/auth", id="default port written out"),
        pytest.param("https://app.example.com:/auth", id="empty port"),
        pytest.param("https://app.example.com:0443/auth", id="port with a zero before it"),
        pytest.param("https://app.example.com:0/auth", id="port 0"),
        pytest.param("https://app.example.com:65536/auth", id="port 65536"),
        pytest.param("https://app.example.com:+443/auth", id="signed port"),
        pytest.param("https://app.example.com./auth", id="dot after the host"),
        pytest.param("https://app..example.com/auth", id="empty label"),
        pytest.param("https://app.example.com.evil.example/auth", id="suffix"),
        pytest.param("https://evil.example/app.example.com/auth", id="host in the path"),
        pytest.param("https://evil.example?https://app.example.com/auth", id="host in the query"),
        pytest.param("https://app%2eexample.com/auth", id="encoded dot in the host"),
        pytest.param("https://app.example.com%00.evil.example/auth", id="encoded NUL in the host"),
        pytest.param("https://app.example.com/Auth", id="case of the path"),
        pytest.param("https://app.example.com/auth/", id="slash after the path"),
        pytest.param("https://app.example.com//auth", id="two slashes"),
        pytest.param("https://app.example.com/auth/..", id="dot-dot at the end"),
        pytest.param("https://app.example.com/x/%2E%2e/auth", id="encoded dot-dot"),
        pytest.param("https://app.example.com/x%2fauth", id="encoded slash"),
        pytest.param("https://app.example.com/auth%", id="lone percent"),
        pytest.param("https://app.example.com/auth%2", id="half an escape"),
        pytest.param("https://app.example.com/auth%zz", id="escape of no digits"),
        pytest.param("https://app.example.com/auth%0d%0aX:y", id="encoded line break in the path"),
        pytest.param("https://app.example.com/auth#", id="empty fragment"),
        pytest.param("https://app.example.com/auth\n", id="line feed after"),
        pytest.param("https://app.example.com/auth ", id="space after"),
        pytest.param(" https://app.example.com/auth", id="space before"),
        pytest.param("\x01https://app.example.com/auth", id="control before"),
        pytest.param("https://app.example.com/auth\x7f", id="delete after"),
        pytest.param("ht\ntps://app.example.com/auth", id="line feed in the scheme"),
        pytest.param("https\uff1a//app.example.com/auth", id="full-width colon"),
        pytest.param("https://app.example.com\\@evil.example/auth", id="backslash before an at sign"),
        pytest.param("https://www.example.com?optional_param", id="no equals sign"),
        pytest.param("https://www.example.com?optional_param=a&optional_param=b", id="parameter twice"),
        pytest.param("https://www.example.com?%6fptional_param=a", id="encoded name"),
        pytest.param("https://www.example.com?=a", id="no name"),
        pytest.param("https://www.example.com?optional_param=a#b", id="fragment behind the query"),
        pytest.param("https://www.example.com?optional_param=%", id="lone percent in a value"),
        pytest.param("https://www.example.com?optional_param=[a]", id="bracket in a value"),
        pytest.param("https://www.example.com?optional_param={}", id="the pattern itself"),
        pytest.param("https://www.example.com?stytch_token_type=oauth", id="our parameter"),
        pytest.param("slack://AUTH/callback", id="native: case of the host"),
        pytest.param("slack:///auth/callback", id="native: empty authority"),
        pytest.param("slack://auth:1/callback", id="native: port"),
        pytest.param("slack://user@auth/callback", id="native: user information"),
        pytest.param("slack://auth/callback?x=1", id="native: parameter"),
        pytest.param("com.example.app://oauth2redirect", id="native: authority instead of path"),
        pytest.param("com.example.app:/oauth2redirect/", id="native: longer path"),
        pytest.param("com.example.app:oauth2redirect", id="native: no slash"),
        pytest.param("https://app.example.com/auth?" + "a" * 2048, id="too long"),
    ],
)
def test_a_candidate_that_differs_from_every_entry_is_refused(candidate: str) -> None:
    assert not accepts(LISTS["live_basic"], candidate)


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("stytch-preview.example", id="apex"),
        pytest.param(".stytch-preview.example", id="empty label"),
        pytest.param("x-.stytch-preview.example", id="label ends in a hyphen"),
        pytest.param("X.stytch-preview.example", id="capital label"),
        pytest.param("x" * 64 + ".stytch-preview.example", id="label of 64"),
        pytest.param("x.stytch-preview.example:443", id="port"),
        pytest.param("x.stytch-preview.example.", id="dot after"),
        pytest.param("x.stytch-preview.example.evil", id="suffix"),
        pytest.param("%2a.stytch-preview.example", id="encoded star"),
        pytest.param("[x].stytch-preview.example", id="brackets"),
    ],
)
def test_a_wildcard_is_exactly_one_dns_label(host: str) -> None:
    assert not accepts(LISTS["test_wild"], f"https://{host}")


def test_a_wildcard_of_https_admits_no_http() -> None:
    assert not accepts(LISTS["test_wild"], "http://x.stytch-preview.example")


def test_a_wildcard_may_have_a_port_which_is_then_exact() -> None:
    urls = registered("http://*.dev.example.com:8080/cb", environment="test")
    assert accepts(urls, "http://a.dev.example.com:8080/cb")
    assert not accepts(urls, "http://a.dev.example.com/cb")


def test_an_encoded_line_break_stays_inside_its_value() -> None:
    assert accepts(LISTS["live_query"], "https://www.example.com/authenticate?next_route=%0d%0aX:y")


def test_a_parameter_without_a_value_is_registered_and_matched_as_such() -> None:
    urls = registered("https://a.example.com/cb?flag")
    assert accepts(urls, "https://a.example.com/cb?flag")
    assert not accepts(urls, "https://a.example.com/cb?flag=")


def test_an_optional_parameter_is_two_entries_and_either_form_passes() -> None:
    urls = registered("https://www.example.com", "https://www.example.com?p={}")
    assert accepts(urls, "https://www.example.com")
    assert accepts(urls, "https://www.example.com?p=1")


def test_a_url_is_accepted_for_its_types_only() -> None:
    urls = RedirectList.parse([RedirectURL("https://a.example.com", [RedirectType.INVITE])], "live")
    assert urls.match("https://a.example.com", RedirectType.INVITE, errors=ERRORS) == "https://a.example.com"
    with pytest.raises(Refused, match=ERRORS.unmatched):
        urls.match("https://a.example.com", LOGIN, errors=ERRORS)


def test_a_text_that_is_no_url_is_told_from_one_that_is_not_registered() -> None:
    with pytest.raises(Refused, match=ERRORS.invalid):
        LISTS["live_basic"].match("not a url", LOGIN, errors=ERRORS)


def test_no_candidate_means_the_default_of_the_type() -> None:
    entries = [
        RedirectURL("https://a.example.com/in", [LOGIN, RedirectType.SIGNUP], [LOGIN]),
        RedirectURL("https://a.example.com/up", [RedirectType.SIGNUP], [RedirectType.SIGNUP]),
    ]
    urls = RedirectList.parse(entries, "live")
    assert urls.match(None, LOGIN, errors=ERRORS) == "https://a.example.com/in"
    assert urls.match(None, RedirectType.SIGNUP, errors=ERRORS) == "https://a.example.com/up"
    with pytest.raises(Refused, match=ERRORS.missing):
        urls.match(None, RedirectType.INVITE, errors=ERRORS)


def test_test_starts_with_one_local_url_for_every_type() -> None:
    urls = RedirectList.parse([local_default()], "test")
    for redirect_type in RedirectType:
        assert urls.match(None, redirect_type, errors=ERRORS) == TEST_DEFAULT_URL


def test_a_refusal_does_not_repeat_the_candidate() -> None:
    with pytest.raises(Refused) as refused:
        LISTS["live_basic"].match("https://canary.example", LOGIN, errors=ERRORS)
    assert "canary" not in str(refused.value)


url_alphabet = st.sampled_from(
    [*"abc.:/?#[]@!$&'()*+,;=%20-_~\\\t\n {}<>|^\"xA1\u00e9\u3002", "..", "//", "%2e", "%2f", "app"]
)


@st.composite
def mutated_entries(draw: st.DrawFn) -> tuple[RedirectList, str]:
    urls, text = draw(st.sampled_from(EVERY_ENTRY))
    text = text.replace("{}", draw(st.text(alphabet="ab/%2F0d&=", max_size=6))).replace(
        "*", draw(st.text("ab.-*", max_size=4))
    )
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        drop = draw(st.integers(0, 2))
        text = text[:at] + draw(url_alphabet) + text[at + drop :]
    return urls, text


@given(mutated_entries())
def test_what_is_accepted_leads_where_a_registered_url_leads_in_another_parser_too(
    case: tuple[RedirectList, str],
) -> None:
    urls, candidate = case
    if not accepts(urls, candidate):
        return
    there = urlsplit(candidate)
    places: list[bool] = []
    for entry in urls.entries:
        expected = urlsplit(entry.url)
        _, _, parent = expected.netloc.partition("*.")
        label, _, rest = there.netloc.partition(".")
        same_host = there.netloc == expected.netloc or (
            bool(parent) and rest == parent and label.isascii() and bool(label)
        )
        same_path = (there.path or "/") == (expected.path or "/")
        same_names = [name for name, _ in parse_qsl(there.query, keep_blank_values=True)]
        names = [name for name, _ in parse_qsl(expected.query, keep_blank_values=True)]
        places.append(
            there.scheme == expected.scheme and same_host and same_path and sorted(same_names) == sorted(names)
        )
    assert any(places)
    assert there.username is None
    assert there.fragment == ""
    assert candidate.isascii()
    assert candidate.isprintable()


@given(st.text(max_size=60))
def test_no_other_text_is_ever_accepted_or_breaks_the_parser(text: str) -> None:
    assert not accepts(LISTS["live_basic"], text)


@given(
    st.text(
        alphabet=st.characters(
            codec="ascii", exclude_characters='&;#[]<>"\\^`{|}%', min_codepoint=0x21, max_codepoint=0x7E
        )
    )
)
def test_a_placeholder_admits_any_value_of_a_query(value: str) -> None:
    assert accepts(LISTS["live_query"], f"https://www.example.com/authenticate?next_route={value}")


# --- Adding a token ---


def test_a_token_is_added_to_a_url_without_a_query() -> None:
    assert with_token("https://a.example.com/cb", "magic_links", "DOY=") == (
        "https://a.example.com/cb?stytch_token_type=magic_links&token=DOY%3D"
    )


def test_a_token_is_added_behind_the_parameters_of_a_native_url() -> None:
    assert (
        with_token("slack://auth/callback?x=1", "oauth", "t")
        == "slack://auth/callback?x=1&stytch_token_type=oauth&token=t"
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example.com/cb?token=x",
        "https://a.example.com/cb?a=1&Token=x",
        "https://a.example.com/cb?%74oken=x",
        "https://a.example.com/#x",
    ],
)
def test_a_token_is_never_added_where_it_could_be_taken_for_another_or_lost(url: str) -> None:
    with pytest.raises(ValueError, match="reserved"):
        with_token(url, "magic_links", "t")


@given(st.text(max_size=30), st.text(max_size=30), st.text(alphabet="ab/%2F=?:+", max_size=8))
def test_an_added_token_arrives_once_and_whole(token_type: str, token: str, value: str) -> None:
    candidate = f"https://www.example.com/authenticate?next_route={value}"
    if not accepts(LISTS["live_query"], candidate):
        return
    url = with_token(candidate, token_type, token)
    assert url.isascii()
    assert url.isprintable()
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True, strict_parsing=True)
    assert pairs[1:] == [("stytch_token_type", token_type), ("token", token)]
    assert url.startswith(candidate)
