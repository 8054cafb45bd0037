"""Passkeys in Chromium with its virtual authenticator: the demo's pages, and a page that drives the vendor's client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from playwright.sync_api import Browser, CDPSession, Page

from tests.browser.pages import check_accessible, strict_page, virtual_authenticator
from tests.serving import demo

pytestmark = pytest.mark.browser


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with demo(tmp_path) as address:
        yield address


@attrs.define(eq=False)
class Device:
    """Chromium's virtual authenticator, held by its developer protocol."""

    session: CDPSession
    id: str

    def set(self, what: str, **values: Any) -> None:
        self.session.send(f"WebAuthn.set{what}", {"authenticatorId": self.id, **values})

    def credentials(self) -> list[dict[str, Any]]:
        held: list[dict[str, Any]] = self.session.send("WebAuthn.getCredentials", {"authenticatorId": self.id})[
            "credentials"
        ]
        return held


@pytest.fixture
def said() -> list[str]:
    """What the console said that was wrong; a test that provokes something takes it out."""
    return []


@pytest.fixture
def page(chromium: Browser, said: list[str]) -> Iterator[Page]:
    with strict_page(chromium, said=said) as page:
        yield page


def device_of(page: Page, **more: Any) -> Device:
    return Device(*virtual_authenticator(page, **more))


def sign_in(url: str, page: Page) -> None:
    """Sign in by a link, as far as the link goes."""
    page.goto(f"{url}/login")
    page.get_by_label("E-mail address").fill("ada@example.org")
    page.get_by_role("button", name="Send me a link").click()
    page.get_by_role("link", name="Open the inbox").click()
    page.get_by_role("link", name="Follow the link").first.click()
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{url}/account")


def sign_out(url: str, page: Page) -> None:
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{url}/")
    assert not page.context.cookies()


def with_passkey(url: str, page: Page) -> None:
    sign_in(url, page)
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_role("button", name="Remove Passkey").wait_for()


def test_a_passkey_is_added_named_used_and_removed(url: str, page: Page) -> None:
    """WA-01, WA-05, WA-07."""
    device = device_of(page)
    device.set("AutomaticPresenceSimulation", enabled=False)  # nothing answers the address field by itself
    sign_in(url, page)
    device.set("AutomaticPresenceSimulation", enabled=True)
    check_accessible(page)
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_role("button", name="Remove Passkey").wait_for()
    assert len(device.credentials()) == 1
    page.get_by_text("Rename Passkey").click()
    check_accessible(page)
    page.get_by_label("Its name").fill("Ada's laptop")
    page.get_by_role("button", name="Save the name").click()
    page.get_by_role("button", name="Remove Ada's laptop").wait_for()
    device.set("AutomaticPresenceSimulation", enabled=False)
    sign_out(url, page)
    page.goto(f"{url}/login")
    page.get_by_role("button", name="Sign in with a passkey").wait_for()
    check_accessible(page)
    device.set("AutomaticPresenceSimulation", enabled=True)
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(f"{url}/account")
    page.get_by_text("ada@example.org").wait_for()
    assert device.credentials()[0]["signCount"] == 2
    held = {cookie["name"]: cookie["httpOnly"] for cookie in page.context.cookies()}
    assert held == {"authmw_session": True, "authmw_session_jwt": True}
    page.get_by_role("button", name="Remove Ada's laptop").click()
    page.wait_for_url(f"{url}/login")


def test_the_address_field_offers_the_passkey(url: str, page: Page) -> None:
    """Autofill: the page asks when it is opened, and whoever picks the passkey is signed in."""
    device_of(page)
    with_passkey(url, page)
    sign_out(url, page)
    page.goto(f"{url}/login?next=/account")
    page.wait_for_url(f"{url}/account")
    page.get_by_text("ada@example.org").wait_for()


def test_the_same_device_is_not_added_twice(url: str, page: Page) -> None:
    """A124."""
    device_of(page)
    with_passkey(url, page)
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_text("This device has a passkey for you already.").wait_for()
    check_accessible(page)


def test_whoever_has_a_passkey_proves_it_before_another_is_added(url: str, page: Page, said: list[str]) -> None:
    """WA-08: the page leads to the second step, and back."""
    device = device_of(page)
    with_passkey(url, page)
    device.set("AutomaticPresenceSimulation", enabled=False)
    sign_out(url, page)
    sign_in(url, page)
    device.set("AutomaticPresenceSimulation", enabled=True)
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_role("button", name="Use a passkey instead").click()
    page.wait_for_url(f"{url}/account")
    page.get_by_text("by a link and a passkey").wait_for()
    assert [text for text in said if "401" not in text] == []
    said.clear()


