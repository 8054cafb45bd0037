"""Sign-in on a store of conditional batches that loses acknowledgements and is cut in two: nothing is spent twice, and nothing happens by half."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from authmw import Refused
from authmw.consumer.answers import AuthenticateResponse
from authmw.drive import step
from authmw.factors.challenges import Challenge
from authmw.ledger.records import Event
from authmw.people.records import Session, User
from authmw.storage import And, Between, Order, Record
from authmw.testing import interleave, turn
from authmw.testing.batch_store import Acknowledgement, BatchService, BatchStorage
from tests.stories.test_interleavings import Stage


class Cluster:
    """A project on a store whose faults the story decides."""

    def __init__(self) -> None:
        self.between: Callable[[], None] = lambda: None
        self.service = BatchService(overlap="exclusive", between=self._between)
        self.storage = BatchStorage(self.service)
        self.stage = Stage(self.storage)

    async def _between(self) -> None:
        self.between()
        await turn()

    def held(self, kind: type[Record]) -> tuple[Record, ...]:
        return step(self.storage.page(kind, And(), order=Order(), limit=40)).records

    def sessions(self, user_id: str) -> tuple[Session, ...]:
        theirs = Between("subject", (user_id,), (user_id, "~"))
        return step(self.storage.page(Session, theirs, order=Order(), limit=40)).records

    def authenticate(self, token: str) -> AuthenticateResponse | str:
        """Sign in by a link: the answer, or the error type it was refused with."""
        try:
            answer = self.stage.run(self.stage.auth.magic_links.authenticate(token=token, session_duration_minutes=60))
        except Refused as refused:
            return refused.error_type
        assert isinstance(answer, AuthenticateResponse)
        return answer

    def tells(self, what: Acknowledgement, of: Callable[[int], bool] = lambda number: True) -> None:
        self.service.acknowledgement = lambda number: what if of(number) else "given"


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def test_a_sign_in_whose_acknowledgement_is_lost_fails_closed_and_its_link_is_spent(cluster: Cluster) -> None:
    token = cluster.stage.link("ada@example.org")
    cluster.tells("lost")
    assert cluster.authenticate(token) == "server_unavailable"
    cluster.tells("given")
    assert cluster.authenticate(token) == "unable_to_auth_magic_link"
    assert len(cluster.held(Session)) == 1


def test_a_sign_in_that_did_not_happen_fails_closed_and_its_link_still_works(cluster: Cluster) -> None:
    token = cluster.stage.link("ada@example.org")
    cluster.tells("dropped")
    assert cluster.authenticate(token) == "server_unavailable"
    assert not cluster.held(Session)
    cluster.tells("given")
    assert isinstance(cluster.authenticate(token), AuthenticateResponse)


@pytest.mark.parametrize("kind", [User, Session, Challenge, Event])
def test_a_cut_before_the_commit_changes_nothing(cluster: Cluster, kind: type[Record]) -> None:
    token = cluster.stage.link("ada@example.org")
    before = [cluster.held(held) for held in (User, Session, Challenge)]
    cluster.service.cut(*cluster.storage.shards(kind))
    assert cluster.authenticate(token) == "server_unavailable"
    cluster.service.heal()
    assert [cluster.held(held) for held in (User, Session, Challenge)] == before
    assert isinstance(cluster.authenticate(token), AuthenticateResponse)


@pytest.mark.parametrize("kind", [User, Session, Challenge, Event])
def test_a_cut_in_the_middle_of_a_commit_leaves_it_whole_when_it_heals(cluster: Cluster, kind: type[Record]) -> None:
    """Wherever the cut falls, the sign-in happened or it did not: with a session the link is spent and the event is written, without one it still works."""
    outcomes: set[bool] = set()
    for person in range(110):
        # Where a cut falls to is a matter of the ids that records happened to get: other people have others.
        if person >= 11 and len(outcomes) == 2:
            break
        moment = person % 11 + 1
        token = cluster.stage.link(f"ada{person}@example.org")
        sessions, events = len(cluster.held(Session)), len(_successes(cluster))
        counted = 0

        def cut(moment: int = moment) -> None:
            nonlocal counted
            counted += 1
            if counted == moment:
                cluster.service.cut(*cluster.storage.shards(kind))

        cluster.between = cut
        first = cluster.authenticate(token)
        cluster.between = lambda: None
        second = cluster.authenticate(token)
        assert second != first or second == "server_unavailable"
        cluster.service.heal()
        third = cluster.authenticate(token)
        signed_in = [isinstance(one, AuthenticateResponse) for one in (first, second, third)]
        born = len(cluster.held(Session)) - sessions
        assert born == 1, moment
        assert len(_successes(cluster)) - events == 1, moment
        assert sum(signed_in) <= 1, moment
        outcomes.add(any(signed_in))
    assert outcomes == {True, False}, "the cut never fell into the middle of the commit"


def _successes(cluster: Cluster) -> list[Any]:
    events: list[Any] = list(cluster.held(Event))
    return [one for one in events if one.action == "MagicLinksAuthenticate" and one.status == "success"]


@pytest.mark.parametrize("told", ["lost", "dropped"])
def test_no_link_signs_in_twice_whatever_is_lost(cluster: Cluster, told: Acknowledgement) -> None:
    """Three holders of one link at once while every so many acknowledgements are lost: at most one session, and a person who saw success is the only one."""
    for seed in range(60):
        token = cluster.stage.link(f"ada{seed}@example.org")
        user = step(cluster.storage.find(User, "email", (f"ada{seed}@example.org",)))
        assert user is not None
        cluster.tells(told, lambda number, seed=seed: (number * 7 + seed) % 3 == 0)
        outcomes = interleave(
            [cluster.stage.auth.magic_links.authenticate(token=token, session_duration_minutes=60) for _ in range(3)],
            seed,
        )
        cluster.tells("given")
        winners = [one for one in outcomes if isinstance(one, AuthenticateResponse)]
        sessions = cluster.sessions(user.id)
        assert len(winners) <= len(sessions) <= 1, seed
        again = cluster.authenticate(token)
        assert isinstance(again, AuthenticateResponse) == (not sessions), seed


def test_batches_overlap_where_the_scheduler_lets_them() -> None:
    service = BatchService(overlap="exclusive", between=turn)
    stage = Stage(BatchStorage(service))
    for seed in range(10):
        token = stage.link(f"ada{seed}@example.org")
        spend = stage.auth.magic_links.authenticate
        interleave([spend(token=token, session_duration_minutes=60) for _ in range(2)], seed)
    assert service.overlapped > 0
