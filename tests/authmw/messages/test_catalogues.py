"""The catalogues: complete, alike, found by language."""

from __future__ import annotations

from pathlib import Path
from string import Template

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.errors import Misconfigured
from authmw.messages import ChangedFactor, Notice, available_locales
from authmw.messages.catalogues import OURS, catalogue, closest, read_words
from authmw.templates import TemplateType

ENGLISH = read_words(OURS / "en.toml")


def test_there_are_the_languages_of_the_wire() -> None:
    assert set(available_locales()) == {"en", "es", "fr", "pt-br"}


@pytest.mark.parametrize("locale", available_locales())
def test_each_catalogue_has_the_keys_of_the_english_one(locale: str) -> None:
    assert set(read_words(OURS / f"{locale}.toml")) == set(ENGLISH)


@pytest.mark.parametrize("locale", available_locales())
def test_each_text_has_the_placeholders_of_the_english_one(locale: str) -> None:
    words = read_words(OURS / f"{locale}.toml")
    different = {
        key
        for key, text in words.items()
        if not Template(text).is_valid()
        or sorted(Template(text).get_identifiers()) != sorted(Template(ENGLISH[key]).get_identifiers())
    }
    assert different == set()


@pytest.mark.parametrize("locale", available_locales())
def test_no_text_is_empty_or_has_markup_or_more_than_one_line(locale: str) -> None:
    words = read_words(OURS / f"{locale}.toml")

    assert {key for key, text in words.items() if not text.strip() or set(text) & set("<>\n\r")} == set()


def test_each_type_notice_and_factor_has_its_words() -> None:
    needed = {f"{one.value.lower()}.subject" for one in TemplateType if one is not TemplateType.NOTICE}
    needed |= {f"notice.{one.value}.subject" for one in Notice} | {f"factor.{one.value}" for one in ChangedFactor}

    assert needed <= set(ENGLISH)


def test_no_catalogue_has_words_for_what_there_is_not() -> None:
    notices = {key.split(".")[1] for key in ENGLISH if key.startswith("notice.")}
    factors = {key.split(".")[1] for key in ENGLISH if key.startswith("factor.")}

    assert notices == {one.value for one in Notice}
    assert factors == {one.value for one in ChangedFactor}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("en", "en"),
        ("EN-us", "en"),
        ("pt-br", "pt-br"),
        ("pt_BR", "pt-br"),
        ("PT-BR", "pt-br"),
        ("pt", "pt-br"),
        ("pt-PT", "pt-br"),
        ("fr-CA", "fr"),
        ("es-419", "es"),
        ("de", "en"),
        ("ptx", "en"),
        ("", "en"),
        (None, "en"),
        ("../../etc/passwd", "en"),
        ("en\x00", "en"),
        ("x" * 10_000, "en"),
    ],
)
def test_a_language_tag_finds_the_nearest_catalogue(asked: str | None, found: str) -> None:
    assert catalogue(asked).locale == found


@given(st.text(max_size=40))
def test_any_text_finds_a_catalogue(tag: str) -> None:
    assert catalogue(tag).locale in available_locales()


def test_a_hosts_catalogue_is_nearer_than_the_language_it_falls_back_to(tmp_path: Path) -> None:
    (tmp_path / "pt.toml").write_text('otp_sms = "$code $product pt"\n')
    values = {"code": "1234", "product": "Acme"}

    assert catalogue("pt", tmp_path).words("otp_sms", values) == "1234 Acme pt"
    assert catalogue("pt-ao", tmp_path).words("otp_sms", values) == "1234 Acme pt"
    assert catalogue("pt-br", tmp_path).words("otp_sms", values) != "1234 Acme pt"
    assert catalogue("pt", tmp_path).words("detail.time", {}) == "Hora"


@pytest.mark.parametrize(
    "content",
    [
        "otp_sms = 5",
        'otp_sms = ["a"]',
        "otp_sms = ",
        'unknown_key = "x"',
        '[login]\nsubject = "$password"',
        '[login]\nsubject = "5 $"',
        "\xff",
    ],
)
def test_a_hosts_catalogue_that_cannot_work_is_refused_by_its_name(content: str, tmp_path: Path) -> None:
    (tmp_path / "sv.toml").write_bytes(content.encode("latin-1"))
    with pytest.raises(Misconfigured, match=r"sv\.toml"):
        catalogue("sv", tmp_path)


def test_an_unknown_key_is_an_error() -> None:
    with pytest.raises(KeyError):
        catalogue("en").words("login.nothing", {})


@pytest.mark.parametrize(
    ("asked", "available", "spoken"),
    [
        ("es", ("es", "fr"), "es"),
        ("es-MX", ("es", "fr"), "es"),
        ("pt", ("pt-br",), "pt-br"),
        ("pt_PT", ("pt-br",), "pt-br"),
        ("de", ("en", "es"), None),
        ("en", ("en", "es"), "en"),
        (None, ("en", "es"), "en"),
        (None, ("es",), None),
        ("not a tag", ("es",), None),
        ("es", (), None),
    ],
)
def test_the_closest_language_is_of_the_asked_language_or_none(
    asked: str | None, available: tuple[str, ...], spoken: str | None
) -> None:
    assert closest(asked, available) == spoken
