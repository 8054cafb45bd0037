"""What holds for every test: no network, reproducible names, Hypothesis profiles, real servers and a real browser."""

from __future__ import annotations

import os

import hypothesis
import pytest

from tests import chromium, coverage_gate, network, servers

hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
hypothesis.settings.register_profile("nightly", deadline=None, max_examples=2000, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default"))


def pytest_configure(config: pytest.Config) -> None:
    """Add the plugins of this folder."""
    for plugin in (coverage_gate, network, servers, chromium):
        config.pluginmanager.register(plugin)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name bytes by their length: random ones would give each worker other tests, and none of them belongs in a report."""
    return f"{len(val)}-bytes" if isinstance(val, bytes) else None
