"""The password policy, as an administrator changes it while the service runs.

Law: only what a password must be and when it is judged can be changed over the wire; what a hash costs, and the peppers, are the code's to declare.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import attrs
from msgspec import Meta

from authmw.operations import Product, Response, current_call, operation
from authmw.platform.project.changes import change_project, managed_project, read_project
from authmw.project import StoredPasswordPolicy, passwords_of

Policy = Literal["zxcvbn", "luds"]
Length = Annotated[int, Meta(ge=8, le=64)]
Kinds = Annotated[int, Meta(ge=1, le=4)]


class PasswordPolicyResponse(Response, kw_only=True):
    """The policy that holds for passwords that are set from now on, and whether right ones are judged when they sign somebody in."""

    policy: Policy
    minimum_length: int
    luds_complexity: int
    strength_at_sign_in: bool
    breaches_at_sign_in: bool


class PasswordPolicies(Product):
    """The password policy of the project."""

    @operation("GET", "/v1/project/password_policy", action="GetPasswordPolicy", source="DASHBOARD")
    async def get(self) -> PasswordPolicyResponse:
        """The policy that holds, declared or managed."""
        call = current_call()
        rules = passwords_of(call.core.settings, await read_project(call))
        return _answer(StoredPasswordPolicy.of(rules))

    @operation("PUT", "/v1/project/password_policy", action="UpdatePasswordPolicy", source="DASHBOARD")
    async def update(
        self,
        *,
        policy: Policy | None = None,
        minimum_length: Length | None = None,
        luds_complexity: Kinds | None = None,
        strength_at_sign_in: bool | None = None,
        breaches_at_sign_in: bool | None = None,
    ) -> PasswordPolicyResponse:
        """Change the policy; what is not given stays. Passwords that were set before go on, unless they are judged at sign-in. Refused: `setting_not_managed`."""
        call = current_call()
        project = await managed_project(call, "passwords")
        given: dict[str, Any] = {
            "policy": policy,
            "minimum_length": minimum_length,
            "luds_complexity": luds_complexity,
            "strength_at_sign_in": strength_at_sign_in,
            "breaches_at_sign_in": breaches_at_sign_in,
        }
        changes = {name: value for name, value in given.items() if value is not None}
        after = attrs.evolve(StoredPasswordPolicy.of(passwords_of(call.core.settings, project)), **changes)
        await change_project(call, project, passwords=after)
        return _answer(after)


def _answer(policy: StoredPasswordPolicy) -> PasswordPolicyResponse:
    return PasswordPolicyResponse(
        policy=policy.policy,
        minimum_length=policy.minimum_length,
        luds_complexity=policy.luds_complexity,
        strength_at_sign_in=policy.strength_at_sign_in,
        breaches_at_sign_in=policy.breaches_at_sign_in,
    )
