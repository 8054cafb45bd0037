"""Pure decisions about devices: what a rule is about, which rule meets a device, and what the verdict is.

Law: of several rules the one that names the device most exactly decides; without a rule the gravest reason does. A reason that nobody has judged is a challenge.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import Literal, TypeAlias, get_args

import attrs

from authmw.errors import Refused
from authmw.platform.fraud.records import FraudRule
from authmw.ports import Fingerprint, VerdictAction

RuleType: TypeAlias = Literal[
    "VISITOR_ID",
    "BROWSER_ID",
    "VISITOR_FINGERPRINT",
    "BROWSER_FINGERPRINT",
    "HARDWARE_FINGERPRINT",
    "NETWORK_FINGERPRINT",
    "CIDR_BLOCK",
    "ASN",
    "COUNTRY_CODE",
]
"""What a rule can be about, the most exact first."""
RULE_MATCH = "RULE_MATCH"
_EXACTNESS: tuple[str, ...] = get_args(RuleType)
_GRAVITY: Mapping[VerdictAction, int] = {"ALLOW": 0, "CHALLENGE": 1, "BLOCK": 2}
_PREFIXES = {4: tuple(range(32, 15, -1)), 6: (128, 64, 56, 48, 32)}
"""How long the prefix of a network may be: what one look-up can ask for at once."""
_NAME = re.compile(r"[!-~]{1,128}")
_ASN = re.compile(r"0|[1-9][0-9]{0,9}")
_LARGEST_ASN = 2**32 - 1
_COUNTRIES = frozenset(
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV "
    "CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM "
    "IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW "
    "MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS "
    "ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW".split()
)
"""ISO 3166-1 alpha-2, as assigned."""


@attrs.frozen
class About:
    """What a rule is about."""

    type: RuleType
    identifier: str

    @property
    def key(self) -> str:
        """Where such a rule is kept."""
        return f"{self.type}|{self.identifier}"


def about(given: Mapping[str, str | None]) -> About:
    """What a rule is about, of the nine parameters that can say it, in canonical form. Refused unless exactly one is given and it can be one."""
    named = [(name, value) for name, value in given.items() if value is not None]
    if len(named) != 1:
        raise Refused("bad_request", "Name exactly one of " + ", ".join(given) + ".")
    name, value = named[0]
    type_: RuleType = next(one for one in get_args(RuleType) if one == name.upper())
    checked = {"cidr_block": _network, "asn": _asn, "country_code": _country}.get(name, _name)(value)
    if checked is None:
        raise Refused("bad_request", f"`$.{name}` is not valid.")
    return About(type_, checked)


def _name(text: str) -> str | None:
    return text if _NAME.fullmatch(text) else None


def _network(text: str) -> str | None:
    """An address or a network in canonical form; bits beyond the prefix are an error, not a meaning."""
    try:
        network = ip_network(text)
    except ValueError:
        return None
    if network.version == 6 and network.network_address.scope_id is not None:
        return None
    return str(network) if network.prefixlen in _PREFIXES[network.version] else None


def _asn(text: str) -> str | None:
    return text if _ASN.fullmatch(text) and int(text) <= _LARGEST_ASN else None


def _country(text: str) -> str | None:
    return text if text in _COUNTRIES else None


def check_action(rule: About, action: str) -> None:
    """Refused for an ALLOW of a whole country: that would wave through whoever can rent an address there."""
    if rule.type == "COUNTRY_CODE" and action == "ALLOW":
        raise Refused("bad_request", "`$.action` cannot be ALLOW for a country.")


def keys_for(device: Fingerprint) -> tuple[str, ...]:
    """Where every rule is kept that can meet a device."""
    said: tuple[tuple[RuleType, str | None], ...] = (
        ("VISITOR_ID", device.visitor_id),
        ("BROWSER_ID", device.browser_id),
        ("VISITOR_FINGERPRINT", device.visitor_fingerprint),
        ("BROWSER_FINGERPRINT", device.browser_fingerprint),
        ("HARDWARE_FINGERPRINT", device.hardware_fingerprint),
        ("NETWORK_FINGERPRINT", device.network_fingerprint),
        ("ASN", device.asn),
        ("COUNTRY_CODE", device.country),
    )
    named = [About(type_, value).key for type_, value in said if value]
    return (*named, *(About("CIDR_BLOCK", network).key for network in _networks(device.ip_address)))


def _networks(text: str) -> Iterable[str]:
    try:
        address = ip_address(text)
    except ValueError:
        return ()
    return tuple(str(ip_network((address, length), strict=False)) for length in _PREFIXES[address.version])


def deciding(rules: Iterable[FraudRule], now: datetime) -> FraudRule | None:
    """The rule that decides: the one that names the device most exactly, of networks the smallest."""
    return min((rule for rule in rules if rule.holds(now)), key=_rank, default=None)


def _rank(rule: FraudRule) -> tuple[int, int]:
    narrow = ip_network(rule.identifier).prefixlen if rule.rule_type == "CIDR_BLOCK" else 0
    return _EXACTNESS.index(rule.rule_type), -narrow


@attrs.frozen(kw_only=True)
class Verdict:
    """What to do about a device, why, and what of it this project has decided by itself."""

    action: VerdictAction
    reasons: tuple[str, ...]
    overrides: Mapping[str, VerdictAction]
    rule: FraudRule | None = None


def verdict_of(
    reasons: Sequence[str],
    defaults: Mapping[str, VerdictAction],
    overrides: Mapping[str, VerdictAction],
    rule: FraudRule | None,
) -> Verdict:
    """The verdict on a device that was reported for these reasons."""
    applied: dict[str, VerdictAction] = {reason: overrides[reason] for reason in reasons if reason in overrides}
    if rule is not None:
        return Verdict(action=rule.action, reasons=(*reasons, RULE_MATCH), overrides=applied, rule=rule)
    action: VerdictAction = "ALLOW"
    for reason in reasons:
        suggested = applied.get(reason) or defaults.get(reason) or "CHALLENGE"
        action = suggested if _GRAVITY[suggested] > _GRAVITY[action] else action
    return Verdict(action=action, reasons=tuple(reasons), overrides=applied)
