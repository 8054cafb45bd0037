"""The main job in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pyotp
import pytest
from playwright.sync_api import Browser, Page

from tests.browser.pages import check_accessible, strict_page
from tests.serving import demo

pytestmark = pytest.mark.browser


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with demo(tmp_path) as address:
        yield address


@pytest.fixture(params=[True, False], ids=["script", "no-script"])
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    with strict_page(chromium, script=request.param) as page:
        yield page


def check(page: Page, request: pytest.FixtureRequest) -> None:
    """Nothing that keeps anybody out."""
    page.wait_for_load_state()
    if request.node.callspec.params["page"]:
        check_accessible(page)


def test_a_newcomer_signs_in_by_a_link_from_the_inbox(url: str, page: Page, request: pytest.FixtureRequest) -> None:
    page.goto(url)
    check(page, request)
    page.get_by_role("link", name="Sign in").click()
    check(page, request)
    page.get_by_label("E-mail address").fill("ada@example.org")
    page.get_by_role("button", name="Send me a link").click()
    check(page, request)
    page.get_by_role("link", name="Open the inbox").click()
    check(page, request)
    page.get_by_role("link", name="Follow the link").click()
    check(page, request)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{url}/account")
    check(page, request)
    page.get_by_text("ada@example.org").wait_for()
    cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
    assert cookies["authmw_session"]["httpOnly"]
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{url}/")
    assert not page.context.cookies()


def test_the_keyboard_alone_is_enough(url: str, page: Page) -> None:
    page.goto(f"{url}/login")
    page.get_by_label("E-mail address").focus()
    page.keyboard.type("ada@example.org")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Look into your inbox").wait_for()


def signed_in(url: str, page: Page, following: str = "/account") -> None:
    """Sign in by a link, as far as the link goes."""
    page.goto(f"{url}/login?next={following}")
    page.get_by_label("E-mail address").fill("ada@example.org")
    page.get_by_role("button", name="Send me a link").click()
    page.get_by_role("link", name="Open the inbox").click()
    page.get_by_role("link", name="Follow the link").first.click()
    page.get_by_role("button", name="Sign in").click()


OUTSIDE = """() => [...document.querySelectorAll("main *")].filter((one) => {
  const box = one.getBoundingClientRect(), card = one.closest(".card");
  const edge = card ? card.getBoundingClientRect().right : innerWidth;
  return box.width > 1 && box.right > edge + 1;
}).map((one) => one.outerHTML.slice(0, 80))"""
"""What sticks out of its card, or of the window."""


def test_on_a_phone_nothing_sticks_out_and_a_session_is_named_in_words(url: str, page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 700})
    for path in ("/", "/login", "/password", "/phone", "/wallet", "/auth/errors"):
        page.goto(url + path)
        assert page.evaluate(OUTSIDE) == [], path
    signed_in(url, page)
    assert page.evaluate(OUTSIDE) == []
    page.get_by_text("Chrome on").wait_for()
    page.get_by_text("by a link").wait_for()
    page.get_by_role("button", name="Add an app").click()
    assert page.evaluate(OUTSIDE) == []
    page.goto(f"{url}/dev/inbox")
    assert page.evaluate(OUTSIDE) == []


def test_an_authenticator_app_is_added_asked_for_and_recovered(
    url: str, page: Page, request: pytest.FixtureRequest
) -> None:
    signed_in(url, page)
    page.get_by_role("button", name="Add an app").click()
    check(page, request)
    secret = page.locator("p > code").inner_text()
    recovery = page.locator(".codes code").first.inner_text()
    page.get_by_label("The code that the app shows now").fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Turn it on").click()
    check(page, request)
    page.get_by_text("Authenticator app", exact=True).wait_for()
    page.get_by_role("button", name="Sign out").click()
    signed_in(url, page)
    page.get_by_role("heading", name="One more step").wait_for()
    check(page, request)
    page.get_by_label("Code").fill(recovery)
    page.get_by_role("button", name="Go on").click()
    page.wait_for_url(f"{url}/account")
    page.get_by_role("button", name="Remove Authenticator app").click()
    page.wait_for_url(f"{url}/login")


def test_a_phone_number_is_added_by_the_code_that_was_texted(
    url: str, page: Page, request: pytest.FixtureRequest
) -> None:
    signed_in(url, page)
    page.get_by_label("A phone number, with country code").fill("+1 415 555 2671")
    page.get_by_role("button", name="Add the number").click()
    check(page, request)
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="inbox (new tab)").click()
    code = opened.value.locator(".code").first.inner_text().replace(" ", "")
    opened.value.close()
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Add the number").click()
    page.get_by_text("+14155552671").wait_for()
    check(page, request)


def at_the_provider(page: Page, email: str, *, verified: bool = True) -> None:
    """Say at a stand-in who one is."""
    page.get_by_label("Your e-mail address there").fill(email)
    if not verified:
        page.get_by_role("checkbox").uncheck()
    page.get_by_role("button", name="Continue to the app").click()


@pytest.mark.parametrize("label", ["Google", "Apple", "GitHub", "Facebook"])
def test_a_newcomer_signs_in_with_a_provider_that_a_page_stands_in_for(
    label: str, url: str, page: Page, request: pytest.FixtureRequest
) -> None:
    """OA-01, OA-02, OA-08, OA-10, OA-11: without a network, and without script."""
    page.goto(f"{url}/login")
    page.get_by_role("link", name=label, exact=True).click()
    page.get_by_role("heading", name=f"Stand-in for {label}").wait_for()
    check(page, request)
    if label == "Facebook":
        assert page.get_by_role("checkbox").count() == 0
    at_the_provider(page, "ada@example.org")
    if label == "Apple":
        check(page, request)
        page.get_by_role("button", name="Go on").click()
    check(page, request)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{url}/account")
    check(page, request)
    page.get_by_text(f"{label} account".replace("GitHub", "Github"), exact=True).wait_for()
    assert page.get_by_text("ada@example.org").count() == (0 if label == "Facebook" else 1)


def test_a_provider_is_added_to_an_account_signs_in_to_it_and_is_removed(
    url: str, page: Page, request: pytest.FixtureRequest
) -> None:
    signed_in(url, page)
    page.get_by_label("An account that you have elsewhere").select_option("Twitch")
    page.get_by_role("button", name="Add the account").click()
    at_the_provider(page, "somebody.else@example.org", verified=False)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("Twitch account", exact=True).wait_for()
    check(page, request)
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{url}/login")
    page.get_by_role("link", name="Twitch", exact=True).click()
    at_the_provider(page, "somebody.else@example.org", verified=False)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("ada@example.org").wait_for()
    page.get_by_role("button", name="Remove Twitch account").click()
    page.wait_for_url(f"{url}/login")


def test_whoever_turns_back_at_a_provider_is_told_in_words_of_ours(
    url: str, page: Page, request: pytest.FixtureRequest
) -> None:
    """OAU-09."""
    page.goto(f"{url}/login")
    page.get_by_role("link", name="Google", exact=True).click()
    page.get_by_role("button", name="Cancel").click()
    assert page.get_by_role("alert").inner_text()
    check(page, request)


def test_a_password_makes_an_account_is_forgotten_and_changed(
    url: str, page: Page, request: pytest.FixtureRequest
) -> None:
    first, second, third = (
        "lovely purple submarine kettle",
        "nine quiet otters borrow ladders",
        "seven brave kettles ignore thunder",
    )
    page.goto(f"{url}/login")
    page.get_by_role("link", name="Use a password").click()
    check(page, request)
    page.get_by_label("E-mail address").fill("ada@example.org")
    page.get_by_label("Password").fill(first)
    page.get_by_role("button", name="Make an account").click()
    page.wait_for_url(f"{url}/account")
    check(page, request)
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{url}/password")
    page.get_by_role("link", name="I do not know my password").click()
    check(page, request)
    page.get_by_label("E-mail address").fill("ada@example.org")
    page.get_by_role("button", name="Send me a link").click()
    page.get_by_role("link", name="Open the inbox").click()
    check(page, request)
    page.get_by_role("link", name="Follow the link").first.click()
    check(page, request)
    page.get_by_label("New password").fill(second)
    page.get_by_role("button", name="Set the password").click()
    page.wait_for_url(f"{url}/account")
    page.get_by_label("Your present password").fill(second)
    page.get_by_label("A new password").fill(third)
    page.get_by_role("button", name="Set the password").click()
    page.wait_for_url(f"{url}/account")
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{url}/password")
    page.get_by_label("E-mail address").fill("ada@example.org")
    page.get_by_label("Password").fill(third)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{url}/account")


def test_a_device_is_let_in_shown_on_the_account_page_and_taken_back(
    url: str, page: Page, request: pytest.FixtureRequest
) -> None:
    """RFC 7591, RFC 8628: an app that nobody registered before, on a device without a browser."""
    base = f"{url.replace('localhost', '127.0.0.1')}/auth/v1/oauth2"
    with httpx2.Client(trust_env=False) as device:
        told = {"client_name": "A television", "redirect_uris": ["http://127.0.0.1/unused"]}
        app = {"client_id": device.post(f"{base}/register", json=told).json()["client_id"]}
        begun = device.post(f"{base}/device_authorization", data={**app, "scope": "openid"}).json()
        page.goto(begun["verification_uri_complete"])
        assert page.url.startswith(f"{url}/login?next=")
        page.get_by_role("link", name="Google", exact=True).click()
        at_the_provider(page, "ada@example.org")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="Continue").click()
        page.get_by_text(begun["user_code"]).wait_for()
        page.get_by_role("button", name="Allow").click()
        page.goto(f"{url}/account")
        check(page, request)
        page.get_by_role("button", name="Take back what A television may do").click()
        assert page.get_by_text("Apps that act for you").count() == 0
        asked = {
            **app,
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "device_code": begun["device_code"],
        }
        assert device.post(f"{base}/token", data=asked).json()["error"] == "invalid_grant"
