"""Roles through the public door: on the wire, in the official client's shape, and at a host's own routes."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from authmw import Permission, Policy, Resource, Role
from authmw.drive import step
from authmw.people.records import User
from authmw.storage import Update
from tests.world import World, make_world

POLICY = Policy(
    roles=(Role(role_id="editor", permissions=(Permission(resource_id="documents", actions=["write"]),)),),
    resources=(Resource(resource_id="documents", actions=["read", "write"]),),
)
WRITE = {"resource_id": "documents", "action": "write"}


@pytest.fixture(params=["asgi", "wsgi"])
def roles(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return make_world(tmp_path, request.param, rbac=POLICY)


def test_the_policy_is_told_to_backends(roles: World) -> None:
    policy = roles.backend("GET", "/v1/rbac/policy").json["policy"]
    assert [role["role_id"] for role in policy["roles"]] == ["stytch_user", "editor"]
    assert policy["resources"] == [{"resource_id": "documents", "description": "", "actions": ["read", "write"]}]
    assert policy["scopes"] == []


def test_a_check_is_judged_by_the_roles_the_user_holds_now(roles: World) -> None:
    """B2B-04: a role given or taken counts from the next request, whatever the session was born with."""
    signed_in = roles.sign_in()
    check = {"session_token": signed_in["session_token"], "authorization_check": WRITE}
    refused = roles.backend("POST", "/v1/sessions/authenticate", check)
    assert (refused.status, refused.json["error_type"]) == (403, "consumer_session_authorization_error")
    roles.backend("PUT", f"/v1/users/{signed_in['user_id']}", {"roles": ["editor"]})
    granted = roles.backend("POST", "/v1/sessions/authenticate", check).json
    assert granted["verdict"] == {"authorized": True, "granting_roles": ["editor"]}
    assert granted["session"]["roles"] == ["editor", "stytch_user"]
    roles.backend("PUT", f"/v1/users/{signed_in['user_id']}", {"roles": []})
    assert roles.backend("POST", "/v1/sessions/authenticate", check).status == 403


def test_a_guard_judges_by_the_jwt_and_an_exact_one_by_storage(roles: World) -> None:
    signed_in = roles.sign_in()
    cookies = (f"authmw_session={signed_in['session_token']}", f"authmw_session_jwt={signed_in['session_jwt']}")
    assert roles.visit("/write", *cookies).status == 403
    assert roles.visit("/write-exact", *cookies).status == 403
    roles.backend("PUT", f"/v1/users/{signed_in['user_id']}", {"roles": ["editor"]})
    assert roles.visit("/write", *cookies).json["error_type"] == "consumer_session_authorization_error"
    assert roles.visit("/write-exact", *cookies).json == {"roles": ["editor", "stytch_user"]}
    roles.clock.advance(seconds=301)
    renewed = roles.visit("/write", *cookies)
    assert renewed.json == {"roles": ["editor", "stytch_user"]}


def test_an_exact_guard_sees_at_once_that_a_session_is_over(roles: World) -> None:
    signed_in = roles.sign_in()
    cookies = (f"authmw_session={signed_in['session_token']}", f"authmw_session_jwt={signed_in['session_jwt']}")
    roles.backend("DELETE", f"/v1/users/{signed_in['user_id']}")
    assert roles.visit("/write-exact", *cookies).status == 401
    assert roles.visit("/write-exact").status == 401


def test_an_exact_guard_sees_that_another_process_ended_all_sessions_of_somebody(roles: World) -> None:
    """SES-06, TOK-08: this process was told nothing, and the session's row is still there."""
    signed_in = roles.sign_in()
    roles.backend("PUT", f"/v1/users/{signed_in['user_id']}", {"roles": ["editor"]})
    roles.clock.advance(seconds=301)
    cookie = f"authmw_session={signed_in['session_token']}"
    assert roles.visit("/write-exact", cookie).status == 200
    user = step(roles.auth.storage.get(User, signed_in["user_id"]))
    assert user is not None
    step(roles.auth.storage.commit(Update(attrs.evolve(user, session_epoch=user.session_epoch + 1))))
    assert roles.visit("/write-exact", cookie).status == 401


def test_whoever_holds_the_secret_is_told_the_project(roles: World) -> None:
    told = roles.backend("GET", "/v1/debug/whoami").json
    assert told["project_id"] == roles.auth.settings.project_id
    assert told["name"] == "authmw"
