"""Guesses at what somebody could know or hold: counted before they are compared, for every factor that can be guessed.

Law: the count is taken by the atomic limiter before the comparison (OTP-03), so guesses made at once are no cheaper than guesses made in turn; a success clears
what its own user and factor counted and nothing else (RAT-01); a lock closes sign-in by one factor of one user, never a live session and never another factor (RAT-02), and
every verified address of the user hears of it.

An operation that compares a guess does four things in this order: `await count_guess(call, guess)`; compare; on a wrong guess `await refuse_guess(guess)`; on a right one
`forget_guesses(call, guess)` and on to `complete`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import NoReturn, TypeVar

import attrs

from authmw.errors import Refused
from authmw.ledger.commits import commit
from authmw.limits import Limit
from authmw.messages import Notice
from authmw.operations import SKEW, Call
from authmw.people.notices import notify_of
from authmw.people.records import Lock, Subject
from authmw.people.rules import check_unlocked
from authmw.settings import LockRules
from authmw.signin.limits import charge, forget_later
from authmw.storage import Update

T = TypeVar("T")

GUESSES = 5
"""How many guesses one challenge takes, right or wrong."""

FAILURES = 100
"""How many failures in a row one authenticator takes before it is dead until it is bound anew (SP 800-63B-4 section 3.2.2)."""

_BEFORE_A_LOCK = "failures before a lock"


@attrs.frozen(kw_only=True)
class Guess:
    """What is being guessed, by whom it could be known, and how a wrong guess is refused."""

    subject: Subject
    factor: str
    """What a lock closes, and what events call it: `otp:email`, `password`, `totp`."""
    authenticator: str
    """The id of the part whose failures in a row are counted: an e-mail's, a phone number's, a TOTP's."""
    challenge: tuple[str, ...] = ()
    """What names the challenge that five guesses end; nothing for a secret that stands (a password), which only the other two limits guard."""
    life: timedelta = timedelta(0)
    """How long that challenge can be guessed at."""
    refusal: str
    """The error type of every wrong guess."""
    by_own_session: bool = False
    """Whether the caller's own session is the subject's, so that naming a lock tells nobody anything new."""


def guess_limits(project_id: str, guess: Guess, locks: LockRules) -> tuple[Limit, ...]:
    """What a guess is counted by: of them the first refills when the challenge is over, the others never."""
    authenticator = Limit("failures", (project_id, guess.authenticator), FAILURES, None)
    before_a_lock = Limit(_BEFORE_A_LOCK, (project_id, guess.subject.id, guess.factor), locks.threshold, None)
    if not guess.challenge:
        return authenticator, before_a_lock
    guesses = Limit.during(guess.life + SKEW, "guesses", (project_id, *guess.challenge), GUESSES)
    return guesses, authenticator, before_a_lock


async def count_guess(call: Call, guess: Guess) -> None:
    """Count a guess, once a call, before it is compared; the guess that is one too many for this user and factor writes the lock.

    Refused: the guess's own refusal once the challenge or the authenticator takes no more; `user_lock_limit_reached` while the factor is locked, told only to whom it
    may be told (`locked_refusal`).
    """
    check_open(call, guess)
    try:
        limits = guess_limits(call.settings.project_id, guess, call.settings.locks)
        await charge(call, *limits, refusal=guess.refusal, tells_wait=False)
    except Refused as refused:
        if refused.limit != _BEFORE_A_LOCK:
            raise
        await _lock(call, guess)


def check_open(call: Call, guess: Guess) -> None:
    """Refused while sign-in by this factor of this user is locked."""
    try:
        check_unlocked(guess.subject, guess.factor, call.now)
    except Refused:
        raise locked_refusal(call, guess) from None


def locked_refusal(call: Call, guess: Guess) -> Refused:
    """How a locked factor is refused: by its name to backends and to the person signed in; to any other browser as a wrong guess, since nobody unknown is ever locked (ENU-01)."""
    told = call.caller.audience != "browser" or guess.by_own_session or call.settings.reveal_unknown
    return Refused("user_lock_limit_reached" if told else guess.refusal)


async def refuse_guess(guess: Guess, refused: Refused | None = None) -> NoReturn:  # pyright: ignore[reportReturnType]  # this commit raises
    """Log a wrong guess as an event of its user and factor, and refuse it."""
    await commit(subject_id=guess.subject.id, factor=guess.factor, refusal=refused or Refused(guess.refusal))


async def compared(guess: Guess, compare: Callable[[], T]) -> T:
    """What a comparison found; its refusal is logged as an event of the guess's user and factor, and raised."""
    try:
        return compare()
    except Refused as refused:
        await refuse_guess(guess, refused)


def forget_guesses(call: Call, guess: Guess) -> None:
    """After the commit of a right guess, clear what this user and factor counted."""
    forget_later(call, *guess_limits(call.settings.project_id, guess, call.settings.locks))


def locked(subject: Subject, factor: str, call: Call) -> Subject:
    """The subject with this factor locked from now on; locks that are over are dropped."""
    minutes = call.settings.locks.minutes
    lock = Lock(factor=factor, created_at=call.now, expires_at=call.now + timedelta(minutes=minutes))
    standing = (one for one in subject.locks if one.expires_at > call.now and one.factor != factor)
    return attrs.evolve(subject, locks=(*standing, lock))


async def _lock(call: Call, guess: Guess) -> NoReturn:  # pyright: ignore[reportReturnType]  # as above
    *_, before_a_lock = guess_limits(call.settings.project_id, guess, call.settings.locks)
    forget_later(call, before_a_lock)
    after = locked(guess.subject, guess.factor, call)
    notify_of(call, guess.subject, after, Notice.ACCOUNT_LOCKED)
    await commit(Update(after), subject_id=after.id, factor=guess.factor, refusal=locked_refusal(call, guess))
