"""One sign-in by a provider on its way: the state that leaves with the browser, and the token that it comes home with.

Law: a flow belongs to one provider and to the browser that began it, lives ten minutes and is used once (OAU-01, OAU-02). Verifier and nonce are made from the state
under a root key and stored nowhere; what a provider granted waits sealed.
"""

from __future__ import annotations

import hashlib
from typing import Any

import attrs
import msgspec
from itsdangerous import BadSignature, Signer

from authmw.crypto import tokens
from authmw.crypto.roots import UnknownKey
from authmw.crypto.sealing import SealBroken, seal, unseal
from authmw.errors import Refused
from authmw.factors.challenges import Challenge
from authmw.factors.oauth.rules import LIFE, TOKEN_LIFE, Profile, ProviderTokens
from authmw.oauth_providers import OAuthProvider
from authmw.operations import Call
from authmw.people.records import Session, User
from authmw.redirects import RedirectErrors, RedirectType, with_token
from authmw.typed import from_msgpack

FLOW = "oauth_flow"
ONE_TAP = "oauth_one_tap"
RESULT = "oauth"
ATTACH = "oauth_attach"
FORM = "oauth_form"
_RESULT_SEAL = "oauth result"
_FORM_SEAL = "oauth form"
_LOGIN = RedirectErrors(
    missing="no_default_login_redirect_url_set",
    unmatched="no_match_for_provided_oauth_url",
    invalid="no_match_for_provided_oauth_url",
)
_SIGNUP = attrs.evolve(_LOGIN, missing="no_default_signup_redirect_url_set")


class FlowRefused(Refused):
    """A flow that fails after its browser is known: the person is led back to the app with a fixed code (OAU-09)."""

    def __init__(self, refused: Refused, redirect_url: str) -> None:
        super().__init__(refused.error_type, refused.message)
        joint = "&" if "?" in redirect_url else "?"
        self.redirect_url = f"{redirect_url}{joint}stytch_token_type=oauth&error={refused.error_type}"


class Result(msgspec.Struct, kw_only=True):
    """Who came back from a provider, and with what."""

    provider: str
    profile: Profile
    granted: ProviderTokens
    attach_id: str = ""

    def __repr__(self) -> str:
        """Only the provider."""
        return f"Result(provider={self.provider!r})"


def configured(call: Call, name: str) -> OAuthProvider:
    """How the project knows a provider. Refused: `oauth_config_not_found`."""
    found = next((one for one in call.settings.oauth if one.name == name), None)
    if found is None:
        raise Refused("oauth_config_not_found")
    return found


def callback_id(project_id: str, environment: str, provider: str) -> str:
    """The id of a provider's callback: always the same, since it is registered there."""
    digits = hashlib.sha256(f"authmw oauth callback\0{project_id}\0{provider}".encode()).hexdigest()
    parts = (digits[:8], digits[8:12], "4" + digits[13:16], "8" + digits[17:20], digits[20:32])
    return f"oauth-callback-{environment}-{'-'.join(parts)}"


def by_callback(call: Call, given: str) -> OAuthProvider:
    """The provider that a callback belongs to. Refused: `oauth_config_not_found`."""
    settings = call.settings
    for one in settings.oauth:
        if tokens.same(callback_id(settings.project_id, settings.environment, one.name), given):
            return one
    raise Refused("oauth_config_not_found")


def destinations(call: Call, login: str | None, signup: str | None) -> dict[str, str]:
    """Where known and new people land (OA-07 to OA-09)."""
    match = call.settings.redirects.match
    return {
        "login": match(login, RedirectType.LOGIN, errors=_LOGIN),
        "signup": match(signup, RedirectType.SIGNUP, errors=_SIGNUP),
    }


# --- The browser ---


def _signer(call: Call) -> Signer:
    return Signer(call.core.roots.every("oauth browser"), salt="authmw.oauth", digest_method=hashlib.sha256)


def browser_of(call: Call, binding: str | None) -> str | None:
    """The browser that a pre-login cookie names; None if it names none of ours."""
    try:
        return _signer(call).unsign(binding).decode("ascii") if binding else None
    except (BadSignature, UnicodeError):
        return None


def binding_of(call: Call, browser: str) -> str:
    """The value of the pre-login cookie."""
    return _signer(call).sign(browser).decode("ascii")


# --- The flow ---


def new_flow(
    call: Call, purpose: str, provider: str, browser: str, details: dict[str, Any], pkce: str | None = None
) -> tuple[Challenge, str]:
    """A flow and its state, which is kept nowhere."""
    state = tokens.token()
    flow = Challenge(
        challenge_id=tokens.new_id("oauth-flow", call.settings.environment),
        purpose=purpose,
        subject_id="",
        method_id=provider,
        digest=tokens.digest(state),
        created_at=call.now,
        expires_at=call.now + LIFE,
        pkce=pkce,
        details={**details, "browser": tokens.digest(browser), "key": call.core.roots.newest},
    )
    return flow, state


