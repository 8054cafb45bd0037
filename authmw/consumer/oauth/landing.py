"""What the ways home share: the result of a provider waits for `authenticate` under a token, and a sign-in by it is answered in one shape."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from authmw.consumer.answers import session_answer, sign_in_answer
from authmw.consumer.oauth.flow import Result, configured, landed, spent
from authmw.consumer.oauth.linking import check_attachable, is_known
from authmw.consumer.oauth.responses import AuthenticateResponse, LeadResponse
from authmw.consumer.proofs import check_may_add_factor, signed_in_caller
from authmw.errors import Refused
from authmw.factors.challenges import Challenge
from authmw.factors.oauth.exchange import Directory
from authmw.factors.oauth.id_tokens import Expected
from authmw.factors.oauth.rules import ProviderTokens, profile_of
from authmw.ledger.commits import commit
from authmw.limits import Limit
from authmw.oauth_providers import PROVIDERS
from authmw.operations import Call
from authmw.people.records import Part
from authmw.signin.complete import Asked, Proof, complete
from authmw.signin.keys import KeyRing
from authmw.signin.limits import network_of
from authmw.storage import Insert, Update, Write


def factor_of(provider: str) -> str:
    """What an event names as the factor: the spelling of the sign-in that it leads to."""
    return f"oauth:oauth_{provider}" if provider in PROVIDERS else "sso:sso_oidc"


def check_public(call: Call, public_token: str) -> None:
    """Refused: `public_token_not_found`; `endpoint_not_authorized_for_sdk` where the project lets no browser begin."""
    if "oauth" in call.settings.browser_off:
        raise Refused("endpoint_not_authorized_for_sdk")
    if not call.project.holds_public_token(public_token):
        raise Refused("public_token_not_found")


def starts(call: Call) -> Limit:
    """What a stranger can make us store, by address."""
    return Limit(
        "oauth starts", (call.settings.project_id, network_of(call.caller.ip_address)), 120, timedelta(minutes=1)
    )


async def by_id_token(call: Call, directory: Directory, provider: str, id_token: str) -> tuple[Result, dict[str, Any]]:
    """Who an ID token that came without a flow is about, and its claims, whose nonce is for the caller to compare. Refused: `oauth_flow_callback_error`."""
    setup = configured(call, provider)
    known = await directory.known(call, setup)
    expected = Expected(issuers=known.row.issuers, client_id=setup.client_id, client_ids=setup.audiences)
    claims = await directory.claims(call, known, id_token, expected)
    granted = ProviderTokens(id_token=id_token, expires_at=datetime.fromtimestamp(claims["exp"], UTC))
    return Result(provider=provider, profile=profile_of(known.row, setup, claims), granted=granted), claims


async def land(call: Call, flow: Challenge, result: Result, forms: tuple[Write, ...]) -> LeadResponse:
    """Use a flow up and lead its browser to the app, with a token for `authenticate`. Refused: `duplicate_oauth_registration`."""
    await check_attachable(call, result)
    waiting, url = landed(call, flow, result, known=await is_known(call, result))
    await commit(Update(spent(call, flow)), *forms, Insert(waiting), factor=factor_of(result.provider))
    return LeadResponse(redirect_url=url)


async def check_same_session(call: Call, keys: KeyRing, result: Result, token: str | None, jwt: str | None) -> None:
    """What a browser's session asked to be added comes back to that session only, under the rule of that moment (ACC-02): else a link could have a stranger's identity added to the sender's account."""
    attach = await call.storage.get(Challenge, result.attach_id) if result.attach_id else None
    if attach is None or not attach.details.get("browser"):
        return
    live = await signed_in_caller(call, keys, token, jwt)
    if live is None or live.session.session_id != attach.session_id:
        raise Refused("invalid_oauth_attach_token")
    check_may_add_factor(call, live)


async def answered(
    call: Call, keys: KeyRing, proof: Proof, part: Part, granted: ProviderTokens, asked: Asked
) -> AuthenticateResponse:
    """The sign-in itself, and what it is answered with."""
    signed_in = await complete(proof, asked, keys)
    return sign_in_answer(
        AuthenticateResponse,
        signed_in,
        call.now,
        provider_subject=str(part.details["provider_subject"]),
        provider_type=str(part.details["provider_type"]),
        provider_values=granted,
        reset_sessions=signed_in.reset_sessions,
        oauth_user_registration_id=part.part_id,
        user_session=session_answer(signed_in.session) if signed_in.session else None,
    )
