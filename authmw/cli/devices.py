"""Sessions in words: which browser on which system, and how somebody proved who they are.

Law: a user agent is whatever its sender wanted to say; it is a help for people who look at their own sessions, and nothing is decided by it.
"""

from __future__ import annotations

import re

from authmw.consumer.answers import SessionAnswer

_BROWSERS = (
    ("Edge", r"Edg(?:e|A|iOS)?/"),
    ("Opera", r"OPR/|Opera"),
    ("Samsung Internet", r"SamsungBrowser/"),
    ("Firefox", r"Firefox/|FxiOS/"),
    ("Chrome", r"Chrome/|CriOS/|Chromium/"),
    ("Safari", r"Version/[\d.]+ .*Safari/"),
)
"""Most say that they are several: the first that is found is meant."""
_SYSTEMS = (
    ("Android", r"Android"),
    ("iPhone", r"iPhone"),
    ("iPad", r"iPad"),
    ("Windows", r"Windows"),
    ("macOS", r"Macintosh|Mac OS X"),
    ("ChromeOS", r"CrOS"),
    ("Linux", r"Linux|X11"),
)
_PRODUCT = re.compile(r"([A-Za-z][A-Za-z0-9._-]{0,30})(?:/|$)")
_FACTORS = {
    "magic_link": "a link",
    "password": "a password",
    "totp": "an authenticator app",
    "recovery_codes": "a recovery code",
    "webauthn": "a passkey",
    "signature_challenge": "a device",
    "crypto": "a crypto wallet",
    "oauth": "an account elsewhere",
    "sso": "an account elsewhere",
}
_CODES = {"email": "a code by e-mail", "sms": "a code by SMS", "whatsapp": "a code by WhatsApp"}


def device_of(user_agent: str) -> str:
    """The browser and system of a user agent, such as "Chrome on Linux"; a program by the name it gives itself; else "Unknown device"."""
    browser = next((name for name, said in _BROWSERS if re.search(said, user_agent)), "")
    system = next((name for name, said in _SYSTEMS if re.search(said, user_agent)), "")
    if browser and system:
        return f"{browser} on {system}"
    product = _PRODUCT.match(user_agent)
    named = product[1] if product is not None and product[1] != "Mozilla" else ""
    return browser or named or system or "Unknown device"


def proofs_of(session: SessionAnswer) -> str:
    """With what a session was proved, each kind once, in the order of the proofs."""
    said = (
        _CODES.get(factor["delivery_method"], "a code")
        if factor["type"] == "otp"
        else _FACTORS.get(factor["type"], str(factor["type"]).replace("_", " "))
        for factor in session.authentication_factors
    )
    *first, last = dict.fromkeys(said)
    return f"{', '.join(first)} and {last}" if first else last
