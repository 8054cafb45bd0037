"""The table of error types: each name once, with a status that fits a refusal, and each one said somewhere."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import authmw
import authmw_adapters
from authmw.error_types import ERROR_TYPES, ROWS, ErrorType
from authmw.error_types.additions import ADDITIONS, STATUSES

CORPUS = json.loads((Path(__file__).parents[1] / "corpus" / "error_types.json").read_text("utf-8"))
THEIRS: dict[str, int] = {**CORPUS["documented"], **CORPUS["inferred"]}
CALLERS = {400, 401, 403, 404, 405, 413, 415, 429, 499}
OURS = {"internal_server_error": 500, "server_unavailable": 503}
TABLE = Path(str(authmw.__file__)).parent / "error_types"
USES = TABLE / "fields.py"

every_type = pytest.mark.parametrize("row", ERROR_TYPES.values(), ids=lambda row: row.name)


@cache
def trees() -> tuple[ast.Module, ...]:
    packages = [Path(str(package.__file__)).parent for package in (authmw, authmw_adapters)]
    modules = [
        module
        for package in packages
        for module in package.rglob("*.py")
        if TABLE not in module.parents or module == USES
    ]
    assert len(modules) > 200
    return tuple(ast.parse(module.read_text("utf-8")) for module in modules)


def spelled(node: ast.AST) -> Iterator[str]:
    """What an expression can be, as a pattern: what is put in at run time is any part of a name."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield re.escape(node.value)
    elif isinstance(node, ast.JoinedStr):
        yield "".join(next(spelled(part), "[a-z0-9_]+") for part in node.values)


@cache
def said() -> re.Pattern[str]:
    """One text of the code, whole, or behind another one (as `_PREFIX + "must_include_scheme"`). Texts of another form than names do not count."""
    docstrings = {
        id(statement.value) for tree in trees() for statement in ast.walk(tree) if isinstance(statement, ast.Expr)
    }
    nodes = (node for tree in trees() for node in ast.walk(tree) if id(node) not in docstrings)
    texts = {pattern for node in nodes for pattern in spelled(node)}
    heads = {text for text in texts if re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)+_?", text)}
    tails = {text for text in texts if re.fullmatch(r"_?[a-z]+_([a-z0-9_]+|\[a-z0-9_\]\+)+", text)}
    return re.compile(f"(?:{'|'.join(sorted(heads))})?(?:{'|'.join(sorted(tails | heads))})")


def test_no_name_stands_twice() -> None:
    assert [name for name, times in Counter(name for name, _, _ in ROWS).items() if times > 1] == []


@every_type
def test_a_name_is_one_word_of_small_letters_digits_and_underscores(row: ErrorType) -> None:
    assert re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", row.name)


@every_type
def test_a_refusal_is_the_callers_affair_or_says_that_it_is_ours(row: ErrorType) -> None:
    assert row.status in CALLERS or OURS[row.name] == row.status


@every_type
def test_the_words_are_a_sentence_that_has_no_place_for_a_value(row: ErrorType) -> None:
    assert re.fullmatch(r"[A-Z][^{}%\n]+[.]", row.message)


@every_type
def test_each_type_is_said_somewhere(row: ErrorType) -> None:
    assert said().fullmatch(row.name)


def test_the_list_of_the_vendors_types_is_whole() -> None:
    assert (len(CORPUS["documented"]), len(THEIRS)) == (60, 803)


@every_type
def test_a_type_is_one_of_the_vendors_or_is_declared_ours_with_the_reason(row: ErrorType) -> None:
    assert (row.name in THEIRS) != (row.name in ADDITIONS)


@every_type
def test_a_type_of_the_vendors_has_its_status_or_the_reason_for_another(row: ErrorType) -> None:
    assert (row.status == THEIRS.get(row.name, row.status)) != (row.name in STATUSES)


@pytest.mark.parametrize("name", [*ADDITIONS, *STATUSES])
def test_what_is_declared_is_in_the_table_and_the_reason_is_a_sentence(name: str) -> None:
    assert name in ERROR_TYPES
    assert re.fullmatch(r"[A-Z][^\n]+[.]", {**ADDITIONS, **STATUSES}[name])


def test_what_is_raised_by_its_name_stands_in_the_table() -> None:
    raised = [
        node.args[0].value
        for tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refused" and node.args
        if isinstance(node.args[0], ast.Constant)
    ]

    assert len(raised) > 200
    assert set(raised) <= ERROR_TYPES.keys()
