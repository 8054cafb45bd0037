"""The OpenAPI document is valid, complete, and shown in Test only."""

from __future__ import annotations

from pathlib import Path

from openapi_spec_validator import validate

from authmw import Settings
from tests.world import World, make_world


def test_the_document_validates_and_names_every_operation_once(world: World) -> None:
    document = world.send("GET", "/auth/openapi.json").json
    validate(document)
    described = [one for methods in document["paths"].values() for one in methods.values()]
    named = [name for one in described for name in one.get("x-operations", [one["operationId"]])]
    assert sorted(named) == sorted(operation.action for _, operation in world.auth.table())
    assert document == world.send("GET", "/openapi.json").json


def test_every_operation_says_what_it_does_and_what_it_needs(world: World) -> None:
    document = world.send("GET", "/openapi.json").json
    for methods in document["paths"].values():
        for one in methods.values():
            assert one["summary"]
            assert {"200", "400", "401"} <= set(one["responses"])
    create = document["paths"]["/v1/users"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert create == {"$ref": "#/components/schemas/CreateUserBody"}


def test_live_does_not_show_it(tmp_path: Path) -> None:
    world = make_world(tmp_path, "wsgi")
    live = Settings(
        project_id="project-live-1",
        secret="x9" * 20,
        root_keys=(bytes(range(32)),),
        public_url="https://auth.example.com",
        claim_roots=True,
    )
    world.auth.settings = live
    assert world.send("GET", "/openapi.json").json["error_type"] == "route_not_found"
