"""Pure decisions of magic links: where a link leads, what it is for, what it proves."""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs

from authmw.consumer.links import Link
from authmw.errors import Refused
from authmw.factors.challenges import Challenge
from authmw.people.records import Proved
from authmw.redirects import RedirectErrors, RedirectList, RedirectType
from authmw.templates import TemplateType

PURPOSES = frozenset({"login", "signup", "invite", "embedded"})
TOKEN_TYPE = "token_type"
"""The detail that says what an app is told that a link's token is for."""
ADDING = timedelta(minutes=5)
"""An address that is being added must be proved within so long."""

LOGIN_ERRORS = RedirectErrors(
    missing="no_default_login_redirect_url_set",
    unmatched="no_match_for_provided_magic_link_url",
    invalid="invalid_login_magic_link_url",
)
SIGNUP_ERRORS = RedirectErrors(
    missing="no_default_signup_redirect_url_set",
    unmatched="no_match_for_provided_magic_link_url",
    invalid="invalid_signup_magic_link_url",
)
INVITE_ERRORS = RedirectErrors(
    missing="no_default_invite_redirect_url_set",
    unmatched="no_match_for_provided_magic_link_url",
    invalid="invalid_invite_magic_link_url",
)


@attrs.frozen(kw_only=True)
class Destination(Link):
    """One kind of link, and the type of the mail that brings it."""

    template: TemplateType


def login_destination(redirects: RedirectList, url: str | None, minutes: int) -> Destination:
    """Where a login link leads. Refused for a URL that is not registered, or none where there is no default."""
    target = redirects.match(url, RedirectType.LOGIN, errors=LOGIN_ERRORS)
    return Destination(purpose="login", template=TemplateType.LOGIN, url=target, life=timedelta(minutes=minutes))


def signup_destination(redirects: RedirectList, url: str | None, minutes: int) -> Destination:
    """Where a sign-up link leads."""
    target = redirects.match(url, RedirectType.SIGNUP, errors=SIGNUP_ERRORS)
    return Destination(purpose="signup", template=TemplateType.SIGNUP, url=target, life=timedelta(minutes=minutes))


def invite_destination(redirects: RedirectList, url: str | None, minutes: int) -> Destination:
    """Where an invitation leads."""
    target = redirects.match(url, RedirectType.INVITE, errors=INVITE_ERRORS)
    return Destination(purpose="invite", template=TemplateType.INVITE, url=target, life=timedelta(minutes=minutes))


def token_type_of(challenge: Challenge) -> str:
    """What the app is told that a link's token is for: `magic_links`, or as the mail that brought it says (`reset_password`, `login`)."""
    return str(challenge.details.get(TOKEN_TYPE, "magic_links"))


def check_purpose(challenge: Challenge | None) -> Challenge:
    """The challenge of a link that may sign in. Refused alike for an unknown one and one made for something else (TOK-03)."""
    if challenge is None or challenge.purpose not in PURPOSES:
        raise Refused("unable_to_auth_magic_link")
    return challenge


def factor_of(challenge: Challenge, now: datetime) -> Proved:
    """What a link proves: access to a mailbox, or that the host delivered it."""
    if challenge.purpose == "embedded":
        details: dict[str, object] = {"embeddable_magic_link_factor": {"embedded_id": challenge.challenge_id}}
        method = "embedded"
    else:
        details = {"email_factor": {"email_id": challenge.method_id, "email_address": challenge.address}}
        method = "email"
    return Proved(
        type="magic_link",
        delivery_method=method,
        last_authenticated_at=now,
        created_at=now,
        updated_at=now,
        details=details,
        category="account",
    )
