"""Passkeys and device keys of two actors at once, one storage call at a time, over 500 orders each."""

from __future__ import annotations

from typing import Any

import pytest
from webauthn.helpers import bytes_to_base64url, encode_cbor

from authmw.drive import step
from authmw.people.records import Credential
from authmw.storage import Equals
from authmw.testing import DeviceKey, Edits, VirtualAuthenticator, interleave
from authmw.testing.authenticators import cose_key
from tests.stories.test_interleavings import Stage, refused

DOMAIN, ORIGIN = "localhost", "http://localhost:8000"


@pytest.fixture
def stage() -> Stage:
    return Stage()


def at_once(seed: int, *works: Any) -> list[Any]:
    return interleave(list(works), seed)


def made(stage: Stage, user_id: str, device: VirtualAuthenticator) -> str:
    """The answer of a new passkey, not registered yet."""
    asked = stage.run(stage.auth.webauthn.register_start(user_id=user_id, domain=DOMAIN))
    return device.register(asked.public_key_credential_creation_options, origin=ORIGIN)


def passkey(stage: Stage, user_id: str, device: VirtualAuthenticator) -> str:
    answer = made(stage, user_id, device)
    done = stage.run(stage.auth.webauthn.register(user_id=user_id, public_key_credential=answer))
    return str(done.webauthn_registration_id)


def signed(stage: Stage, user_id: str, device: VirtualAuthenticator) -> str:
    asked = stage.run(stage.auth.webauthn.authenticate_start(domain=DOMAIN, user_id=user_id))
    return device.authenticate(asked.public_key_credential_request_options, origin=ORIGIN)


def test_no_session_of_a_passkey_outlives_its_removal(stage: Stage) -> None:
    """A134, SES-06: whichever comes first, a removed passkey has no session and no key."""
    for seed in stage.orders():
        user_id, device = stage.sign_in(f"ada{seed}@example.org").user_id, VirtualAuthenticator()
        registration = passkey(stage, user_id, device)
        answer = signed(stage, user_id, device)
        used, gone = at_once(
            seed,
            stage.auth.webauthn.authenticate(public_key_credential=answer, session_duration_minutes=60),
            stage.auth.users.delete_webauthn_registration(webauthn_registration_id=registration),
        )
        assert not refused(gone), seed
        assert refused(used) or not stage.lives(used.session_token), seed
        left = step(stage.storage.page(Credential, Equals("subject", (user_id,)), limit=10)).records
        assert not left, seed


def test_of_two_uses_of_one_challenge_one_stands(stage: Stage) -> None:
    """A120."""
    for seed in stage.orders():
        user_id, device = stage.sign_in(f"ada{seed}@example.org").user_id, VirtualAuthenticator(counts=False)
        passkey(stage, user_id, device)
        answer = signed(stage, user_id, device)
        both = at_once(seed, *(stage.auth.webauthn.authenticate(public_key_credential=answer) for _ in range(2)))
        assert sum(refused(one) for one in both) == 1, seed


def test_two_sign_ins_by_one_passkey_leave_the_higher_counter(stage: Stage) -> None:
    """WAN-05: whichever ends first; the lower one is refused if it comes second."""
    for seed in stage.orders():
        user_id, device = stage.sign_in(f"ada{seed}@example.org").user_id, VirtualAuthenticator()
        registration = passkey(stage, user_id, device)
        answers = [signed(stage, user_id, device) for _ in range(2)]
        both = at_once(seed, *(stage.auth.webauthn.authenticate(public_key_credential=one) for one in answers))
        assert not refused(both[1]), seed
        credential = step(stage.storage.get(Credential, registration))
        assert credential is not None
        assert credential.counter == 2, seed


def test_one_credential_that_two_register_at_once_has_one_owner(stage: Stage) -> None:
    """A124: the same key and id, presented for two users."""
    for seed in stage.orders():
        device = VirtualAuthenticator()
        people = [stage.sign_in(f"{name}{seed}@example.org").user_id for name in ("ada", "bob")]
        first = made(stage, people[0], device)
        second = made_again(stage, people[1], device)
        done = at_once(
            seed,
            *(
                stage.auth.webauthn.register(user_id=user_id, public_key_credential=answer)
                for user_id, answer in zip(people, (first, second), strict=True)
            ),
        )
        assert sum(refused(one) for one in done) == 1, seed
        users = [stage.user(one) for one in people]
        assert sum(len(one.parts_of("webauthn")) for one in users if one is not None) == 1, seed


def made_again(stage: Stage, user_id: str, device: VirtualAuthenticator) -> str:
    """The authenticator's credential again, as a hostile one can present it: attested for another challenge."""
    held = device.credentials[0]
    copy = VirtualAuthenticator(aaguid=device.aaguid)
    asked = stage.run(stage.auth.webauthn.register_start(user_id=user_id, domain=DOMAIN))
    text = bytes_to_base64url(held.credential_id)
    edits = Edits(
        data=lambda data: data[:55] + held.credential_id + encode_cbor(cose_key(held.key)),
        answer=lambda said: {**said, "id": text, "rawId": text},
    )
    return copy.register(asked.public_key_credential_creation_options, origin=ORIGIN, edits=edits)


def test_of_two_signatures_of_one_device_challenge_one_stands(stage: Stage) -> None:
    """A192."""
    biometrics = stage.auth.biometrics
    for seed in stage.orders():
        user_id, device = stage.sign_in(f"ada{seed}@example.org").user_id, DeviceKey()
        new = stage.run(biometrics.register_start(user_id=user_id, public_key=device.public_key))
        registration, signature = new.biometric_registration_id, device.sign(new.challenge)
        stage.run(biometrics.register(user_id=user_id, biometric_registration_id=registration, signature=signature))
        challenge = stage.run(biometrics.authenticate_start(public_key=device.public_key)).challenge
        both = at_once(
            seed,
            *(
                biometrics.authenticate(biometric_registration_id=registration, signature=device.sign(challenge))
                for _ in range(2)
            ),
        )
        assert sum(refused(one) for one in both) == 1, seed
