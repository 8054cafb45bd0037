"""Every security change of an account, by whatever operation, is told once to each address that was verified before it, and to no other (ACC-03)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import pyotp
import pytest

from authmw import AttributeMapping, Refused, drive
from authmw.operations import Caller
from authmw.people.records import Email, Part, Phone, Proved, Session, User
from authmw.signin.sessions import derive_token, with_new_secret
from authmw.storage import Insert
from authmw.testing import DeviceKey, EthereumWallet, VirtualAuthenticator
from tests.trusted_issuer import PROFILE, Issuer, profile
from tests.world import World, make_world

VERIFIED = ("ada@example.org", "second@example.org")
UNVERIFIED = "third@example.org"
ADDED, REMOVED = "A sign-in method was added", "A sign-in method was removed"
PASSWORD = "correct horse battery staple"


@attrs.define
class Account:
    """Somebody with everything, and a session that may change all of it."""

    world: World
    user_id: str
    session_token: str

    def call(self, work: Any) -> Any:
        return self.world.auth.run(work)

    def own(self, work: Any) -> Any:
        """The same as the visitor's own browser."""

        async def visiting() -> Any:
            with self.world.auth.acting_as(Caller(audience="browser", session_token=self.session_token)):
                return await work

        return self.world.auth.run(visiting())


def part_id(kind: str) -> str:
    return f"{kind.replace('_', '-')}-test-1"


@pytest.fixture(params=["asgi", "wsgi"])
def account(request: pytest.FixtureRequest, tmp_path: Path) -> Account:
    trusted = profile(attribute_mapping=AttributeMapping(external_id="sub"))
    world = make_world(tmp_path, request.param, trusted_tokens=(trusted,))
    return account_in(world)


def account_in(world: World) -> Account:
    auth, now = world.auth, world.clock.now()
    times = {"last_authenticated_at": now, "created_at": now, "updated_at": now}
    kinds = ("oauth", "crypto_wallet", "webauthn", "biometric", "totp", "password")
    user = User(
        id="user-test-1",
        created_at=now,
        emails=tuple(
            Email(email_id=f"email-test-{number}", address=address, verified=address in VERIFIED, created_at=now)
            for number, address in enumerate((*VERIFIED, UNVERIFIED))
        ),
        phones=(Phone(phone_id="phone-number-test-1", number="+14155552671", verified=True, created_at=now),),
        parts=tuple(
            Part(part_id=part_id(kind), kind=kind, verified=True, created_at=now, identity=(kind,)) for kind in kinds
        ),
    )
    session = Session(
        session_id="session-test-1",
        subject_id=user.id,
        random=b"",
        key_version=auth.core.roots.newest,
        digest="",
        started_at=now,
        last_accessed_at=now,
        expires_at=now.replace(year=now.year + 1),
        factors=(
            Proved(type="magic_link", delivery_method="email", **times),
            Proved(type="otp", delivery_method="sms", **times),
            Proved(type="totp", delivery_method="authenticator_app", **times),
        ),
    )
    session = with_new_secret(auth.core.roots, session, now)
    auth.run(auth.storage.commit(Insert(user), Insert(session)))
    return Account(world, user.id, derive_token(auth.core.roots, session) or "")


def add_address(a: Account) -> None:
    auth = a.world.auth
    a.call(auth.magic_links.email.send(email="new@example.org", session_token=a.session_token))
    token = a.world.inbox.entries(to="new@example.org")[0].links[0].split("token=")[-1]
    a.call(auth.magic_links.authenticate(token=token, session_token=a.session_token))


def add_number(a: Account) -> None:
    auth = a.world.auth
    sent = a.call(auth.otps.sms.send(phone_number="+14155552672", session_token=a.session_token))
    code = a.world.inbox.entries(to="+14155552672")[0].code
    assert code is not None
    a.call(auth.otps.authenticate(method_id=sent.phone_id, code=code, session_token=a.session_token))


def add_app(a: Account) -> None:
    auth = a.world.auth
    a.call(auth.users.delete_totp(totp_id=part_id("totp")))
    made = a.call(auth.totps.create(user_id=a.user_id))
    a.call(auth.totps.authenticate(user_id=a.user_id, totp_code=pyotp.TOTP(made.secret).at(a.world.clock.now())))


def recover(a: Account) -> None:
    auth = a.world.auth
    a.call(auth.users.delete_totp(totp_id=part_id("totp")))
    made = a.call(auth.totps.create(user_id=a.user_id))
    a.call(auth.totps.authenticate(user_id=a.user_id, totp_code=pyotp.TOTP(made.secret).at(a.world.clock.now())))
    a.call(auth.totps.recover(user_id=a.user_id, recovery_code=made.recovery_codes[0]))


def add_passkey(a: Account) -> None:
    auth, device = a.world.auth, VirtualAuthenticator()
    asked = a.call(auth.webauthn.register_start(user_id=a.user_id, domain="localhost"))
    made = device.register(asked.public_key_credential_creation_options, origin=auth.settings.origin)
    a.call(auth.webauthn.register(user_id=a.user_id, public_key_credential=made))


