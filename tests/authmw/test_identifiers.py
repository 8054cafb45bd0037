"""Canonical e-mail addresses, phone numbers, ids and external ids: the corpora and the rules behind them (ACC-05)."""

from __future__ import annotations

import builtins
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.errors import Misconfigured, Refused
from authmw.identifiers import (
    ID_PREFIXES,
    SANDBOX_EMAIL,
    SANDBOX_PHONE,
    canonical_email,
    canonical_phone,
    email_domain,
    is_own_id,
    valid_external_id,
)

CORPUS = Path(__file__).parents[1] / "corpus"
EMAILS = json.loads((CORPUS / "emails.json").read_text())
PHONES = json.loads((CORPUS / "phones.json").read_text())


def email_or_none(text: object) -> str | None:
    try:
        return canonical_email(text)
    except Refused as refusal:
        if refusal.error_type != "invalid_email":
            raise
        return None


def phone_or_none(text: object) -> str | None:
    try:
        return canonical_phone(text)
    except Refused as refusal:
        if refusal.error_type != "invalid_phone_number":
            raise
        return None


@pytest.mark.parametrize("case", EMAILS["cases"], ids=lambda case: case["id"])
def test_an_address_of_the_corpus_has_the_canonical_form_that_is_marked(case: dict[str, Any]) -> None:
    assert email_or_none(case["input"]) == case["canonical"], case["why"]


@pytest.mark.parametrize("case", EMAILS["type_cases"], ids=lambda case: str(case["input"]))
def test_what_is_no_text_is_no_address(case: dict[str, Any]) -> None:
    assert email_or_none(case["input"]) is None


@pytest.mark.parametrize("pair", EMAILS["pairs"], ids=lambda pair: pair["why"])
def test_two_addresses_are_one_account_only_by_their_canonical_form(pair: dict[str, Any]) -> None:
    assert (email_or_none(pair["a"]) == email_or_none(pair["b"])) is pair["same_account"]


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("alice@example.com\x00", id="NUL after"),
        pytest.param("ali\x00ce@example.com", id="NUL inside"),
        pytest.param("alice%0a@example.com", id="encoded line feed"),
        pytest.param("alice%0D@example.com", id="encoded carriage return"),
        pytest.param("alice%7f@example.com", id="encoded delete"),
        pytest.param("&AGEAbA-@example.com", id="modified UTF-7"),
        pytest.param("x=?utf-8?b?YQ?=y@example.com", id="encoded word inside"),
        pytest.param("<alice@example.com>", id="angle brackets"),
        pytest.param("alice@example.com,bob", id="comma"),
        pytest.param("alice@@example.com", id="two at signs in a row"),
        pytest.param("alice..b@example.com", id="two dots"),
        pytest.param("alice.@example.com", id="dot before the at sign"),
        pytest.param("alice@example..com", id="empty label"),
        pytest.param("alice@example-.com", id="label ends in a hyphen"),
        pytest.param("alice@ex--ample.com", id="hyphens in the third and fourth place"),
        pytest.param("alice@xn--80akhbyknj4f-.com", id="A-label that ends in a hyphen"),
        pytest.param("alice@xn--a.com", id="A-label of nothing but ASCII"),
        pytest.param("alice@M\u00dcNCHEN.de", id="capital U-label needs mapping"),
        pytest.param("alice@\uff45xample.com", id="full-width letter"),
        pytest.param("alice@example\uff0ecom", id="full-width dot"),
        pytest.param("alice@exam\u2060ple.com", id="word joiner"),
        pytest.param("alice@example.com\u00a0", id="no-break space"),
        pytest.param("alice@example.com\n", id="line feed after"),
        pytest.param("al\u0130ce@example.com", id="dotted capital I"),
        pytest.param("\u017fam@example.com", id="long s"),
        pytest.param("alice@1.2.3.4", id="IPv4 without brackets"),
        pytest.param("alice@example.test", id="special use: test"),
        pytest.param("alice@printer.local", id="special use: local"),
        pytest.param("alice@hidden.onion", id="special use: onion"),
        pytest.param("alice@example.invalid", id="special use: invalid"),
        pytest.param("alice@foo.localhost", id="special use: localhost"),
        pytest.param("a" * 100_000 + "@example.com", id="long local part"),
        pytest.param("a@" + "a." * 50_000 + "com", id="long domain"),
    ],
)
def test_an_address_that_could_be_read_in_two_ways_has_no_canonical_form(address: str) -> None:
    assert email_or_none(address) is None


def test_a_domain_and_its_a_label_are_one() -> None:
    assert canonical_email("x@fa\u00df.de") == canonical_email("X@XN--FA-HIA.DE") == "x@xn--fa-hia.de"


def test_an_address_that_is_too_long_only_as_a_labels_is_refused() -> None:
    labels = ".".join(["\u00fc" * 10] * 11)
    address = "x" * 64 + f"@{labels}.com"
    assert len(address) <= 254
    assert email_or_none(address) is None


def test_a_tag_that_ends_in_a_hyphen_is_no_utf_7() -> None:
    assert canonical_email("bob+foo-bar@example.org") == "bob+foo-bar@example.org"


def test_the_sandbox_address_is_an_ordinary_one() -> None:
    assert canonical_email(SANDBOX_EMAIL) == SANDBOX_EMAIL


