"""Two actors at once, one storage call at a time, over 500 orders each: invariants hold whatever the order was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

from authmw import Auth, Cookies, Refused, Settings, clock
from authmw.consumer.answers import AuthenticateResponse
from authmw.drive import step
from authmw.errors import AuthError
from authmw.ledger.commits import commit
from authmw.operations import Product, Response, current_call, operation
from authmw.people.records import Email, Organization, Part, Proved, Session, User
from authmw.people.rules import with_part
from authmw.signin.complete import Asked, Proof, complete
from authmw.storage import And, Insert, Order, Storage, Update, Write
from authmw.testing import FixedClock, TakingTurns, interleave, turn
from authmw.testing.batch_store import BatchService, BatchStorage, Overlap
from authmw_adapters.memory import MemoryLimiter, MemoryStorage
from tests.world import PROJECT_ID, PUBLIC_TOKEN, SECRET, Mailbox

SEEDS = range(500)
ADMIN = "stytch_admin"


class Trials(Product):
    """Operations of products that do not exist here, made of the same parts."""

    @operation("POST", "/v1/trials/demote", action="TrialDemote")
    async def demote(self, *, actor: str, target: str) -> Response:
        return await _demote(current_call().storage, actor, target)

    @operation("POST", "/v1/trials/demote_blindly", action="TrialDemoteBlindly")
    async def demote_blindly(self, *, actor: str, target: str) -> Response:
        """The planted write skew: what it reads of the actor goes past the storage that remembers, so nothing checks it."""
        return await _demote(current_call().core.storage, actor, target)

    @operation("POST", "/v1/trials/add_totp", action="TrialAddTOTP")
    async def add_totp(self, *, user_id: str) -> Response:
        call = current_call()
        user = await _user(call.storage, user_id)
        part = Part(
            part_id=f"totp-{user_id}",
            kind="totp",
            verified=True,
            created_at=call.now,
            details={"epoch": user.session_epoch},
        )
        await commit(Update(with_part(user, part)))
        return Response()

    @operation("POST", "/v1/trials/tighten", action="TrialTighten")
    async def tighten(self, *, organization_id: str) -> Response:
        """From now on members need more than one factor, and whoever is signed in has to prove it."""
        organization = await current_call().storage.get(Organization, organization_id)
        assert organization is not None
        epoch = organization.session_epoch + 1
        await commit(Update(attrs.evolve(organization, name="strict", session_epoch=epoch)))
        return Response()

    @operation("POST", "/v1/trials/enter", action="TrialEnter")
    async def enter(self, *, organization_id: str, user_id: str) -> Response:
        """A sign-in by one factor, with the organization's policy as an input."""
        call = current_call()
        organization = await call.storage.get(Organization, organization_id)
        user = await _user(call.storage, user_id)
        assert organization is not None
        if organization.name == "strict":
            raise Refused("insufficient_factors")
        factor = Proved(
            type="otp",
            delivery_method="email",
            last_authenticated_at=call.now,
            created_at=call.now,
            updated_at=call.now,
        )
        await complete(Proof(before=user, after=user, factor=factor), Asked(minutes=60), self.keys)
        return Response()

    keys: Any = None


async def _user(storage: Storage, user_id: str) -> User:
    user = await storage.get(User, user_id)
    assert user is not None
    return user


async def _demote(storage: Storage, actor: str, target: str) -> Response:
    acting = await _user(storage, actor)
    if ADMIN not in acting.roles:
        raise Refused("insufficient_factors")
    demoted = await _user(storage, target)
    await commit(Update(attrs.evolve(demoted, roles=())))
    return Response()


