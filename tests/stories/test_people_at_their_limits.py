"""Somebody with as many addresses, factors and names as one may have: every change that concerns them still fits into one commit, on every kind of store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from authmw import Refused
from authmw.changes import Change
from authmw.consumer.answers import AuthenticateResponse
from authmw.drive import step
from authmw.ledger.records import Purge
from authmw.parameters import Name
from authmw.people.records import MAXIMUM_ADDRESSES, MAXIMUM_PARTS, Email, Part, Session, User
from authmw.storage import And, Storage, Update
from authmw.testing.batch_store import BatchService, BatchStorage
from authmw_adapters.memory import MemoryStorage
from authmw_adapters.sqlite import SQLiteStorage
from tests.stories.test_interleavings import Stage

STORES: dict[str, Callable[[Path], Storage]] = {
    "memory": lambda folder: MemoryStorage(),
    "sqlite": lambda folder: SQLiteStorage(folder / "data.sqlite3"),
    "batches": lambda folder: BatchStorage(BatchService(overlap="exclusive")),
}
KINDS = ("webauthn", "oauth", "crypto_wallet", "biometric", "totp", "password")
ADDRESS = "ada0@d0.example.org"


@pytest.fixture(params=STORES)
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    stage = Stage(STORES[request.param](tmp_path))
    for number in range(3):

        @stage.auth.on("*.*.*", name=f"listener {number}")
        def listen(change: Change) -> None:
            """Three who hear of everything, so that each change leaves three deliveries."""

    return stage


def full(stage: Stage, *, owned: bool) -> User:
    """A user at every limit, with an index value wherever one can be; `owned`: all is verified, else nothing is."""
    now = stage.clock.now()
    made = stage.run(stage.auth.users.create(email=ADDRESS))
    user = step(stage.storage.get(User, made.user_id))
    assert user is not None
    emails = tuple(
        Email(
            email_id=f"email-test-{number}",
            address=f"ada{number}@d{number}.example.org",
            verified=owned,
            created_at=now,
        )
        for number in range(1, MAXIMUM_ADDRESSES)
    )
    parts = tuple(
        Part(
            part_id=f"part-test-{number}",
            kind=KINDS[number % len(KINDS)],
            verified=owned and number < len(KINDS),
            created_at=now,
            identity=("issuer", f"subject-{number}"),
        )
        for number in range(MAXIMUM_PARTS - MAXIMUM_ADDRESSES)
    )
    first = tuple(attrs.evolve(email, verified=owned) for email in user.emails)
    names = {
        f"{part}_name": " ".join(f"{part[0]}{number}" for number in range(40)) for part in ("first", "middle", "last")
    }
    user = attrs.evolve(user, emails=(*first, *emails), external_id="hers", **names)
    step(stage.storage.commit(Update(user)))
    # Nobody comes to all of it at once.
    for many in (8, len(parts)):
        user = step(stage.storage.get(User, user.id))
        assert user is not None
        step(stage.storage.commit(Update(attrs.evolve(user, parts=parts[:many]))))
    user = step(stage.storage.get(User, user.id))
    assert user is not None
    assert user.part_count() == MAXIMUM_PARTS
    return user


def now_of(stage: Stage, user: User) -> User:
    held = step(stage.storage.get(User, user.id))
    assert held is not None
    return held


def test_they_sign_in_are_renamed_and_lose_what_is_taken_away(stage: Stage) -> None:
    user = full(stage, owned=True)
    answer = stage.sign_in(ADDRESS)
    assert answer.user_id == user.id
    name: Any = {"first_name": " ".join(f"new{number}" for number in range(20)), "middle_name": "", "last_name": ""}
    stage.run(stage.auth.users.update(user_id=user.id, name=name, external_id="another"))
    assert now_of(stage, user).external_id == "another"
    stage.run(stage.auth.users.delete_email(email_id="email-test-3"))
    stage.run(stage.auth.users.delete_totp(totp_id="part-test-4"))
    assert now_of(stage, user).part_count() == MAXIMUM_PARTS - 2
    found = stage.run(
        stage.auth.users.search(query={"operator": "AND", "operands": [_filter("full_name_fuzzy", "new0 new1")]})
    )
    assert [one.user_id for one in found.results] == [user.id]


def _filter(name: str, value: Any) -> Any:
    return {"filter_name": name, "filter_value": value}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("email_address_fuzzy", "ada7@d7"),
        ("email_address_fuzzy", "d7.exam"),
        ("email_address_fuzzy", "ADA7"),
        ("email_domain", ["d7.example.org"]),
        ("full_name_fuzzy", "f3"),
    ],
)
def test_they_are_found_by_whatever_they_have(stage: Stage, name: str, value: Any) -> None:
    user = full(stage, owned=True)
    if name == "full_name_fuzzy":
        value = "f0 f1 f2"
    found = stage.run(stage.auth.users.search(query={"operator": "AND", "operands": [_filter(name, value)]}))
    assert [one.user_id for one in found.results] == [user.id]


def test_a_name_that_grows_as_its_case_is_folded_is_stored_and_found(stage: Stage) -> None:
    """Three parts of 128 letters, each of which is three when its case is folded."""
    part = "\u0390" * 128
    name = Name(first_name=part, middle_name=part, last_name=part)
    made = stage.run(stage.auth.users.create(email=ADDRESS, name=name))
    for asked in ("\u0390\u0390\u0390", f"{part} {part} {part}"):
        query = {"operator": "AND", "operands": [_filter("full_name_fuzzy", asked)]}
        assert [one.user_id for one in stage.run(stage.auth.users.search(query=query)).results] == [made.user_id]


def test_one_more_address_is_refused_and_an_address_of_theirs_is_proved(stage: Stage) -> None:
    user = full(stage, owned=True)
    session = stage.sign_in(ADDRESS)
    token = stage.link("more@example.org", session_token=session.session_token)
    with pytest.raises(Refused) as met:
        stage.run(stage.auth.magic_links.authenticate(token=token, session_token=session.session_token))
    assert met.value.status == 400
    unproved = attrs.evolve(now_of(stage, user).emails[5], verified=False)
    user = now_of(stage, user)
    step(stage.storage.commit(Update(attrs.evolve(user, emails=(*user.emails[:5], unproved, *user.emails[6:])))))
    token = stage.link(unproved.address, session_token=session.session_token)
    answer = stage.run(stage.auth.magic_links.authenticate(token=token, session_token=session.session_token))
    assert isinstance(answer, AuthenticateResponse)
    assert now_of(stage, user).emails[5].verified


def test_the_owner_of_an_address_proves_it_although_somebody_heaped_factors_on_it(stage: Stage) -> None:
    """Account pre-hijacking with as much as a user may hold: the first proof drops all of it in one commit, or the address could never be had."""
    heaped = full(stage, owned=False)
    answer = stage.sign_in(ADDRESS)
    owner = step(stage.storage.find(User, "email", (ADDRESS,)))
    assert owner is not None
    assert owner.id == answer.user_id
    assert [email.verified for email in owner.emails] == [True]
    assert {part.kind for part in owner.parts} <= {"password"}
    left = step(stage.storage.get(User, heaped.id))
    assert left is None or left.email_at(ADDRESS) is None or left.id == owner.id


def test_they_are_deleted_and_everything_of_theirs_is_free_again(stage: Stage) -> None:
    user = full(stage, owned=True)
    sessions = [stage.sign_in(ADDRESS) for _ in range(30)]
    stage.run(stage.auth.users.delete(user_id=user.id))
    assert step(stage.storage.get(User, user.id)) is None
    assert not stage.lives(sessions[0].session_token)
    for _ in range(5):
        stage.run(stage.auth.work())
    assert step(stage.storage.count(Session, And(), at_most=100)) == 0
    assert step(stage.storage.count(Purge, And(), at_most=100)) == 0
    again = full(stage, owned=True)
    assert again.id != user.id


def test_addresses_are_taken_from_them_one_by_one(stage: Stage) -> None:
    user = full(stage, owned=False)
    session = stage.sign_in("bob@example.org")
    for email in user.emails[: MAXIMUM_ADDRESSES - 1]:
        token = stage.link(email.address, session_token=session.session_token)
        session = stage.run(
            stage.auth.magic_links.authenticate(
                token=token, session_token=session.session_token, session_duration_minutes=60
            )
        )
    bob = step(stage.storage.get(User, session.user_id))
    assert bob is not None
    assert [email.verified for email in bob.emails] == [True] * MAXIMUM_ADDRESSES
    assert len(now_of(stage, user).emails) == 1
