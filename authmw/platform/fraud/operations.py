"""Fraud: what a device was seen to be, what this project decides about devices and reasons by itself, and the risk of an address.

Law: no verdict is invented. What a device is comes from the project's device intelligence (a port); without one a look-up is refused, while rules are kept all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Annotated

import attrs
from msgspec import Meta

from authmw import drive
from authmw.errors import FetchFailed, Refused
from authmw.ledger.commits import commit
from authmw.operations import Call, Core, Product, current_call, operation
from authmw.paging import read_cursor, sign_cursor
from authmw.parameters import TelemetryId, Text
from authmw.platform.fraud.emails import Address, Unknown, parents_of, read_address, risk_of
from authmw.platform.fraud.records import FraudRule, VerdictOverride
from authmw.platform.fraud.responses import (
    AddressAnswer,
    DomainAnswer,
    LookupResponse,
    Metadata,
    ReasonResponse,
    ReasonsResponse,
    RiskResponse,
    RuleAction,
    RuleSetResponse,
    RulesResponse,
)
from authmw.platform.fraud.rules import About, about, check_action, deciding, keys_for, verdict_of
from authmw.platform.fraud.shown import looked_up, named, reason_answer, rule_answer
from authmw.ports import Fingerprint, VerdictAction
from authmw.storage import EVERYTHING, Delete, Insert, OneOf, Order, Update, Write

Identifier = Annotated[str, Meta(min_length=1, max_length=128)]
Minutes = Annotated[int, Meta(ge=1, le=5_256_000)]
"""Up to ten years."""
RulesLimit = Annotated[int, Meta(ge=1, le=100)]
AnyText = Annotated[str, Meta(max_length=512)]


class Fingerprints(Product):
    """Devices, as the project's device intelligence saw them."""

    @operation("POST", "/v1/fingerprint/lookup", action="FingerprintLookup")
    async def lookup(self, *, telemetry_id: TelemetryId, external_metadata: Metadata | None = None) -> LookupResponse:
        """A device and the verdict on it: by the project's rules, else by the gravest of its reasons.

        Refused: `device_intelligence_not_configured`; `telemetry_id_not_found`, which is best taken for a BLOCK; `server_unavailable` if the service does not answer.
        """
        call = current_call()
        service = call.core.devices
        if service is None:
            raise Refused("device_intelligence_not_configured")
        device = await _seen(call, telemetry_id)
        rules = await call.storage.page(FraudRule, OneOf("key", tuple((key,) for key in keys_for(device))), limit=200)
        overrides = await _overrides(call, device.reasons)
        acting: dict[str, VerdictAction] = {reason: one.action for reason, one in overrides.items()}
        verdict = verdict_of(device.reasons, service.reasons, acting, deciding(rules.records, call.now))
        return looked_up(device, verdict, external_metadata or Metadata())


class Rules(Product):
    """What look-ups answer for devices and networks that the project has judged."""

    @operation("POST", "/v1/rules/set", action="RulesSet")
    async def set(
        self,
        *,
        action: RuleAction,
        visitor_id: Identifier | None = None,
        browser_id: Identifier | None = None,
        visitor_fingerprint: Identifier | None = None,
        browser_fingerprint: Identifier | None = None,
        hardware_fingerprint: Identifier | None = None,
        network_fingerprint: Identifier | None = None,
        expires_in_minutes: Minutes | None = None,
        description: Text | None = None,
        cidr_block: Identifier | None = None,
        country_code: Identifier | None = None,
        asn: Identifier | None = None,
    ) -> RuleSetResponse:
        """Have look-ups of one identifier answer this action, for some minutes or until it is cleared; NONE clears it.

        `cidr_block` is an address or a network, of IPv4 with a prefix of 16 to 32 bits, of IPv6 of 32, 48, 56, 64 or 128. Refused: `bad_request` unless exactly one identifier is
        named, for one that cannot be, and for ALLOW of a whole country.
        """
        call = current_call()
        given = {
            "visitor_id": visitor_id,
            "browser_id": browser_id,
            "visitor_fingerprint": visitor_fingerprint,
            "browser_fingerprint": browser_fingerprint,
            "hardware_fingerprint": hardware_fingerprint,
            "network_fingerprint": network_fingerprint,
            "cidr_block": cidr_block,
            "country_code": country_code,
            "asn": asn,
        }
        subject = about(given)
        check_action(subject, action)
        standing = await call.storage.get(FraudRule, subject.key)
        expires_at = None
        if action != "NONE" and expires_in_minutes is not None:
            expires_at = call.now + timedelta(minutes=expires_in_minutes)
        if action == "NONE":
            writes: tuple[Write, ...] = (Delete(standing),) if standing else ()
        else:
            rule = _rule(call, subject, action, standing, description or "")
            rule = attrs.evolve(rule, expires_at=expires_at)
            writes = (Update(rule) if standing else Insert(rule),)
        await commit(*writes)
        return RuleSetResponse(action=action, expires_at=expires_at, **named(subject.type, subject.identifier))

    @operation("POST", "/v1/rules/list", action="RulesList")
    async def list(self, *, cursor: Text | None = None, limit: RulesLimit = 10) -> RulesResponse:
        """The rules that hold, in the order they were first set; a page may be short. Refused: `invalid_argument` for a cursor that is none of ours."""
        call = current_call()
        keys = call.core.roots.every("paging cursor")
        after = read_cursor(cursor, keys, "invalid_argument")
        page = await call.storage.page(FraudRule, EVERYTHING, order=Order("created"), after=after, limit=limit)
        return RulesResponse(
            next_cursor=sign_cursor(page.cursor, keys) or "",
            rules=[rule_answer(rule) for rule in page.records if rule.holds(call.now)],
        )