def test_a_signature_counter_that_goes_back_keeps_the_copy_out(url: str, page: Page, said: list[str]) -> None:
    """A122, as in a browser."""
    device = device_of(page)
    with_passkey(url, page)
    sign_out(url, page)
    page.goto(f"{url}/login?next=/account")
    page.wait_for_url(f"{url}/account")
    held = device.credentials()[0]
    device.session.send(
        "WebAuthn.removeCredential", {"authenticatorId": device.id, "credentialId": held["credentialId"]}
    )
    copied = {**held, "signCount": 0}
    device.session.send("WebAuthn.addCredential", {"authenticatorId": device.id, "credential": copied})
    sign_out(url, page)
    page.goto(f"{url}/login")
    page.get_by_text("This authenticator's counter did not grow").wait_for()
    assert [text for text in said if "401" not in text] == []
    said.clear()


def test_a_passkey_without_pin_or_biometric_is_not_taken(url: str, page: Page) -> None:
    """A121."""
    device = device_of(page)
    with_passkey(url, page)
    device.set("AutomaticPresenceSimulation", enabled=False)
    sign_out(url, page)
    page.goto(f"{url}/login")
    button = page.get_by_role("button", name="Sign in with a passkey")
    button.wait_for()
    device.set("UserVerified", isUserVerified=False)
    device.set("AutomaticPresenceSimulation", enabled=True)
    button.click()
    page.get_by_text("That was called off, or no passkey of yours is here.").wait_for()


def test_a_passkey_is_the_second_step_where_an_app_was_enrolled(url: str, page: Page) -> None:
    import pyotp

    device = device_of(page)
    with_passkey(url, page)
    page.get_by_role("button", name="Add an app").click()
    secret = page.locator("p > code").inner_text()
    page.get_by_label("The code that the app shows now").fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Turn it on").click()
    device.set("AutomaticPresenceSimulation", enabled=False)
    sign_out(url, page)
    page.goto(f"{url}/login")
    page.get_by_label("E-mail address").fill("ada@example.org")
    page.get_by_role("button", name="Send me a link").click()
    page.get_by_role("link", name="Open the inbox").click()
    page.get_by_role("link", name="Follow the link").first.click()
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="One more step").wait_for()
    check_accessible(page)
    device.set("AutomaticPresenceSimulation", enabled=True)
    page.get_by_role("button", name="Use a passkey instead").click()
    page.wait_for_url(f"{url}/account")


def test_a_page_of_another_origin_is_refused_by_the_browser_itself(url: str, page: Page) -> None:
    """A118, A119: the domain of one page is not to be had on another."""
    device_of(page)
    page.goto(f"{url}/dev/inbox")
    refused = page.evaluate(
        """async () => {
          const publicKey = { challenge: new Uint8Array(32), rpId: "example.com", allowCredentials: [] };
          try { await navigator.credentials.get({ publicKey }); return ""; } catch (fault) { return fault.name; }
        }"""
    )
    assert refused == "SecurityError"


def test_at_a_number_instead_of_a_name_the_page_says_why_there_are_no_passkeys(
    url: str, page: Page, said: list[str]
) -> None:
    device_of(page)
    page.goto(url.replace("localhost", "127.0.0.1") + "/login")
    button = page.get_by_role("button", name="Sign in with a passkey")
    button.wait_for()
    button.click()
    page.get_by_text("The domain is not one that this project has passkeys for.").wait_for()
    assert [text for text in said if "400" not in text] == []
    said.clear()


@pytest.fixture
def without_script(chromium: Browser) -> Iterator[Callable[[str], Page]]:
    context = chromium.new_context(java_script_enabled=False)

    def open_page(address: str) -> Page:
        page = context.new_page()
        page.goto(address)
        return page

    yield open_page
    context.close()


def test_without_script_the_page_says_so_and_works(url: str, without_script: Callable[[str], Page]) -> None:
    page = without_script(f"{url}/login")
    page.get_by_text("Passkeys need JavaScript").wait_for()
    assert not page.locator("#passkey").is_visible()
    page.get_by_label("E-mail address").fill("ada@example.org")
    page.get_by_role("button", name="Send me a link").click()
    page.get_by_role("heading", name="Look into your inbox").wait_for()
