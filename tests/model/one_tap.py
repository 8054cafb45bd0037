"""Google One Tap in the state machine: shown in a page, tapped, submitted from there and from elsewhere, once and again, by the wire's own operations."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import rule

from authmw.crypto.pkce import challenge_of
from authmw.drive import step as drive_step
from authmw.ports import FetchRequest
from authmw.testing import Person as Account
from tests.model.oauth import GOOGLE, STARTS, OAuthMachine, There
from tests.model.people import ADDRESSES, PICK
from tests.model.sides import Side
from tests.world import PUBLIC_TOKEN

BROWSERS = (0, 1)
SHOWN = 600
"""For how many seconds what was shown can be submitted."""
USED, ELSEWHERE, OVER = "oauth_state_used", "oauth_state_mismatch", "oauth_invalid_state"
VERIFIER = "v" * 43


@attrs.define(eq=False)
class Tap:
    """One Tap as a page of a browser shows it, until it is used."""

    name: str
    browser: int
    shown: float
    used: bool = False


class OneTapMachine(OAuthMachine):
    """Everything of the machine with providers, and two browsers in which Google asks without a redirect."""

    def __init__(self) -> None:
        super().__init__()
        self.taps: list[Tap] = []

    @rule(browser=st.sampled_from(BROWSERS))
    def show_one_tap(self, browser: int) -> None:
        """A nonce and a token for this browser, which keeps one binding (OAU-07)."""
        if not self.has_room("oauth starts", STARTS):
            return
        bound = f"browser {browser}"
        outcome = self.step(
            lambda side: side.call(
                side.auth.oauth.google_one_tap.start(public_token=PUBLIC_TOKEN, binding=side.held.get(bound))
            ),
            "",
        )
        if outcome.answers is None:
            return
        tap = Tap(self.name("tap"), browser, self.now)
        for side, (answer, _) in zip(self.sides, outcome.answers, strict=True):
            side.held[bound], side.held[tap.name] = answer.binding, answer
        self.taps.append(tap)

    @rule(
        index=PICK,
        text=st.sampled_from(ADDRESSES),
        verified=st.booleans(),
        browser=st.sampled_from(BROWSERS),
        other=st.none() | PICK,
        again=st.booleans(),
    )
    def tap(self, index: int, text: str, verified: bool, browser: int, other: int | None, again: bool) -> None:
        """OA-16, A150, OAU-07: within ten minutes, in the browser that shows it, with the token of this one and of no `other`, and once."""
        tap: Tap | None = self.pick(self.taps, index)
        if tap is None:
            return
        token: Tap = tap if other is None else self.pick(self.taps, other)
        self._submit(tap, There(GOOGLE, text), browser, token, verified=verified, times=1 + again)

    def _submit(self, tap: Tap, there: There, browser: int, token: Tap, *, verified: bool, times: int) -> None:
        """Present what Google says of the account to whom it was shown, beside the token that was shown with `token`."""
        credentials = {
            side.name: self._credential(side, tap, Account(email=there.text, verified=verified)) for side in self.sides
        }
        for _ in range(times):
            expected = OVER if self.now >= tap.shown + SHOWN else "" if browser == tap.browser else ELSEWHERE
            expected = expected or (USED if tap.used else "" if token is tap else ELSEWHERE)
            outcome = self.step(
                lambda side: side.call(
                    side.auth.oauth.google_one_tap.submit(
                        id_token=credentials[side.name],
                        stytch_csrf_token=side.held[token.name].stytch_csrf_token,
                        binding=side.held.get(f"browser {browser}"),
                    )
                ),
                expected,
            )
            if not expected and outcome.stood:
                tap.used = True
                self.lands(there, None, outcome, proved=verified)

    def _credential(self, side: Side, tap: Tap, account: Account) -> str:
        """The ID token that Google's script hands to the page: what its token endpoint signs for the same nonce."""
        assert side.providers is not None
        google = next(one for one in side.auth.core.settings.oauth if one.name == GOOGLE)
        asked = {
            "client_id": side.held[tap.name].google_client_id,
            "response_type": "code",
            "redirect_uri": side.auth.oauth.callback_url(GOOGLE),
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
            "nonce": side.held[tap.name].nonce,
        }
        form = {
            "client_id": google.client_id,
            "client_secret": google.client_secret.reveal(),
            "code": side.providers.agree(GOOGLE, asked, account).parameters["code"],
            "redirect_uri": asked["redirect_uri"],
            "code_verifier": VERIFIER,
        }
        request = FetchRequest(url=google.token_url, method="POST", body=urlencode(form).encode())
        answer: dict[str, Any] = json.loads(drive_step(side.providers.fetch(request)).body)
        return str(answer["id_token"])
