"""`authmw doctor`: looks at a configuration and at the running parts behind it, and names each fault.

Exit codes: 0 nothing at fault, 1 a fault (with `--strict`, or a warning), 2 there was nothing to look at: the options name no `Auth`.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import click

from authmw.auth import Auth
from authmw.cli.apps import the_auth
from authmw.errors import AuthError, Misconfigured, WrongSchema
from authmw.health import Finding, Health

_MARKS = {"ok": "ok     ", "warning": "warning", "fault": "FAULT  "}


def examine(app: str | None, database: Path) -> Health:
    """Everything there is to say about this `Auth`, also about one that cannot be built."""
    try:
        auth = the_auth(app, database)
    except Misconfigured as refused:
        return Health(tuple(Finding(part="settings", status="fault", message=fault) for fault in refused.faults))
    except WrongSchema as wrong:
        return Health((Finding(part="storage", status="fault", message=str(wrong)),))
    except AuthError as failed:
        message = f"Storage could not be made ready ({type(failed).__name__})."
        return Health((Finding(part="storage", status="fault", message=message),))
    try:
        return Health((_environment(auth), *auth.setup(), *_provider(auth), *auth.run(auth.health()).findings))
    finally:
        auth.close()


def _environment(auth: Auth) -> Finding:
    return Finding(
        part="settings",
        facts={
            "environment": auth.settings.environment,
            "public_url": auth.settings.public_url,
            "mount": auth.settings.mount,
            "operations": len(auth.table()),
        },
    )


def _provider(auth: Auth) -> list[Finding]:
    """Whether clients can read what we say of ourselves as a provider (RFC 8414 section 2); needs the `oauth` extra."""
    from authmw.platform.idp.discovery import provider_metadata

    if not auth.settings.live:
        return []  # On http nothing of it would hold.
    try:
        rfc8414: Any = importlib.import_module("authlib.oauth2.rfc8414")
    except ImportError:
        return []
    try:
        rfc8414.AuthorizationServerMetadata(provider_metadata(auth.settings)).validate()
    except ValueError as fault:
        return [Finding(part="provider", status="fault", message=f"The discovery document is not valid: {fault}.")]
    return [Finding(part="provider", facts={"issuer": auth.settings.provider_issuer})]


def report(health: Health, *, as_json: bool, strict: bool) -> int:
    """Say it, and answer the exit code."""
    failed = not health.healthy or (strict and health.warned)
    if as_json:
        click.echo(json.dumps(health.as_dict(), indent=2))
        return int(failed)
    for finding in health.findings:
        click.echo(f"{_MARKS[finding.status]} {finding.part:<14} {_words(finding)}".rstrip())
    faults = sum(finding.status == "fault" for finding in health.findings)
    warnings = sum(finding.status == "warning" for finding in health.findings)
    click.echo(f"\n{_counted(faults, 'fault')}, {_counted(warnings, 'warning')}.")
    return int(failed)


def _words(finding: Finding) -> str:
    facts: dict[str, Any] = dict(finding.facts)
    said = ", ".join(f"{name} {value}" for name, value in facts.items())
    return " ".join(part for part in (finding.message, f"({said})" if said else "") if part)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
