"""A page of Chromium that forgives nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page


@contextmanager
def strict_page(chromium: Browser, *, script: bool = True, said: list[str] | None = None) -> Iterator[Page]:
    """A page with cookies of its own, which fails at its end if an error stood in its console; `said` is where they are heard, for a test that provokes one."""
    heard: list[str] = [] if said is None else said

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error":
            heard.append(message.text)

    context = chromium.new_context(java_script_enabled=script)
    page = context.new_page()
    page.on("console", hear)
    page.on("pageerror", lambda error: heard.append(str(error)))
    yield page
    context.close()
    assert heard == []


def check_accessible(page: Page) -> None:
    """Nothing of the page keeps anybody out, as far as a machine can tell (axe); it needs script."""
    page.wait_for_load_state()
    assert [one["id"] for one in Axe().run(page).response["violations"]] == []
