"""What processes tell each other is believed only if a root key vouches for it, and changes nothing when it comes twice, late or from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import attrs
import pytest

from authmw import Auth, Settings
from authmw.errors import StorageError
from authmw.ports import NoticesState
from authmw.revoked import HELD, Denied
from authmw.spreading import Spreader
from authmw_adapters.memory import MemoryLimiter, MemoryStorage
from tests.world import SECRET, World, make_world


@attrs.define
class Carrier:
    """Carries notices at once, to whoever listens."""

    told: list[bytes] = attrs.field(factory=list[bytes])
    ears: list[Callable[[bytes], None]] = attrs.field(factory=list[Callable[[bytes], None]])
    losing: list[Callable[[], None]] = attrs.field(factory=list[Callable[[], None]])
    now: NoticesState = attrs.field(factory=NoticesState)

    def publish(self, notice: bytes) -> None:
        self.told.append(notice)
        for ear in self.ears:
            ear(notice)

    def listen(self, since: datetime, heard: Callable[[bytes], None], lost: Callable[[], None]) -> None:
        self.ears.append(heard)
        self.losing.append(lost)

    def state(self) -> NoticesState:
        return self.now

    def close(self) -> None:
        self.ears.clear()


@pytest.fixture
def carrier() -> Carrier:
    return Carrier()


@pytest.fixture
def worlds(tmp_path: Path, carrier: Carrier) -> tuple[World, World]:
    """Two processes of one project."""
    one = make_world(tmp_path, "wsgi", notices=carrier)
    return one, make_world(tmp_path, "wsgi", notices=carrier, clock=one.clock)


def lives(world: World, jwt: str) -> bool:
    return world.visit("/who", f"authmw_session_jwt={jwt}").status == 200


def test_a_session_that_one_process_ended_is_refused_by_the_other_at_once(worlds: tuple[World, World]) -> None:
    """TOK-08."""
    one, two = worlds
    body = one.sign_in()
    assert lives(two, body["session_jwt"])
    one.backend("POST", "/v1/sessions/revoke", {"session_token": body["session_token"]})
    assert not lives(two, body["session_jwt"])


def test_all_sessions_of_somebody_that_one_process_ended_are_refused_by_the_other_at_once(
    worlds: tuple[World, World],
) -> None:
    """SES-06, TOK-08."""
    one, two = worlds
    body = one.sign_in()
    assert lives(two, body["session_jwt"])
    one.backend("DELETE", f"/v1/users/{body['user_id']}")
    assert not lives(two, body["session_jwt"])


@pytest.mark.parametrize("place", [0, 31, 32, 40, -1])
def test_a_notice_that_no_root_key_vouches_for_changes_nothing(
    worlds: tuple[World, World], carrier: Carrier, place: int
) -> None:
    one, two = worlds
    body = one.sign_in()
    carrier.ears.pop()
    one.backend("POST", "/v1/sessions/revoke", {"session_token": body["session_token"]})
    assert lives(two, body["session_jwt"])
    forged = bytearray(carrier.told[-1])
    forged[place] ^= 1
    ear = ear_of(two.auth)
    for notice in (bytes(forged), b"", b"x" * 32, b"x" * 5000, carrier.told[-1][:32] + b"{}"):
        ear(notice)
    assert lives(two, body["session_jwt"])
    ear(carrier.told[-1])
    assert not lives(two, body["session_jwt"])


def ear_of(auth: Auth) -> Callable[[bytes], None]:
    return Spreader(Carrier(), auth.core).hear


def test_a_notice_of_another_project_or_of_long_ago_changes_nothing(
    worlds: tuple[World, World], carrier: Carrier
) -> None:
    one, two = worlds
    carrier.ears.clear()
    one.auth.core.denied.add("session-test-1", one.clock.now())
    settings = Settings(project_id="project-test-other", secret=SECRET)
    other = Auth(settings, storage=MemoryStorage(), limiter=MemoryLimiter(), clock=one.clock)
    cleared: list[bool] = []
    for auth in (other, two.auth):
        auth.core.denied.listeners.append(lambda: cleared.append(True))
    ear_of(other)(carrier.told[-1])
    assert not cleared
    one.clock.advance(seconds=HELD.total_seconds())
    ear_of(two.auth)(carrier.told[-1])
    assert not cleared
    assert not two.auth.core.denied.holds("session-test-1", "user-test-1", 0)


def test_a_notice_that_comes_again_clears_nothing_again(worlds: tuple[World, World], carrier: Carrier) -> None:
    one, two = worlds
    cleared: list[bool] = []
    two.auth.core.denied.listeners.append(lambda: cleared.append(True))
    one.auth.core.denied.add("session-test-1", one.clock.now())
    for _ in range(3):
        carrier.ears[1](carrier.told[-1])
    assert cleared == [True]


def test_an_epoch_is_never_lowered_by_a_notice_that_comes_late(worlds: tuple[World, World]) -> None:
    denied, now = Denied(), worlds[0].clock.now()
    denied.hear("user-1", 3, now)
    denied.hear("user-1", 2, now)
    assert denied.holds("session-1", "user-1", 2)
    assert not denied.holds("session-1", "user-1", 3)


def test_a_notice_from_a_clock_that_is_ahead_holds_no_longer_than_one_of_now(worlds: tuple[World, World]) -> None:
    one, two = worlds
    one.auth.core.denied.add("session-test-1", one.clock.now() + timedelta(days=9))
    assert two.auth.core.denied.holds("session-test-1", "user-test-1", 0)
    two.auth.core.denied.add("session-test-2", two.clock.now() + HELD)
    assert not two.auth.core.denied.holds("session-test-1", "user-test-1", 0)


def test_while_notices_may_be_missing_storage_is_asked(worlds: tuple[World, World], carrier: Carrier) -> None:
    one, two = worlds
    body = one.sign_in()
    assert lives(two, body["session_jwt"])
    lose, carrier.ears = carrier.losing[1], []
    one.backend("POST", "/v1/sessions/revoke", {"session_token": body["session_token"]})
    assert lives(two, body["session_jwt"]), "it was not told"
    lose()
    assert not lives(two, body["session_jwt"])
    other = one.sign_in("grace@example.org")
    assert lives(two, other["session_jwt"])
    one.clock.advance(seconds=HELD.total_seconds() + 1)
    assert not two.auth.core.denied.doubtful(two.clock.now())


def test_a_change_of_the_project_is_seen_by_the_other_process_at_once(tmp_path: Path, carrier: Carrier) -> None:
    one = make_world(tmp_path, "wsgi", notices=carrier, managed=("ip_allow_list",))
    two = make_world(tmp_path, "wsgi", notices=carrier, managed=("ip_allow_list",), clock=one.clock)
    assert two.backend("GET", "/v1/users/user-test-1").status == 404
    allowed = one.auth.run(one.auth.project.ip_allow_list.set(ip_addresses=["192.0.2.1"]))
    assert allowed is not None
    assert two.backend("GET", "/v1/users/user-test-1").status == 403


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (NoticesState(hears=False), "does not reach"),
        (NoticesState(tells=False, waiting=3), "does not reach"),
        (NoticesState(behind=True), "has not taken in"),
    ],
)
def test_notices_that_do_not_come_through_are_a_warning_and_no_fault(
    worlds: tuple[World, World], carrier: Carrier, state: NoticesState, said: str
) -> None:
    auth = worlds[0].auth
    assert not auth.run(auth.health()).warned
    carrier.now = state
    health = auth.run(auth.health())
    found = next(one for one in health.findings if one.part == "notices")
    assert (health.healthy, found.status, found.facts["waiting"]) == (True, "warning", state.waiting)
    assert said in found.message


def test_where_storage_does_not_answer_the_state_of_notices_is_told_all_the_same(
    worlds: tuple[World, World], carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    auth = worlds[0].auth
    carrier.now = NoticesState(hears=False)
    monkeypatch.setattr(auth.core.storage, "get", _fails)
    parts = {one.part: one.status for one in auth.run(auth.health()).findings}
    assert (parts["storage"], parts["notices"]) == ("fault", "warning")


async def _fails(*asked: object) -> None:
    raise StorageError("It is down.")
