"""Everything that may be used once: how somebody comes to hold it, and how it is spent. One row for each product; `stories/test_spending_at_once.py` spends all of them in races."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import attrs
import pyotp

from authmw import Auth, OAuthProvider, Refused
from authmw import Provider as ProviderRules
from authmw.testing import DeviceKey, VirtualAuthenticator
from authmw_adapters.fetcher import GuardedFetcher
from tests.oauth_provider import CLIENT, fetcher_of, playing
from tests.oauth_provider import SECRET as CLIENT_SECRET
from tests.stories import (
    test_biometrics,
    test_crypto_wallets,
    test_impersonation,
    test_oauth,
    test_password_resets,
    test_phone_passcodes,
    test_provider,
    test_totps,
    test_webauthn,
)
from tests.trusted_issuer import PROFILE, Issuer, profile
from tests.wallets import EthereumWallet, SolanaWallet
from tests.world import World

ADA = "ada@example.org"
Spend = Callable[[World, dict[str, Any]], str]
"""Spends what is held; "" if that went well, else the error type."""


def by_operation(path: str) -> Spend:
    """Spend it by the operation itself: `magic_links.authenticate` is `auth.magic_links.authenticate`."""

    def spend(world: World, held: dict[str, Any]) -> str:
        operation: Any = world.auth
        for name in path.split("."):
            operation = getattr(operation, name)
        try:
            world.auth.run(operation(**held))
        except Refused as refused:
            return refused.error_type
        return ""

    return spend


def by_form(path: str) -> Spend:
    """Spend it at an endpoint that only the wire has."""

    def spend(world: World, held: dict[str, Any]) -> str:
        answer = world.send("POST", path, urlencode(held).encode(), content_type=test_provider.FORM)
        return "" if answer.status == 200 else str(answer.json["error"])

    return spend


@attrs.frozen(kw_only=True)
class OneUse:
    """Something that may be used once."""

    name: str
    held: Callable[[World], dict[str, Any]]
    """Puts it into somebody's hands: what spending it takes."""
    spend: Spend
    late: frozenset[str]
    """What those hear who come too late, or are too many to be compared."""
    settings: dict[str, Any] = attrs.field(factory=dict[str, Any])
    slow: bool = False
    """Whether each try costs so much that fewer are made."""


def _session(**held: Any) -> dict[str, Any]:
    return {**held, "session_duration_minutes": 60}


def _link(world: World) -> dict[str, Any]:
    world.backend("POST", "/v1/magic_links/email/login_or_create", {"email": ADA})
    return _session(token=world.token())


def _embeddable(world: World) -> dict[str, Any]:
    user = world.sign_in()["user_id"]
    return _session(token=world.backend("POST", "/v1/magic_links", {"user_id": user}).json["token"])


def _code(world: World) -> dict[str, Any]:
    sent = world.backend("POST", "/v1/otps/email/login_or_create", {"email": ADA}).json
    return _session(method_id=sent["email_id"], code=world.code())


def _text(world: World) -> dict[str, Any]:
    return _session(method_id=test_phone_passcodes.ask(world), code=world.code())


def _totp(world: World) -> dict[str, Any]:
    signed_in, made = test_totps.enrolled(world)
    return _session(user_id=signed_in["user_id"], totp_code=pyotp.TOTP(made["secret"]).at(world.clock.now()))


def _recovery(world: World) -> dict[str, Any]:
    signed_in, made = test_totps.enrolled(world)
    return _session(user_id=signed_in["user_id"], recovery_code=made["recovery_codes"][3])


def _wallet(wallet: EthereumWallet | SolanaWallet) -> Callable[[World], dict[str, Any]]:
    return lambda world: test_crypto_wallets.signed(world, wallet)


def _impersonation(world: World) -> dict[str, Any]:
    return {"impersonation_token": test_impersonation.started(world, world.sign_in()["user_id"])}


def _passkey(world: World) -> dict[str, Any]:
    device = VirtualAuthenticator()
    test_webauthn.enrolled(world, device)
    answer = device.authenticate(test_webauthn.request(world), origin=test_webauthn.ORIGIN)
    return _session(public_key_credential=answer)


def _device(world: World) -> dict[str, Any]:
    device = DeviceKey()
    test_biometrics.enrolled(world, device)
    return test_biometrics.signed(test_biometrics.challenged(world, device), device)


def _reset(world: World) -> dict[str, Any]:
    test_password_resets.owned(world)
    reset, _ = test_password_resets.mailed(world)
    return _session(token=reset, password=test_password_resets.SECOND)


def _oauth(world: World) -> dict[str, Any]:
    """By a provider that is up only while somebody signs in there: what is spent afterwards needs it no more."""
    person, emails, _ = test_oauth.PEOPLE["google"]
    with playing("google", world.clock, **person) as provider:
        provider.emails = emails
        auth = Auth(
            attrs.evolve(world.auth.settings, oauth=(provider.configured(),)),
            storage=world.auth.storage,
            limiter=world.auth.core.limiter,
            email=world.inbox,
            fetcher=fetcher_of(provider),
            clock=world.clock,
        )
        beside = attrs.evolve(world, auth=auth)
        return _session(token=test_oauth.came_back(beside, provider))


