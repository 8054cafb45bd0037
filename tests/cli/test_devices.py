"""What the account page calls a session's device."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.cli.devices import device_of, proofs_of
from authmw.consumer.answers import SessionAnswer
from authmw.testing import FixedClock

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} Chrome/131.0.0.0 Safari/537.36", "Chrome on Linux"),
        (f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} HeadlessChrome/131.0.0.0 Safari/537.36", "Chrome on Linux"),
        (
            f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/131.0.0.0 Safari/537.36 Edg/131.0",
            "Edge on Windows",
        ),
        (f"Mozilla/5.0 (Linux; Android 14) {WEBKIT} Chrome/131.0.0.0 Mobile Safari/537.36", "Chrome on Android"),
        (
            f"Mozilla/5.0 (Linux; Android 14) {WEBKIT} SamsungBrowser/26.0 Chrome/122.0 Mobile Safari/537.36",
            "Samsung Internet on Android",
        ),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/131.0.0.0 Safari/537.36", "Chrome on ChromeOS"),
        (
            f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/130.0 Safari/537.36 OPR/115.0",
            "Opera on Windows",
        ),
        ("Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", "Firefox on Linux"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
            "Safari on macOS",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            "Mozilla/5.0 (iPad; CPU OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/131.0 Mobile/15E148 Safari/604.1",
            "Chrome on iPad",
        ),
        ("curl/8.5.0", "curl"),
        ("Stytch Python v15.3.0", "Unknown device"),
        ("my-app", "my-app"),
        ("Mozilla/5.0 (X11; Linux)", "Linux"),
        ("Mozilla/5.0", "Unknown device"),
        ("", "Unknown device"),
        ("<script>alert(1)</script>", "Unknown device"),
    ],
)
def test_a_browser_and_its_system_are_named(said: str, expected: str) -> None:
    assert device_of(said) == expected


@given(st.text(max_size=1024))
def test_whatever_a_sender_says_is_named_shortly(said: str) -> None:
    assert 0 < len(device_of(said)) <= 40


@pytest.mark.parametrize(
    ("factors", "expected"),
    [
        ([("magic_link", "email")], "a link"),
        ([("otp", "email"), ("otp", "sms")], "a code by e-mail and a code by SMS"),
        ([("oauth", "oauth_google"), ("oauth", "oauth_github")], "an account elsewhere"),
        ([("password", "knowledge"), ("totp", "authenticator_app")], "a password and an authenticator app"),
        (
            [("otp", "whatsapp"), ("crypto", "crypto_wallet"), ("signature_challenge", "biometric")],
            "a code by WhatsApp, a crypto wallet and a device",
        ),
        ([("something_new", "else")], "something new"),
    ],
)
def test_the_proofs_of_a_session_are_named(factors: list[tuple[str, str]], expected: str) -> None:
    now = FixedClock().now()
    session = SessionAnswer(
        session_id="s",
        user_id="u",
        authentication_factors=[{"type": type_, "delivery_method": method} for type_, method in factors],
        roles=[],
        started_at=now,
        last_accessed_at=now,
        expires_at=now,
        attributes={},
        custom_claims={},
    )
    assert proofs_of(session) == expected
