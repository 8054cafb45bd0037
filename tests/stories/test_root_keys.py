"""Root keys in the hands of an operator: one put in front, what rests sealed anew, and one taken out too soon."""

from __future__ import annotations

import base64
from typing import Any

import attrs
import jwt
import pytest

from authmw.drive import step
from authmw.errors import AuthError, Conflict, Refused
from authmw.factors.totp.rules import code_of, step_of
from authmw.people.records import Credential
from authmw.settings import TOTPRules
from authmw.signin.keys import FirstKey
from authmw.signin.resealing import Resealed, reseal
from authmw.storage import And, Insert, Update, Write
from authmw.testing import DeviceKey, TakingTurns, VirtualAuthenticator, interleave
from authmw_adapters.memory import MemoryStorage
from tests.authmw.signin.test_sessions import NEW, OLD, Project, project

ADA, PASSWORD, OTHER = "ada@example.org", "Zq-trombone-velvet-quarry", "Zq-anvil-meadow-lantern"
ORIGIN = "http://localhost:8000"


def under(storage: Any, *roots: bytes, **settings: Any) -> Project:
    """A process with this list of root keys over the same storage."""
    here = project(storage, root_keys=roots, **settings)
    here.clock.advance(minutes=1)
    return here


def refusal(work: Any) -> str:
    with pytest.raises(Refused) as refused:
        step(work)
    return refused.value.error_type


def published(here: Project) -> set[str]:
    """The published keys of sessions."""
    known = step(here.auth.keys.published())
    purposes = {key.kid: key.purpose for key in step(here.auth.keys.stored())}
    return {str(key["kid"]) for key in known if purposes[key["kid"]] == "session"}


def test_sessions_go_on_under_a_new_signing_key_and_old_jwts_are_refused_once_the_root_key_is_gone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """DESIGN section 6: what a process cannot open proves nothing, and keeps nobody from signing in."""
    storage = MemoryStorage()
    before = under(storage, OLD).sign_in()
    here = under(storage, NEW)
    renewed = step(here.auth.sessions.authenticate(session_token=before.session_token))
    assert (renewed.session_token, renewed.session.session_id) != ("", "")
    old_kid, new_kid = (jwt.get_unverified_header(one.session_jwt)["kid"] for one in (before, renewed))
    assert published(here) == {new_kid} != {old_kid}
    assert refusal(here.auth.sessions.authenticate(session_jwt=before.session_jwt)) == "unable_to_parse_session_jwt"
    assert here.sign_in().session_jwt
    told = step(here.auth.sessions.authenticate(session_jwt=renewed.session_jwt))
    assert told.session_token not in {"", before.session_token}
    keys = next(one for one in step(here.auth.health()).findings if one.part == "keys")
    assert (keys.status, keys.facts["unreadable"], keys.facts["active"]) == ("warning", 1, new_kid)
    assert {one.msg for one in caplog.records} == {"signing_key_unreadable"}


def test_processes_with_other_lists_keep_their_own_keys_and_make_no_more(caplog: pytest.LogCaptureFixture) -> None:
    storage = MemoryStorage()
    old, new = under(storage, OLD), under(storage, NEW)
    for _ in range(3):
        for here in (old, new):
            step(here.auth.keys.load(force=True))
            assert here.sign_in().session_jwt
    assert [key.state for key in step(new.auth.keys.stored())] == ["active", "active"]
    assert published(old) != published(new)


@pytest.mark.parametrize("seed", range(12))
def test_processes_that_miss_the_key_at_once_end_up_with_one(seed: int) -> None:
    storage = MemoryStorage()
    under(storage, OLD).sign_in()
    turns = TakingTurns(storage)
    rings = [under(turns, NEW).auth.keys for _ in range(2)]
    first, second = interleave([ring.active() for ring in rings], seed)
    assert not isinstance(first, AuthError)
    assert not isinstance(second, AuthError)
    assert first.kid == second.kid
    assert len(step(rings[0].stored())) == 2


class Taken(MemoryStorage):
    """Memory in which somebody else always makes the key, under a root key of theirs."""

    async def commit(self, *writes: Write) -> None:
        if any(isinstance(write.record, FirstKey) for write in writes):
            raise Conflict
        await super().commit(*writes)


def test_a_key_that_cannot_be_made_is_storage_that_does_not_answer() -> None:
    here = under(Taken(), NEW)
    made = here.auth.passwords.create(email=ADA, password=PASSWORD, session_duration_minutes=60)
    assert refusal(made) == "server_unavailable"


