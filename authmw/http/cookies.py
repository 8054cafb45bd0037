"""Strict reading of `Cookie` headers and careful writing of `Set-Cookie` values.

Law: a cookie counts only when it stands exactly once and is made of cookie-octets (RFC 6265 section 4.1.1); whatever
is in doubt acts as no cookie, and a name that stands twice is told apart because somebody may have planted the other
one (SES-03). Nothing is decoded or unquoted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import attrs

from authmw.errors import AuthError, Misconfigured
from authmw.faults import COOKIE_DOMAIN, COOKIE_NAME, COOKIE_PATH

MAXIMUM_COOKIE = 4096
"""Bytes of name and value together; browsers drop what is larger (RFC 6265 section 6.1)."""

# Visible ASCII without quote, comma, semicolon and backslash. WSGI servers join repeated Cookie headers with a comma:
# such a value is refused.
_VALUE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")


class DuplicateCookie(AuthError):
    """A cookie stands more than once: the caller treats the request as without a session and records an event."""

    def __init__(self) -> None:
        super().__init__("A cookie stands more than once in the request.")


class CookieTooLarge(AuthError):
    """A cookie would be over 4096 bytes, which browsers drop without a word; it is refused, never cut."""

    def __init__(self) -> None:
        super().__init__(f"A cookie's name and value may have {MAXIMUM_COOKIE} bytes together.")


def sole(headers: Sequence[str], name: str, *, maximum: int = MAXIMUM_COOKIE) -> str | None:
    """The value of the one cookie called `name` in all `Cookie` headers of a request, or None.

    `headers` are the headers' values, decoded as Latin-1. None: there is none, or it is empty, has no `=`, holds a
    character that a value may not hold (quotes, commas, whitespace, controls, anything beyond ASCII), or is larger
    than `maximum` bytes, name and value together. The value is what was sent: no percent-decoding.

    Raises DuplicateCookie when the name stands more than once, even if only one of them could be used.
    """
    found: list[str] = []
    for header in headers:
        if name in header:
            # Stripped of everything that any parser strips: what another reader might take for this cookie counts as a
            # second one.
            found.extend(pair for pair in header.split(";") if pair.partition("=")[0].strip() == name)
    if len(found) > 1:
        raise DuplicateCookie
    if not found:
        return None
    written, _, value = found[0].strip(" \t").partition("=")
    if written != name or not value or not _VALUE.fullmatch(value) or len(name) + len(value) > maximum:
        return None
    return value


def _be_consistent(spec: CookieSpec) -> None:
    faults: list[str] = []
    prefix = spec.name.lower()  # browsers compare the prefixes without regard to case
    if not COOKIE_NAME.fullmatch(spec.name):
        faults.append("the name is not a token")
    if prefix.startswith("__host-") and (not spec.secure or spec.domain is not None or spec.path != "/"):
        faults.append("a __Host- name needs Secure, Path=/ and no Domain")
    if prefix.startswith("__secure-") and not spec.secure:
        faults.append("a __Secure- name needs Secure")
    if spec.samesite == "None" and not spec.secure:
        faults.append("SameSite=None needs Secure")
    if spec.domain is not None and not COOKIE_DOMAIN.fullmatch(spec.domain):
        faults.append("the domain is not a lower-case host name of two labels or more")
    if not COOKIE_PATH.fullmatch(spec.path):
        faults.append("the path does not start with a slash or holds a character it may not hold")
    if faults:
        raise Misconfigured("Cookie: " + "; ".join(faults) + ".")


@attrs.frozen(kw_only=True)
class CookieSpec:
    """How one of our cookies is written: everything but its value.

    Raises Misconfigured, with every fault named, for what a browser would refuse or understand differently: a name
    that is no token, a `__Host-` name with a Domain, another path or without Secure (RFC 6265bis section 4.1.3),
    `SameSite=None` without Secure, and the like.
    """

    name: str
    domain: str | None = None
    path: str = "/"
    secure: bool = True
    httponly: bool = True
    samesite: Literal["Strict", "Lax", "None"] = "Lax"
    _attributes: str = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        _be_consistent(self)
        parts = [
            f"; Path={self.path}",
            f"; Domain={self.domain}" if self.domain is not None else "",
            "; Secure" if self.secure else "",
            "; HttpOnly" if self.httponly else "",
            f"; SameSite={self.samesite}",
        ]
        object.__setattr__(self, "_attributes", "".join(parts))

    def set(self, value: str, max_age: int | None = None) -> str:
        """The `Set-Cookie` value that stores `value` for `max_age` seconds (None: until the browser is closed).

        Raises ValueError for a value that is empty or not made of cookie-octets (so no line break, no second attribute
        and no second header can be smuggled in) or a `max_age` below one; CookieTooLarge over 4096 bytes.
        """
        if not value or not _VALUE.fullmatch(value):
            raise ValueError("A cookie's value must be made of cookie-octets.")
        if max_age is not None and max_age < 1:
            raise ValueError("A cookie lives for a second at least; clear() removes it.")
        if len(self.name) + len(value) > MAXIMUM_COOKIE:
            raise CookieTooLarge
        lasting = "" if max_age is None else f"; Max-Age={max_age}"
        return f"{self.name}={value}{self._attributes}{lasting}"

    def clear(self) -> str:
        """The `Set-Cookie` value that removes the cookie: same name and attributes, or browsers keep it (SES-08)."""
        return f"{self.name}={self._attributes}; Max-Age=0"
