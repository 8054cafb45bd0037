"""The table of operations is the vendor's: each of its 89 is here, by the same method and path, asks for no more, takes as much and answers as much."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.inspect import ListType, StructType, UnionType, type_info

from tests.world import make_world

REFERENCE = json.loads((Path(__file__).parents[1] / "corpus" / "consumer_operations.json").read_text())
OPERATIONS: dict[str, Any] = {one["name"]: one for one in REFERENCE["operations"]}
MODELS: dict[str, Any] = REFERENCE["models"]
TAKEN_ELSEWHERE = {"m2m.token": {"grant_type"}}
"""The grant type picks the operation of a token endpoint, so that no operation takes it."""
NOT_KEPT = {"user_device"}
"""No history of devices is kept, and an answer that has none leaves it out."""
LOOSE = {"sessions.AuthenticationFactor", "attribute.Attributes", "sessions.JWK"}
"""Values whose fields depend on their kind. What is in them is proved by the clients, which parse them."""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Any]:
    world = make_world(tmp_path_factory.mktemp("reference"), "asgi")
    found: dict[tuple[str, str], Any] = {}
    for _, operation in world.auth.table():
        found.setdefault(place(operation.method, operation.path), operation)
    return found


def place(method: str, path: str) -> tuple[str, str]:
    """Where an operation is reached; what a parameter of the path is called is nobody's business."""
    return method, re.sub(r"\{\w+\}", "{}", path)


def test_there_are_eighty_nine() -> None:
    assert len(OPERATIONS) == 89


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_reached_asks_and_answers_as_the_vendors(table: dict[tuple[str, str], Any], name: str) -> None:
    theirs = OPERATIONS[name]
    ours = table[place(theirs["method"], theirs["path"])]
    parameters = list(ours.signature.parameters.values())[1:]
    asked = {one.name for one in parameters if one.default is inspect.Parameter.empty}
    assert asked <= set(theirs["required"])
    taken = {one.name for one in parameters} | TAKEN_ELSEWHERE.get(name, set())
    assert taken >= {*theirs["required"], *theirs["optional"]}
    answered = {one.encode_name: one for one in struct_of(ours.answer).fields}
    assert list(missing(answered, theirs["answer"], ())) == []


def struct_of(answer: type[msgspec.Struct]) -> StructType:
    shown = type_info(answer)
    assert isinstance(shown, StructType)
    return shown


def missing(answered: dict[str, Any], model: dict[str, Any], above: tuple[str, ...]) -> Iterator[str]:
    """The fields of a model that an answer lacks, with those of the models inside of it."""
    for name, said in model.items():
        inner = said[0] if isinstance(said, list) else said
        if name not in answered:
            if not (isinstance(said, list) and name in NOT_KEPT):
                yield ".".join((*above, name))
        elif inner in MODELS and inner not in LOOSE and len(above) < 6:
            for each in structs(answered[name].type):
                fields = {one.encode_name: one for one in each.fields}
                yield from missing(fields, MODELS[inner], (*above, name))


def structs(type_: Any) -> Iterator[StructType]:
    if isinstance(type_, StructType):
        yield type_
    elif isinstance(type_, UnionType):
        for each in type_.types:
            yield from structs(each)
    elif isinstance(type_, ListType):
        yield from structs(type_.item_type)
