"""Deterministic figures: how many commits and rows each sign-in of a known user takes. A later product adds one line to FLOWS."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

import attrs

from authmw.ledger.records import Outgoing
from authmw.storage import And
from authmw.testing import DeviceKey, FixedClock, VirtualAuthenticator
from benchmarks import sign_ins
from benchmarks.site import Counting, Counts, Site

DOMAIN, ORIGIN = "localhost", "http://localhost:8000"
Flow = Callable[[Site, str], Awaitable[Callable[[], Awaitable[Any]]]]
"""Prepares a sign-in of a known user, and gives what is counted: the call that ends in a session."""


async def _mailed_link(site: Site, user_id: str) -> Callable[[], Awaitable[Any]]:
    site.begins()
    await site.auth.magic_links.email.login_or_create(email=site.address)
    token = site.token()
    return lambda: site.auth.magic_links.authenticate(token=token, session_duration_minutes=60)


async def _embedded_link(site: Site, user_id: str) -> Callable[[], Awaitable[Any]]:
    site.begins()
    link = await site.auth.magic_links.create(user_id=user_id)
    return lambda: site.auth.magic_links.authenticate(token=link.token, session_duration_minutes=60)


async def _code(site: Site, user_id: str) -> Callable[[], Awaitable[Any]]:
    site.begins()
    sent = await site.auth.otps.email.login_or_create(email=site.address)
    code = site.code()
    return lambda: site.auth.otps.authenticate(method_id=sent.email_id, code=code, session_duration_minutes=60)


async def _step_up(site: Site, user_id: str) -> Callable[[], Awaitable[Any]]:
    first = await (await _embedded_link(site, user_id))()
    site.begins()
    link = await site.auth.magic_links.create(user_id=user_id)
    return lambda: site.auth.magic_links.authenticate(
        token=link.token, session_token=first.session_token, session_duration_minutes=60
    )


def _passkey(**how: Any) -> Flow:
    async def prepare(site: Site, user_id: str) -> Callable[[], Awaitable[Any]]:
        device, webauthn = VirtualAuthenticator(**how), site.auth.webauthn
        asked = await webauthn.register_start(user_id=user_id, domain=DOMAIN, return_passkey_credential_options=True)
        made = device.register(asked.public_key_credential_creation_options, origin=ORIGIN)
        await webauthn.register(user_id=user_id, public_key_credential=made)
        site.begins()
        options = await webauthn.authenticate_start(domain=DOMAIN)
        answer = device.authenticate(options.public_key_credential_request_options, origin=ORIGIN)
        return lambda: webauthn.authenticate(public_key_credential=answer, session_duration_minutes=60)

    return prepare


async def _device_key(site: Site, user_id: str) -> Callable[[], Awaitable[Any]]:
    device, biometrics = DeviceKey(), site.auth.biometrics
    new = await biometrics.register_start(user_id=user_id, public_key=device.public_key)
    await biometrics.register(
        user_id=user_id,
        biometric_registration_id=new.biometric_registration_id,
        signature=device.sign(new.challenge),
    )
    site.begins()
    asked = await biometrics.authenticate_start(public_key=device.public_key)
    return lambda: biometrics.authenticate(
        biometric_registration_id=asked.biometric_registration_id,
        signature=device.sign(asked.challenge),
        session_duration_minutes=60,
    )


FLOWS: dict[str, Flow] = {
    "mailed link": _mailed_link,
    "embedded link": _embedded_link,
    "code by e-mail": _code,
    "step-up by link": _step_up,
    "passkey that counts": _passkey(),
    "synced passkey": _passkey(counts=False, backup_eligible=True, backed_up=True),
    "device key": _device_key,
    "code by phone": sign_ins.code_by_phone,
    "password": sign_ins.password,
    "authenticator app": sign_ins.authenticator_app,
    "recovery code": sign_ins.recovery_code,
    "crypto wallet": sign_ins.wallet,
    "provider": sign_ins.provider,
    "trusted token": sign_ins.trusted_token,
    "session of another system": sign_ins.migrated_session,
    "access token of an own app": sign_ins.own_app,
    "impersonation": sign_ins.impersonation,
}


async def _prepared(flow: Flow, *, whole: bool = False) -> tuple[Counting, Callable[[], Awaitable[Any]]]:
    """A project of its own with a known user, the signing key at hand, and the call that is measured. `whole`: counted is from where the sign-in begins."""
    storage, clock = Counting(), FixedClock()
    services = sign_ins.Services("http://localhost:8000/dev/providers", clock)
    site = Site(storage, clock=clock, fetcher=services, **sign_ins.settings(services))
    user_id = await site.user()
    await site.auth.keys.active()

    def begins() -> None:
        storage.counts = Counts()

    site.begins = begins
    sign_in = await flow(site, user_id)
    while await storage.count(Outgoing, And(), at_most=1):  # what the preparation mails leaves behind its answers
        await asyncio.sleep(0)
    if not whole:
        begins()
    return storage, sign_in


async def count(flow: Flow, *, whole: bool = False) -> Counts:
    """What the sign-in asks of storage: its last call, or all of it, with what is mailed."""
    storage, sign_in = await _prepared(flow, whole=whole)
    await sign_in()
    return storage.counts


async def milliseconds(flow: Flow, times: int) -> float:
    """How long the sign-in takes over memory: the least of so many, each of its own."""
    taken: list[float] = []
    for _ in range(times):
        _, sign_in = await _prepared(flow)
        began = perf_counter()
        await sign_in()
        taken.append(perf_counter() - began)
    return min(taken) * 1000


async def figures(times: int) -> dict[str, dict[str, float]]:
    """What every sign-in costs. That of a password is mostly its hash."""
    return {
        name: {**attrs.asdict(await count(flow)), "ms": await milliseconds(flow, times)} for name, flow in FLOWS.items()
    }
