"""Devices, rules and reasons as answers show them."""

from __future__ import annotations

from typing import Any

from authmw.platform.fraud.records import FraudRule, VerdictOverride
from authmw.platform.fraud.responses import (
    ASNAnswer,
    BrowserAnswer,
    FingerprintsAnswer,
    GeoAnswer,
    LookupResponse,
    Metadata,
    NetworkAnswer,
    OverrideAnswer,
    PropertiesAnswer,
    ReasonAnswer,
    RuleAnswer,
    VerdictAnswer,
)
from authmw.platform.fraud.rules import Verdict
from authmw.ports import Fingerprint, VerdictAction
from authmw.typed import convert


def named(rule_type: str, identifier: str) -> dict[str, Any]:
    """An identifier under the name that requests give it."""
    return {rule_type.lower(): identifier}


def rule_answer(rule: FraudRule) -> RuleAnswer:
    """A rule."""
    return convert(
        {
            "rule_type": rule.rule_type,
            "action": rule.action,
            "created_at": rule.created_at,
            "last_updated_at": rule.updated_at,
            "expires_at": rule.expires_at,
            "description": rule.description or None,
            **named(rule.rule_type, rule.identifier),
        },
        RuleAnswer,
    )


def reason_answer(name: str, default: VerdictAction, override: VerdictOverride | None) -> ReasonAnswer:
    """A reason, with what this project makes of it."""
    return ReasonAnswer(
        verdict_reason=name,
        default_action=default,
        override_action=override.action if override else None,
        override_created_at=override.created_at if override else None,
        override_description=override.description or None if override else None,
    )


def looked_up(device: Fingerprint, verdict: Verdict, metadata: Metadata) -> LookupResponse:
    """A device and the verdict on it."""
    rule = verdict.rule
    return LookupResponse(
        telemetry_id=device.telemetry_id,
        fingerprints=FingerprintsAnswer(
            network_fingerprint=device.network_fingerprint,
            hardware_fingerprint=device.hardware_fingerprint,
            browser_fingerprint=device.browser_fingerprint,
            visitor_fingerprint=device.visitor_fingerprint,
            visitor_id=device.visitor_id,
            browser_id=device.browser_id,
        ),
        verdict=VerdictAnswer(
            action=verdict.action,
            reasons=list(verdict.reasons),
            detected_device_type=device.device_type,
            is_authentic_device=device.authentic,
            verdict_reason_overrides=[
                OverrideAnswer(verdict_reason=reason, override_action=action)
                for reason, action in verdict.overrides.items()
            ],
            rule_match_type=rule_answer(rule).rule_type if rule else None,
            rule_match_identifier=rule.identifier if rule else None,
        ),
        external_metadata=metadata,
        created_at=device.created_at,
        expires_at=device.expires_at,
        properties=PropertiesAnswer(
            network_properties=NetworkAnswer(
                ip_address=device.ip_address,
                asn=ASNAnswer(asn=device.asn, name=device.asn_name, network=device.asn_network),
                ip_geolocation=GeoAnswer(city=device.city, region=device.region, country=device.country),
                is_proxy=device.proxy,
                is_vpn=device.vpn,
            ),
            browser_properties=BrowserAnswer(user_agent=device.user_agent),
        ),
        raw_signals=dict(device.raw_signals) if device.raw_signals is not None else None,
    )
