"""Stories of fraud: devices judged by rules and reasons, and addresses by what can be known of them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest

from authmw.errors import FetchFailed
from authmw.ports import Fingerprint, VerdictAction
from authmw.testing import FixedClock
from tests.world import World, make_world

REASONS: dict[str, VerdictAction] = {"HEADLESS_BROWSER": "BLOCK", "DATACENTER": "CHALLENGE", "NEW_DEVICE": "ALLOW"}


@attrs.define
class Intelligence:
    """A device-intelligence service that knows what a story tells it."""

    seen: dict[str, Fingerprint] = attrs.field(factory=dict)
    fails: bool = False
    io: Literal["instant"] = "instant"

    @property
    def reasons(self) -> Mapping[str, VerdictAction]:
        return REASONS

    async def look_up(self, telemetry_id: str) -> Fingerprint | None:
        if self.fails:
            raise FetchFailed("late")
        return self.seen.get(telemetry_id)


@attrs.define
class Mail:
    """Mail servers that a story tells of."""

    known: dict[str, bool] = attrs.field(factory=dict)
    asked: list[str] = attrs.field(factory=list)
    io: Literal["blocking"] = "blocking"

    async def take_mail(self, domain: str) -> bool | None:
        self.asked.append(domain)
        return self.known.get(domain)


@attrs.frozen
class Story:
    world: World
    devices: Intelligence
    mail: Mail

    def visit(self, name: str = "t-1", **more: Any) -> None:
        now = self.world.clock.now()
        said: dict[str, Any] = {
            "visitor_id": "visitor-1",
            "visitor_fingerprint": "vf-1",
            "browser_fingerprint": "bf-1",
            "hardware_fingerprint": "hf-1",
            "network_fingerprint": "nf-1",
            "ip_address": "198.51.100.77",
            "asn": "64496",
            "country": "AQ",
            "device_type": "CHROME",
            **more,
        }
        self.devices.seen[name] = Fingerprint(
            telemetry_id=name, created_at=now, expires_at=now + timedelta(hours=1), **said
        )

    def post(self, path: str, **body: Any) -> Any:
        return self.world.backend("POST", f"/v1/{path}", body)

    def verdict(self, name: str = "t-1") -> Any:
        answer = self.post("fingerprint/lookup", telemetry_id=name)
        assert answer.status == 200, answer.json
        return answer.json["verdict"]

    def rules(self) -> list[Any]:
        found: list[Any] = []
        cursor = None
        while cursor != "":
            page = self.post("rules/list", limit=2, cursor=cursor).json
            found, cursor = found + page["rules"], page["next_cursor"]
        return found


@pytest.fixture(params=["asgi", "wsgi"])
def story(request: pytest.FixtureRequest, tmp_path: Path) -> Story:
    devices, mail = Intelligence(), Mail()
    return Story(
        make_world(tmp_path, request.param, devices=devices, mail_servers=mail, clock=FixedClock()), devices, mail
    )


def test_a_device_is_answered_as_the_service_saw_it(story: Story) -> None:
    story.visit(reasons=("NEW_DEVICE",), vpn=True, user_agent="Mozilla", raw_signals={"screen": [1, 2]})
    metadata = {"external_id": "ada@example.org", "user_action": "LOGIN"}
    answer = story.post("fingerprint/lookup", telemetry_id="t-1", external_metadata=metadata).json
    assert answer["fingerprints"]["visitor_id"] == "visitor-1"
    assert answer["properties"]["network_properties"]["is_vpn"]
    assert answer["properties"]["network_properties"]["asn"]["asn"] == "64496"
    assert answer["raw_signals"] == {"screen": [1, 2]}
    assert answer["external_metadata"] == {**metadata, "organization_id": None}
    assert answer["verdict"]["action"] == "ALLOW"
    assert answer["verdict"]["rule_match_type"] is None


def test_the_gravest_reason_decides_and_one_that_nobody_judged_is_a_challenge(story: Story) -> None:
    for reasons, action in (
        ((), "ALLOW"),
        (("NEW_DEVICE", "DATACENTER"), "CHALLENGE"),
        (("DATACENTER", "HEADLESS_BROWSER"), "BLOCK"),
        (("NEVER_HEARD_OF",), "CHALLENGE"),
    ):
        story.visit(reasons=reasons)
        assert story.verdict()["action"] == action


def test_a_telemetry_id_that_is_unknown_or_over_is_not_found(story: Story) -> None:
    story.visit()
    story.world.clock.advance(seconds=3600)
    for name in ("t-1", "t-2"):
        refused = story.post("fingerprint/lookup", telemetry_id=name)
        assert (refused.status, refused.json["error_type"]) == (404, "telemetry_id_not_found")
    story.devices.fails = True
    assert story.post("fingerprint/lookup", telemetry_id="t-1").status == 503


def test_without_a_service_nothing_is_invented_and_rules_are_kept(world: World) -> None:
    refused = world.backend("POST", "/v1/fingerprint/lookup", {"telemetry_id": "t-1"})
    assert (refused.status, refused.json["error_type"]) == (400, "device_intelligence_not_configured")
    assert world.backend("POST", "/v1/verdict_reasons/list", {}).json["verdict_reason_actions"] == []
    assert world.backend("POST", "/v1/rules/set", {"asn": "64496", "action": "BLOCK"}).status == 200
    assert [one["asn"] for one in world.backend("POST", "/v1/rules/list", {}).json["rules"]] == ["64496"]


def test_the_rule_that_names_the_device_most_exactly_decides(story: Story) -> None:
    story.visit(reasons=("HEADLESS_BROWSER",))
    for named, action in (
        ({"country_code": "AQ"}, "CHALLENGE"),
        ({"asn": "64496"}, "ALLOW"),
        ({"cidr_block": "198.51.0.0/16"}, "BLOCK"),
        ({"cidr_block": "198.51.100.64/26"}, "ALLOW"),
        ({"cidr_block": "198.51.100.77"}, "CHALLENGE"),
        ({"network_fingerprint": "nf-1"}, "ALLOW"),
        ({"visitor_id": "visitor-1"}, "BLOCK"),
    ):
        answer = story.post("rules/set", action=action, **named)
        assert answer.status == 200, answer.json
        verdict = story.verdict()
        assert verdict["action"] == action
        assert verdict["reasons"] == ["HEADLESS_BROWSER", "RULE_MATCH"]
        assert verdict["rule_match_type"].lower() == next(iter(named))
    assert verdict["rule_match_identifier"] == "visitor-1"
    assert story.post("rules/set", action="NONE", visitor_id="visitor-1").json["action"] == "NONE"
    assert story.verdict()["rule_match_type"] == "NETWORK_FINGERPRINT"
    assert len(story.rules()) == 6


def test_a_rule_meets_addresses_of_version_six_too(story: Story) -> None:
    story.visit(ip_address="2001:db8:1:2::3")
    answer = story.post("rules/set", action="BLOCK", cidr_block="2001:DB8:1::/48").json
    assert answer["cidr_block"] == "2001:db8:1::/48"
    assert story.verdict()["action"] == "BLOCK"


def test_a_rule_is_changed_in_place_and_ends_when_it_says(story: Story) -> None:
    story.visit()
    story.post("rules/set", action="BLOCK", visitor_id="visitor-1", expires_in_minutes=10, description="seen at night")
    story.world.clock.advance(seconds=60)
    answer = story.post("rules/set", action="CHALLENGE", visitor_id="visitor-1", expires_in_minutes=10).json
    (rule,) = story.rules()
    assert (rule["action"], rule["rule_type"], rule["visitor_id"]) == ("CHALLENGE", "VISITOR_ID", "visitor-1")
    assert rule["expires_at"] == answer["expires_at"]
    assert rule["created_at"] < rule["last_updated_at"]
    story.world.clock.advance(seconds=599)
    assert story.verdict()["action"] == "CHALLENGE"
    story.world.clock.advance(seconds=1)
    assert story.verdict()["action"] == "ALLOW"
    assert story.rules() == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"visitor_id": "a", "browser_id": "b"},
        {"visitor_id": "a b"},
        {"visitor_id": ""},
        {"visitor_id": "a", "expires_in_minutes": 0},
        {"visitor_id": "a", "action": "DENY"},
        {"cidr_block": "10.0.0.0/8"},
        {"cidr_block": "10.0.0.1/16"},
        {"cidr_block": "10.0.0.0/33"},
        {"cidr_block": "2001:db8::/31"},
        {"cidr_block": "fe80::1%eth0"},
        {"cidr_block": "localhost"},
        {"country_code": "XX"},
        {"country_code": "de"},
        {"country_code": "DE", "action": "ALLOW"},
        {"asn": "AS64496"},
        {"asn": "4294967296"},
        {"asn": "064496"},
        {"asn": "-1"},
    ],
)
def test_a_rule_about_nothing_or_about_something_that_cannot_be_is_refused(story: Story, body: Any) -> None:
    refused = story.post("rules/set", **{"action": "BLOCK", **body})
    assert (refused.status, refused.json["error_type"]) == (400, "bad_request")
    assert story.rules() == []


def test_a_reason_is_judged_by_the_project_until_that_is_taken_back(story: Story) -> None:
    story.visit(reasons=("DATACENTER", "NEW_DEVICE"))
    override = {"verdict_reason": "DATACENTER", "override_action": "BLOCK", "override_description": "no servers here"}
    answer = story.post("verdict_reasons/override", **override).json["verdict_reason_action"]
    assert (answer["default_action"], answer["override_action"]) == ("CHALLENGE", "BLOCK")
    verdict = story.verdict()
    assert verdict["action"] == "BLOCK"
    assert verdict["verdict_reason_overrides"] == [{"verdict_reason": "DATACENTER", "override_action": "BLOCK"}]
    listed = story.post("verdict_reasons/list").json["verdict_reason_actions"]
    assert [(one["verdict_reason"], one["override_action"]) for one in listed] == [
        ("DATACENTER", "BLOCK"),
        ("HEADLESS_BROWSER", None),
        ("NEW_DEVICE", None),
    ]
    only = story.post("verdict_reasons/list", overrides_only=True).json["verdict_reason_actions"]
    assert [one["override_description"] for one in only] == ["no servers here"]
    story.post("verdict_reasons/override", verdict_reason="DATACENTER", override_action="NONE")
    assert story.verdict()["action"] == "CHALLENGE"
    unknown = story.post("verdict_reasons/override", verdict_reason="NOBODY", override_action="ALLOW")
    assert (unknown.status, unknown.json["error_type"]) == (404, "verdict_reason_not_found")


def risk(story: Story, address: str) -> Any:
    answer = story.post("email/risk", email_address=address)
    assert answer.status == 200, answer.json
    return answer.json


def test_an_address_of_a_person_at_a_domain_that_takes_mail_is_no_risk(story: Story) -> None:
    story.mail.known["example.org"] = True
    told = risk(story, "Ada@Example.org")
    assert (told["action"], told["risk_score"]) == ("ALLOW", 0)
    assert told["address_information"]["normalized_email"] == "ada@example.org"
    assert told["unknown"] == ["has_known_bounces"]


def test_what_cannot_be_told_is_named_and_raises_no_risk(story: Story) -> None:
    told = risk(story, "ada@example.org")
    assert told["unknown"] == ["has_known_bounces", "has_mx_or_a_record"]
    assert (told["action"], told["domain_information"]["has_mx_or_a_record"]) == ("ALLOW", True)
    assert story.mail.asked == ["example.org"]


def test_a_text_that_is_no_address_and_a_domain_without_mail_are_blocked(story: Story) -> None:
    story.mail.known["example.net"] = False
    assert risk(story, "ada@example.net")["action"] == "BLOCK"
    told = risk(story, "ada@")
    assert (told["action"], told["risk_score"]) == ("BLOCK", 100)
    assert not told["address_information"]["has_valid_syntax"]
    assert not told["domain_information"]["has_mx_or_a_record"]
    assert story.mail.asked == ["example.net"]


def test_a_throw_away_domain_and_those_below_it_are_a_challenge(story: Story) -> None:
    for domain in ("mailinator.com", "inbox.mailinator.com"):
        told = risk(story, f"ada@{domain}")
        assert told["domain_information"]["is_disposable_domain"]
        assert told["action"] == "CHALLENGE"
    assert not risk(story, "ada@mailinator.com.example.org")["domain_information"]["is_disposable_domain"]


def test_tags_dots_and_roles_are_seen_through(story: Story) -> None:
    told = risk(story, "a.d.a+news@googlemail.com")["address_information"]
    assert (told["normalized_email"], told["tumbling_character_count"]) == ("ada@gmail.com", 7)
    assert risk(story, "a.d.a@example.org")["address_information"]["tumbling_character_count"] == 0
    role = risk(story, "Postmaster@example.org")
    assert role["address_information"]["is_suspected_role_address"]
    assert role["risk_score"] == 20


def test_without_the_list_it_is_unknown_whether_a_domain_is_for_throwing_away(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "disposable_email_domains", None)
    told = risk(story, "ada@mailinator.com")
    assert "is_disposable_domain" in told["unknown"]
    assert (told["action"], told["domain_information"]["is_disposable_domain"]) == ("ALLOW", False)


def test_a_judgement_and_a_rule_can_be_changed_and_taken_back_twice(story: Story) -> None:
    for action in ("BLOCK", "ALLOW", "NONE", "NONE"):
        body = {"verdict_reason": "DATACENTER", "override_action": action}
        answer = story.post("verdict_reasons/override", **body).json["verdict_reason_action"]
        assert answer["override_action"] == (None if action == "NONE" else action)
        assert story.post("rules/set", action=action, browser_id="b-1").status == 200
    assert story.rules() == []
