"""What an attempt reads once: by key, by unique value, and by a value of what was read already."""

from __future__ import annotations

import attrs
import pytest

from authmw.drive import step
from authmw.errors import StorageError
from authmw.ledger.reading import Remembering
from authmw.people.records import Email, User
from authmw.storage import Check, Insert, Record, Update, Value
from authmw.testing import FixedClock
from authmw_adapters.memory import MemoryStorage

NOW = FixedClock().now()
ADDRESS = "ada@example.org"


class Asked(MemoryStorage):
    """Memory that remembers what was looked for."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Value] = []

    async def find(self, kind: type[Record], index: str, value: Value) -> Record | None:  # type: ignore[override]
        self.found.append(value)
        return await super().find(kind, index, value)


def person(number: int, address: str) -> User:
    return User(
        id=f"user-{number}",
        created_at=NOW,
        emails=(Email(email_id=f"email-{number}", address=address, created_at=NOW),),
    )


@pytest.fixture
def storage() -> Asked:
    made = Asked()
    step(made.commit(Insert(person(1, ADDRESS)), Insert(person(2, "bob@example.org"))))
    return made


def test_a_value_of_a_record_that_was_read_is_not_looked_for(storage: Asked) -> None:
    seen = Remembering(storage)
    ada = step(seen.get(User, "user-1"))
    assert step(seen.find(User, "email", (ADDRESS,))) is ada
    assert storage.found == []
    assert seen.checks([]) == [Check(ada)]


def test_a_value_of_nobody_who_was_read_is_looked_for_once(storage: Asked) -> None:
    seen = Remembering(storage)
    step(seen.get(User, "user-1"))
    found = [step(seen.find(User, "email", (other,))) for other in ("bob@example.org", "nobody@example.org") * 2]
    assert [one and one.id for one in found] == ["user-2", None, "user-2", None]
    assert storage.found == [("bob@example.org",), ("nobody@example.org",)]


def test_who_holds_a_value_of_what_was_read_is_settled_by_the_commit_that_checks_it(storage: Asked) -> None:
    """It went to somebody else meanwhile: the record that was read before says what it said, and stands in the commit as it was read."""
    seen = Remembering(storage)
    ada = step(seen.get(User, "user-1"))
    assert ada is not None
    step(storage.commit(Update(attrs.evolve(ada, emails=()))))
    assert step(seen.find(User, "email", (ADDRESS,))) is ada
    (check,) = seen.checks([])
    assert check.record.version == 1


def test_a_value_that_several_may_hold_finds_nobody_even_where_one_was_read(storage: Asked) -> None:
    seen = Remembering(storage)
    step(seen.get(User, "user-1"))
    with pytest.raises(StorageError):
        step(seen.find(User, "domain", ("example.org",)))
