"""Who knows a password: counted, compared, and refused alike whether anybody is known (ENU-01, ENU-02)."""

from __future__ import annotations

from datetime import timedelta
from typing import NoReturn

import attrs

from authmw.consumer.otps.codes import decoy
from authmw.errors import Refused
from authmw.factors.password.rules import check_length, context_words
from authmw.ledger.commits import commit
from authmw.limits import Limit
from authmw.operations import Call
from authmw.people.directory import user_by_email
from authmw.people.records import Credential, Part, Subject, User
from authmw.people.rules import REQUIRES_RESET
from authmw.signin.attempts import Guess, count_guess, forget_guesses, refuse_guess
from authmw.signin.limits import charge, of_visitor
from authmw.signin.passwords import FACTOR, check_room, is_right, judge, password_of

WRONG = "unauthorized_credentials"
"""How every password that signs nobody in is refused."""


@attrs.frozen(kw_only=True)
class Known:
    """Somebody who was just shown to know their password."""

    user: User
    part: Part
    credential: Credential


async def who_knows(call: Call, address: str, password: str) -> Known:
    """The user of this address who has this password.

    Refused: `unauthorized_credentials` for everything that is not so (backends are told `email_not_found` for an address nobody has), `user_lock_limit_reached` where
    that may be told, `bad_request` for what cannot be a password, `reset_password` for a right one that signs nobody in any more.
    """
    check_length(password)
    try:
        known = await _compared(call, address, password)
    except Refused as refused:
        if refused.error_type == WRONG:
            # Not Basic: a browser would ask for a password in a dialog of its own.
            refused.challenge = 'Session realm="authmw"'
        raise
    if known.part.details.get(REQUIRES_RESET) or known.user.status == "pending":
        await commit(subject_id=known.user.id, factor=FACTOR, refusal=Refused("reset_password"))
    return known


async def check_still_good(call: Call, known: Known, password: str) -> None:
    """Refused: `weak_password`, `breached_password` for a right password that the project does not take at sign-in (off unless it says so)."""
    rules = call.settings.passwords
    if not rules.strength_at_sign_in and not rules.breaches_at_sign_in:
        return
    about = about_person(call, known.user)
    verdict = await judge(call, check_length(password), about, ask=rules.breaches_at_sign_in)
    refusal = None
    if rules.strength_at_sign_in and not verdict.strength.valid:
        refusal = Refused("weak_password", verdict.strength.told())
    if verdict.breaches == "found":
        refusal = Refused("breached_password")
    if refusal is not None:
        await commit(subject_id=known.user.id, factor=FACTOR, refusal=refusal)


def about_person(call: Call, user: Subject, *more: str) -> tuple[str, ...]:
    """The words that a password should not be made of: the project's name, and what is known of the person."""
    addresses = (email.address for email in user.emails)
    return context_words(call.settings.name, *more, *addresses, user.first_name, user.middle_name, user.last_name)


def guesses_of_visitor(call: Call) -> tuple[Limit, ...]:
    """How many passwords one visitor may try, of whomever."""
    return of_visitor(call, "passwords tried", 100, timedelta(minutes=10))


async def _compared(call: Call, address: str, password: str) -> Known:
    check_room()
    await charge(call, *guesses_of_visitor(call))
    user = await user_by_email(call.storage, address)
    part = password_of(user) if user is not None else None
    credential = await call.storage.get(Credential, part.part_id if part else decoy(call, "password", address))
    if user is None or part is None or credential is None or credential.subject_id != user.id:
        await _nobody(call, address, password, user)
    guess = guess_at(user, part, by_own_session=False)
    refused = await _counted(call, guess)
    if refused is not None and not _is_told(call) and refused.error_type == "user_lock_limit_reached":
        refused = Refused(WRONG)
    right = await is_right(call, credential, password)
    if refused is not None:
        await _refuse(call, refused, user)
    if not right:
        await refuse_guess(guess)
    forget_guesses(call, guess)
    return Known(user=user, part=part, credential=credential)


def guess_at(user: Subject, part: Part, *, by_own_session: bool) -> Guess:
    """A guess at this password."""
    return Guess(subject=user, factor=FACTOR, authenticator=part.part_id, refusal=WRONG, by_own_session=by_own_session)


def _is_told(call: Call) -> bool:
    """Whether the caller is told who is known: a backend is, and not a host's own view, whose answer is the public's."""
    return call.caller.audience == "backend" or call.settings.reveal_unknown


async def _counted(call: Call, guess: Guess) -> Refused | None:
    """The refusal of a guess too many, kept until the password was compared all the same: an answer that comes sooner would tell who is known."""
    try:
        await count_guess(call, guess)
    except Refused as refused:
        return refused
    return None


async def _nobody(call: Call, address: str, password: str, user: User | None) -> NoReturn:
    """Nobody has this address, or they have no password: counted, compared and logged as a wrong guess is."""
    locks, told = call.settings.locks, _is_told(call)
    limit = Limit("passwords of nobody", (call.settings.project_id, address), locks.threshold, _lock_of(locks.minutes))
    refusal = Refused("email_not_found" if told and user is None else WRONG)
    try:
        await charge(call, limit)
    except Refused:
        refusal = Refused("user_lock_limit_reached" if told else WRONG)
    await is_right(call, None, password)
    await _refuse(call, refusal, user)


async def _refuse(call: Call, refusal: Refused, user: Subject | None) -> NoReturn:
    if not call.committed:
        await commit(subject_id=user.id if user else "", factor=FACTOR, refusal=refusal)
    raise refusal


def _lock_of(minutes: int) -> timedelta:
    return timedelta(minutes=minutes)