class Stage:
    """One project for many seeds: each seed has people of its own."""

    def __init__(self, behind: Storage | None = None, **settings: Any) -> None:
        behind = behind or MemoryStorage()
        self.storage = TakingTurns(behind)
        # Each request to a store of batches takes a turn of its own, so one order is several times as long.
        self.seeds = SEEDS if isinstance(behind, MemoryStorage) else SEEDS[:100]
        self.inbox, self.clock = Mailbox(), FixedClock()
        self.auth = Auth(
            Settings(
                project_id=PROJECT_ID,
                secret=SECRET,
                public_token=PUBLIC_TOKEN,
                cookies=Cookies(secure=False),
                **settings,
            ),
            storage=self.storage,
            limiter=MemoryLimiter(),
            email=self.inbox,
            clock=self.clock,
        )
        self.trials = Trials(self.auth.core)
        self.trials.keys = self.auth.keys
        self.run(self.auth.keys.active())

    def run(self, work: Any) -> Any:
        return self.auth.run(work)

    def link(self, address: str, **more: Any) -> str:
        """The token of a link mailed to an address."""
        self.clock.advance(seconds=2)
        send = self.auth.magic_links.email.send if more else self.auth.magic_links.email.login_or_create
        self.run(send(email=address, **more))
        letter = next(entry for entry in self.inbox.entries(to=address) if entry.links)
        return letter.links[0].split("token=")[-1]

    def sign_in(self, address: str) -> AuthenticateResponse:
        answer = self.run(self.auth.magic_links.authenticate(token=self.link(address), session_duration_minutes=60))
        assert isinstance(answer, AuthenticateResponse)
        return answer

    def unproved(self, address: str) -> str:
        """A user who has proved nothing."""
        self.link(address)
        user = step(self.storage.find(User, "email", (address,)))
        assert user is not None
        return user.id

    def user(self, user_id: str) -> User | None:
        return step(self.storage.get(User, user_id))

    def lives(self, token: str) -> bool:
        try:
            self.run(self.auth.sessions.authenticate(session_token=token))
        except Refused:
            return False
        return True

    def orders(self) -> Iterator[int]:
        for seed in self.seeds:
            self.storage.commits.clear()
            yield seed


def _batches(overlap: Overlap) -> Callable[[], Storage]:
    """A store whose requests take turns too, and the two phases of a batch, so that batches overlap as the seed decides."""
    return lambda: BatchStorage(BatchService(overlap=overlap, between=turn))


BEHIND: dict[str, Callable[[], Storage]] = {
    "memory": MemoryStorage,
    "shared batches": _batches("shared"),
    "exclusive batches": _batches("exclusive"),
    "mutual batches": _batches("mutual"),
}


@pytest.fixture(params=BEHIND)
def behind(request: pytest.FixtureRequest) -> Storage:
    return BEHIND[request.param]()


@pytest.fixture
def stage(behind: Storage) -> Stage:
    return Stage(behind)


def refused(outcome: object) -> bool:
    """Whether a call was refused; that nothing can be served is no outcome that a race of two may have."""
    if isinstance(outcome, Refused):
        assert outcome.status < 500, outcome.error_type
    elif isinstance(outcome, AuthError):
        raise outcome
    return isinstance(outcome, Refused)


def test_no_session_outlives_an_end_of_all_that_a_step_up_ran_into(stage: Stage) -> None:
    """SES-06: whichever comes first, the joined session is over, under its old secret and its new one."""
    for seed in stage.orders():
        answer = stage.sign_in(f"ada{seed}@example.org")
        second = f"ada{seed}@example.net"
        token = stage.link(second, session_token=answer.session_token)
        added = stage.run(stage.auth.magic_links.authenticate(token=token, session_token=answer.session_token))
        old = added.session_token
        gone = next(email.email_id for email in added.user.emails if email.address == second)
        again = stage.link(f"ada{seed}@example.org")
        stepped, ended = interleave(
            [
                stage.auth.magic_links.authenticate(token=again, session_token=old),
                stage.auth.users.delete_email(email_id=gone),
            ],
            seed,
        )
        assert not refused(ended), seed
        assert not stage.lives(old), seed
        if not refused(stepped):
            assert isinstance(stepped, AuthenticateResponse)
            assert not stage.lives(stepped.session_token), seed


def test_an_address_that_two_prove_at_once_has_one_owner(stage: Stage) -> None:
    """An address that stands unverified on a third: one of the provers takes it, and nobody else holds it."""
    for seed in stage.orders():
        contested = f"both{seed}@example.org"
        squatter = stage.unproved(contested)
        people = [stage.sign_in(f"{name}{seed}@example.org") for name in ("ada", "bob")]
        tokens = [stage.link(contested, session_token=one.session_token) for one in people]
        proofs = interleave(
            [
                stage.auth.magic_links.authenticate(token=token, session_token=one.session_token)
                for token, one in zip(tokens, people, strict=True)
            ],
            seed,
        )
        winners = [one.user_id for one, proof in zip(people, proofs, strict=True) if not refused(proof)]
        assert len(winners) == 1, seed
        holder = step(stage.storage.find(User, "email", (contested,)))
        assert holder is not None
        assert holder.id == winners[0], seed
        assert [e.verified for e in holder.emails] == [True, True], seed
        assert stage.user(squatter) is None, seed
        for one in people:
            held = stage.user(one.user_id)
            assert held is not None
            assert (held.email_at(contested) is not None) == (one.user_id in winners), seed