def add_device(a: Account) -> None:
    auth, device = a.world.auth, DeviceKey()
    asked = a.call(auth.biometrics.register_start(user_id=a.user_id, public_key=device.public_key))
    a.call(
        auth.biometrics.register(
            user_id=a.user_id,
            biometric_registration_id=asked.biometric_registration_id,
            signature=device.sign(asked.challenge),
        )
    )


def add_wallet(a: Account) -> None:
    auth, wallet = a.world.auth, EthereumWallet(7)
    named: dict[str, Any] = {"crypto_wallet_type": "ethereum", "crypto_wallet_address": wallet.address}
    asked = a.call(auth.crypto_wallets.authenticate_start(**named, session_token=a.session_token))
    signature = wallet.sign(asked.challenge)
    a.call(auth.crypto_wallets.authenticate(**named, signature=signature, session_token=a.session_token))


def link_trusted_tokens(a: Account) -> None:
    auth = a.world.auth
    a.call(auth.sessions.attest(profile_id=PROFILE, token=Issuer(a.world.clock).token()))


def lock(a: Account) -> None:
    """Somebody guesses until the factor is closed for a while."""
    auth = a.world.auth
    add_app(a)
    for _ in range(auth.settings.locks.threshold + 1):
        a.world.clock.advance(seconds=60)
        with suppress(Refused):
            a.call(auth.totps.authenticate(user_id=a.user_id, totp_code="000000"))


def change_password(a: Account) -> None:
    a.call(a.world.auth.passwords.sessions.reset(password=PASSWORD, session_token=a.session_token))


def removing(product: str, **named: str) -> Callable[[Account], None]:
    def remove(a: Account) -> None:
        a.call(getattr(a.world.auth.users, product)(**named))

    return remove


def removing_by_oneself(product: str, **named: str) -> Callable[[Account], None]:
    def remove(a: Account) -> None:
        a.own(getattr(a.world.auth.users, product)(**named))

    return remove


REMOVALS: dict[str, dict[str, str]] = {
    "delete_phone_number": {"phone_id": "phone-number-test-1"},
    "delete_email": {"email_id": "email-test-1"},
    "delete_oauth_registration": {"oauth_user_registration_id": part_id("oauth")},
    "delete_crypto_wallet": {"crypto_wallet_id": part_id("crypto_wallet")},
    "delete_webauthn_registration": {"webauthn_registration_id": part_id("webauthn")},
    "delete_biometric_registration": {"biometric_registration_id": part_id("biometric")},
    "delete_totp": {"totp_id": part_id("totp")},
    "delete_password": {"password_id": part_id("password")},
}
CHANGES: dict[str, tuple[Callable[[Account], None], tuple[str, ...]]] = {
    "an address is added": (add_address, (ADDED,)),
    "a phone number is added": (add_number, (ADDED,)),
    "an authenticator app is exchanged": (add_app, (REMOVED, ADDED)),
    "a recovery code is used": (recover, (REMOVED, ADDED, "A recovery code of your")),
    "a passkey is added": (add_passkey, (ADDED,)),
    "a device is added": (add_device, (ADDED,)),
    "a wallet is added": (add_wallet, (ADDED,)),
    "trusted tokens are linked": (link_trusted_tokens, (ADDED,)),
    "sign-in is locked": (lock, (REMOVED, ADDED, "Your authmw account is locked")),
    "the password is changed": (change_password, ("Your authmw password was changed",)),
    **{f"{name} by the backend": (removing(name, **named), (REMOVED,)) for name, named in REMOVALS.items()},
    **{f"{name} by oneself": (removing_by_oneself(name, **named), (REMOVED,)) for name, named in REMOVALS.items()},
}
NO_CHANGES: dict[str, Callable[[Account], None]] = {
    "a name": lambda a: a.call(a.world.auth.users.update(user_id=a.user_id, trusted_metadata={"a": 1})),
    "an address nobody proved": removing("delete_email", email_id="email-test-2"),
    "a session": lambda a: a.call(a.world.auth.sessions.revoke(session_token=a.session_token)),
}


def heard(world: World, address: str) -> list[str]:
    """The subjects of the notices to an address; notices leave behind replies, and may overtake each other."""
    assert drive.finish(10)
    told = [entry.subject for entry in world.inbox.entries(to=address)]
    return sorted(subject for subject in told if " authmw " in subject and not subject.startswith("Sign in"))


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_told_once_to_each_verified_address(account: Account, change: str) -> None:
    act, words = CHANGES[change]
    act(account)
    for address in VERIFIED:
        subjects = heard(account.world, address)
        assert len(subjects) == len(words), subjects
        pairs = zip(subjects, sorted(words), strict=True)
        assert all(subject.startswith(word) for subject, word in pairs), subjects
    for address in (UNVERIFIED, "new@example.org"):
        assert heard(account.world, address) == []


@pytest.mark.parametrize("change", NO_CHANGES)
def test_what_changes_no_way_to_sign_in_is_not_told(account: Account, change: str) -> None:
    NO_CHANGES[change](account)
    for address in (*VERIFIED, UNVERIFIED):
        assert heard(account.world, address) == []


def test_every_removal_of_users_is_in_the_table() -> None:
    from authmw.consumer.users.operations import Users

    removals = {name for name in vars(Users) if name.startswith("delete_")}
    assert removals == REMOVALS.keys() | {"delete_external_id"}
