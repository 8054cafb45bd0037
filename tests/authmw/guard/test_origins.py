"""Whether a change may rest on a cookie: against a model of what browsers send (CSR-01)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.guard.origins import SAFE_METHODS, from_this_site

OWN = "https://app.example.com"
LISTED = "https://admin.example.com"
FOREIGN = (
    "https://app.example.com.evil.example",
    "https://app.example.com:444",
    "https://app.example.com/",
    "https://APP.example.com",
    "http://app.example.com",
    "https://evil.example",
    "null",
    "",
    "file://",
    "*",
)
SITES = ("same-origin", "same-site", "cross-site", "none", "", "Same-Origin")


@given(
    origins=st.lists(st.sampled_from([OWN, LISTED, *FOREIGN]), max_size=3),
    sites=st.lists(st.sampled_from(SITES), max_size=2),
    listed=st.sampled_from([(), (LISTED,), (LISTED, OWN)]),
)
def test_a_change_is_taken_from_this_site_and_listed_ones_only(
    origins: list[str], sites: list[str], listed: tuple[str, ...]
) -> None:
    """A229, A230: one Origin, compared exactly; our own must not be contradicted by Sec-Fetch-Site."""
    one = origins[0] if len(origins) == 1 else None
    wanted = one is not None and (one in listed or (one == OWN and sites in ([], ["same-origin"])))
    assert from_this_site(origins, sites, OWN, listed) is wanted


@pytest.mark.parametrize("origin", FOREIGN)
def test_no_spelling_of_another_origin_is_ours(origin: str) -> None:
    """A230, A232."""
    assert not from_this_site([origin], ["same-origin"], OWN, ())
    assert not from_this_site([origin], [], OWN, (LISTED,))


def test_silence_is_no_proof() -> None:
    """A229: neither header, or only the one that old browsers leave out."""
    assert not from_this_site([], [], OWN, ())
    assert not from_this_site([], ["same-origin"], OWN, (LISTED,))
    assert not from_this_site([OWN, OWN], ["same-origin"], OWN, (OWN,))


def test_only_methods_that_change_nothing_are_safe() -> None:
    """RFC 9110 section 9.2.1."""
    assert {"GET", "HEAD", "OPTIONS", "TRACE"} == SAFE_METHODS