def named(stage: Stage, address: str, on: str) -> None:
    """An address that only stands on somebody's account, as an import may leave it."""
    user = stage.user(on)
    assert user is not None
    email = Email(email_id=f"email of {address}", address=address, created_at=stage.clock.now())
    step(stage.storage.commit(Update(attrs.evolve(user, emails=(*user.emails, email)))))


@pytest.mark.parametrize("own", [True, False], ids=["the own session", "somebody else"])
def test_an_address_that_is_only_named_goes_to_one_of_who_prove_it_at_once(stage: Stage, own: bool) -> None:
    """Proof wins: a stranger takes it and becomes a user of their own, or the account's own session verifies it; never both, and nobody is merged."""
    for seed in stage.orders():
        address = f"named{seed}@example.org"
        owner = stage.sign_in(f"ada{seed}@example.org")
        named(stage, address, on=owner.user_id)
        first = stage.link(address)
        second = stage.link(address, session_token=owner.session_token) if own else stage.link(address)
        proofs = interleave(
            [
                stage.auth.magic_links.authenticate(token=first, session_duration_minutes=60),
                stage.auth.magic_links.authenticate(token=second, session_duration_minutes=60),
            ],
            seed,
        )
        won = [proof for proof in proofs if not refused(proof)]
        # Once the own session has verified it, who is mailed there signs in as its owner; who took it leaves nothing to the other.
        assert len({proof.user_id for proof in won if isinstance(proof, AuthenticateResponse)}) == 1, seed
        assert len(won) == 1 or (own and isinstance(won[0], AuthenticateResponse) and won[0].user_id == owner.user_id)
        winner = won[0]
        assert isinstance(winner, AuthenticateResponse)
        holder = step(stage.storage.find(User, "email", (address,)))
        before = stage.user(owner.user_id)
        assert holder is not None
        assert before is not None
        assert holder.id == winner.user_id, seed
        taken = holder.id != owner.user_id
        assert taken or own, seed
        assert [email.verified for email in holder.emails] == [True] * (1 if taken else 2), seed
        assert stage.lives(winner.session_token), seed
        assert stage.lives(owner.session_token) is not taken, seed
        assert (before.email_at(address) is None) is taken, seed


def two_administrators(stage: Stage, seed: int) -> list[str]:
    people = [stage.unproved(f"{name}{seed}@example.org") for name in ("ada", "bob")]
    for one in people:
        stage.run(stage.auth.users.update(user_id=one, roles=[ADMIN]))
    return people


def administrators_left(stage: Stage, people: list[str]) -> int:
    held = [stage.user(one) for one in people]
    return sum(ADMIN in one.roles for one in held if one is not None)


def test_of_two_administrators_who_demote_each_other_one_stays(stage: Stage) -> None:
    for seed in stage.orders():
        ada, bob = people = two_administrators(stage, seed)
        done = interleave(
            [stage.trials.demote(actor=ada, target=bob), stage.trials.demote(actor=bob, target=ada)], seed
        )
        assert sum(refused(one) for one in done) == 1, seed
        assert administrators_left(stage, people) == 1, seed


def test_the_scheduler_finds_a_planted_write_skew(stage: Stage) -> None:
    """The same story without the checks of what was read: some order leaves no administrator, or the scheduler is worth nothing."""
    left: list[int] = []
    for seed in range(40):
        ada, bob = people = two_administrators(stage, seed)
        interleave(
            [
                stage.trials.demote_blindly(actor=ada, target=bob),
                stage.trials.demote_blindly(actor=bob, target=ada),
            ],
            seed,
        )
        left.append(administrators_left(stage, people))
    assert 0 in left
    assert 1 in left


def test_a_factor_added_while_the_first_address_is_proved_was_added_to_the_owner(stage: Stage) -> None:
    """Account pre-hijacking: a factor that stands after the first proof was decided on the subject as its owner had it."""
    for seed in stage.orders():
        address = f"ada{seed}@example.org"
        user_id = stage.unproved(address)
        token = stage.link(address)
        proved, added = interleave(
            [
                stage.auth.magic_links.authenticate(token=token, session_duration_minutes=60),
                stage.trials.add_totp(user_id=user_id),
            ],
            seed,
        )
        assert not refused(proved), seed
        assert not refused(added), seed
        user = stage.user(user_id)
        assert user is not None
        assert all(part.details["epoch"] == user.session_epoch for part in user.parts), seed