def made_of(call: Call, flow: Challenge, state: str, purpose: str) -> str:
    """The verifier or the nonce of a flow: 43 characters that nobody can make without the root key."""
    try:
        return call.core.roots.token(f"oauth {purpose}", flow.challenge_id, state, version=flow.details["key"])
    except UnknownKey:
        raise Refused("oauth_invalid_state") from None


async def flow_of(call: Call, purpose: str, provider: str, state: str | None, browser: str | None) -> Challenge:
    """The living flow of a state, in the browser that began it. Refused without consuming anything: a stranger cannot use up somebody's flow."""
    flow = await call.storage.find(Challenge, "digest", (tokens.digest(state),)) if state else None
    if flow is None or flow.purpose != purpose or flow.method_id != provider or call.now >= flow.expires_at:
        raise Refused("oauth_invalid_state")
    if browser is None or not tokens.same(tokens.digest(browser), str(flow.details["browser"])):
        raise Refused("oauth_state_mismatch")
    if flow.spent_at is not None:
        raise Refused("oauth_state_used")
    return flow


# --- The result ---


def landed(call: Call, flow: Challenge, result: Result, *, known: bool) -> tuple[Challenge, str]:
    """What waits for `authenticate`, and the landing URL with its token."""
    token = tokens.token()
    ident = tokens.new_id("oauth-result", call.settings.environment)
    sealed = seal(call.core.roots, _RESULT_SEAL, ident, msgspec.msgpack.encode(result))
    waiting = Challenge(
        challenge_id=ident,
        purpose=RESULT,
        subject_id="",
        method_id=result.provider,
        digest=tokens.digest(token),
        created_at=call.now,
        expires_at=call.now + TOKEN_LIFE,
        pkce=flow.pkce,
        details={"sealed": sealed.hex()},
    )
    return waiting, with_token(str(flow.details["login" if known else "signup"]), "oauth", token)


def result_of(call: Call, waiting: Challenge) -> Result:
    """What was sealed. Refused: `oauth_token_not_found` if the row was altered or its key is gone."""
    try:
        opened = unseal(
            call.core.roots, _RESULT_SEAL, waiting.challenge_id, bytes.fromhex(str(waiting.details["sealed"]))
        )
        return from_msgpack(opened, Result)
    except (SealBroken, ValueError):
        raise Refused("oauth_token_not_found") from None


# --- A posted form ---


def parked(call: Call, provider: str, form: dict[str, str]) -> tuple[Challenge, str]:
    """A form that another site posted, kept for a minute until our own GET brings the browser's cookie."""
    handle = tokens.token()
    ident = tokens.new_id("oauth-form", call.settings.environment)
    sealed = seal(call.core.roots, _FORM_SEAL, ident, msgspec.msgpack.encode(form))
    kept = Challenge(
        challenge_id=ident,
        purpose=FORM,
        subject_id="",
        method_id=provider,
        digest=tokens.digest(handle),
        created_at=call.now,
        expires_at=call.now + LIFE / 10,
        details={"sealed": sealed.hex()},
    )
    return kept, handle


async def form_of(call: Call, provider: str, handle: str) -> tuple[dict[str, str], Challenge]:
    """The parked form of a handle, and its row, to be spent with the flow. Refused: `oauth_invalid_callback_request`."""
    kept = await call.storage.find(Challenge, "digest", (tokens.digest(handle),))
    if (
        kept is None
        or kept.purpose != FORM
        or kept.method_id != provider
        or kept.spent_at
        or call.now >= kept.expires_at
    ):
        raise Refused("oauth_invalid_callback_request")
    try:
        opened = unseal(call.core.roots, _FORM_SEAL, kept.challenge_id, bytes.fromhex(str(kept.details["sealed"])))
    except (SealBroken, ValueError):
        raise Refused("oauth_invalid_callback_request") from None
    return from_msgpack(opened, dict[str, str]), kept


# --- Adding to a user ---


async def attaching(call: Call, token: str, provider: str) -> Challenge:
    """The living attach token, to be spent by whoever starts with it. Refused: `invalid_oauth_attach_token`."""
    attach = await call.storage.find(Challenge, "digest", (tokens.digest(token),))
    if (
        attach is None
        or attach.purpose != ATTACH
        or attach.method_id != provider
        or attach.spent_at is not None
        or call.now >= attach.expires_at
    ):
        raise Refused("invalid_oauth_attach_token")
    return attach


async def attached_to(call: Call, attach_id: str) -> User:
    """The user whom a result is added to. Refused `invalid_oauth_attach_token` once the user's or the asking session ended (ACC-06)."""
    attach = await call.storage.get(Challenge, attach_id)
    user = await call.storage.get(User, attach.subject_id) if attach is not None else None
    if attach is None or user is None or attach.details["session_epoch"] != user.asking_epoch:
        raise Refused("invalid_oauth_attach_token")
    if attach.session_id is not None:
        asking = await call.storage.get(Session, attach.session_id)
        if asking is None or asking.subject_id != user.id:
            raise Refused("invalid_oauth_attach_token")
    return user


def spent(call: Call, challenge: Challenge) -> Challenge:
    """The challenge as used."""
    return attrs.evolve(challenge, spent_at=call.now)