class VerdictReasons(Product):
    """What the reasons of verdicts suggest in this project. Which reasons there are, the project's device intelligence says."""

    @operation("POST", "/v1/verdict_reasons/override", action="VerdictReasonsOverride")
    async def override(
        self, *, verdict_reason: Identifier, override_action: RuleAction, override_description: Text | None = None
    ) -> ReasonResponse:
        """Have a reason suggest another action than by itself; NONE takes that back. Refused: `verdict_reason_not_found`."""
        call = current_call()
        reasons = _reasons(call)
        if verdict_reason not in reasons:
            raise Refused("verdict_reason_not_found")
        standing = await call.storage.get(VerdictOverride, verdict_reason)
        if override_action == "NONE":
            await commit(*((Delete(standing),) if standing else ()))
            return ReasonResponse(verdict_reason_action=reason_answer(verdict_reason, reasons[verdict_reason], None))
        made = VerdictOverride(
            verdict_reason=verdict_reason,
            action=override_action,
            description=override_description or "",
            created_at=call.now,
            version=standing.version if standing else 0,
        )
        await commit(Update(made) if standing else Insert(made))
        return ReasonResponse(verdict_reason_action=reason_answer(verdict_reason, reasons[verdict_reason], made))

    @operation("POST", "/v1/verdict_reasons/list", action="VerdictReasonsList")
    async def list(self, *, overrides_only: bool = False) -> ReasonsResponse:
        """Every reason that a look-up can report, or only those that this project judges by itself. Without device intelligence there is none."""
        call = current_call()
        reasons = _reasons(call)
        overrides = await _overrides(call, reasons)
        return ReasonsResponse(
            verdict_reason_actions=[
                reason_answer(name, action, overrides.get(name))
                for name, action in sorted(reasons.items())
                if name in overrides or not overrides_only
            ]
        )


class EmailRisk(Product):
    """What an address tells before anything is sent to it."""

    @operation("POST", "/v1/email/risk", action="EmailRisk")
    async def risk(self, *, email_address: AnyText) -> RiskResponse:
        """The risk of an address: by its syntax, a list of throw-away domains and the mail servers of its domain. What cannot be told here is named in `unknown`."""
        call = current_call()
        address = read_address(email_address)
        disposable = _disposable(address)
        reachable = await _take_mail(call, address)
        score, action = risk_of(address, disposable=disposable, mail_servers=reachable)
        unknown: list[Unknown] = ["has_known_bounces"]
        if address.valid and reachable is None:
            unknown.append("has_mx_or_a_record")
        if address.valid and disposable is None:
            unknown.append("is_disposable_domain")
        return RiskResponse(
            address_information=AddressAnswer(
                has_known_bounces=False,
                has_valid_syntax=address.valid,
                is_suspected_role_address=address.role,
                normalized_email=address.normalized,
                tumbling_character_count=address.tumbling,
            ),
            domain_information=DomainAnswer(
                has_mx_or_a_record=address.valid and reachable is not False, is_disposable_domain=bool(disposable)
            ),
            action=action,
            risk_score=score,
            unknown=unknown,
        )


class Fraud(Product):
    """Devices, rules about them, and the risk of addresses."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.fingerprint = Fingerprints(core)
        self.rules = Rules(core)
        self.verdict_reasons = VerdictReasons(core)
        self.email = EmailRisk(core)


async def _seen(call: Call, telemetry_id: str) -> Fingerprint:
    service = call.core.devices
    assert service is not None  # asked for by who calls

    async def ask() -> Fingerprint | None:
        try:
            return await drive.using(service.io, service.look_up, telemetry_id)
        except FetchFailed:
            raise Refused("server_unavailable") from None

    device: Fingerprint | None = await call.once(("device", telemetry_id), ask)
    if device is None or call.now >= device.expires_at:
        raise Refused("telemetry_id_not_found")
    return device


def _reasons(call: Call) -> Mapping[str, VerdictAction]:
    return call.core.devices.reasons if call.core.devices is not None else {}


async def _overrides(call: Call, reasons: Collection[str]) -> dict[str, VerdictOverride]:
    found = {reason: await call.storage.get(VerdictOverride, reason) for reason in reasons}
    return {reason: one for reason, one in found.items() if one is not None}


def _rule(call: Call, subject: About, action: VerdictAction, standing: FraudRule | None, description: str) -> FraudRule:
    return FraudRule(
        rule_key=subject.key,
        rule_type=subject.type,
        identifier=subject.identifier,
        action=action,
        description=description,
        created_at=standing.created_at if standing else call.now,
        updated_at=call.now,
        version=standing.version if standing else 0,
    )


def _disposable(address: Address) -> bool | None:
    """Whether mail of the domain, or of one above it, is for throwing away; None where the list is not installed."""
    try:
        from disposable_email_domains import allowlist, blocklist
    except ModuleNotFoundError:
        return None
    above = parents_of(address.domain)
    return any(one in blocklist for one in above) and not any(one in allowlist for one in above)


async def _take_mail(call: Call, address: Address) -> bool | None:
    servers = call.core.mail_servers
    if servers is None or not address.valid:
        return None
    answer: bool | None = await call.once(
        ("mail", address.domain), lambda: drive.using(servers.io, servers.take_mail, address.domain)
    )
    return answer
