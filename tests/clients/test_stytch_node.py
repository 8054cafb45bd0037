"""The vendor's own Node client, unchanged, against `authmw dev` in a process of its own."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import cast

import pytest

from authmw.consumer.users.search import FILTERS
from tests.servers import Machine
from tests.serving import dev_server

SCRIPTS = Path(__file__).parents[1] / "js"

pytestmark = [pytest.mark.server("node"), pytest.mark.xdist_group("node")]


def run(script: str, facts: dict[str, str], machine: Machine) -> dict[str, object]:
    """What the client saw. It runs where `localhost` may mean an address that nobody listens at, so it is told 127.0.0.1."""
    near = {key: str(value).replace("localhost", "127.0.0.1") for key, value in facts.items()}
    command = [str(machine.server("node").where), str(SCRIPTS / script), json.dumps(near)]
    told = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)


@pytest.fixture(scope="module")
def story(facts: dict[str, str], machine: Machine) -> dict[str, object]:
    """The main job."""
    return run("story.mjs", facts, machine)


def test_every_filter_that_the_client_names_is_known() -> None:
    named = (SCRIPTS / "node_modules/stytch/types/lib/b2c/users.d.ts").read_text()
    names = set(re.findall(r'filter_name: "(\w+)"', named))
    assert len(names) > 20
    assert names <= FILTERS


def test_a_link_signs_the_created_user_in(story: dict[str, object]) -> None:
    assert story["asked"] is False
    assert story["signedIn"] == story["created"]
    assert story["name"] == "Ada"


def test_the_session_verifies_by_a_call_and_by_the_jwt_alone(story: dict[str, object]) -> None:
    assert str(story["remote"]).startswith("session-test-")
    assert story["local"] == story["remote"]


def test_a_spent_link_is_refused(story: dict[str, object]) -> None:
    assert story["spent"] == "401 unable_to_auth_magic_link"


def test_a_revoked_session_is_not_found(story: dict[str, object]) -> None:
    assert story["revoked"] == "404 session_not_found"


def test_the_search_finds_the_one_user(story: dict[str, object]) -> None:
    assert story["found"] == [story["created"]]


def test_a_wrong_secret_opens_nothing(story: dict[str, object]) -> None:
    assert story["unknown"] == "401 unauthorized_credentials"


def test_a_provider_signs_somebody_in_and_another_one_is_added(story: dict[str, object]) -> None:
    first, second = cast("list[list[str]]", story["oauth"])
    assert first[0] == second[0]
    assert (first[1], second[1]) == ("Github", "Slack")
    assert story["attached"] == ["Github", "Slack"]
    assert story["noProvider"] == "404 oauth_config_not_found"


def test_passwords_are_made_used_and_reset(tmp_path: Path, machine: Machine) -> None:
    with dev_server(tmp_path) as (_, facts):
        seen = run("passwords.mjs", facts, machine)
    users = seen["users"]
    assert isinstance(users, list)
    assert len(set(users)) == 1
    assert (seen["valid"], seen["same"]) == (False, True)
    assert (seen["weak"], seen["old"]) == ("400 weak_password", "401 unauthorized_credentials")


def test_a_person_lets_an_app_in_and_takes_it_back(story: dict[str, object]) -> None:
    first, _ = cast("list[list[str]]", story["oauth"])
    assert story["consent"] is True
    assert story["introspected"] == first[0]
    assert story["apps"] == [["Notes"], []]
    assert story["rotated"] is True
