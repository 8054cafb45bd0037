"""Decisions about devices and addresses hold whatever is put in."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Network, ip_network
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.errors import Refused
from authmw.platform.fraud.emails import parents_of, read_address, risk_of
from authmw.platform.fraud.records import FraudRule
from authmw.platform.fraud.rules import About, RuleType, about, check_action, deciding, keys_for, verdict_of
from authmw.ports import Fingerprint
from authmw.testing import FixedClock

NOW = FixedClock().now()
GRAVITY = ["ALLOW", "CHALLENGE", "BLOCK"]
actions: Any = st.sampled_from(GRAVITY)
words = st.sampled_from(["A", "B", "C", "D"])


def rule(type_: str, identifier: str, **more: Any) -> FraudRule:
    said: dict[str, Any] = {"action": "BLOCK", "created_at": NOW, "updated_at": NOW, **more}
    return FraudRule(rule_key=f"{type_}|{identifier}", rule_type=type_, identifier=identifier, **said)


@given(st.lists(words), st.dictionaries(words, actions), st.dictionaries(words, actions))
def test_a_verdict_is_the_gravest_of_its_reasons_and_names_what_the_project_decided(
    reasons: list[str], defaults: Any, overrides: Any
) -> None:
    verdict = verdict_of(reasons, defaults, overrides, None)
    acting = {"A": "CHALLENGE", "B": "CHALLENGE", "C": "CHALLENGE", "D": "CHALLENGE"} | defaults | overrides
    assert GRAVITY.index(verdict.action) == max((GRAVITY.index(acting[one]) for one in reasons), default=0)
    assert verdict.overrides == {one: overrides[one] for one in reasons if one in overrides}
    ruled = verdict_of(reasons, defaults, overrides, rule("VISITOR_ID", "v", action="ALLOW"))
    assert (ruled.action, ruled.reasons[-1]) == ("ALLOW", "RULE_MATCH")


@given(st.ip_addresses(), st.data())
def test_an_address_is_met_by_every_network_around_it_and_by_no_other(address: Any, data: st.DataObject) -> None:
    device = Fingerprint(telemetry_id="t", created_at=NOW, expires_at=NOW, ip_address=str(address))
    lengths = range(16, 33) if address.version == 4 else (32, 48, 56, 64, 128)
    keys = keys_for(device)
    assert len(keys) == len(lengths)
    length = data.draw(st.sampled_from(list(lengths)))
    around = about({"cidr_block": str(ip_network((address, length), strict=False))})
    assert around.key in keys
    for key in keys:
        assert address in ip_network(key.partition("|")[2])


@given(
    st.text() | st.ip_addresses().map(str) | st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2}", fullmatch=True)
)
def test_no_text_makes_a_network_but_one_that_can_be_asked_for(text: str) -> None:
    try:
        made = about({"cidr_block": text})
    except Refused as refused:
        assert refused.error_type == "bad_request"
        assert not text.strip() or text not in refused.message or len(text) < 12
        return
    network = ip_network(made.identifier)
    assert about({"cidr_block": made.identifier}) == made
    assert network.prefixlen >= (16 if isinstance(network, IPv4Network) else 32)


@given(st.lists(st.tuples(st.sampled_from(get_args(RuleType)), st.integers(-5, 5)), max_size=6))
def test_the_deciding_rule_holds_and_is_the_most_exact(made: list[tuple[str, int]]) -> None:
    exactness = list(get_args(RuleType))
    rules = [
        rule(type_, "10.0.0.0/16" if type_ == "CIDR_BLOCK" else "x", expires_at=NOW + timedelta(seconds=left))
        for type_, left in made
    ]
    found = deciding(rules, NOW)
    holding = [one for one in rules if one.expires_at is not None and one.expires_at > NOW]
    assert (found is None) == (not holding)
    if found is not None:
        assert found in holding
        assert exactness.index(found.rule_type) == min(exactness.index(one.rule_type) for one in holding)


def test_of_two_networks_the_smaller_decides() -> None:
    wide, narrow = rule("CIDR_BLOCK", "10.0.0.0/16"), rule("CIDR_BLOCK", "10.0.0.0/24", action="ALLOW")
    assert deciding([wide, narrow], NOW) == narrow
    assert deciding([narrow, wide], NOW) == narrow
    assert deciding([], NOW) is None


def test_a_device_without_an_address_is_met_by_no_network() -> None:
    assert keys_for(Fingerprint(telemetry_id="t", created_at=NOW, expires_at=NOW)) == ()
    strange = Fingerprint(telemetry_id="t", created_at=NOW, expires_at=NOW, ip_address="unknown", asn="1")
    assert keys_for(strange) == ("ASN|1",)


@pytest.mark.parametrize("action", [*GRAVITY, "NONE"])
def test_only_a_country_cannot_be_waved_through(action: str) -> None:
    check_action(About("ASN", "1"), action)
    if action == "ALLOW":
        with pytest.raises(Refused):
            check_action(About("COUNTRY_CODE", "DE"), action)
    else:
        check_action(About("COUNTRY_CODE", "DE"), action)


ATOMS = st.from_regex(r"[a+]{1,3}(\.[a+]{1,3}){0,3}@(gmail\.com|example\.org)", fullmatch=True)


@given(st.text() | st.emails() | ATOMS, st.none() | st.booleans(), st.none() | st.booleans())
def test_risk_grows_with_what_is_known_and_never_by_what_is_not(
    text: str, disposable: bool | None, mail: bool | None
) -> None:
    address = read_address(text)
    score, action = risk_of(address, disposable=disposable, mail_servers=mail)
    assert 0 <= score <= 100
    unknown, _ = risk_of(address, disposable=None, mail_servers=None)
    best, _ = risk_of(address, disposable=False, mail_servers=True)
    assert unknown == best <= score
    assert action == ("BLOCK" if score >= 90 else "CHALLENGE" if score >= 50 else "ALLOW")
    if address.valid:
        again = read_address(address.normalized)
        assert again.valid
        assert again.normalized == address.normalized
        assert address.tumbling >= 0
    else:
        assert (score, action) == (100, "BLOCK")


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=5))
def test_a_domain_stands_below_its_parents_but_the_last_label(labels: list[str]) -> None:
    domain = ".".join(labels)
    parents = parents_of(domain)
    assert len(parents) == len(labels) - 1
    assert all(domain == one or domain.endswith("." + one) for one in parents)
    assert all("." in one for one in parents)
