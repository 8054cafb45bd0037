"""The demo's wallets: sign in by one, or add one to an account. Two of each kind stand in for those that a browser has, so it works without an extension and without script."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from authmw.cli.views import HEADERS, MINUTES, Views, page, script
from authmw.errors import Refused
from authmw.guard.verified import current_session, optional_session
from authmw.redirects import safe_next
from authmw.testing.wallets import EthereumWallet, SolanaWallet

StandIn: TypeAlias = EthereumWallet | SolanaWallet


@functools.cache
def stand_ins() -> Mapping[str, StandIn]:
    """The wallets that stand in for people's own, by what they are called. Everybody has their keys, as everybody is believed by the stand-ins of providers."""
    return {
        "Ethereum wallet one": EthereumWallet(1),
        "Ethereum wallet two": EthereumWallet(2),
        "Solana wallet one": SolanaWallet(1),
        "Solana wallet two": SolanaWallet(2),
    }


class Wallets(Views):
    """The views. A wallet in the browser is asked by the script, over the browser API."""

    def routes(self) -> list[Route]:
        """Where they stand."""
        return [
            Route("/wallet", self.choose, methods=["GET", "POST"]),
            Route("/wallet/sign", self.sign, methods=["POST"]),
            Route("/wallets.js", script("wallets.js")),
        ]

    async def choose(self, request: Request) -> Response:
        """Choose a wallet, and be shown the text that it is asked to sign."""
        following = safe_next(request.query_params.get("next"), "/account")
        if request.method == "GET":
            return self._choice(request, following)
        form = await self.form(request)
        following, name = safe_next(form.get("next"), "/account"), form.get("wallet", "")
        wallet = stand_ins().get(name)
        if wallet is None:
            return self._choice(request, following, 400, error="Choose one of these wallets.")
        try:
            asked = await self.do(
                self.auth.crypto_wallets.authenticate_start(
                    crypto_wallet_type=wallet.wallet_type,
                    crypto_wallet_address=wallet.address,
                    session_token=self._session(request),
                )
            )
        except Refused as refused:
            return self._choice(request, following, refused.status, error=refused.message)
        return page("wallet_text.html", next=following, wallet=name, text=asked.challenge)

    async def sign(self, request: Request) -> Response:
        """Have the stand-in sign what it was shown, and sign in by that, or add the wallet to whom is signed in."""
        form = await self.form(request)
        following, wallet = safe_next(form.get("next"), "/account"), stand_ins().get(form.get("wallet", ""))
        if wallet is None:
            return self._choice(request, following, 400, error="Choose one of these wallets.")
        signing = self.auth.crypto_wallets.authenticate(
            crypto_wallet_type=wallet.wallet_type,
            crypto_wallet_address=wallet.address,
            # A form brings line ends of its own, and each character counts.
            signature=wallet.sign(form.get("text", "").replace("\r\n", "\n")),
            session_token=self._session(request),
            session_duration_minutes=MINUTES,
        )
        try:
            self.auth.keep(await self.do(signing))
        except Refused as refused:
            return self._choice(request, following, refused.status, error=refused.message)
        return RedirectResponse(following, 303, headers=HEADERS)

    def _session(self, request: Request) -> str | None:
        """The session that the wallet is added to: what a session may do that lacks its second factor is not that."""
        if optional_session() is None:
            return None
        current_session()
        return self.token(request)

    def _choice(self, request: Request, following: str, status: int = 200, **values: str) -> Response:
        which = "secondary" if self._session(request) else "primary"
        return page(
            "wallet.html", status, next=following, wallets=stand_ins(), which=which, **self.for_script(), **values
        )
