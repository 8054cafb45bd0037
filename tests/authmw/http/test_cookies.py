"""Cookies: strict reading (SES-03, A032) and careful writing (SES-02, SES-08, A036)."""

from __future__ import annotations

import json
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.errors import Misconfigured
from authmw.http.cookies import MAXIMUM_COOKIE, CookieSpec, CookieTooLarge, DuplicateCookie, sole

CORPUS = json.loads((Path(__file__).parents[2] / "corpus" / "cookies.json").read_text())
NAME = "__Host-authmw_session"
TOKEN = "WJtR5BCy38Szd5AfoDpf0iqFKEt4EE5JhjlWUY7l3FtY"
ATTACKER = "59cnLELtq5cFVS6uYK9f-pAWzBkhqZl8AvLhbhOvKNWw"


@pytest.mark.parametrize("case", CORPUS["cases"], ids=lambda case: case["id"])
def test_a_cookie_header_of_the_corpus_comes_out_as_marked(case: dict[str, Any]) -> None:
    header = case["cookie"].replace("{TOKEN}", TOKEN).replace("{ATTACKER}", ATTACKER)
    expected = case["expected"]
    if expected == "reject":
        with pytest.raises(DuplicateCookie):
            sole([header], NAME)
        return
    value = sole([header], NAME)
    if expected == "session":
        assert value == TOKEN
    elif expected == "none":
        # A value that is well-formed is handed on as it was sent, and opens no session.
        assert value in (None, "%41"), case["why"]
    else:
        assert value in (None, TOKEN)


def test_a_cookie_in_one_of_several_headers_is_found() -> None:
    assert sole(["a=1", f"b=2; {NAME}={TOKEN}"], NAME) == TOKEN


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([f"{NAME}={TOKEN}", f"{NAME}={ATTACKER}"], id="in two headers"),
        pytest.param([f"{NAME}={TOKEN}; {NAME}=;"], id="an empty one"),
        pytest.param([f"{NAME}={TOKEN}; {NAME}"], id="one without an equals sign"),
        pytest.param([f"{NAME}={TOKEN}; {NAME} =x"], id="a space behind the name"),
        pytest.param([f"{NAME}={TOKEN};\x0b{NAME}=x"], id="a vertical tab before the name"),
        pytest.param([f'{NAME}={TOKEN}; {NAME}="x"'], id="a malformed one"),
        pytest.param([f"{NAME}={TOKEN};{NAME}=x"], id="no space behind the semicolon"),
    ],
)
def test_a_name_that_stands_twice_is_told_apart(headers: list[str]) -> None:
    with pytest.raises(DuplicateCookie):
        sole(headers, NAME)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="no header"),
        pytest.param([""], id="empty header"),
        pytest.param(["a=1; b=2"], id="other cookies"),
        pytest.param([f"x{NAME}={TOKEN}"], id="a longer name"),
        pytest.param([f"{NAME}_jwt={TOKEN}"], id="a name that begins alike"),
        pytest.param([f"{NAME.upper()}={TOKEN}"], id="another case"),
        pytest.param([f"a={NAME}={TOKEN}"], id="inside another value"),
        pytest.param([f"a=1,{NAME}={TOKEN}"], id="joined to another by a comma"),
        pytest.param([f"{NAME}={TOKEN}, a=1"], id="another joined to it by a comma"),
        pytest.param([f"{NAME}=a b"], id="space inside"),
        pytest.param([f"{NAME}=a\tb"], id="tab inside"),
        pytest.param([f"{NAME}=a\\b"], id="backslash inside"),
        pytest.param([f"{NAME}=a\r\nb"], id="line break inside"),
        pytest.param([f"{NAME}=a\x7f"], id="delete"),
        pytest.param([f"{NAME}=\u00e9"], id="beyond ASCII"),
        pytest.param([f"{NAME}={'x' * MAXIMUM_COOKIE}"], id="too large"),
        pytest.param([f"{NAME}=\x0b{TOKEN}"], id="vertical tab before the value"),
    ],
)
def test_what_is_in_doubt_acts_as_no_cookie(headers: list[str]) -> None:
    assert sole(headers, NAME) is None


def test_name_and_value_may_be_as_large_as_browsers_keep() -> None:
    value = "x" * (MAXIMUM_COOKIE - len(NAME))
    assert sole([f"{NAME}={value}"], NAME) == value
    assert sole([f"{NAME}={value}x"], NAME) is None
    assert sole([f"{NAME}={TOKEN}"], NAME, maximum=len(NAME)) is None


def test_a_value_may_hold_equals_signs() -> None:
    assert sole([f"{NAME}=abc=="], NAME) == "abc=="


