"""The answers of passwords."""

from __future__ import annotations

import msgspec

from authmw.consumer.answers import SignInResponse, UserAnswer
from authmw.factors.password.breaches import Breaches
from authmw.operations import Response


class CreateResponse(SignInResponse, kw_only=True):
    """A new user with a password, signed in if a duration was asked for."""

    email_id: str


class ResetStartResponse(Response, kw_only=True):
    """A mail is on its way."""

    user_id: str
    email_id: str


class LUDSRequirements(msgspec.Struct, kw_only=True):
    """Which kinds of characters a password has, and how many kinds and characters it lacks."""

    has_lower_case: bool
    has_upper_case: bool
    has_digit: bool
    has_symbol: bool
    missing_complexity: int
    missing_characters: int


class Feedback(msgspec.Struct, kw_only=True):
    """What to tell a person about a password. The last part is there under the policy that counts kinds of characters."""

    warning: str
    suggestions: list[str]
    luds_requirements: LUDSRequirements | None


class StrengthCheckResponse(Response, kw_only=True):
    """Whether a password would be taken. `breaches` says what is behind `breached_password`: false is no answer where it is `not_checked` or `unavailable`."""

    valid_password: bool
    score: int
    breached_password: bool
    strength_policy: str
    breach_detection_on_create: bool
    breaches: Breaches
    feedback: Feedback


class MigrateResponse(Response, kw_only=True):
    """A user with a password from elsewhere, and whether they were made for it."""

    user_id: str
    email_id: str
    user_created: bool
    user: UserAnswer
