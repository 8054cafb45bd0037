"""What the product `fraud` answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from authmw.operations import Response
from authmw.platform.fraud.emails import Unknown
from authmw.platform.fraud.rules import RuleType
from authmw.ports import VerdictAction

RuleAction: TypeAlias = Literal["ALLOW", "CHALLENGE", "BLOCK", "NONE"]
MetadataText = Annotated[str, Meta(max_length=65, pattern=r"^[A-Za-z0-9_\-+.@]*$(?!\n)")]


class Metadata(msgspec.Struct, kw_only=True):
    """The caller's own ids beside a look-up: at most 65 letters, digits and `_ - + . @` each."""

    external_id: MetadataText | None = None
    organization_id: MetadataText | None = None
    user_action: MetadataText | None = None


class FingerprintsAnswer(msgspec.Struct, kw_only=True):
    """What a device is known by, from the network to the visitor."""

    network_fingerprint: str
    hardware_fingerprint: str
    browser_fingerprint: str
    visitor_fingerprint: str
    visitor_id: str | None
    browser_id: str | None


class OverrideAnswer(msgspec.Struct, kw_only=True):
    """A reason that this project judges by itself."""

    verdict_reason: str
    override_action: VerdictAction


class VerdictAnswer(msgspec.Struct, kw_only=True):
    """What to do, and why."""

    action: VerdictAction
    reasons: list[str]
    detected_device_type: str
    is_authentic_device: bool
    verdict_reason_overrides: list[OverrideAnswer]
    rule_match_type: RuleType | None
    rule_match_identifier: str | None


class ASNAnswer(msgspec.Struct, kw_only=True):
    """The network operator."""

    asn: str
    name: str
    network: str


class GeoAnswer(msgspec.Struct, kw_only=True):
    """Where an address is said to be."""

    city: str
    region: str
    country: str


class NetworkAnswer(msgspec.Struct, kw_only=True):
    """The network of a visit."""

    ip_address: str
    asn: ASNAnswer
    ip_geolocation: GeoAnswer
    is_proxy: bool
    is_vpn: bool


class BrowserAnswer(msgspec.Struct, kw_only=True):
    """The browser of a visit."""

    user_agent: str


class PropertiesAnswer(msgspec.Struct, kw_only=True):
    """Network and browser of a visit."""

    network_properties: NetworkAnswer
    browser_properties: BrowserAnswer


class LookupResponse(Response, kw_only=True):
    """A device, and the verdict on it."""

    telemetry_id: str
    fingerprints: FingerprintsAnswer
    verdict: VerdictAnswer
    external_metadata: Metadata
    created_at: datetime
    expires_at: datetime
    properties: PropertiesAnswer
    raw_signals: dict[str, Any] | None


class RuleSetResponse(Response, kw_only=True):
    """A rule as it holds from now on; with the action NONE there is none any more."""

    action: RuleAction
    visitor_id: str | None = None
    browser_id: str | None = None
    visitor_fingerprint: str | None = None
    browser_fingerprint: str | None = None
    hardware_fingerprint: str | None = None
    network_fingerprint: str | None = None
    expires_at: datetime | None = None
    cidr_block: str | None = None
    country_code: str | None = None
    asn: str | None = None


class RuleAnswer(msgspec.Struct, kw_only=True):
    """A rule."""

    rule_type: RuleType
    action: VerdictAction
    created_at: datetime
    last_updated_at: datetime
    expires_at: datetime | None
    description: str | None
    visitor_id: str | None = None
    browser_id: str | None = None
    visitor_fingerprint: str | None = None
    browser_fingerprint: str | None = None
    hardware_fingerprint: str | None = None
    network_fingerprint: str | None = None
    cidr_block: str | None = None
    country_code: str | None = None
    asn: str | None = None


class RulesResponse(Response, kw_only=True):
    """Rules; the cursor is empty at the end."""

    next_cursor: str
    rules: list[RuleAnswer]


class ReasonAnswer(msgspec.Struct, kw_only=True):
    """A reason, what it suggests by itself, and what it suggests in this project."""

    verdict_reason: str
    default_action: VerdictAction
    override_action: VerdictAction | None
    override_created_at: datetime | None
    override_description: str | None


class ReasonResponse(Response, kw_only=True):
    """One reason."""

    verdict_reason_action: ReasonAnswer


class ReasonsResponse(Response, kw_only=True):
    """Every reason."""

    verdict_reason_actions: list[ReasonAnswer]


class AddressAnswer(msgspec.Struct, kw_only=True):
    """What an address tells."""

    has_known_bounces: bool
    has_valid_syntax: bool
    is_suspected_role_address: bool
    normalized_email: str
    tumbling_character_count: int


class DomainAnswer(msgspec.Struct, kw_only=True):
    """What its domain tells."""

    has_mx_or_a_record: bool
    is_disposable_domain: bool


class RiskResponse(Response, kw_only=True):
    """The risk of an address, from 0 to 100. What `unknown` names could not be told; it stands with the value that raises no risk, and did not count."""

    address_information: AddressAnswer
    domain_information: DomainAnswer
    action: VerdictAction
    risk_score: int
    unknown: list[Unknown]
