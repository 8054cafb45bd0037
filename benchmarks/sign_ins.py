"""Sign-ins of a known user by the other products, prepared as `flows` prepares its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pyotp
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from authmw import AttributeMapping, TrustedTokenProfile
from authmw.crypto import tokens
from authmw.factors.wallet import base58
from authmw.ports import FetchAnswer, FetchRequest
from authmw.testing.stand_ins import Person, StandIns
from benchmarks.site import Site

PASSWORD = "correct horse battery staple 42"
LEGACY = "https://legacy.example"
BACK = "https://app.example/back"
VERIFIER = "v" * 43
SignIn = Callable[[], Awaitable[Any]]


@cache
def key(person: int = 0) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(f"{person:k>32}".encode())


class Services(StandIns):
    """The stand-ins of providers, and the system before this one."""

    async def fetch(self, request: FetchRequest) -> FetchAnswer:
        if request.url == f"{LEGACY}/userinfo":
            token = request.headers["authorization"].removeprefix("Bearer ")
            return FetchAnswer(status=200, body=json.dumps({"email": token}).encode())
        return await super().fetch(request)


def settings(services: Services) -> dict[str, Any]:
    """What these flows need of a project."""
    pem = key().public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    trusted = TrustedTokenProfile(
        profile_id="legacy",
        issuer=LEGACY,
        audience="bench",
        pem_keys=[pem.decode()],
        attribute_mapping=AttributeMapping(external_id="sub"),
    )
    return {
        "impersonation": True,
        "trusted_tokens": (trusted,),
        "session_migration_url": f"{LEGACY}/userinfo",
        "oauth": services.configured(),
    }


async def code_by_phone(site: Site, user_id: str) -> SignIn:
    number = f"+1415555{2671 + site.person}"
    sent = await site.auth.otps.sms.send(phone_number=number, user_id=user_id)
    await site.auth.otps.authenticate(method_id=sent.phone_id, code=site.code())
    site.later()
    site.begins()
    sent = await site.auth.otps.sms.send(phone_number=number)
    code = site.code()
    return lambda: site.auth.otps.authenticate(method_id=sent.phone_id, code=code, session_duration_minutes=60)


async def password(site: Site, user_id: str) -> SignIn:
    address = f"bob{site.person}@example.org"
    await site.auth.passwords.create(email=address, password=PASSWORD)
    site.begins()
    return lambda: site.auth.passwords.authenticate(email=address, password=PASSWORD, session_duration_minutes=60)


async def _enrolled(site: Site, user_id: str) -> Any:
    made = await site.auth.totps.create(user_id=user_id)
    code = pyotp.TOTP(made.secret).at(site.now())
    await site.auth.totps.authenticate(user_id=user_id, totp_code=code)
    return made


async def authenticator_app(site: Site, user_id: str) -> SignIn:
    made = await _enrolled(site, user_id)
    site.begins()
    code = pyotp.TOTP(made.secret).at(site.now() + timedelta(seconds=30))
    return lambda: site.auth.totps.authenticate(user_id=user_id, totp_code=code, session_duration_minutes=60)


async def recovery_code(site: Site, user_id: str) -> SignIn:
    code = (await _enrolled(site, user_id)).recovery_codes[0]
    site.begins()
    return lambda: site.auth.totps.recover(user_id=user_id, recovery_code=code, session_duration_minutes=60)


async def wallet(site: Site, user_id: str) -> SignIn:
    own = key(site.person)
    address = base58.encode(own.public_key().public_bytes_raw())
    named: dict[str, Any] = {"crypto_wallet_type": "solana", "crypto_wallet_address": address}

    async def signed() -> str:
        text = (await site.auth.crypto_wallets.authenticate_start(**named)).challenge
        return base58.encode(own.sign(text.encode()))

    await site.auth.crypto_wallets.authenticate(**named, signature=await signed())
    site.begins()
    signature = await signed()
    return lambda: site.auth.crypto_wallets.authenticate(**named, signature=signature, session_duration_minutes=60)


async def provider(site: Site, user_id: str) -> SignIn:
    auth, services = site.auth, site.auth.core.fetcher
    assert isinstance(services, Services)

    async def landed() -> str:
        started = await auth.oauth.start(provider="google", public_token=auth.settings.public_token)
        asked = {name: values[0] for name, values in parse_qs(urlsplit(started.redirect_url).query).items()}
        back = services.agree("google", asked, Person(email=site.address, verified=True))
        there = await auth.oauth.callback(
            oauth_callback_id=urlsplit(back.url).path.rpartition("/")[2],
            binding=started.binding,
            code=back.parameters["code"],
            state=back.parameters["state"],
        )
        return parse_qs(urlsplit(there.redirect_url).query)["token"][0]

    await auth.oauth.authenticate(token=await landed())
    site.begins()
    token = await landed()
    return lambda: auth.oauth.authenticate(token=token, session_duration_minutes=60)


async def trusted_token(site: Site, user_id: str) -> SignIn:
    await site.auth.users.update(user_id=user_id, external_id=f"ada-{site.person}")
    now = int(site.now().timestamp())
    claims = {
        "iss": LEGACY,
        "aud": "bench",
        "sub": f"ada-{site.person}",
        "iat": now,
        "exp": now + 600,
        "jti": tokens.token(),
    }
    token = jwt.encode(claims, key(), "EdDSA")
    site.begins()
    return lambda: site.auth.sessions.attest(profile_id="legacy", token=token, session_duration_minutes=60)


async def migrated_session(site: Site, user_id: str) -> SignIn:
    address = site.address
    site.begins()
    return lambda: site.auth.sessions.migrate(session_token=address, session_duration_minutes=60)


async def own_app(site: Site, user_id: str) -> SignIn:
    auth = site.auth
    app = (
        await auth.connected_app.clients.create(
            client_type="first_party_public", full_access_allowed=True, redirect_urls=[BACK]
        )
    ).connected_app
    link = await auth.magic_links.create(user_id=user_id)
    person = await auth.magic_links.authenticate(token=link.token, session_duration_minutes=60)
    agreed = await auth.idp.oauth.authorize(
        client_id=app.client_id,
        redirect_uri=BACK,
        response_type="code",
        scopes=["full_access"],
        consent_granted=True,
        session_token=person.session_token,
        code_challenge=tokens.base64url(hashlib.sha256(VERIFIER.encode()).digest()),
    )
    got = await auth.idp.exchange_code(
        client_id=app.client_id, code=agreed.authorization_code, redirect_uri=BACK, code_verifier=VERIFIER
    )
    site.begins()
    return lambda: auth.sessions.exchange_access_token(access_token=got.access_token, session_duration_minutes=60)


async def impersonation(site: Site, user_id: str) -> SignIn:
    site.begins()
    started = await site.auth.impersonation.start(
        user_id=user_id, impersonator_id="staff", impersonator_email_address="staff@example.org"
    )
    return lambda: site.auth.impersonation.authenticate(impersonation_token=started.impersonation_token)
