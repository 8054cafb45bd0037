"""Where passkeys belong: exact origins, and domains above them that nobody sells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.passkeys import WebAuthnRules

APP = "android:apk-key-hash:" + "k" * 43


def test_without_rules_the_projects_own_origins_count() -> None:
    rules = WebAuthnRules()
    own = ("http://localhost:8000", "http://127.0.0.1:8000", "http://plain.example.com", "https://app.example.com")
    party = rules.relying_party("localhost", own)
    assert party is not None
    assert party.origins == ("http://localhost:8000",)
    app = rules.relying_party("app.example.com", own)
    assert app is not None
    assert app.origins == ("https://app.example.com",)
    for domain in ("127.0.0.1", "plain.example.com", "example.com", "com", "", "APP.example.com"):
        assert rules.relying_party(domain, own) is None


def test_given_origins_replace_the_projects_own() -> None:
    rules = WebAuthnRules(origins=("https://login.example.com", APP))
    assert rules.relying_party("localhost", ("http://localhost:8000",)) is None
    party = rules.relying_party("login.example.com", ("http://localhost:8000",))
    assert party is not None
    assert party.origins == ("https://login.example.com", APP)
    assert not list(rules.faults(live=True, own=()))


LABEL = st.text("abcxyz019", min_size=1, max_size=5)


@given(host=st.lists(LABEL, min_size=2, max_size=4), above=st.lists(LABEL, min_size=1, max_size=3))
def test_an_origin_serves_a_domain_only_at_or_under_it(host: list[str], above: list[str]) -> None:
    """WAN-03."""
    name, domain = ".".join(host), ".".join(above)
    rules = WebAuthnRules(origins=(f"https://{name}",), domains=(domain,))
    under = host[-len(above) :] == above
    party = rules.relying_party(domain, ())
    assert (party is not None and party.origins == (f"https://{name}",)) is under
    if not under:
        assert list(rules.faults(live=False, own=()))


@given(text=st.text(max_size=40) | st.from_regex(r"https?://[a-zA-Z0-9.:/-]{1,30}", fullmatch=True))
def test_an_accepted_origin_is_spelled_as_browsers_spell_it(text: str) -> None:
    if list(WebAuthnRules(origins=(text,)).faults(live=False, own=())):
        return
    assert text == text.lower() or text.startswith("android:")
    assert "/" not in text.partition("://")[2]
    assert text.startswith(("https://", "http://", "android:apk-key-hash:"))


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://app.localhost"])
def test_plain_http_of_this_machine_is_for_test_only(origin: str) -> None:
    rules = WebAuthnRules(origins=(origin,))
    assert not list(rules.faults(live=False, own=()))
    assert list(rules.faults(live=True, own=()))


@pytest.mark.parametrize(
    ("own", "any_domain"),
    [("http://127.0.0.1:8000", False), ("http://plain.example.com", False), ("https://a.example", True)],
)
def test_an_address_without_a_secure_name_has_no_passkeys(own: str, any_domain: bool) -> None:
    assert WebAuthnRules().has_domain((own,)) is any_domain
