"""Where `next` leads: to a plain path of our own, or to the default (RED-06)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.redirects import (
    safe_next,
)

CORPUS = json.loads((Path(__file__).parents[1] / "corpus" / "redirects.json").read_text())


@pytest.mark.parametrize("case", CORPUS["next_cases"], ids=lambda case: case["id"])
def test_a_next_value_of_the_corpus_comes_out_as_marked(case: dict[str, Any]) -> None:
    expected = case["candidate"] if case["expected"] == "accept" else "/home"
    assert safe_next(case["candidate"], "/home") == expected, case["why"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("//evil.example", id="two slashes"),
        pytest.param("///evil.example", id="three slashes"),
        pytest.param("/\t/evil.example", id="tab between slashes"),
        pytest.param("/\r/evil.example", id="carriage return between slashes"),
        pytest.param("/..//evil.example", id="dot segment before two slashes"),
        pytest.param("/./x", id="dot segment"),
        pytest.param("/x/%2e%2E/y", id="encoded dot segment"),
        pytest.param("/%2fevil.example", id="encoded slash"),
        pytest.param("/%5cevil.example", id="encoded backslash"),
        pytest.param("/%0d%0aSet-Cookie:x=1", id="encoded line break in the path"),
        pytest.param("/x?y=%0d%0aSet-Cookie:x=1", id="encoded line break in the query"),
        pytest.param("/x?y=%00", id="encoded NUL in the query"),
        pytest.param("/%", id="lone percent"),
        pytest.param("/x?y=%zz", id="escape of no digits"),
        pytest.param("/x?y=\\", id="backslash in the query"),
        pytest.param("/x y", id="space"),
        pytest.param("/x<y>", id="angle brackets"),
        pytest.param("/" + "x" * 2048, id="too long"),
        pytest.param(None, id="None"),
        pytest.param(["/"], id="list"),
        pytest.param(b"/", id="bytes"),
    ],
)
def test_a_next_value_that_is_no_plain_path_leads_to_the_default(text: object) -> None:
    assert safe_next(text) == "/"


@given(st.text(max_size=40).map(lambda text: "/" + text) | st.text(alphabet="/\\.%2fFeE5cC?#@:a", max_size=12))
def test_a_next_value_stays_on_our_origin_however_often_it_is_decoded(text: str) -> None:
    path = safe_next(text, "/default")
    for _ in range(3):
        there = urlsplit("https://app.example.com" + path)
        assert (there.scheme, there.netloc) == ("https", "app.example.com")
        assert not path.startswith(("//", "/\\"))
        path = unquote(path.partition("?")[0])
