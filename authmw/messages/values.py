"""What a message is told.

Law: names, organizations and devices are other people's words. They are shown only if they cannot be read as a link
or an instruction by a mail program or a person in a hurry; otherwise the message does without them.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from enum import StrEnum

import attrs


class Notice(StrEnum):
    """What happened to an account; the value is the key of its words in the catalogues."""

    FACTOR_ADDED = "factor_added"
    FACTOR_REMOVED = "factor_removed"
    PASSWORD_CHANGED = "password_changed"
    EMAIL_CHANGED = "email_changed"
    PHONE_CHANGED = "phone_changed"
    NEW_SIGN_IN = "new_sign_in"
    RECOVERY_CODE_USED = "recovery_code_used"
    RECOVERY_CODES_SHOWN = "recovery_codes_shown"
    SESSIONS_ENDED = "sessions_ended"
    ACCOUNT_LOCKED = "account_locked"
    ACCOUNT_EXISTS = "account_exists"
    """Somebody tried to sign up with an address that has an account (ENU-01)."""


class ChangedFactor(StrEnum):
    """What kind of factor a notice is about; the value is the key of its name in the catalogues."""

    EMAIL = "email"
    PHONE_NUMBER = "phone_number"
    PASSWORD = "password"
    TOTP = "totp"
    RECOVERY_CODES = "recovery_codes"
    PASSKEY = "passkey"
    BIOMETRIC = "biometric"
    OAUTH = "oauth"
    SSO = "sso"
    CRYPTO_WALLET = "crypto_wallet"


_LINK = re.compile(r"https?://[!#-;=?-\[\]_a-z~]+", re.ASCII)
_CODE = re.compile(r"[0-9A-Za-z-]{4,32}", re.ASCII)
_DOMAIN = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*", re.ASCII)
_LINKLIKE = re.compile(r"://|www\.|@|[^\W\d_]{2,}\.[^\W\d_]{2,}|\.[^\W\d_]{2,}(?:[/:?#]|$)")
MAXIMUM_MINUTES = 527_040
"""A leap year."""
_SHOWN = {"L", "M", "N", "P", "S", "Z"}


def _is_line(text: str, limit: int) -> bool:
    if not text.strip() or len(text) > limit:
        return False
    return all(unicodedata.category(one)[0] in _SHOWN and unicodedata.category(one) not in {"Zl", "Zp"} for one in text)


def harmless(text: str | None, limit: int) -> str:
    """Other people's words if they are one line that nobody takes for a link, else an empty text."""
    return text if text is not None and _is_line(text, limit) and not _LINKLIKE.search(text) else ""


def harmless_name(text: str | None) -> str:
    """A first name if it is letters, spaces, hyphens, apostrophes and dots, at most 50 characters; else empty."""
    plain = harmless(text, 50)
    return plain if all(unicodedata.category(one)[0] in {"L", "M"} or one in " '’-." for one in plain) else ""  # noqa: RUF001 -- an apostrophe


def _given(text: str | None) -> str | None:
    return text or None


@attrs.frozen(kw_only=True)
class MessageValues:
    """What one message says. Raises ValueError, which never shows the value.

    `product` is the project's own name (1 to 100 characters). `link` is an absolute http(s) URL that we built, as is
    `login_link`, by which a mail about a password signs in without one; `code` has 4 to 32 ASCII letters, digits or
    hyphens, `minutes` says how long they hold; an empty text is none. `first_name`,
    `organization` and `device` (which device asked, as we summarize it) are left out of the message unless they are
    harmless. `happened_at` is aware. `notice` says what happened and `factor` to which kind of factor; `remaining` how
    many recovery codes are left after that.
    """

    product: str
    link: str | None = attrs.field(default=None, converter=_given, repr=False)
    login_link: str | None = attrs.field(default=None, converter=_given, repr=False)
    code: str | None = attrs.field(default=None, converter=_given, repr=False)
    minutes: int | None = None
    first_name: str | None = attrs.field(default=None, repr=False)
    organization: str | None = attrs.field(default=None, repr=False)
    device: str | None = attrs.field(default=None, repr=False)
    happened_at: datetime | None = None
    notice: Notice | None = None
    factor: ChangedFactor | None = None
    remaining: int | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse what we ourselves must have made wrong."""
        faults = [
            name
            for name, wrong in (
                ("product", not _is_line(self.product, 100)),
                ("link", self.link is not None and not _LINK.fullmatch(self.link)),
                ("login_link", self.login_link is not None and not _LINK.fullmatch(self.login_link)),
                ("code", self.code is not None and not _CODE.fullmatch(self.code)),
                ("minutes", self.minutes is not None and not 1 <= self.minutes <= MAXIMUM_MINUTES),
                ("happened_at", self.happened_at is not None and self.happened_at.tzinfo is None),
                ("remaining", self.remaining is not None and self.remaining < 0),
            )
            if wrong
        ]
        if faults:
            message = f"These values of a message are not well formed: {', '.join(faults)}."
            raise ValueError(message)

    @property
    def time(self) -> str:
        """When it happened, to the minute, in UTC; empty if unknown."""
        return f"{self.happened_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if self.happened_at else ""


def domain_binding(domain: str, code: str) -> str:
    """The last line of a text that lets phones fill in the code on this domain only.

    WICG "Origin-bound one-time codes delivered via SMS", section 4.2.
    Raises ValueError for what is not a lower-case host name or not a code.
    """
    if not _DOMAIN.fullmatch(domain) or not _CODE.fullmatch(code):
        message = "A text can be bound to a lower-case host name and a code only."
        raise ValueError(message)
    return f"@{domain} #{code}"
