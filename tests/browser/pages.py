"""A page of Chromium that forgives nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, CDPSession, ConsoleMessage, Page


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


def virtual_authenticator(page: Page, **more: Any) -> tuple[CDPSession, str]:
    """Give a page Chromium's virtual authenticator: built in, with a biometric that always agrees. How it is spoken with, and its id."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
        **more,
    }
    made = session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session, str(made["authenticatorId"])


def check_accessible(page: Page) -> None:
    """Nothing of the page keeps anybody out, as far as a machine can tell (axe); it needs script."""
    page.wait_for_load_state()
    assert [one["id"] for one in Axe().run(page).response["violations"]] == []
