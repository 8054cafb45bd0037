"""The password policy as an administrator changes it while the service runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from authmw import Auth, PasswordRules
from authmw.drive import step
from authmw.ledger.records import Event
from authmw.storage import And
from tests.stories.test_passwords import AUTHENTICATE, CREATE, STRENGTH, pair, refused
from tests.world import PUBLIC_TOKEN, World, make_world

POLICY = "/v1/project/password_policy"
DECLARED = {
    "policy": "zxcvbn",
    "minimum_length": 8,
    "luds_complexity": 3,
    "strength_at_sign_in": False,
    "breaches_at_sign_in": False,
}


@pytest.fixture(params=["asgi", "wsgi"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return make_world(tmp_path, request.param, managed={"passwords"}, passwords=PasswordRules(peppers=(b"p" * 32,)))


def shown(answer: Any) -> dict[str, Any]:
    assert answer.status == 200, answer.json
    return {name: value for name, value in answer.json.items() if name not in {"request_id", "status_code"}}


def test_a_changed_policy_holds_from_the_next_call_on(world: World) -> None:
    """PW-17, PW-18: passwords that stand go on until they are judged at sign-in too."""
    assert shown(world.backend("GET", POLICY)) == DECLARED
    assert world.backend("POST", CREATE, pair("lovely purple submarine kettle")).status == 200
    changed = world.backend("PUT", POLICY, {"policy": "luds", "luds_complexity": 4, "minimum_length": 12})
    assert shown(changed) == {**DECLARED, "policy": "luds", "luds_complexity": 4, "minimum_length": 12}
    assert shown(world.backend("GET", POLICY)) == shown(changed)
    refused(world.backend("POST", CREATE, pair("nine quiet otters", "bob@example.org")), 400, "weak_password")
    assert world.backend("POST", STRENGTH, {"password": "Zkwpvqmb-918"}).json["strength_policy"] == "luds"
    path = f"/sdk/v1/projects/bootstrap/{PUBLIC_TOKEN}"
    told = world.browser("GET", path).json["data"]["password_config"]
    assert told == {"luds_complexity": 4, "luds_minimum_count": 12}
    assert world.backend("POST", AUTHENTICATE, pair("lovely purple submarine kettle")).status == 200
    assert world.backend("PUT", POLICY, {"strength_at_sign_in": True}).status == 200
    refused(world.backend("POST", AUTHENTICATE, pair("lovely purple submarine kettle")), 400, "weak_password")
    assert world.backend("PUT", POLICY, {"strength_at_sign_in": False, "policy": "zxcvbn"}).status == 200
    assert world.backend("POST", AUTHENTICATE, pair("lovely purple submarine kettle")).status == 200


def test_a_change_is_an_event_of_the_dashboard_and_reaches_another_process(world: World) -> None:
    """EVT-02."""
    other = Auth(world.auth.settings, storage=world.auth.storage, limiter=world.auth.core.limiter, clock=world.clock)
    world.auth.run(other.core.project.now())
    assert world.backend("PUT", POLICY, {"minimum_length": 20}).status == 200
    world.clock.advance(seconds=5)
    assert world.auth.run(other.core.project.now()).settings.passwords.minimum_length == 20
    world.auth.notes.flush()
    events = step(world.auth.storage.page(Event, And(), limit=100)).records
    assert {one.source for one in events if one.action == "UpdatePasswordPolicy"} == {"DASHBOARD"}


@pytest.mark.parametrize(
    ("wrong", "error_type"),
    [
        ({"minimum_length": 7}, "invalid_password_strength_luds_length"),
        ({"minimum_length": 65}, "invalid_password_strength_luds_length"),
        ({"luds_complexity": 0}, "invalid_password_strength_luds_complexity"),
        ({"luds_complexity": 5}, "invalid_password_strength_luds_complexity"),
        ({"policy": "rot13"}, "bad_request"),
        ({"strength_at_sign_in": "yes"}, "bad_request"),
    ],
)
def test_a_policy_out_of_bounds_is_refused_and_changes_nothing(
    world: World, wrong: dict[str, Any], error_type: str
) -> None:
    refused(world.backend("PUT", POLICY, wrong), 400, error_type)
    assert shown(world.backend("GET", POLICY)) == DECLARED


def test_a_policy_that_is_declared_in_code_is_not_changed_over_the_wire(tmp_path: Path) -> None:
    declared = make_world(tmp_path, "asgi", passwords=PasswordRules(minimum_length=10))
    refused(declared.backend("PUT", POLICY, {"minimum_length": 8}), 400, "setting_not_managed")
    assert shown(declared.backend("GET", POLICY))["minimum_length"] == 10


def test_costs_and_peppers_are_nobodys_to_change_over_the_wire(world: World) -> None:
    body = {"memory_kib": 8, "iterations": 1, "peppers": [], "minimum_length": 9}
    assert world.backend("PUT", POLICY, body).status == 200
    rules = world.auth.core.project.current.settings.passwords
    assert (rules.memory_kib, rules.iterations, rules.peppers, rules.minimum_length) == (19_456, 2, (b"p" * 32,), 9)
