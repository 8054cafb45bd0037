"""A product is made at its first use, once, and the table of operations is whole whoever asked for what."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import pytest

from authmw.operations import Core, Product
from authmw.products import Products, product
from tests.world import World, make_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path, "asgi")


class Shelf:
    def __init__(self) -> None:
        self.made: list[Product] = []
        self.core: Core | None = None
        self.meeting = threading.Barrier(2, timeout=10)

    @product
    def users(self) -> Product:
        """People."""
        self.meeting.wait()
        made = Product(None)  # type: ignore[arg-type]
        self.made.append(made)
        return made


def test_threads_that_first_ask_at_the_same_time_are_given_the_same_product() -> None:
    shelf = Shelf()
    given: list[Product] = []
    threads = [threading.Thread(target=lambda: given.append(shelf.users)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(shelf.made) == 2
    assert given[0] is given[1] is shelf.users
    assert len(shelf.made) == 2


def test_a_product_says_what_it_is_for() -> None:
    assert Shelf.users.__doc__ == "People."
    for declared in vars(Products).values():
        if isinstance(declared, product):
            assert declared.__doc__


def test_every_product_of_an_auth_is_made_once(world: World) -> None:
    assert world.auth.users is world.auth.users
    assert list(world.auth.products()) == list(world.auth.products())


def test_the_table_is_the_same_before_and_after_a_product_was_used(world: World) -> None:
    before = [operation.action for _, operation in world.auth.table()]
    assert world.auth.users in list(world.auth.products())
    assert [operation.action for _, operation in world.auth.table()] == before
    assert Counter(before).most_common(1)[0][1] == 1
