"""The demo's phones, wallets and device keys in a real browser: each signs in, is added, and is seen on the account page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Browser, Page

from authmw.testing import EthereumWallet, SolanaWallet
from tests.browser.pages import check_accessible, strict_page
from tests.browser.test_demo import OUTSIDE, check, signed_in
from tests.browser.test_passkeys import sign_in, sign_out
from tests.serving import demo

pytestmark = pytest.mark.browser

NUMBER = "+1 415 555 2671"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with demo(tmp_path) as address:
        yield address


@pytest.fixture
def said() -> list[str]:
    """What the console said that was wrong; a test that provokes something takes it out."""
    return []


@pytest.fixture(params=[True, False], ids=["script", "no-script"])
def page(chromium: Browser, request: pytest.FixtureRequest, said: list[str]) -> Iterator[Page]:
    with strict_page(chromium, script=request.param, said=said) as page:
        yield page


@pytest.fixture
def scripted(chromium: Browser, said: list[str]) -> Iterator[Page]:
    with strict_page(chromium, said=said) as page:
        yield page


def code_of(page: Page) -> tuple[str, str]:
    """The newest code in the inbox, and the channel that it went by."""
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="inbox (new tab)").click()
    inbox = opened.value
    code, channel = inbox.locator(".code").first.inner_text(), inbox.get_by_role("heading", level=2).first.inner_text()
    inbox.close()
    return code.replace(" ", ""), channel


@pytest.mark.parametrize(
    ("button", "channel", "proof"),
    [
        ("Text me a code", "sms", "by a code by SMS"),
        ("Send it by WhatsApp instead", "whatsapp", "by a code by WhatsApp"),
    ],
)
def test_a_newcomer_signs_in_by_phone(
    url: str, page: Page, request: pytest.FixtureRequest, button: str, channel: str, proof: str
) -> None:
    """PC-04, PC-07."""
    page.goto(f"{url}/login")
    page.get_by_role("link", name="Use a phone number").click()
    check(page, request)
    page.get_by_label("Phone number").fill(NUMBER)
    page.get_by_role("button", name=button).click()
    check(page, request)
    code, by = code_of(page)
    assert by == channel
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{url}/account")
    page.get_by_text(NUMBER.replace(" ", "")).wait_for()
    page.get_by_text(proof).wait_for()
    check(page, request)


def test_a_number_is_added_by_whatsapp(url: str, page: Page) -> None:
    """PC-09."""
    signed_in(url, page)
    page.get_by_label("A phone number, with country code").fill(NUMBER)
    page.get_by_role("button", name="Add it by WhatsApp").click()
    code, by = code_of(page)
    assert by == "whatsapp"
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Add the number").click()
    page.get_by_text(NUMBER.replace(" ", "")).wait_for()


def by_stand_in(page: Page, name: str) -> None:
    page.get_by_label("A wallet that stands in for yours").select_option(name)
    page.get_by_role("button", name="Show what it signs").click()


@pytest.mark.parametrize("name", ["Ethereum wallet one", "Solana wallet two"])
def test_a_wallet_that_stands_in_signs_a_newcomer_in(
    url: str, page: Page, request: pytest.FixtureRequest, name: str
) -> None:
    """CW-04, CW-05, CW-07: what is signed is shown first, and names the app."""
    page.goto(f"{url}/login")
    page.get_by_role("link", name="Use a crypto wallet").click()
    check(page, request)
    by_stand_in(page, name)
    check(page, request)
    page.set_viewport_size({"width": 360, "height": 700})
    if request.node.callspec.params["page"]:
        assert page.evaluate(OUTSIDE) == []
    page.get_by_text("Signing in with Project: authmw demo").wait_for()
    page.get_by_role("button", name="Sign it").click()
    page.wait_for_url(f"{url}/account")
    page.get_by_text(name.split()[0] + " wallet").wait_for()
    page.get_by_text("by a crypto wallet").wait_for()


def test_a_wallet_is_added_once_and_to_nobody_else(
    url: str, page: Page, request: pytest.FixtureRequest, said: list[str]
) -> None:
    """CW-08."""
    signed_in(url, page)
    page.get_by_role("link", name="Add a wallet").click()
    by_stand_in(page, "Ethereum wallet two")
    page.get_by_role("button", name="Sign it").click()
    page.wait_for_url(f"{url}/account")
    page.get_by_text("ada@example.org").wait_for()
    page.get_by_text("by a link and a crypto wallet").wait_for()
    check(page, request)
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{url}/wallet")
    by_stand_in(page, "Solana wallet one")
    page.get_by_role("button", name="Sign it").click()
    page.get_by_role("link", name="Add a wallet").click()
    by_stand_in(page, "Ethereum wallet two")
    assert page.get_by_role("alert").inner_text()
    assert [text for text in said if "400" not in text] == []
    said.clear()


WALLET = """{name} = {{
  request: ({{ method, params }}) => method === "eth_requestAccounts" ? ["{address}"] : sign(params[0]),
  connect: async () => ({{ publicKey: {{ toString: () => "{address}" }} }}),
  signMessage: async (bytes) => ({{ signature: new Uint8Array(await sign([...bytes])) }}),
}};"""


def test_the_wallet_of_the_browser_is_added_and_signs_in(url: str, scripted: Page) -> None:
    """CW-09: an EIP-1193 provider, as an extension puts it into the page."""
    wallet = EthereumWallet()
    scripted.expose_function("sign", lambda text: wallet.sign(bytes.fromhex(text[2:]).decode()))
    scripted.add_init_script(WALLET.format(name="window.ethereum", address=wallet.address))
    sign_in(url, scripted)
    scripted.get_by_role("link", name="Add a wallet").click()
    check_accessible(scripted)
    scripted.get_by_role("button", name="Use the wallet in this browser").click()
    scripted.wait_for_url(f"{url}/account")
    scripted.get_by_text("by a link and a crypto wallet").wait_for()
    sign_out(url, scripted)
    scripted.goto(f"{url}/wallet")
    scripted.get_by_role("button", name="Use the wallet in this browser").click()
    scripted.wait_for_url(f"{url}/account")
    scripted.get_by_text("ada@example.org").wait_for()
    scripted.get_by_text(wallet.address[:10]).wait_for()


def test_a_wallet_of_solana_in_the_browser_signs_in(url: str, scripted: Page) -> None:
    """CW-05."""
    from authmw.factors.wallet import base58

    wallet = SolanaWallet()

    def sign(octets: list[int]) -> list[int]:
        return list(base58.decode(wallet.sign(bytes(octets).decode()), 64) or b"")

    scripted.expose_function("sign", sign)
    scripted.add_init_script(WALLET.format(name="window.solana", address=wallet.address))
    scripted.goto(f"{url}/wallet")
    scripted.get_by_role("button", name="Use the wallet in this browser").click()
    scripted.wait_for_url(f"{url}/account")
    scripted.get_by_text(wallet.address[:10]).wait_for()


def with_device(url: str, page: Page) -> None:
    sign_in(url, page)
    page.get_by_role("button", name="Add this device").click()
    page.get_by_role("button", name="Remove Device key").wait_for()


def test_a_device_is_added_signs_in_and_forgets_its_key_once_it_was_removed(
    url: str, scripted: Page, said: list[str]
) -> None:
    """BIO-01."""
    scripted.goto(f"{url}/login")
    assert not scripted.locator("#device").is_visible()
    with_device(url, scripted)
    check_accessible(scripted)
    sign_out(url, scripted)
    scripted.goto(f"{url}/login")
    scripted.get_by_role("button", name="Sign in with this device").click()
    scripted.wait_for_url(f"{url}/account")
    scripted.get_by_text("ada@example.org").wait_for()
    scripted.get_by_text("by a device").wait_for()
    scripted.get_by_role("button", name="Remove Device key").click()
    scripted.wait_for_url(f"{url}/login")
    scripted.get_by_role("button", name="Sign in with this device").click()
    scripted.locator("#device-trouble").wait_for()
    check_accessible(scripted)
    scripted.reload()
    scripted.get_by_role("button", name="Sign in with a passkey").wait_for()
    assert not scripted.locator("#device").is_visible()
    assert [text for text in said if "404" not in text] == []
    said.clear()


def test_whoever_comes_by_a_device_is_told_what_else_an_account_with_an_app_asks_for(url: str, scripted: Page) -> None:
    """ACC-01: the app's code would be of the same kind."""
    with_device(url, scripted)
    scripted.get_by_role("button", name="Add an app").click()
    secret = scripted.locator("p > code").inner_text()
    scripted.get_by_label("The code that the app shows now").fill(pyotp.TOTP(secret).now())
    scripted.get_by_role("button", name="Turn it on").click()
    scripted.get_by_role("link", name="Recovery codes").click()
    check_accessible(scripted)
    assert scripted.locator(".codes code").count() == 10
    scripted.get_by_role("link", name="Back to your account").click()
    sign_out(url, scripted)
    scripted.goto(f"{url}/login")
    scripted.get_by_role("button", name="Sign in with this device").click()
    scripted.get_by_role("heading", name="One more step").wait_for()
    check_accessible(scripted)
    assert scripted.get_by_label("Code").count() == 0
    scripted.get_by_role("link", name="Sign in by one of these").click()
    scripted.get_by_role("heading", name="Sign in", exact=True).wait_for()
