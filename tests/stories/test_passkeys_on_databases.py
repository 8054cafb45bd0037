"""Passkeys and device keys on real databases: the longest credential id there is, and one answer used from 16 connections at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from authmw import Auth, Cookies, Refused, Settings
from authmw.crypto import tokens
from authmw.testing import DeviceKey, Edits, VirtualAuthenticator
from authmw_adapters.memory import MemoryLimiter
from authmw_adapters.sqlalchemy import SQLAlchemyStorage
from tests.at_once import at_once
from tests.databases import address, new_database
from tests.servers import Machine
from tests.world import PROJECT_ID, PUBLIC_TOKEN, SECRET, Mailbox

DOMAIN, ORIGIN = "localhost", "http://localhost:8000"
BOTH = [pytest.param(name, marks=pytest.mark.server(name), id=name) for name in ("postgresql", "mariadb")]


@pytest.fixture(params=BOTH)
def project(request: pytest.FixtureRequest, machine: Machine) -> Iterator[tuple[Auth, str]]:
    """A project on a new database, and a user of it who has proved an address."""
    inbox = Mailbox()
    with new_database(machine, request.param) as name:
        engine = sa.create_engine(address(machine, request.param, name), pool_size=16)
        auth = Auth(
            Settings(project_id=PROJECT_ID, secret=SECRET, public_token=PUBLIC_TOKEN, cookies=Cookies(secure=False)),
            storage=SQLAlchemyStorage(engine),
            limiter=MemoryLimiter(),
            email=inbox,
        )
        auth.run(auth.magic_links.email.login_or_create(email="ada@example.org"))
        token = inbox.entries()[0].links[0].split("token=")[-1]
        user_id = auth.run(auth.magic_links.authenticate(token=token)).user_id
        yield auth, user_id
        auth.close()
        engine.dispose()


def stood(count: int, act: Callable[[], Any]) -> int:
    """How many of so many calls at once were not refused."""

    def use() -> bool:
        try:
            act()
        except Refused as refused:
            assert refused.status < 500
            return False
        return True

    return sum(at_once(count, use))


def test_a_passkey_with_the_longest_id_signs_in_once(project: tuple[Auth, str]) -> None:
    """A120, A124: 1023 bytes of id, found by their digest."""
    auth, user_id = project
    device, long = VirtualAuthenticator(), b"i" * 1023
    text = tokens.base64url(long)
    edits = Edits(
        data=lambda data: data[:53] + len(long).to_bytes(2, "big") + long + data[55 + 32 :],
        answer=lambda said: {**said, "id": text, "rawId": text},
    )
    asked = auth.run(
        auth.webauthn.register_start(user_id=user_id, domain=DOMAIN, return_passkey_credential_options=True)
    )
    made = device.register(asked.public_key_credential_creation_options, origin=ORIGIN, edits=edits)
    auth.run(auth.webauthn.register(user_id=user_id, public_key_credential=made))
    device.credentials[0].credential_id = long
    options = auth.run(auth.webauthn.authenticate_start(domain=DOMAIN))
    answer = device.authenticate(options.public_key_credential_request_options, origin=ORIGIN)
    uses = stood(16, lambda: auth.run(auth.webauthn.authenticate(public_key_credential=answer)))
    assert uses == 1
    assert len(auth.run(auth.webauthn.list_credentials(user_id=user_id, domain=DOMAIN)).credentials) == 1


def test_a_device_key_signs_in_once(project: tuple[Auth, str]) -> None:
    """A192."""
    auth, user_id = project
    device = DeviceKey()
    begun = auth.run(auth.biometrics.register_start(user_id=user_id, public_key=device.public_key))
    registration = begun.biometric_registration_id
    proof = device.sign(begun.challenge)
    auth.run(auth.biometrics.register(user_id=user_id, biometric_registration_id=registration, signature=proof))
    asked = auth.run(auth.biometrics.authenticate_start(public_key=device.public_key))
    signature = device.sign(asked.challenge)
    uses = stood(
        16,
        lambda: auth.run(auth.biometrics.authenticate(biometric_registration_id=registration, signature=signature)),
    )
    assert uses == 1
