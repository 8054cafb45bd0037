"""Which slash of a path was encoded, by what the server says of how it came."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.http.paths import SLASH, told_apart, value_of


@pytest.mark.parametrize(
    ("path", "sent", "told"),
    [
        ("/v1/users/a/b", "/v1/users/a/b", "/v1/users/a/b"),
        ("/v1/users/a/b", "/v1/users/a%2Fb", f"/v1/users/a{SLASH}b"),
        ("/v1/users/a/b", "/v1/users/a%2fb?c=%2F", f"/v1/users/a{SLASH}b"),
        ("/v1/users/a/b", "/below/v1/users/a%2Fb", f"/v1/users/a{SLASH}b"),
        ("/v1/users/a/b", "http://app.example/v1/users/a%2Fb", f"/v1/users/a{SLASH}b"),
        ("/v1/users/a%2Fb", "/v1/users/a%252Fb", "/v1/users/a%2Fb"),
        ("/v1/users/\u00e9/b", "/v1/%75sers/%C3%A9%2Fb", f"/v1/users/\u00e9{SLASH}b"),
        ("/v1/users/a/b", "/other/a%2Fc", "/v1/users/a/b"),
        ("/v1/users/a/b", "", "/v1/users/a/b"),
    ],
    ids=range(9),
)
def test_an_encoded_slash_is_told_where_the_server_says_how_the_path_came(path: str, sent: str, told: str) -> None:
    assert told_apart(path, sent) == told


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=1, max_size=5))
def test_every_segment_comes_back_as_it_was_meant(segments: list[str]) -> None:
    path = "/" + "/".join(segments)
    told = told_apart(path, "/" + "/".join(quote(segment, safe="") for segment in segments))
    assert [value_of(segment) for segment in told[1:].split("/")] == segments
