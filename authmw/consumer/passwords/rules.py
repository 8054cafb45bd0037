"""Pure decisions of password resets: where the mail's links lead, and which session may set a password without the old one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from authmw.consumer.links import Link
from authmw.consumer.magic_links.rules import TOKEN_TYPE
from authmw.errors import Refused
from authmw.factors.challenges import Challenge
from authmw.people.records import Proved
from authmw.redirects import RedirectErrors, RedirectList, RedirectType
from authmw.signin.rules import is_fresh

PURPOSE = "reset_password"
REFUSAL = "unable_to_auth_password_reset_token"
FRESH = timedelta(minutes=5)
"""How fresh a factor must be for its session to set a password."""
_STRONG_ENOUGH = frozenset({("password", "knowledge"), ("magic_link", "email"), ("otp", "email")})

RESET_ERRORS = RedirectErrors(
    missing="no_password_reset_redirect_url",
    unmatched="invalid_password_reset_redirect_url",
    invalid="invalid_password_reset_redirect_url",
)
LOGIN_ERRORS = RedirectErrors(
    missing="no_default_login_redirect_url_set",
    unmatched="invalid_login_redirect_url",
    invalid="invalid_login_redirect_url",
)


def reset_link(redirects: RedirectList, url: str | None, minutes: int, epoch: int) -> Link:
    """The link that sets a new password. Refused for a URL that is not registered for it, or none where there is no default (PW-06)."""
    target = redirects.match(url, RedirectType.RESET_PASSWORD, errors=RESET_ERRORS)
    return _link(PURPOSE, target, minutes, epoch, "reset_password")


def login_link(redirects: RedirectList, url: str | None, minutes: int, epoch: int) -> Link:
    """The link of the same mail that signs in and leaves the password alone: a login link like any other (PW-07, PW-08)."""
    target = redirects.match(url, RedirectType.LOGIN, errors=LOGIN_ERRORS)
    return _link("login", target, minutes, epoch, "login")


def _link(purpose: str, url: str, minutes: int, epoch: int, token_type: str) -> Link:
    """Bound to the sessions that stood when it was mailed: what ends them all (another reset above all) kills it too (A068, A070)."""
    details = {TOKEN_TYPE: token_type, "session_epoch": epoch}
    return Link(purpose=purpose, url=url, life=timedelta(minutes=minutes), details=details)


def check_reset(challenge: Challenge | None) -> Challenge:
    """The challenge of a link that may set a password. Refused alike for an unknown one and one made for something else (TOK-03)."""
    if challenge is None or challenge.purpose != PURPOSE:
        raise Refused(REFUSAL)
    return challenge


def fresh_enough(factors: Iterable[Proved], now: datetime) -> Proved:
    """The factor by which a session may set a password: the old one, or the mailbox, proved within five minutes. Refused: `session_too_old_to_reset_password`."""
    for factor in factors:
        if (factor.type, factor.delivery_method) in _STRONG_ENOUGH and is_fresh(factor, now, FRESH):
            return factor
    raise Refused("session_too_old_to_reset_password")
