"""Proof keys for code exchange by S256, the only method there is here (RFC 7636; RFC 9700 section 2.1.1)."""

from __future__ import annotations

import hashlib
import re

from authmw.crypto import tokens

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]", re.ASCII)
"""Base64url of 32 bytes: the last letter holds four bits, so only sixteen can stand there."""
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)


def challenge_of(verifier: str) -> str:
    """The challenge of a verifier (section 4.2)."""
    return tokens.base64url(hashlib.sha256(verifier.encode("ascii")).digest())


_OF_NOTHING = challenge_of("")


def is_challenge(text: str) -> bool:
    """Whether some verifier can have this challenge; that of an empty one, which a broken client sends, cannot be answered."""
    return _CHALLENGE.fullmatch(text) is not None and text != _OF_NOTHING


def is_verifier(text: str) -> bool:
    """Whether it is 43 to 128 unreserved characters (section 4.1)."""
    return _VERIFIER.fullmatch(text) is not None


def answers(verifier: str, challenge: str) -> bool:
    """Whether a verifier belongs to a challenge (section 4.6)."""
    return is_verifier(verifier) and tokens.same(challenge_of(verifier), challenge)