def test_no_session_of_one_factor_is_born_after_a_second_factor_was_added(behind: Storage) -> None:
    """ACC-02 where the host gates issuance: proof against added factor, told by the order of the commits."""
    stage = Stage(behind, mfa="gate")
    for seed in stage.orders():
        user_id = stage.sign_in(f"ada{seed}@example.org").user_id
        token = stage.link(f"ada{seed}@example.org")
        stage.storage.commits.clear()
        signed_in, added = interleave(
            [
                stage.auth.magic_links.authenticate(token=token, session_duration_minutes=60),
                stage.trials.add_totp(user_id=user_id),
            ],
            seed,
        )
        assert not refused(added), seed
        born = _first(stage, Session)
        assert refused(signed_in) == (born is None), seed
        if born is not None:
            enrolled = _first(stage, User)
            assert enrolled is not None
            assert born < enrolled, seed


def _first(stage: Stage, kind: type[User | Session]) -> int | None:
    """The number of the first commit that writes a record of this kind."""

    def writes_it(write: Write) -> bool:
        return isinstance(write, Insert | Update) and isinstance(write.record, kind)

    return next((n for n, writes in enumerate(stage.storage.commits) if any(map(writes_it, writes))), None)


def test_no_session_is_born_under_a_policy_that_forbids_it(stage: Stage) -> None:
    """Policy against sign-in: the organization is an input of the decision, so its commit comes after the session's or refuses it."""
    user_id = stage.sign_in("ada@example.org").user_id
    for seed in stage.orders():
        organization = Organization(id=f"o{seed}", slug=f"o{seed}", name="lax", created_at=stage.clock.now())
        step(stage.storage.commit(Insert(organization)))
        stage.storage.commits.clear()
        entered, tightened = interleave(
            [
                stage.trials.enter(organization_id=organization.id, user_id=user_id),
                stage.trials.tighten(organization_id=organization.id),
            ],
            seed,
        )
        assert not refused(tightened), seed
        kinds = [
            {type(write.record) for write in writes if isinstance(write, Insert | Update)}
            for writes in stage.storage.commits
        ]
        strict = next(n for n, written in enumerate(kinds) if Organization in written)
        assert not any(Session in written for written in kinds[strict:]), seed
        assert refused(entered) != any(Session in written for written in kinds), seed


def test_nobody_is_signed_in_as_somebody_deleted(stage: Stage) -> None:
    """Delete against sign-in: the user is gone for good, and no session of theirs lives."""
    for seed in stage.orders():
        answer = stage.sign_in(f"ada{seed}@example.org")
        token = stage.link(f"ada{seed}@example.org")
        signed_in, deleted = interleave(
            [
                stage.auth.magic_links.authenticate(token=token, session_duration_minutes=60),
                stage.auth.users.delete(user_id=answer.user_id),
            ],
            seed,
        )
        assert not refused(deleted), seed
        assert stage.user(answer.user_id) is None, seed
        assert not stage.lives(answer.session_token), seed
        if not refused(signed_in):
            assert isinstance(signed_in, AuthenticateResponse)
            assert not stage.lives(signed_in.session_token), seed


def test_one_seed_is_one_order(stage: Stage) -> None:
    user_id = stage.unproved("ada@example.org")

    async def read(name: str, told: list[str]) -> None:
        for _ in range(5):
            await stage.storage.get(User, user_id)
            told.append(name)

    orders: list[list[str]] = []
    for seed in (1, 1, 2):
        told: list[str] = []
        interleave([read("a", told), read("b", told)], seed)
        orders.append(told)
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]
    assert sorted(orders[0]) == ["a"] * 5 + ["b"] * 5


def test_a_machine_on_which_everything_takes_long_changes_no_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    """An order decides alone: nobody's patience ends in it, however loaded the machine is."""
    monkeypatch.setattr(clock, "time", SimpleNamespace(monotonic=partial(next, count(step=10.0))))
    stage = Stage()
    outside = clock.ticks()
    for seed in range(40):
        ada, bob = people = two_administrators(stage, seed)
        done = interleave(
            [stage.trials.demote(actor=ada, target=bob), stage.trials.demote(actor=bob, target=ada)], seed
        )
        assert sum(refused(one) for one in done) == 1, seed
        assert administrators_left(stage, people) == 1, seed
    assert clock.ticks() > outside


def test_every_commit_of_a_story_is_in_the_log(stage: Stage) -> None:
    stage.sign_in("ada@example.org")
    sessions = step(stage.storage.page(Session, And(), order=Order(), limit=10)).records
    assert len(sessions) == 1
    assert _first(stage, Session) is not None
