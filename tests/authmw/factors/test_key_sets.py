"""Key sets of others: kept for an hour, read again for an unknown key, never within a minute, and never without end."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest

from authmw import drive
from authmw.errors import FetchFailed, Refused
from authmw.factors.key_sets import MAXIMUM_SETS, Keys, KeySets, UnknownKey
from authmw.ports import FetchAnswer, FetchRequest
from authmw.testing import FixedClock

START = FixedClock().now()


@attrs.define
class Publisher:
    """A fetcher that gives what a service publishes, and counts."""

    keys: Any = attrs.field(factory=lambda: [{"kid": "one"}])
    asked: list[str] = attrs.field(factory=list[str])
    status: int = 200
    fails: bool = False
    io: str = "instant"

    async def fetch(self, request: FetchRequest) -> FetchAnswer:
        self.asked.append(request.url)
        if self.fails:
            raise FetchFailed("late")
        return FetchAnswer(status=self.status, body=json.dumps({"keys": self.keys}).encode())


@attrs.define
class AtOneTime:
    """What a key set needs of a call."""

    core: Any
    now: Any

    async def once(self, key: object, act: Callable[[], Awaitable[Any]]) -> Any:
        return await act()


def knows(kid: str) -> Callable[[Keys], str]:
    def check(keys: Keys) -> str:
        if all(key["kid"] != kid for key in keys):
            raise UnknownKey
        return kid

    return check


def ask(sets: KeySets, publisher: Publisher, kid: str, after: float = 0, url: str = "https://a.example/keys") -> str:
    @attrs.frozen
    class Core:
        fetcher: Publisher

    call: Any = AtOneTime(Core(publisher), START + timedelta(seconds=after))
    return drive.step(sets.try_keys(call, url, knows(kid), refusal="bad_request"))


def test_a_set_is_read_once_an_hour() -> None:
    sets, publisher = KeySets(), Publisher()
    for after in (0, 1800, 3599):
        assert ask(sets, publisher, "one", after) == "one"
    assert len(publisher.asked) == 1
    ask(sets, publisher, "one", 3600)
    assert len(publisher.asked) == 2


def test_an_unknown_key_has_the_set_read_again_but_not_within_a_minute() -> None:
    sets, publisher = KeySets(), Publisher()
    ask(sets, publisher, "one")
    publisher.keys = [{"kid": "two"}]
    with pytest.raises(UnknownKey):
        ask(sets, publisher, "two", 59)
    assert len(publisher.asked) == 1
    assert ask(sets, publisher, "two", 60) == "two"
    with pytest.raises(UnknownKey):
        ask(sets, publisher, "three", 61)
    assert len(publisher.asked) == 2


def test_a_clock_that_is_set_back_makes_nothing_fresh() -> None:
    sets, publisher = KeySets(), Publisher()
    ask(sets, publisher, "one", 7200)
    ask(sets, publisher, "one", 0)
    assert len(publisher.asked) == 2


def test_the_set_that_was_read_longest_ago_makes_room() -> None:
    sets, publisher = KeySets(), Publisher()
    for number in range(MAXIMUM_SETS + 1):
        ask(sets, publisher, "one", url=f"https://a.example/{number}")
    ask(sets, publisher, "one", url="https://a.example/1")
    assert len(publisher.asked) == MAXIMUM_SETS + 1
    ask(sets, publisher, "one", url="https://a.example/0")
    assert len(publisher.asked) == MAXIMUM_SETS + 2


@pytest.mark.parametrize("publisher", [Publisher(fails=True), Publisher(status=404), Publisher(keys="none")])
def test_what_is_no_key_set_is_one_refusal_and_is_not_kept(publisher: Publisher) -> None:
    sets = KeySets()
    with pytest.raises(Refused) as refused:
        ask(sets, publisher, "one")
    assert refused.value.error_type == "bad_request"
    assert ask(sets, Publisher(), "one") == "one"


def test_entries_that_are_no_keys_are_left_out() -> None:
    assert ask(KeySets(), Publisher(keys=["one", None, {"kid": "one"}]), "one") == "one"
