"""What no project starts with: each unsafe or contradictory value is refused where settings are built, and named (CFG-01, CFG-02)."""

from __future__ import annotations

from typing import Any

import pytest

from authmw import (
    Cookies,
    Misconfigured,
    OAuthProvider,
    PasswordRules,
    Provider,
    RedirectType,
    RedirectURL,
    SessionRules,
    Settings,
)
from authmw.settings import LockRules, PhoneRules, TOTPRules
from tests.world import PROJECT_ID, SECRET

LIVE: dict[str, Any] = {
    "project_id": "project-live-00000000-0000-4000-8000-000000000000",
    "secret": "9f8e7d6c5b4a39281706f5e4d3c2b1a0ffee",
    "root_keys": (bytes(range(32)),),
    "public_url": "https://app.example.org",
}
TEST: dict[str, Any] = {"project_id": PROJECT_ID, "secret": SECRET}
LOGIN = [RedirectType.LOGIN]


def faults_of(base: dict[str, Any], **changed: Any) -> list[str]:
    with pytest.raises(Misconfigured) as refused:
        Settings(**{**base, **changed})
    text = str(refused.value) + repr(refused.value)
    for secret in (base["secret"], changed.get("secret", base["secret"])):
        assert len(secret) < 16 or secret not in text
    return list(refused.value.faults)


def test_what_is_safe_starts() -> None:
    assert Settings(**LIVE).live
    assert not Settings(**TEST).live


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"secret": "changeme"}, "secret"),
        ({"secret": "short-1f"}, "secret"),
        ({"secret": "example-secret-9f8e7d6c5b4a39281706f5e4d3c2"}, "secret"),
        ({"root_keys": ()}, "root_keys"),
        ({"root_keys": (b"k" * 32,)}, "root_keys"),
        ({"root_keys": (bytes(range(31)),)}, "root_keys"),
        ({"root_keys": (bytes(range(32)), bytes(range(32)))}, "root_keys"),
        ({"public_url": "http://app.example.org"}, "public_url"),
        ({"cookies": Cookies(secure=False)}, "cookies.secure"),
        ({"debug": True}, "debug"),
        ({"cors_origins": ("http://app.example.org",)}, "cors_origins"),
        ({"cors_origins": ("*",)}, "cors_origins"),
        ({"cors_origins": ("null",)}, "cors_origins"),
        ({"redirect_urls": (RedirectURL("http://app.example.org/a", LOGIN),)}, "redirect_urls"),
        ({"redirect_urls": (RedirectURL("https://*.example.org/a", LOGIN),)}, "redirect_urls"),
        ({"redirect_urls": (RedirectURL("javascript:alert(1)", LOGIN),)}, "redirect_urls"),
        ({"passwords": PasswordRules(memory_kib=8192)}, "passwords.memory_kib"),
        ({"passwords": PasswordRules(iterations=1)}, "passwords.memory_kib"),
        (
            {"oauth": (OAuthProvider(name="acme", client_id="i", client_secret="s", issuer="http://a.example"),)},
            "oauth",
        ),
        ({"provider": Provider(refresh_days=0)}, "provider.refresh_days"),
        ({"session_migration_url": "http://10.0.0.1/userinfo"}, "session_migration_url"),
        ({"ip_allow_list": ("everywhere",)}, "ip_allow_list"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_live_refuses_what_is_unsafe_and_says_which(changed: dict[str, Any], named: str) -> None:
    """A195, A297, CFG-01: by its name, and never by its value where that is secret."""
    faults = faults_of(LIVE, **changed)
    assert any(named in fault for fault in faults), faults


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"project_id": "project-prod-1"}, "project_id"),
        ({"public_url": "app.example.org"}, "public_url"),
        ({"public_url": "http://localhost:8000/"}, "public_url"),
        ({"mount": "auth"}, "mount"),
        ({"mount": "/auth/"}, "mount"),
        ({"managed": frozenset({"everything"})}, "managed"),
        ({"cors_origins": ("https://app.example.org/",)}, "cors_origins"),
        ({"cookies": Cookies(secure=False, domain="example.org")}, "cookies.domain"),
        ({"ip_allow_list": tuple(f"192.0.2.{number}" for number in range(11))}, "ip_allow_list"),
        ({"totp": TOTPRules(expiration_minutes=4)}, "totp.expiration_minutes"),
        ({"totp": TOTPRules(expiration_minutes=1441)}, "totp.expiration_minutes"),
        ({"totp": TOTPRules(window=2)}, "totp.window"),
        ({"passwords": PasswordRules(minimum_length=7)}, "passwords.minimum_length"),
        ({"passwords": PasswordRules(maximum_length=63)}, "passwords.maximum_length"),
        ({"passwords": PasswordRules(maximum_length=1025)}, "passwords.maximum_length"),
        ({"passwords": PasswordRules(luds_complexity=5)}, "passwords.luds_complexity"),
        ({"passwords": PasswordRules(peppers=(b"short",))}, "passwords.peppers"),
        ({"passwords": PasswordRules(memory_kib=4)}, "passwords.memory_kib"),
        ({"sessions": SessionRules(maximum_minutes=4)}, "sessions.maximum_minutes"),
        ({"sessions": SessionRules(idle_minutes=0)}, "sessions.idle_minutes"),
        ({"sessions": SessionRules(absolute_minutes=0)}, "sessions.absolute_minutes"),
        ({"locks": LockRules(threshold=0)}, "locks.threshold"),
        ({"locks": LockRules(minutes=0)}, "locks.minutes"),
        ({"phones": PhoneRules(per_day=0)}, "phones: a budget"),
        ({"phones": PhoneRules(countries=frozenset({"Narnia"}))}, "phones.countries"),
        ({"sessions": SessionRules(default_minutes=0)}, "sessions.default_minutes"),
        ({"oauth": (OAuthProvider(name="google", client_id="i", client_secret="s"),) * 2}, "oauth names"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_no_environment_starts_with_what_cannot_work(changed: dict[str, Any], named: str) -> None:
    """CFG-02."""
    faults = faults_of(TEST, **changed)
    assert any(named in fault for fault in faults), faults


def test_every_fault_is_named_at_once() -> None:
    faults = faults_of(LIVE, secret="changeme", root_keys=(), public_url="http://a.example", debug=True)
    assert len(faults) == 4


def test_an_unknown_setting_or_a_wrong_type_of_rules_is_an_error() -> None:
    """CFG-02: nothing is guessed, and nothing is ignored."""
    with pytest.raises(TypeError):
        Settings(**TEST, magic_link="on")  # type: ignore[call-arg]  # what nobody knows
    with pytest.raises((Misconfigured, TypeError, AttributeError)):
        Settings(**TEST, sessions={"idle_minutes": 5})  # type: ignore[arg-type]  # a mapping is none
