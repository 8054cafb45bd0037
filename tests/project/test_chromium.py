"""The browser that tests drive draws."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser


@pytest.mark.browser
def test_the_browser_draws_a_page(chromium: Browser) -> None:
    with chromium.new_context() as context:
        page = context.new_page()
        page.set_content("<h1>Signed in</h1>")
        assert page.get_by_role("heading").inner_text() == "Signed in"
