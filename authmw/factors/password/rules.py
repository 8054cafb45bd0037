"""Pure decisions about passwords: how long they are, how strong, and what to say of a weak one.

Law: a verdict depends on the password, the project's policy and the words that have to do with the person, and on nothing else. No rule asks for a composition under the
default policy (SP 800-63B-4 section 3.1.1.2); what is asked for is that a password is hard to guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import attrs

from authmw.crypto.passwords import MAXIMUM_POINTS, normalized
from authmw.errors import Misconfigured, Refused
from authmw.factors.password import feedback as words
from authmw.factors.password.common import is_common
from authmw.settings import PasswordRules

if TYPE_CHECKING:
    from types import ModuleType

VALID_SCORE = 3
"""The least score of the estimator (0 to 4) that is accepted."""
SYMBOLS_LOOKED_AT = 8
"""More different symbols than this make the estimator try too many readings."""
POINTS_THEN = 32
MAXIMUM_TAIL = 4
_READ_AS_LETTERS = frozenset("4@8({[<369!1|0$5+7%2")
MAXIMUM_WORDS = 10
MAXIMUM_WORD = 100
_TAIL = re.compile(r"[\W\d_]+\Z")
_BETWEEN = re.compile(r"[\W\d_]+")
_PARTS = re.compile(r"[^\W_]{3,}")


@attrs.frozen(kw_only=True)
class Luds:
    """Which kinds of characters a password has (lower, upper, digit, symbol: anything else), and how many kinds and characters it lacks."""

    has_lower_case: bool
    has_upper_case: bool
    has_digit: bool
    has_symbol: bool
    missing_complexity: int
    missing_characters: int


@attrs.frozen(kw_only=True)
class Strength:
    """The verdict on a password: whether the policy takes it, its score (0 to 4), and what to say about it."""

    valid: bool
    score: int
    warning: str = ""
    suggestions: tuple[str, ...] = ()
    luds: Luds | None = None

    def told(self) -> str:
        """Why it is refused, in one text."""
        return " ".join((self.warning or words.EASY, *self.suggestions))


def check_length(password: str, rules: PasswordRules | None = None, *, field: str = "password") -> str:
    """The password in its one form, if it may be worked on at all: at most 1024 code points of Unicode, and with rules not more than the project takes.

    Called before anything that costs time (PWD-04). Refused: `bad_request`, naming the `field`. A password that is too short is not refused here: that is part of its strength.
    """
    if len(password) > MAXIMUM_POINTS or any("\ud800" <= point <= "\udfff" for point in password):
        raise Refused("bad_request", f"`$.{field}` must be text of at most {MAXIMUM_POINTS} characters.")
    form = normalized(password)
    limit = rules.maximum_length if rules else MAXIMUM_POINTS
    if len(form) > limit:
        raise Refused("bad_request", f"`$.{field}` has more than {limit} characters.")
    return form


def context_words(*texts: str) -> tuple[str, ...]:
    """The words that a person's password should not be made of: each text, and the parts of it that have three letters or more; at most ten of up to 100 characters."""
    found: dict[str, None] = {}
    for text in texts:
        for word in (text, *_PARTS.findall(text)):
            if 3 <= len(word) <= MAXIMUM_WORD:
                found.setdefault(word.casefold())
    return tuple(found)[:MAXIMUM_WORDS]


def strength_of(password: str, rules: PasswordRules, context: Iterable[str] = ()) -> Strength:
    """The verdict on a password in its one form (`check_length`). `context` are `context_words`. Takes up to 50 ms for hostile ones."""
    about = tuple(context)
    found = _estimate(password, about)
    luds = luds_of(password, rules) if rules.policy == "luds" else None
    lacks = max(0, rules.minimum_length - len(password))
    common, own = _is_known(password, rules), is_own_word(password, about)
    enough = luds.missing_complexity == 0 if luds else found.score >= VALID_SCORE
    if enough and not lacks and not common and not own:
        return attrs.evolve(found, valid=True, luds=luds)
    if own:
        return attrs.evolve(
            found, warning=words.OWN_WORDS, suggestions=(words.OTHER,), score=min(found.score, 1), luds=luds
        )
    if common:
        return attrs.evolve(found, warning=found.warning or words.COMMON, score=min(found.score, 1), luds=luds)
    if lacks:
        return attrs.evolve(
            found, warning=words.TOO_SHORT, suggestions=(words.LONGER,), score=min(found.score, 2), luds=luds
        )
    if luds is not None:
        return attrs.evolve(
            found, warning=words.EASY, suggestions=(words.MORE_KINDS,), score=min(found.score, 2), luds=luds
        )
    return found


def luds_of(password: str, rules: PasswordRules) -> Luds:
    """The kinds of characters that a password has, against how many of the four the policy wants."""
    kinds = (
        any("a" <= one <= "z" for one in password),
        any("A" <= one <= "Z" for one in password),
        any("0" <= one <= "9" for one in password),
        any(not (one.isascii() and one.isalnum()) for one in password),
    )
    return Luds(
        has_lower_case=kinds[0],
        has_upper_case=kinds[1],
        has_digit=kinds[2],
        has_symbol=kinds[3],
        missing_complexity=max(0, rules.luds_complexity - sum(kinds)),
        missing_characters=max(0, rules.minimum_length - len(password)),
    )


def is_own_word(password: str, context: Iterable[str]) -> bool:
    """Whether a password is nothing but words of the context, in any case of letters, with digits and symbols between and behind them or not."""
    folded, words_known = password.casefold(), frozenset(context)
    pieces = frozenset(_BETWEEN.split(folded)) - {""}
    return not words_known.isdisjoint({folded, _TAIL.sub("", folded)}) or (bool(pieces) and pieces <= words_known)


def _is_known(password: str, rules: PasswordRules) -> bool:
    """Whether a password is on the list; where kinds of characters are counted also what only had a few digits and symbols hung on to please a count."""
    if is_common(password):
        return True
    bare = _TAIL.sub("", password)
    return rules.policy == "luds" and 0 < len(password) - len(bare) <= MAXIMUM_TAIL and is_common(bare)


def looked_at(password: str) -> str:
    """What the estimator is given: all of a password, but of one full of symbols that can be read as letters only the beginning, since it would try every reading of them."""
    symbols = _READ_AS_LETTERS.intersection(password)
    return password[:POINTS_THEN] if len(symbols) > SYMBOLS_LOOKED_AT else password


def _estimate(password: str, context: tuple[str, ...]) -> Strength:
    if not password:
        return Strength(valid=False, score=0)
    found = _library().zxcvbn(looked_at(password), list(context))
    said = found.feedback
    named = _named(said.warning) if said is not None and said.warning is not None else ""
    advice = [_named(one) for one in said.suggestions] if said is not None else []
    return Strength(
        valid=False,
        score=int(found.score),
        warning=words.WARNINGS.get(named, words.EASY) if named else "",
        suggestions=tuple(words.SUGGESTIONS[name] for name in advice if name in words.SUGGESTIONS),
    )


def _named(member: object) -> str:
    """The name of one of the library's values; their text is theirs, and changes with its version."""
    return repr(member).rpartition(".")[2]


def _library() -> ModuleType:
    try:
        import zxcvbn_rs_py
    except ImportError:
        raise Misconfigured("Passwords need the package zxcvbn-rs-py: pip install 'authmw[passwords]'") from None
    return zxcvbn_rs_py