@given(
    st.lists(
        st.text(alphabet=st.characters(codec="latin-1"), max_size=40) | st.text(f'{NAME[:8]}s=;, \t"', max_size=20)
    )
)
def test_no_header_breaks_the_reader_and_what_it_gives_is_clean(headers: list[str]) -> None:
    try:
        value = sole(headers, "s")
    except DuplicateCookie:
        assert sum(header.count("s") for header in headers) >= 2
        return
    if value is not None:
        assert value.isascii()
        assert value.isprintable()
        assert not set(value) & set(' ",;\\')


def test_the_defaults_are_those_of_a_live_session_cookie() -> None:
    written = CookieSpec(name=NAME).set(TOKEN, 3600)
    assert written == f"{NAME}={TOKEN}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=3600"


def test_a_cookie_without_an_age_ends_with_the_browser() -> None:
    assert CookieSpec(name=NAME).set("x") == f"{NAME}=x; Path=/; Secure; HttpOnly; SameSite=Lax"


def test_a_cookie_is_cleared_with_the_attributes_it_was_set_with() -> None:
    spec = CookieSpec(name="__Secure-s", domain="example.com", path="/app", httponly=False, samesite="Strict")
    assert spec.set("x", 60) == "__Secure-s=x; Path=/app; Domain=example.com; Secure; SameSite=Strict; Max-Age=60"
    assert spec.clear() == "__Secure-s=; Path=/app; Domain=example.com; Secure; SameSite=Strict; Max-Age=0"


def test_on_loopback_http_a_cookie_can_do_without_secure() -> None:
    assert (
        CookieSpec(name="authmw_session", secure=False).set("x") == "authmw_session=x; Path=/; HttpOnly; SameSite=Lax"
    )


@pytest.mark.parametrize(
    "value", ["", "a b", "a;b", "a,b", 'a"b', "a\\b", "a\r\nSet-Cookie: b=c", "a\n", "\x00", "\u00e9", "\t"]
)
def test_a_value_that_could_end_the_header_or_start_an_attribute_is_not_written(value: str) -> None:
    with pytest.raises(ValueError, match="cookie-octets"):
        CookieSpec(name=NAME).set(value)


@pytest.mark.parametrize("max_age", [0, -1])
def test_a_cookie_that_is_set_lives_for_a_second_at_least(max_age: int) -> None:
    with pytest.raises(ValueError, match="clear"):
        CookieSpec(name=NAME).set("x", max_age)


def test_a_cookie_that_browsers_would_drop_is_refused_and_not_cut() -> None:
    spec = CookieSpec(name=NAME)
    value = "x" * (MAXIMUM_COOKIE - len(NAME))
    assert value in spec.set(value)
    with pytest.raises(CookieTooLarge):
        spec.set(value + "x")


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ({"name": "__Host-s", "domain": "example.com"}, "__Host-"),
        ({"name": "__Host-s", "path": "/app"}, "__Host-"),
        ({"name": "__Host-s", "secure": False}, "__Host-"),
        ({"name": "__hOST-s", "secure": False}, "__Host-"),
        ({"name": "__Secure-s", "secure": False}, "__Secure-"),
        ({"name": "s", "secure": False, "samesite": "None"}, "SameSite"),
        ({"name": "s", "domain": ".example.com"}, "domain"),
        ({"name": "s", "domain": "com"}, "domain"),
        ({"name": "s", "domain": "Example.com"}, "domain"),
        ({"name": "s", "domain": "example.com; Path=/x"}, "domain"),
        ({"name": "s", "domain": "example.com\n"}, "domain"),
        ({"name": "s", "path": "app"}, "path"),
        ({"name": "s", "path": "/;x"}, "path"),
        ({"name": "s", "path": "/\n"}, "path"),
        ({"name": ""}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "a=b"}, "name"),
        ({"name": "a\n"}, "name"),
    ],
)
def test_attributes_that_a_browser_would_refuse_are_a_fault_at_start(spec: dict[str, Any], fault: str) -> None:
    with pytest.raises(Misconfigured, match=fault):
        CookieSpec(**spec)


def test_every_fault_is_named() -> None:
    with pytest.raises(Misconfigured, match=r"__Host-.*SameSite.*path"):
        CookieSpec(name="__Host-s", secure=False, samesite="None", path="x")


@given(
    st.text(
        st.characters(codec="ascii", min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='",;\\'), min_size=1
    ),
    st.sampled_from(["Strict", "Lax", "None"]),
)
def test_what_is_written_is_read_back(value: str, samesite: Literal["Strict", "Lax", "None"]) -> None:
    written = CookieSpec(name=NAME, samesite=samesite).set(value, 60)
    assert sole([written.partition("; ")[0]], NAME) == value
    morsel = SimpleCookie(written)[NAME]
    assert morsel["samesite"] == samesite
    assert morsel["max-age"] == "60"
    assert morsel["path"] == "/"
    assert morsel["domain"] == ""