def test_a_rotation_passes_over_keys_that_cannot_be_opened() -> None:
    storage = MemoryStorage()
    old = under(storage, OLD)
    old.sign_in()
    step(old.auth.keys.rotate())
    here = under(storage, NEW)
    here.sign_in()
    for _ in range(2):
        step(here.auth.keys.rotate())
    readable = published(here)
    states = {key.kid: key.state for key in step(here.auth.keys.stored()) if key.purpose == "session"}
    assert sorted(states[kid] for kid in readable) == ["active", "next", "retired"]
    assert [state for kid, state in states.items() if kid not in readable] == ["retired", "retired"]


@attrs.define
class Enrolled:
    """Somebody with every factor that rests sealed."""

    user_id: str
    seed: bytes
    codes: list[str]
    passkey: VirtualAuthenticator
    device: DeviceKey


def enrol(here: Project) -> Enrolled:
    made = here.sign_in()
    auth = here.auth
    step(auth.passwords.sessions.reset(password=PASSWORD, session_token=made.session_token))
    totp = step(auth.totps.create(user_id=made.user_id))
    seed = base64.b32decode(totp.secret)
    step(auth.totps.authenticate(user_id=made.user_id, totp_code=code_of(seed, step_of(here.clock.now()))))
    passkey, device = VirtualAuthenticator(), DeviceKey()
    start = auth.webauthn.register_start(
        user_id=made.user_id, domain="localhost", return_passkey_credential_options=True
    )
    answer = passkey.register(step(start).public_key_credential_creation_options, origin=ORIGIN)
    step(auth.webauthn.register(user_id=made.user_id, public_key_credential=answer))
    begun = step(auth.biometrics.register_start(user_id=made.user_id, public_key=device.public_key))
    signed = device.sign(begun.challenge)
    registered = auth.biometrics.register(
        user_id=made.user_id,
        biometric_registration_id=begun.biometric_registration_id,
        signature=signed,
    )
    step(registered)
    return Enrolled(made.user_id, seed, totp.recovery_codes, passkey, device)


def tried(here: Project, ada: Enrolled) -> list[str]:
    """How each factor ends: its refusal, or nothing."""
    auth, ends = here.auth, list[str]()
    here.clock.advance(minutes=1)
    options = step(auth.webauthn.authenticate_start(domain="localhost")).public_key_credential_request_options
    begun = step(auth.biometrics.authenticate_start(public_key=ada.device.public_key))
    for work in (
        auth.passwords.authenticate(email=ADA, password=PASSWORD),
        auth.totps.authenticate(user_id=ada.user_id, totp_code=code_of(ada.seed, step_of(here.clock.now()))),
        auth.totps.recovery_codes(user_id=ada.user_id),
        auth.totps.recover(user_id=ada.user_id, recovery_code=ada.codes.pop()),
        auth.webauthn.authenticate(public_key_credential=ada.passkey.authenticate(options, origin=ORIGIN)),
        auth.biometrics.authenticate(
            biometric_registration_id=begun.biometric_registration_id, signature=ada.device.sign(begun.challenge)
        ),
    ):
        try:
            step(work)
            ends.append("")
        except Refused as refused:
            ends.append(refused.error_type)
    return ends


CLOSED = [
    "unauthorized_credentials",
    "unable_to_authenticate_totp",
    "recovery_codes_not_found",
    "unable_to_authenticate_recovery_code",
    "unable_to_auth_webauthn_registration",
    "unable_to_auth_biometric_registration",
]
OPEN = [""] * len(CLOSED)


