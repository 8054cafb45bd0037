"""Roles, resources and the one decision about them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw import Misconfigured, Permission, Policy, Resource, Role, Scope
from authmw.permissions import USER_ROLE, granting_roles

DOCUMENTS = Resource(resource_id="documents", actions=["read", "write"])
READERS = Role(role_id="reader", permissions=(Permission(resource_id="documents", actions=["read"]),))
OWNERS = Role(role_id="owner", permissions=(Permission(resource_id="documents", actions=["*"]),))
POLICY = Policy(roles=(READERS, OWNERS), resources=(DOCUMENTS,))


@pytest.mark.parametrize(
    ("roles", "action", "granting"),
    [
        (["reader"], "read", ("reader",)),
        (["reader"], "write", ()),
        (["owner"], "write", ("owner",)),
        (["owner", "reader"], "read", ("reader", "owner")),
        ([], "read", ()),
        (["nobody declared this"], "read", ()),
        (["owner"], "delete", ()),
        (["owner"], "*", ()),
    ],
)
def test_an_action_is_granted_by_the_roles_that_name_it(
    roles: list[str], action: str, granting: tuple[str, ...]
) -> None:
    """RBAC-03, B2B-04: what no role grants is denied, a wildcard is every declared action and no other."""
    assert granting_roles(POLICY, roles, "documents", action) == granting


def test_every_user_holds_a_role_that_can_be_given_permissions() -> None:
    assert [role.role_id for role in Policy().roles] == [USER_ROLE]
    everybody = Role(role_id=USER_ROLE, permissions=(Permission(resource_id="documents", actions=["read"]),))
    policy = Policy(roles=(everybody,), resources=(DOCUMENTS,))
    assert granting_roles(policy, [USER_ROLE], "documents", "read") == (USER_ROLE,)


@pytest.mark.parametrize(
    ("fault", "build"),
    [
        ("stands twice", {"roles": (READERS, READERS), "resources": (DOCUMENTS,)}),
        ("stands twice", {"resources": (DOCUMENTS, DOCUMENTS)}),
        ("not declared", {"roles": (READERS,)}),
        (
            "does not declare",
            {
                "roles": (Role(role_id="r", permissions=(Permission(resource_id="documents", actions=["fly"]),)),),
                "resources": (DOCUMENTS,),
            },
        ),
        (
            "wildcard beside",
            {
                "roles": (
                    Role(role_id="r", permissions=(Permission(resource_id="documents", actions=["*", "read"]),)),
                ),
                "resources": (DOCUMENTS,),
            },
        ),
        ("wildcard as an action", {"resources": (Resource(resource_id="documents", actions=["*"]),)}),
        ("scope token", {"scopes": (Scope(scope="read write"),)}),
        ("scope token", {"scopes": (Scope(scope="read\u2028write"),)}),
        ("begins with", {"roles": (Role(role_id="stytch_boss"),)}),
        ("begins with", {"resources": (Resource(resource_id="stytch.self", actions=["read"]),)}),
        (
            "not declared",
            {
                "scopes": (
                    Scope(scope="read:documents", permissions=(Permission(resource_id="documents", actions=["read"]),)),
                )
            },
        ),
    ],
)
def test_a_policy_that_cannot_work_is_refused_when_it_is_built(fault: str, build: dict) -> None:
    with pytest.raises(Misconfigured, match=fault):
        Policy(**build)


@given(st.lists(st.sampled_from(["reader", "owner", "x"])), st.text(max_size=8), st.text(max_size=8))
def test_nothing_undeclared_is_ever_granted(roles: list[str], resource: str, action: str) -> None:
    granted = granting_roles(POLICY, roles, resource, action)
    assert not granted or (resource == "documents" and action in {"read", "write"})
