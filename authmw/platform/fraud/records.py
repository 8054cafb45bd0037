"""What is remembered against fraud: rules about devices and networks, and what a project makes of the reasons of verdicts."""

from __future__ import annotations

from datetime import datetime

import attrs

from authmw.ports import VerdictAction
from authmw.storage import Record, by_field, record


@record("fraud_rules", key="rule_key", expires="expires_at", indexes=(by_field("created", "created_at"),))
@attrs.frozen(kw_only=True)
class FraudRule(Record):
    """What a look-up answers for one identifier. Without `expires_at` it holds until it is cleared."""

    rule_key: str
    rule_type: str
    identifier: str
    action: VerdictAction
    description: str = ""
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """Whether it is not over."""
        return self.expires_at is None or now < self.expires_at


@record("verdict_overrides", key="verdict_reason", indexes=(by_field("created", "created_at"),))
@attrs.frozen(kw_only=True)
class VerdictOverride(Record):
    """What a reason suggests in this project, in place of what it suggests by itself."""

    verdict_reason: str
    action: VerdictAction
    description: str = ""
    created_at: datetime
