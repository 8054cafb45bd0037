"""A plugin: a real Chromium.

Law: a browser test is marked `browser` and stands in a module of such tests; all of them run on one worker, and each makes its own context.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.servers import Machine

QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put browser tests in one group and let them need the server `chromium`."""
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.xdist_group("browser"))
            item.add_marker(pytest.mark.server("chromium"))


@pytest.fixture(scope="module")
def chromium(machine: Machine) -> Iterator[Browser]:
    """The running browser; `chromium.new_context()` gives a test its own cookies.

    It ends with its module: while it lives, Playwright's own event loop counts as running in this thread, where other tests start theirs.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=machine.server("chromium").where, chromium_sandbox=os.getuid() != 0, args=list(QUIET)
        )
        yield browser
        browser.close()
