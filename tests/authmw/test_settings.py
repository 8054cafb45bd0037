"""What no project starts with: each unsafe or contradictory value is refused where settings are built, and named (CFG-01, CFG-02)."""

from __future__ import annotations

from typing import Any

import pytest

from authmw import (
    Cookies,
    EmailRules,
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
        assert secret is None or len(secret) < 16 or secret not in text
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
        ({"emails": EmailRules(per_address_day=0)}, "emails: a budget"),
        ({"phones": PhoneRules(countries=frozenset({"Narnia"}))}, "phones.countries"),
        ({"sessions": SessionRules(default_minutes=0)}, "sessions.default_minutes"),
        ({"oauth": (OAuthProvider(name="google", client_id="i", client_secret="s"),) * 2}, "oauth names"),
        ({"oauth": (OAuthProvider(name="google", client_id="i", client_secret="s", scopes=("a b",)),)}, "oauth google"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_no_environment_starts_with_what_cannot_work(changed: dict[str, Any], named: str) -> None:
    """CFG-02."""
    faults = faults_of(TEST, **changed)
    assert any(named in fault for fault in faults), faults


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"project_id": 5}, "project_id"),
        ({"project_id": "project-test-"}, "project_id"),
        ({"project_id": "project-test-1\n"}, "project_id"),
        ({"secret": None}, "secret"),
        ({"secret": ""}, "secret"),
        ({"public_token": None}, "public_token"),
        ({"public_token": "public:token"}, "public_token"),
        ({"name": "a\r\nBcc: b"}, "name"),
        ({"name": " "}, "name"),
        ({"public_url": "https://user@app.example.org"}, "public_url"),
        ({"public_url": "https://app.example.org?x"}, "public_url"),
        ({"public_url": "https://App.example.org"}, "public_url"),
        ({"public_url": "https://app.example.org:99999"}, "public_url"),
        ({"mount": "//auth"}, "mount"),
        ({"mount": "/a/../b"}, "mount"),
        ({"mount": "/a?b"}, "mount"),
        ({"claim_roots": "no"}, "claim_roots"),
        ({"issuer": ""}, "issuer"),
        ({"root_keys": b"k" * 32}, "root_keys"),
        ({"root_keys": ("k" * 32,)}, "root_keys"),
        ({"redirect_urls": "https://app.example.org"}, "redirect_urls"),
        ({"redirect_urls": 5}, "redirect_urls"),
        ({"managed": "templates"}, "managed"),
        ({"ip_allow_list": 5}, "ip_allow_list"),
        ({"mfa": "Gate"}, "mfa may be enrolled, host, gate"),
        ({"second_factors": "totp"}, "second_factors"),
        ({"second_factors": ("nothing",)}, "second_factors"),
        ({"cors_origins": "https://app.example.org"}, "cors_origins"),
        ({"cors_origins": ("app.example.org",)}, "cors_origins"),
        ({"cors_origins": ("https://*.example.org",)}, "cors_origins"),
        ({"cors_origins": ("https://app.example.org:443",)}, "cors_origins"),
        ({"cors_origins": ("HTTPS://app.example.org",)}, "cors_origins"),
        ({"trusted_proxies": True}, "trusted_proxies"),
        ({"trusted_proxies": "1"}, "trusted_proxies"),
        ({"trusted_proxies": -1}, "trusted_proxies"),
        ({"sign_in_path": "//elsewhere.example"}, "sign_in_path"),
        ({"sign_in_path": "https://elsewhere.example"}, "sign_in_path"),
        ({"step_up_path": "second"}, "step_up_path"),
        ({"csrf_for_host": "true"}, "csrf_for_host"),
        ({"sandbox": "false"}, "sandbox"),
        ({"oauth": ("google",)}, "oauth"),
        ({"cookies": {}}, "cookies"),
        ({"cookies": Cookies(secure="false")}, "cookies.secure"),  # type: ignore[arg-type]
        ({"cookies": Cookies(name="a b")}, "cookies.name"),
        ({"cookies": Cookies(path="app")}, "cookies.path"),
        ({"cookies": Cookies(domain=".example.org")}, "cookies.domain"),
        ({"sessions": SessionRules(maximum_minutes="60")}, "sessions.maximum_minutes"),  # type: ignore[arg-type]
        ({"sessions": SessionRules(exact_revocation="yes")}, "sessions.exact_revocation"),  # type: ignore[arg-type]
        ({"locks": LockRules(threshold=1.5)}, "locks.threshold"),  # type: ignore[arg-type]
        (
            {"oauth": (OAuthProvider(name="google", client_id=7, client_secret="s"),)},  # type: ignore[arg-type]
            "oauth.client_id",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("base", [TEST, LIVE], ids=["test", "live"])
def test_a_value_of_another_kind_is_an_error_that_names_its_setting(
    base: dict[str, Any], changed: dict[str, Any], named: str
) -> None:
    """CFG-02: `"false"` is a text and true, `"Gate"` no rule, and a text no list of texts."""
    faults = faults_of(base, **changed)
    assert any(fault.startswith(named) for fault in faults), faults


def test_a_wrong_value_is_never_shown() -> None:
    """LOG-01: what stands in the wrong place may be a secret."""
    for name in ("project_id", "mfa", "public_url", "mount", "cors_origins", "cookies", "root_keys", "sign_in_path"):
        with pytest.raises(Misconfigured) as refused:
            Settings(**{**TEST, name: "canary-of-a-secret"})
        assert "canary" not in str(refused.value) + repr(refused.value)


def test_every_fault_is_named_at_once() -> None:
    faults = faults_of(LIVE, secret="changeme", root_keys=(), public_url="http://a.example", debug=True)
    assert len(faults) == 4


def test_an_unknown_setting_or_a_wrong_type_of_rules_is_an_error() -> None:
    """CFG-02: nothing is guessed, and nothing is ignored."""
    with pytest.raises(TypeError):
        Settings(**TEST, magic_link="on")  # type: ignore[call-arg]  # what nobody knows
    with pytest.raises(Misconfigured, match="sessions"):
        Settings(**TEST, sessions={"idle_minutes": 5})  # type: ignore[arg-type]  # a mapping is none
