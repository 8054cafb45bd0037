"""Fraud by the vendor's own Python client, which calls it at another address than the rest."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
import stytch
from stytch.core.response_base import StytchError

from authmw import Auth
from authmw.cli.dev import dev_auth
from authmw.testing import FixedClock
from authmw_adapters.inbox import Inbox
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage
from tests.clients.conftest import running
from tests.stories.test_fraud import Intelligence, Mail, Story
from tests.world import World

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


def test_a_device_is_looked_up_judged_and_ruled_upon(tmp_path: Path, inbox: Inbox) -> None:
    devices, mail, clock = Intelligence(), Mail({"example.org": True}), FixedClock()

    def made(url: str) -> Auth:
        database = tmp_path / "app.sqlite3"
        return Auth(
            attrs.evolve(dev_auth(tmp_path / "dev.sqlite3", url).settings, oauth=()),
            storage=SQLiteStorage(database),
            limiter=SQLiteLimiter(database),
            devices=devices,
            mail_servers=mail,
            clock=clock,
        )

    with running(made, inbox) as client:
        story = Story(World(None, inbox, clock, "asgi"), devices, mail)  # type: ignore[arg-type]
        story.visit(reasons=("DATACENTER",))
        fraud = client.fraud
        seen = fraud.fingerprint.lookup("t-1", external_metadata={"external_id": "ada"})
        assert (seen.verdict.action, seen.external_metadata.external_id) == ("CHALLENGE", "ada")
        fraud.verdict_reasons.override("DATACENTER", "ALLOW", override_description="ours")
        (reason,) = fraud.verdict_reasons.list(overrides_only=True).verdict_reason_actions
        assert (reason.verdict_reason, reason.override_action) == ("DATACENTER", "ALLOW")
        fraud.rules.set("BLOCK", cidr_block="198.51.100.0/24", expires_in_minutes=5)
        verdict = fraud.fingerprint.lookup("t-1").verdict
        assert (verdict.action, verdict.rule_match_type) == ("BLOCK", "CIDR_BLOCK")
        assert [one.cidr_block for one in fraud.rules.list().rules] == ["198.51.100.0/24"]
        assert fraud.email.risk("ada@example.org").action == "ALLOW"
        with pytest.raises(StytchError) as refused:
            fraud.fingerprint.lookup("t-2")
        assert refused.value.details.error_type == "telemetry_id_not_found"


def test_the_counts_are_what_is_there(client: stytch.Client) -> None:
    client.users.create(email="ada@example.org")
    counts = {one.metric_type.value: one.count for one in client.project.metrics().metrics}
    assert counts["USER_COUNT"] == 1
