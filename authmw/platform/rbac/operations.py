"""The project's policy, as clients read it to decide for themselves."""

from __future__ import annotations

import msgspec

from authmw.operations import Product, Response, current_call, operation
from authmw.permissions import Permission, Policy


class PermissionAnswer(msgspec.Struct, kw_only=True):
    """Actions on one resource."""

    resource_id: str
    actions: list[str]


class RoleAnswer(msgspec.Struct, kw_only=True):
    """A role."""

    role_id: str
    description: str
    permissions: list[PermissionAnswer]


class ResourceAnswer(msgspec.Struct, kw_only=True):
    """A resource."""

    resource_id: str
    description: str
    actions: list[str]


class ScopeAnswer(msgspec.Struct, kw_only=True):
    """A scope."""

    scope: str
    description: str
    permissions: list[PermissionAnswer]


class PolicyAnswer(msgspec.Struct, kw_only=True):
    """A policy."""

    roles: list[RoleAnswer]
    resources: list[ResourceAnswer]
    scopes: list[ScopeAnswer]


class PolicyResponse(Response, kw_only=True):
    """The policy of a project; one that declares none has the role that every user holds, and nothing to act on."""

    policy: PolicyAnswer


class RBAC(Product):
    """Roles and permissions."""

    @operation("GET", "/v1/rbac/policy", action="RBACPolicy")
    async def policy(self) -> PolicyResponse:
        """The roles, resources and scopes of the project. Clients keep it for some minutes and judge a session's roles by it."""
        return PolicyResponse(policy=policy_answer(current_call().settings.rbac))


def policy_answer(policy: Policy) -> PolicyAnswer:
    """A policy on the wire."""
    return PolicyAnswer(
        roles=[
            RoleAnswer(role_id=role.role_id, description=role.description, permissions=_permissions(role.permissions))
            for role in policy.roles
        ],
        resources=[
            ResourceAnswer(resource_id=one.resource_id, description=one.description, actions=list(one.actions))
            for one in policy.resources
        ],
        scopes=[
            ScopeAnswer(scope=one.scope, description=one.description, permissions=_permissions(one.permissions))
            for one in policy.scopes
        ],
    )


def _permissions(permissions: tuple[Permission, ...]) -> list[PermissionAnswer]:
    return [PermissionAnswer(resource_id=one.resource_id, actions=list(one.actions)) for one in permissions]
