"""Google One Tap: what a page needs to show it, and what it submits.

Law: an ID token from a page counts with the nonce that we gave to this browser, once, and beside a second value that only our own answer and our own page know (OAU-07).
"""

from __future__ import annotations

import attrs

from authmw.consumer.oauth.flow import (
    ONE_TAP,
    binding_of,
    browser_of,
    by_callback,
    callback_id,
    configured,
    destinations,
    flow_of,
    made_of,
    new_flow,
)
from authmw.consumer.oauth.landing import by_id_token, check_public, factor_of, land, starts
from authmw.consumer.oauth.responses import LeadResponse, OneTapStartResponse
from authmw.crypto import tokens
from authmw.errors import Refused
from authmw.factors.oauth.exchange import Directory
from authmw.ledger.commits import commit
from authmw.operations import Call, Core, Product, current_call, operation
from authmw.parameters import JWT, URL, Id, Text, Token
from authmw.signin.limits import charge
from authmw.storage import Insert, Write


class GoogleOneTap(Product):
    """Sign-in without leaving the page."""

    def __init__(self, core: Core, directory: Directory) -> None:
        super().__init__(core)
        self._directory = directory

    @operation("GET", "/v1/public/oauth/google/onetap/start", action="GoogleOneTapStart", door="navigation")
    async def start(self, *, public_token: Token, binding: Text | None = None) -> OneTapStartResponse:
        """What a page needs to show Google One Tap: the client id, where to submit, and the nonce and token of one use within ten minutes."""
        call = current_call()
        check_public(call, public_token)
        setup = configured(call, "google")
        await charge(call, starts(call))
        visitor = browser_of(call, binding) or tokens.token()
        flow, nonce = new_flow(call, ONE_TAP, setup.name, visitor, {})
        await commit(Insert(flow), factor=factor_of(setup.name))
        return OneTapStartResponse(
            google_client_id=setup.client_id,
            oauth_callback_id=callback_id(call.settings.project_id, call.settings.environment, setup.name),
            stytch_csrf_token=made_of(call, flow, nonce, "csrf"),
            nonce=nonce,
            binding=binding_of(call, visitor),
        )

    @operation("POST", "/v1/public/oauth/google/onetap/submit", action="GoogleOneTapSubmit", door="navigation")
    async def submit(
        self,
        *,
        id_token: JWT,
        stytch_csrf_token: Token,
        login_redirect_url: URL | None = None,
        signup_redirect_url: URL | None = None,
        oauth_callback_id: Id | None = None,
        binding: Text | None = None,
    ) -> LeadResponse:
        """Where to go after One Tap: the app, with a token for `authenticate`. Refused like `callback`, and for an ID token that is not for this project (OAU-07).

        `oauth_callback_id` is the callback that it came to, if it came to one: Google's own, and no other provider's (OAU-02).
        """
        call = current_call()
        if oauth_callback_id is not None and by_callback(call, oauth_callback_id).name != "google":
            raise Refused("oauth_invalid_callback_request")
        places = destinations(call, login_redirect_url, signup_redirect_url)
        visitor = browser_of(call, binding)
        return await one_tapped(call, self._directory, id_token, visitor, stytch_csrf_token, places, ())


async def one_tapped(
    call: Call,
    directory: Directory,
    credential: str,
    visitor: str | None,
    csrf: str | None,
    places: dict[str, str],
    forms: tuple[Write, ...],
) -> LeadResponse:
    """Land by a credential of One Tap. `csrf` None: the form's own double-submit token was compared already."""
    result, claims = await by_id_token(call, directory, "google", credential)
    nonce = claims.get("nonce")
    flow = await flow_of(call, ONE_TAP, "google", nonce if isinstance(nonce, str) else None, visitor)
    if csrf is not None and not tokens.same(csrf, made_of(call, flow, str(nonce), "csrf")):
        raise Refused("oauth_state_mismatch")
    return await land(call, attrs.evolve(flow, details={**flow.details, **places}), result, forms)