@given(
    st.text(max_size=300)
    | st.from_regex(r"[a-zA-Z.+%&=?-]{1,20}@[a-zA-Z.\u00e4-\u00ff-]{1,20}\.[a-z]{2,4}", fullmatch=True)
)
def test_a_canonical_address_is_its_own_canonical_form_and_plain_ascii(text: str) -> None:
    address = email_or_none(text)
    if address is not None:
        assert canonical_email(address) == address
        assert address.isascii()
        assert address == address.lower()
        assert address.count("@") == 1
        assert address.isprintable()
        assert " " not in address
        assert email_domain(address) == address.split("@")[1]


@given(st.none() | st.integers() | st.booleans() | st.binary() | st.lists(st.text()) | st.floats())
def test_nothing_but_text_is_an_address_or_a_number(value: object) -> None:
    assert email_or_none(value) is None
    assert phone_or_none(value) is None


@pytest.mark.parametrize("case", PHONES["cases"], ids=lambda case: case["id"])
def test_a_number_of_the_corpus_has_the_canonical_form_that_is_marked(case: dict[str, Any]) -> None:
    assert phone_or_none(case["input"]) == case["canonical"], case["why"]


@pytest.mark.parametrize("case", PHONES["type_cases"], ids=lambda case: str(case["input"]))
def test_what_is_no_text_is_no_number(case: dict[str, Any]) -> None:
    assert phone_or_none(case["input"]) is None


def test_pumping_numbers_are_well_formed_and_stopped_by_budgets_only() -> None:
    assert all(phone_or_none(case["input"]) == case["input"] for case in PHONES["pumping"])


@pytest.mark.parametrize(
    "number",
    [
        pytest.param("+15552671", id="local number behind a country code"),
        pytest.param("+88216123456", id="satellite network"),
        pytest.param("+97912345678", id="international premium rate"),
        pytest.param("+80012345678", id="international freephone"),
        pytest.param("+80812345678", id="international shared cost"),
        pytest.param("+449098790123", id="UK premium rate"),
        pytest.param("+999123456789", id="country code of nobody"),
        pytest.param("+14155552671\n", id="line feed after"),
        pytest.param("+14155552671\x00", id="NUL after"),
        pytest.param(" +14155552671", id="space before"),
        pytest.param("\uff0b14155552671", id="full-width plus"),
        pytest.param("+1415555267\u0661", id="one Arabic digit"),
        pytest.param("+1-415-555-2671", id="hyphens"),
        pytest.param("0014155552671", id="00 prefix"),
        pytest.param("14155552671", id="no plus"),
        pytest.param("+" + "1" * 100_000, id="very long"),
    ],
)
def test_a_number_that_no_carrier_dials_as_it_is_written_is_refused(number: str) -> None:
    assert phone_or_none(number) is None


def test_a_number_of_a_reserved_range_is_possible() -> None:
    assert canonical_phone("+447700900123") == "+447700900123"


def test_the_sandbox_number_needs_the_sandbox() -> None:
    assert phone_or_none(SANDBOX_PHONE) is None
    assert canonical_phone(SANDBOX_PHONE, sandbox=True) == SANDBOX_PHONE


def test_the_sandbox_admits_no_other_number_that_is_refused() -> None:
    with pytest.raises(Refused, match="invalid_phone_number"):
        canonical_phone("+1000000000", sandbox=True)


@given(st.from_regex(r"\+[0-9]{5,17}", fullmatch=True) | st.text(max_size=20))
def test_a_canonical_number_is_what_was_written(text: str) -> None:
    assert phone_or_none(text) in (None, text)


def test_without_the_phone_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without_phonenumbers(
        name: str,
        globals_: Mapping[str, object] | None = None,
        locals_: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        if name == "phonenumbers":
            raise ModuleNotFoundError(name)
        return imported(name, globals_, locals_, fromlist, level)

    monkeypatch.delitem(sys.modules, "phonenumbers", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_phonenumbers)
    with pytest.raises(Misconfigured, match="pip install phonenumbers"):
        canonical_phone("+14155552671")


@pytest.mark.parametrize("kind", ["user", "member", "organization", "session", "phone-number", "email", "jwk"])
@pytest.mark.parametrize("environment", ["test", "live"])
def test_our_ids_are_known_by_their_beginning(kind: str, environment: str) -> None:
    assert f"{kind}-{environment}-" in ID_PREFIXES
    assert is_own_id(f"{kind}-{environment}-e3795c81-f849-4167-bfda-e4a6e9c280fd")


@pytest.mark.parametrize("text", ["user-", "user-prod-1", "users-test-1", "xuser-test-1", "", "4711"])
def test_other_texts_are_not_ours(text: str) -> None:
    assert not is_own_id(text)


@pytest.mark.parametrize("text", ["a", "4711", "auth0|5f7c8ec7c33c6c004bbafe82", "a.b_c-d|e", "x" * 128, "user-1"])
def test_an_external_id_of_the_allowed_characters_is_taken(text: str) -> None:
    assert valid_external_id(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x" * 129,
        "a b",
        "a/b",
        "a\n",
        "\u00e9",
        "\u0661",
        "a@b",
        "user-test-1",
        "USER-LIVE-1",
        "organization-test-",
        None,
        1,
        b"a",
    ],
)
def test_any_other_external_id_is_refused(text: object) -> None:
    with pytest.raises(Refused, match="invalid_argument"):
        valid_external_id(text)


@given(st.text(max_size=140))
def test_an_external_id_never_passes_for_ours(text: str) -> None:
    try:
        accepted = valid_external_id(text)
    except Refused:
        return
    assert accepted == text
    assert not is_own_id(accepted)
