"""Who may do what: roles, the resources they reach and the actions they may take there. Pure values and one decision, shared by the wire and the guards.

Law: what no role grants is denied (ASVS 8.2.1); a policy that names what it does not declare is an error when it is built, not a hole when it is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import attrs

from authmw.errors import Misconfigured
from authmw.scopes import is_scope

EVERY_ACTION = "*"
USER_ROLE = "stytch_user"
"""The role that every consumer user holds."""
_RESERVED = "stytch"


def _tuple(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(values)


@attrs.frozen(kw_only=True)
class Permission:
    """Actions on one resource; `("*",)` is every action that the resource declares."""

    resource_id: str
    actions: tuple[str, ...] = attrs.field(converter=_tuple)


@attrs.frozen(kw_only=True)
class Resource:
    """Something that can be acted on, and the actions there are."""

    resource_id: str
    actions: tuple[str, ...] = attrs.field(converter=_tuple)
    description: str = ""


@attrs.frozen(kw_only=True)
class Role:
    """What its holders may do."""

    role_id: str
    permissions: tuple[Permission, ...] = ()
    description: str = ""


@attrs.frozen(kw_only=True)
class Scope:
    """What a connected app may do for a user who grants it this scope."""

    scope: str
    permissions: tuple[Permission, ...] = ()
    description: str = ""


@attrs.frozen(kw_only=True)
class Policy:
    """The roles, resources and scopes of one project.

    `stytch_user` is held by every user; declare a role of that id to grant something to all. Other ids of yours do not begin with `stytch`. Raises Misconfigured,
    naming every fault, for an id that stands twice, a permission on what is not declared, or a wildcard beside other actions.
    """

    roles: tuple[Role, ...] = ()
    resources: tuple[Resource, ...] = ()
    scopes: tuple[Scope, ...] = ()

    def __attrs_post_init__(self) -> None:
        faults = list(_faults(self))
        if faults:
            raise Misconfigured("This policy cannot work: " + " ".join(faults))
        if all(role.role_id != USER_ROLE for role in self.roles):
            everybody = Role(role_id=USER_ROLE, description="Held by every user.")
            object.__setattr__(self, "roles", (everybody, *self.roles))


def granting_roles(policy: Policy, roles: Iterable[str], resource_id: str, action: str) -> tuple[str, ...]:
    """Which of these roles grant an action on a resource, in the policy's order; none if it is denied."""
    held = frozenset(roles)
    declared = {
        action for resource in policy.resources if resource.resource_id == resource_id for action in resource.actions
    }
    if action not in declared:
        return ()
    return tuple(
        role.role_id for role in policy.roles if role.role_id in held and _grants(role.permissions, resource_id, action)
    )


def _grants(permissions: Iterable[Permission], resource_id: str, action: str) -> bool:
    return any(
        permission.resource_id == resource_id and (action in permission.actions or EVERY_ACTION in permission.actions)
        for permission in permissions
    )


def _faults(policy: Policy) -> Iterator[str]:
    yield from _twice("resource", [resource.resource_id for resource in policy.resources])
    yield from _twice("role", [role.role_id for role in policy.roles])
    yield from _twice("scope", [scope.scope for scope in policy.scopes])
    yield from _unfounded(policy)
    if not all(is_scope(scope.scope) for scope in policy.scopes):
        yield "A scope is no scope token of RFC 6749 section 3.3."
    for role in policy.roles:
        if role.role_id.startswith(_RESERVED) and role.role_id != USER_ROLE:
            yield f"The role id {role.role_id} begins with {_RESERVED}."
    for resource in policy.resources:
        if resource.resource_id.startswith(_RESERVED):
            yield f"The resource id {resource.resource_id} begins with {_RESERVED}."
        if EVERY_ACTION in resource.actions:
            yield f"The resource {resource.resource_id} declares a wildcard as an action."


def _unfounded(policy: Policy) -> Iterator[str]:
    """Permissions on what is not declared."""
    actions = {resource.resource_id: frozenset(resource.actions) for resource in policy.resources}
    named = [(f"Role {role.role_id}", role.permissions) for role in policy.roles]
    named += [(f"Scope {scope.scope}", scope.permissions) for scope in policy.scopes]
    for name, permissions in named:
        for permission in permissions:
            if permission.resource_id not in actions:
                yield f"{name} names the resource {permission.resource_id}, which is not declared."
            elif EVERY_ACTION in permission.actions and len(permission.actions) > 1:
                yield f"{name} names a wildcard beside other actions."
            elif not set(permission.actions) - {EVERY_ACTION} <= actions[permission.resource_id]:
                yield f"{name} names an action that {permission.resource_id} does not declare."


def _twice(kind: str, ids: list[str]) -> Iterator[str]:
    for one in sorted({one for one in ids if ids.count(one) > 1}):
        yield f"The {kind} {one} stands twice."
