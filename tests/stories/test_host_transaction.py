"""A host that begins a transaction of its own has operations and its own rows in one commit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from authmw import Auth, Settings
from authmw.errors import Conflict, Refused
from authmw.ledger.records import Outgoing
from authmw.people.records import User
from authmw.storage import And, Update
from authmw_adapters.memory import MemoryLimiter, MemoryStorage
from authmw_adapters.sqlalchemy import AsyncSQLAlchemyStorage, SQLAlchemyStorage
from tests.databases import address, new_database
from tests.servers import Machine
from tests.world import PROJECT_ID, SECRET, Mailbox

BOTH = [pytest.param(name, marks=pytest.mark.server(name), id=name) for name in ("postgresql", "mariadb")]
ADA = "ada@example.org"
ORDERS = "CREATE TABLE orders (user_id varchar(100) NOT NULL)"


@pytest.fixture(params=BOTH)
def engine(request: pytest.FixtureRequest, machine: Machine) -> Iterator[sa.Engine]:
    with new_database(machine, request.param) as name:
        made = sa.create_engine(address(machine, request.param, name))
        with made.begin() as connection:
            connection.exec_driver_sql(ORDERS)
        yield made
        made.dispose()


@pytest.fixture
def inbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def auth(engine: sa.Engine, inbox: Mailbox) -> Auth:
    settings = Settings(project_id=PROJECT_ID, secret=SECRET)
    return Auth(settings, storage=SQLAlchemyStorage(engine), limiter=MemoryLimiter(), email=inbox)


def _order(connection: sa.Connection, user_id: str) -> None:
    connection.execute(sa.text("INSERT INTO orders VALUES (:user_id)"), {"user_id": user_id})


def _orders(engine: sa.Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.exec_driver_sql("SELECT user_id FROM orders").scalars())


def _users(auth: Auth) -> int:
    return auth.run(auth.storage.count(User, And(), at_most=9))


def test_a_sign_up_and_the_hosts_row_are_one_commit(auth: Auth, engine: sa.Engine) -> None:
    with engine.begin() as connection, auth.within(connection):
        made = auth.run(auth.users.create(email=ADA))
        _order(connection, made.user_id)
        assert _users(auth) == 0
    assert _orders(engine) == [made.user_id]
    assert auth.run(auth.users.get(user_id=made.user_id)).user_id == made.user_id


def test_what_the_host_rolls_back_did_not_happen(auth: Auth, engine: sa.Engine) -> None:
    with pytest.raises(ZeroDivisionError), engine.begin() as connection, auth.within(connection):
        made = auth.run(auth.users.create(email=ADA))
        _order(connection, made.user_id)
        raise ZeroDivisionError
    assert (_orders(engine), _users(auth)) == ([], 0)
    assert auth.run(auth.users.create(email=ADA)).user_id != made.user_id


def test_operations_see_what_those_before_them_did_in_the_transaction(auth: Auth, engine: sa.Engine) -> None:
    with engine.begin() as connection, auth.within(connection):
        made = auth.run(auth.users.create(email=ADA))
        with pytest.raises(Refused) as caught:
            auth.run(auth.users.create(email=ADA))
        auth.run(auth.users.update(user_id=made.user_id, trusted_metadata={"plan": "gold"}))
    assert caught.value.error_type == "duplicate_email"
    assert auth.run(auth.users.get(user_id=made.user_id)).trusted_metadata == {"plan": "gold"}


def test_a_conflict_leaves_the_hosts_transaction_as_it_was_and_is_raised_once(auth: Auth, engine: sa.Engine) -> None:
    made = auth.run(auth.users.create(email=ADA))
    storage = auth.storage
    assert isinstance(storage, SQLAlchemyStorage)
    tries = 0

    async def meet(subject: User) -> None:
        nonlocal tries
        tries += 1
        await storage.commit(Update(subject))

    joined = storage.join

    def interfering(connection: sa.Connection) -> object:
        inside = joined(connection)
        committing = inside.commit

        async def commit(*writes: object) -> None:
            held = await storage.get(User, made.user_id)
            assert held is not None
            await meet(held)
            await committing(*writes)  # type: ignore[arg-type]

        inside.commit = commit  # type: ignore[method-assign]
        return inside

    storage.join = interfering  # type: ignore[method-assign,assignment]
    with engine.begin() as connection:
        _order(connection, "before")
        with pytest.raises(Conflict), auth.within(connection):
            auth.run(auth.users.update(user_id=made.user_id, trusted_metadata={"plan": "gold"}))
        _order(connection, "after")
    assert tries == 1
    assert _orders(engine) == ["before", "after"]
    assert auth.run(auth.users.get(user_id=made.user_id)).trusted_metadata == {}


def test_messages_leave_by_the_worker_after_the_commit_and_none_for_what_was_rolled_back(
    auth: Auth, engine: sa.Engine, inbox: Mailbox
) -> None:
    with engine.connect() as connection, connection.begin() as transaction:
        with auth.within(connection):
            auth.run(auth.magic_links.email.login_or_create(email="nobody@example.org"))
        transaction.rollback()
    with engine.begin() as connection, auth.within(connection):
        auth.run(auth.magic_links.email.login_or_create(email=ADA))
        assert inbox.entries() == ()
    assert inbox.entries() == ()
    assert auth.run(auth.work()) == 1
    assert [entry.to for entry in inbox.entries()] == [ADA]
    assert auth.run(auth.storage.count(Outgoing, And(), at_most=9)) == 0


def test_a_session_whose_end_the_host_rolls_back_lives_on_by_its_token_and_others_were_told(
    auth: Auth, engine: sa.Engine
) -> None:
    told: list[str] = []
    user = auth.run(auth.users.create(email=ADA))
    link = auth.run(auth.magic_links.create(user_id=user.user_id))
    signed_in = auth.run(auth.magic_links.authenticate(token=link.token, session_duration_minutes=60))
    assert signed_in.session is not None
    auth.core.denied.spread = lambda name, epoch, at: told.append(name)
    with engine.connect() as connection, connection.begin() as transaction:
        with auth.within(connection):
            auth.run(auth.sessions.revoke(session_token=signed_in.session_token))
        transaction.rollback()
    assert told == [signed_in.session.session_id]
    assert auth.core.denied.holds(told[0], user.user_id, 0)
    assert auth.run(auth.sessions.authenticate(session_token=signed_in.session_token)).session.session_id == told[0]


def test_a_storage_that_cannot_join_says_so(engine: sa.Engine, auth: Auth) -> None:
    other = Auth(Settings(project_id=PROJECT_ID, secret=SECRET), storage=MemoryStorage(), limiter=MemoryLimiter())
    with engine.connect() as connection, pytest.raises(TypeError, match="MemoryStorage"), other.within(connection):
        raise AssertionError("joined")
    with pytest.raises(TypeError, match="Connection"), auth.within(engine):
        raise AssertionError("joined")


@pytest.mark.server("postgresql")
def test_an_asynchronous_host_has_the_same(machine: Machine) -> None:
    async def story(database: str) -> None:
        there = address(machine, "postgresql", database, "postgresql+asyncpg")
        engine = create_async_engine(there)
        settings = Settings(project_id=PROJECT_ID, secret=SECRET)
        auth = Auth(settings, storage=AsyncSQLAlchemyStorage(engine), limiter=MemoryLimiter())
        await auth.start()
        async with engine.begin() as connection:
            await connection.exec_driver_sql(ORDERS)
        async with engine.connect() as connection:
            async with connection.begin() as transaction:
                with auth.within(connection):
                    await auth.users.create(email=ADA)
                await transaction.rollback()
            async with connection.begin():
                with auth.within(connection):
                    made = await auth.users.create(email=ADA)
                insert = sa.text("INSERT INTO orders VALUES (:user_id)")
                await connection.execute(insert, {"user_id": made.user_id})
        assert (await auth.users.get(user_id=made.user_id)).user_id == made.user_id
        assert await auth.storage.count(User, And(), at_most=9) == 1
        await auth.storage.close()
        await engine.dispose()

    with new_database(machine, "postgresql") as name:
        asyncio.run(story(name))
