"""Everything that may be used once: how somebody comes to hold it, and how it is spent. One row for each product; `stories/test_spending_at_once.py` spends all of them in races."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import attrs
import msgspec
import pyotp

from authmw import Auth, OAuthProvider, Refused
from authmw import Provider as ProviderRules
from authmw.ports import IO, FetchAnswer, FetchRequest
from authmw.testing import DeviceKey, EthereumWallet, FixedClock, SolanaWallet, StandIns, VirtualAuthenticator
from authmw.testing.stand_ins import Person
from authmw_adapters.fetcher import GuardedFetcher
from tests.oauth_provider import CLIENT, Provider, fetcher_of, jwk, playing
from tests.oauth_provider import SECRET as CLIENT_SECRET
from tests.stories import (
    test_biometrics,
    test_crypto_wallets,
    test_devices,
    test_impersonation,
    test_oauth,
    test_password_resets,
    test_phone_passcodes,
    test_provider,
    test_totps,
    test_webauthn,
)
from tests.trusted_issuer import PROFILE, Issuer, profile
from tests.world import PUBLIC_TOKEN, URL, World

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


STAND_INS = StandIns(f"{URL}/stand-ins", FixedClock())
"""Providers in this process, whose codes are good once too; a process that is forked has them as well."""
_OAUTH: dict[str, Any] = {"oauth": STAND_INS.configured(), "fetcher": STAND_INS}


class Published:
    """The keys of the provider that signs for native apps and One Tap, without a network."""

    io: IO = "instant"
    local = True

    async def fetch(self, request: FetchRequest) -> FetchAnswer:
        body = msgspec.json.encode({"keys": [jwk()]})
        return FetchAnswer(status=200, headers={"content-type": "application/json"}, body=body)


_SIGNED: dict[str, Any] = {
    "oauth": (OAuthProvider(name="google", client_id=CLIENT, client_secret=CLIENT_SECRET),),
    "fetcher": Published(),
}


def _google(world: World) -> Provider:
    return Provider("google", world.clock, person=test_oauth.PEOPLE["google"][0])


def _state(world: World) -> dict[str, Any]:
    """A browser on its way back from the provider."""
    start = world.auth.run(world.auth.oauth.start(provider="google", public_token=PUBLIC_TOKEN))
    asked = dict(parse_qsl(urlsplit(start.redirect_url).query))
    back = STAND_INS.agree("google", asked, Person(email=ADA)).parameters
    place = world.auth.oauth.callback_url("google").rpartition("/")[2]
    return {"oauth_callback_id": place, "binding": start.binding, **back}


def _attach(world: World) -> dict[str, Any]:
    body = {"provider": "google", "user_id": world.sign_in()["user_id"]}
    token = world.backend("POST", "/v1/oauth/attach", body).json["oauth_attach_token"]
    return {"provider": "google", "public_token": PUBLIC_TOKEN, "oauth_attach_token": token}


def _one_tap(world: World) -> dict[str, Any]:
    start = world.auth.run(world.auth.oauth.google_one_tap.start(public_token=PUBLIC_TOKEN))
    token = _google(world).id_token(start.nonce)
    return {"id_token": token, "stytch_csrf_token": start.stytch_csrf_token, "binding": start.binding}


def _native(world: World) -> dict[str, Any]:
    return _session(id_token=_google(world).id_token(None))


def _invited(world: World) -> dict[str, Any]:
    world.backend("POST", "/v1/magic_links/email/invite", {"email": ADA})
    return _session(token=world.token())


def _pushed(world: World) -> dict[str, Any]:
    app = test_provider.app(world)
    said = {"client_id": app.id, "redirect_uri": test_provider.BACK, "response_type": "code"}
    asked = {**said, "scope": "openid", "code_challenge": test_provider.CHALLENGE, "code_challenge_method": "S256"}
    uri = app.form("par", {**asked, **app.credentials()}).json["request_uri"]
    answer = {"scopes": ["openid"], "code_challenge": test_provider.CHALLENGE, "request_uri": uri}
    return {**said, **answer, "consent_granted": True, "session_token": app.person["session_token"]}


def _device_code(world: World) -> dict[str, Any]:
    app = test_provider.app(world)
    begun = test_devices.begins(app)
    assert test_devices.by_backend(app, begun).status == 200
    return {"grant_type": test_devices.GRANT, "device_code": begun["device_code"], **app.credentials()}


def _user_code(world: World) -> dict[str, Any]:
    app = test_provider.app(world)
    begun = test_devices.begins(app)
    return {
        "user_code": begun["user_code"],
        "consent_granted": True,
        "session_token": app.person["session_token"],
    }


def _new_passkey(world: World) -> dict[str, Any]:
    user = world.sign_in()["user_id"]
    options = test_webauthn.creation(world, user)
    return {
        "user_id": user,
        "public_key_credential": VirtualAuthenticator().register(options, origin=test_webauthn.ORIGIN),
    }


def _new_device(world: World) -> dict[str, Any]:
    device, user = DeviceKey(), world.sign_in()["user_id"]
    start = test_biometrics.begun(world, device, user)
    registration = start["biometric_registration_id"]
    return {
        "user_id": user,
        "biometric_registration_id": registration,
        "signature": device.sign(start["challenge"]),
    }


_PROVIDER = {"provider": ProviderRules()}
_DEVICES = {"provider": ProviderRules(device_grant=True)}
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
    OneUse(
        name="state of a provider's sign-in",
        held=_state,
        spend=by_operation("oauth.callback"),
        late=frozenset({"oauth_state_used"}),
        settings=_OAUTH,
    ),
    OneUse(
        name="attach token",
        held=_attach,
        spend=by_operation("oauth.start"),
        late=frozenset({"invalid_oauth_attach_token"}),
        settings=_OAUTH,
    ),
    OneUse(
        name="nonce of One Tap",
        held=_one_tap,
        spend=by_operation("oauth.google_one_tap.submit"),
        late=frozenset({"oauth_state_used"}),
        settings=_SIGNED,
    ),
    OneUse(
        name="ID token of a native app",
        held=_native,
        spend=by_operation("oauth.id_tokens.google"),
        late=frozenset({"oauth_flow_callback_error"}),
        settings=_SIGNED,
    ),
    OneUse(
        name="invitation",
        held=_invited,
        spend=by_operation("magic_links.authenticate"),
        late=frozenset({"unable_to_auth_magic_link"}),
    ),
    OneUse(
        name="pushed request",
        held=_pushed,
        spend=by_operation("idp.oauth.authorize"),
        late=frozenset({"invalid_request_uri"}),
        settings=_PROVIDER,
    ),
    OneUse(
        name="device code",
        held=_device_code,
        spend=by_form(_TOKEN),
        late=frozenset({"slow_down", "invalid_grant"}),
        settings=_DEVICES,
    ),
    OneUse(
        name="user code of a device",
        held=_user_code,
        spend=by_operation("idp.devices.decide"),
        late=frozenset({"user_code_not_found", "too_many_requests"}),
        settings=_DEVICES,
    ),
    OneUse(
        name="challenge of a new passkey",
        held=_new_passkey,
        spend=by_operation("webauthn.register"),
        late=frozenset({"no_pending_webauthn_registration", "duplicate_webauthn_registration"}),
    ),
    OneUse(
        name="challenge of a new device key",
        held=_new_device,
        spend=by_operation("biometrics.register"),
        late=frozenset({"unable_to_register_biometric_registration", "duplicate_biometric_registration"}),
    ),
)