def _authorization(world: World) -> dict[str, Any]:
    app = test_provider.app(world)
    fields = {"code": app.code(), "redirect_uri": test_provider.BACK, "code_verifier": test_provider.VERIFIER}
    return {"grant_type": "authorization_code", **fields, **app.credentials()}


def _refresh(world: World) -> dict[str, Any]:
    app = test_provider.app(world)
    return {"grant_type": "refresh_token", "refresh_token": app.tokens()["refresh_token"], **app.credentials()}


def _trusted(world: World) -> dict[str, Any]:
    return _session(profile_id=PROFILE, token=Issuer(world.clock).token())


def _exchange(world: World) -> dict[str, Any]:
    app = test_provider.app(world, "first_party", full_access_allowed=True)
    return _session(access_token=app.tokens(scopes=["full_access"])["access_token"])


_PROVIDER = {"provider": ProviderRules()}
_TOKEN = "/v1/oauth2/token"

ROWS = (
    OneUse(
        name="magic link",
        held=_link,
        spend=by_operation("magic_links.authenticate"),
        late=frozenset({"unable_to_auth_magic_link"}),
    ),
    OneUse(
        name="embeddable magic link",
        held=_embeddable,
        spend=by_operation("magic_links.authenticate"),
        late=frozenset({"unable_to_auth_magic_link"}),
    ),
    OneUse(
        name="e-mail code",
        held=_code,
        spend=by_operation("otps.authenticate"),
        late=frozenset({"unable_to_auth_otp_code", "too_many_requests"}),
    ),
    OneUse(
        name="code by text",
        held=_text,
        spend=by_operation("otps.authenticate"),
        late=frozenset({"unable_to_auth_otp_code", "too_many_requests"}),
    ),
    OneUse(
        name="step of a TOTP",
        held=_totp,
        spend=by_operation("totps.authenticate"),
        late=frozenset({"unable_to_authenticate_totp", "totp_code_already_authenticated", "too_many_requests"}),
    ),
    OneUse(
        name="recovery code",
        held=_recovery,
        spend=by_operation("totps.recover"),
        late=frozenset({"unable_to_authenticate_recovery_code", "too_many_requests"}),
    ),
    OneUse(
        name="signature of an Ethereum wallet",
        held=_wallet(EthereumWallet(7)),
        spend=by_operation("crypto_wallets.authenticate"),
        late=frozenset({"unable_to_authenticate_crypto_wallet", "too_many_requests"}),
    ),
    OneUse(
        name="signature of a Solana wallet",
        held=_wallet(SolanaWallet(7)),
        spend=by_operation("crypto_wallets.authenticate"),
        late=frozenset({"unable_to_authenticate_crypto_wallet", "too_many_requests"}),
    ),
    OneUse(
        name="impersonation token",
        held=_impersonation,
        spend=by_operation("impersonation.authenticate"),
        late=frozenset({"unable_to_auth_impersonation_token"}),
        settings={"impersonation": True},
    ),
    OneUse(
        name="passkey's answer",
        held=_passkey,
        spend=by_operation("webauthn.authenticate"),
        late=frozenset({"unable_to_auth_webauthn_registration", "too_many_requests"}),
    ),
    OneUse(
        name="device key's answer",
        held=_device,
        spend=by_operation("biometrics.authenticate"),
        late=frozenset({"unable_to_auth_biometric_registration", "too_many_requests"}),
    ),
    OneUse(
        name="password reset token",
        held=_reset,
        spend=by_operation("passwords.email.reset"),
        late=frozenset({"unable_to_auth_password_reset_token", "too_many_requests"}),
        slow=True,
    ),
    OneUse(
        name="token of a provider's sign-in",
        held=_oauth,
        spend=by_operation("oauth.authenticate"),
        late=frozenset({"oauth_token_not_found"}),
        settings={
            "oauth": (OAuthProvider(name="google", client_id=CLIENT, client_secret=CLIENT_SECRET),),
            "fetcher": GuardedFetcher(),
        },
    ),
    OneUse(
        name="authorization code of the provider",
        held=_authorization,
        spend=by_form(_TOKEN),
        late=frozenset({"invalid_grant"}),
        settings=_PROVIDER,
    ),
    OneUse(
        name="refresh token of the provider",
        held=_refresh,
        spend=by_form(_TOKEN),
        late=frozenset({"invalid_grant"}),
        settings=_PROVIDER,
    ),
    OneUse(
        name="trusted token",
        held=_trusted,
        spend=by_operation("sessions.attest"),
        late=frozenset({"invalid_trusted_auth_token"}),
        settings={"trusted_tokens": (profile(can_jit_provision=True),)},
    ),
    OneUse(
        name="access token of an own app",
        held=_exchange,
        spend=by_operation("sessions.exchange_access_token"),
        late=frozenset({"idp_access_token_could_not_be_exchanged"}),
        settings=_PROVIDER,
    ),
)