def test_factors_whose_root_key_is_gone_are_refused_as_wrong_ones_are_and_set_anew(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """OTP-06, TOK-02: fails closed, by a documented error, and says to the operator what it is."""
    storage = MemoryStorage()
    ada = enrol(under(storage, OLD))
    here = under(storage, NEW)
    assert tried(here, ada) == CLOSED
    assert step(here.auth.webauthn.list_credentials(user_id=ada.user_id, domain="localhost")).credentials == []
    assert {one.msg for one in caplog.records} == {"credential_unreadable"}
    here.clock.advance(seconds=2)
    step(here.auth.passwords.email.reset_start(email=ADA))
    link = next(one for one in here.inbox.entries()[0].links if "token_type=reset_password" in one)
    step(here.auth.passwords.email.reset(token=link.split("token=")[-1], password=OTHER))
    assert step(here.auth.passwords.authenticate(email=ADA, password=OTHER)).user_id == ada.user_id
    found = step(reseal(here.auth.core))
    assert found == Resealed(older={}, unreadable={"signing_key": 1, "totp": 1, "webauthn": 1, "biometric": 1})


def test_what_was_sealed_anew_outlives_the_old_root_key() -> None:
    storage = MemoryStorage()
    ada = enrol(under(storage, OLD))
    both = under(storage, NEW, OLD)
    assert tried(both, ada) == OPEN
    before = step(both.auth.keys.active()).kid
    counted = step(reseal(both.auth.core, write=False))
    assert counted.older.keys() == {"signing_key", "webauthn", "biometric"}  # what changed at use is new already
    assert step(reseal(both.auth.core)) == counted
    assert step(reseal(both.auth.core)) == Resealed(older={}, unreadable={})
    alone = under(storage, NEW)
    alone.clock.advance(minutes=5)
    assert tried(alone, ada) == OPEN
    assert published(alone) == {before}


class Contested(MemoryStorage):
    """Memory in which somebody else is faster with a credential, so many times; at last it is gone."""

    times = 0
    gone = False

    async def commit(self, *writes: Write) -> None:
        if self.times and isinstance(writes[0].record, Credential):
            self.times -= 1
            raise Conflict
        await super().commit(*writes)

    async def get(self, kind: Any, key: str) -> Any:
        return None if self.gone and kind is Credential else await super().get(kind, key)


@pytest.mark.parametrize(
    ("times", "gone", "older"), [(2, False, {"signing_key": 1, "password": 1}), (1, True, {"signing_key": 1})]
)
def test_what_others_change_meanwhile_is_looked_at_again(times: int, gone: bool, older: dict[str, int]) -> None:
    storage = Contested()
    old = under(storage, OLD)
    old.sign_in()
    step(old.auth.passwords.create(email="bob@example.org", password=PASSWORD))
    both = under(storage, NEW, OLD)
    storage.times, storage.gone = times, gone
    assert step(reseal(both.auth.core)).older == older


def test_what_others_change_each_time_is_said() -> None:
    storage = Contested()
    step(under(storage, OLD).auth.passwords.create(email="bob@example.org", password=PASSWORD))
    both = under(storage, NEW, OLD)
    storage.times = 100
    with pytest.raises(AuthError):
        step(reseal(both.auth.core))


def test_more_than_one_page_is_looked_at_and_a_secret_that_was_moved_is_not_sealed_anew() -> None:
    """KEY-02: what was sealed for one part opens as nothing else's."""
    storage = MemoryStorage()
    step(under(storage, OLD).auth.passwords.create(email=ADA, password=PASSWORD))
    [one] = step(storage.page(Credential, And(), limit=10)).records
    for number in range(120):
        moved = attrs.evolve(one, part_id=f"password-test-{number:03}", version=0)
        step(storage.commit(Insert(moved)))
    found = step(reseal(under(storage, NEW, OLD).auth.core))
    assert found == Resealed(older={"password": 1}, unreadable={"password": 120})


@pytest.mark.parametrize("listed", ["listed", "shown_once"])
def test_codes_of_the_day_before_a_root_key_still_hold(listed: Any) -> None:
    """A code on its way and recovery codes are bound to a root key, whichever stands in front of it since."""
    storage, rules = MemoryStorage(), TOTPRules(recovery_codes=listed)
    old = under(storage, OLD, totp=rules)
    ada = enrol(old)
    old.clock.advance(minutes=1)
    method = step(old.auth.otps.email.login_or_create(email=ADA)).email_id
    code = next(one.code for one in old.inbox.entries() if one.code)
    both = under(storage, NEW, OLD, totp=rules)
    assert step(both.auth.totps.recover(user_id=ada.user_id, recovery_code=ada.codes[0])).user_id == ada.user_id
    again = both.auth.totps.recover(user_id=ada.user_id, recovery_code=ada.codes[0])
    assert refusal(again) == "unable_to_authenticate_recovery_code"
    assert code is not None
    assert step(both.auth.otps.authenticate(method_id=method, code=code)).user_id == ada.user_id


def test_a_row_of_a_signing_key_that_was_changed_is_no_key() -> None:
    """KEY-02: what is published is what was sealed."""
    storage = MemoryStorage()
    here = under(storage, NEW)
    signed_in = here.sign_in()
    stored = step(here.auth.keys.stored())[0]
    step(storage.commit(Update(attrs.evolve(stored, certificate=stored.certificate + b"x"))))
    other = under(storage, NEW)
    assert stored.kid not in published(other)
    assert refusal(other.auth.sessions.authenticate(session_jwt=signed_in.session_jwt)) == "unable_to_parse_session_jwt"
    assert step(other.auth.sessions.authenticate(session_token=signed_in.session_token)).session_jwt
