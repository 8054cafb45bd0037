"""Pure decisions of time-based one-time passwords (RFC 6238): which step a code belongs to, and that none is accepted twice.

Law: a code is six ASCII digits, nothing is normalised; every step of the window is compared in constant time; a step is accepted once, and none before it after it.
"""

from __future__ import annotations

import base64
import re
from datetime import datetime

from authmw.crypto import tokens
from authmw.errors import Refused

STEP = 30
"""Seconds a code lives (RFC 6238 section 5.2)."""
DIGITS = 6
SEED_BYTES = 20
"""160 bits (RFC 4226 section 4, R6)."""

_CODE = re.compile(r"[0-9]{6}")


def step_of(now: datetime) -> int:
    """The time step a time lies in."""
    return int(now.timestamp()) // STEP


def code_of(seed: bytes, step: int) -> str:
    """The code of a step, by HMAC-SHA-1, which is what every authenticator app computes."""
    from pyotp.totp import TOTP

    return TOTP(base32(seed), digits=DIGITS, interval=STEP).generate_otp(step)


def base32(seed: bytes) -> str:
    """A seed as apps take it: base32 without padding (RFC 4648 section 6). 20 bytes are 32 characters."""
    return base64.b32encode(seed).decode("ascii").rstrip("=")


def provisioning_uri(seed: bytes, *, account: str, issuer: str) -> str:
    """The `otpauth://totp/...` address that a QR code shows to an app; issuer and account are percent-encoded."""
    from pyotp.totp import TOTP

    return TOTP(base32(seed), digits=DIGITS, interval=STEP).provisioning_uri(name=account, issuer_name=issuer)


def accepted_step(seed: bytes, code: str, now: datetime, *, last_step: int, window: int) -> int:
    """The step whose code was given: within `window` steps of now and later than the last one accepted (RFC 6238 section 5.2).

    Refused: `invalid_totp_code` for what cannot be a code, `unable_to_authenticate_totp` for one of another step or seed, `totp_code_already_authenticated` for one that was used.
    """
    if not _CODE.fullmatch(code):
        raise Refused("invalid_totp_code")
    present = step_of(now)
    matching = [step for step in range(present - window, present + window + 1) if _is_code(seed, step, code)]
    if not matching:
        raise Refused("unable_to_authenticate_totp")
    unused = [step for step in matching if step > last_step]
    if not unused:
        raise Refused("totp_code_already_authenticated")
    return unused[0]


def _is_code(seed: bytes, step: int, code: str) -> bool:
    return step >= 0 and tokens.same(code_of(seed, step), code)
