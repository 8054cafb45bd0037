"""Which numbers are texted at all (RAT-04, OTP-11)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from authmw.errors import Refused
from authmw.identifiers import canonical_phone
from authmw.people.phones import check_may_text, range_of

EVERYWHERE = ("US", "CA", "GB", "DE", "FR", "IT", "JP")
CORPUS = json.loads((Path(__file__).parents[2] / "corpus" / "phones.json").read_text())["cases"]


def refusal(number: str, countries: tuple[str, ...]) -> str:
    with pytest.raises(Refused) as refused:
        check_may_text(number, countries)
    return refused.value.error_type


@pytest.mark.parametrize(("number", "country"), [("+14155552671", "US"), ("+14165550123", "CA")])
def test_a_number_of_a_listed_country_is_texted(number: str, country: str) -> None:
    assert check_may_text(number, ("US", "CA")) == country


@pytest.mark.parametrize("number", ["+447911123456", "+18762345678", "+4915112345678"])
def test_a_number_of_another_country_is_refused_also_where_it_shares_the_code(number: str) -> None:
    assert refusal(number, ("US", "CA")) == "invalid_phone_number_country_code"


@pytest.mark.parametrize("number", ["+18005550123", "+15005550006", "+19005550123", "+448001111111", "+447001234567"])
def test_a_number_whose_owner_is_paid_or_that_nobody_reads_is_refused(number: str) -> None:
    assert refusal(number, ("US", "CA", "GB", "GG", "JE", "IM")) in {
        "invalid_phone_number",
        "invalid_phone_number_country_code",
    }


def test_no_country_listed_means_no_texts() -> None:
    assert refusal("+14155552671", ()) == "invalid_phone_number_country_code"


def test_numbers_of_one_block_share_a_range() -> None:
    assert range_of("+14155552671") == range_of("+14155559999") != range_of("+14155562671")


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case["id"])
def test_each_number_of_the_corpus_is_texted_or_refused_by_name(case: dict[str, object]) -> None:
    """A088: no number of the corpus, accepted or not, ends in anything but a country or a documented refusal."""
    try:
        number = canonical_phone(case["input"], sandbox=True)
        assert check_may_text(number, EVERYWHERE)
    except Refused as refused:
        assert refused.error_type in {"invalid_phone_number", "invalid_phone_number_country_code"}
        if case["expected"] == "accept":
            assert refused.error_type == "invalid_phone_number_country_code" or "kind" in refused.message
