"""The state machine with links that the host delivers itself, and proof that it sees what could be wrong with them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis.stateful import run_state_machine_as_test

from authmw.consumer.magic_links import operations
from authmw.signin import complete, rules
from tests.model.embedded import EmbeddedMachine
from tests.model.people import ADDRESSES
from tests.model.planting import Plant, check_seen, nothing
from tests.model.test_machine import BOUNDED

ADA, BOB, _ = ADDRESSES


def test_minted_links_behave_as_the_model_over_memory_and_sqlite() -> None:
    """HOWTEST section 4: TOK-01, TOK-03, ACC-01, ACC-05, SES-01, SES-05, among everything that the machine does without them."""
    run_state_machine_as_test(EmbeddedMachine, settings=BOUNDED)


def _minted(machine: EmbeddedMachine) -> None:
    """Links of somebody whose address nobody has proved: one is used, one comes too late, and none proves the address."""
    machine.sign_up_or_log_in(text=ADA, code=False)
    machine.sign_in_by_a_new_link(text=BOB, minutes=1440)
    for _ in range(3):
        machine.mint_a_link(index=0, minutes=60)
    machine.follow_a_minted_link(index=0, join=0, minutes=60, again=False)
    machine.follow_a_minted_link(index=0, join=None, minutes=60, again=True)
    machine.people_are_as_the_model_says()
    machine.ask_to_add_an_address(index=1, text="dee@example.org")
    machine.tick(seconds=3600)
    machine.follow_a_minted_link(index=1, join=None, minutes=60, again=False)


def _of_one_category(machine: EmbeddedMachine) -> None:
    """Whoever holds a link holds one factor, and it is of the account: beside a mailed one it is no second."""
    machine.sign_in_by_a_new_link(text=ADA, minutes=1440)
    machine.enrol(machine.people[0], "totp")
    machine.mint_a_link(index=0, minutes=60)
    machine.follow_a_minted_link(index=0, join=0, minutes=None, again=False)
    machine.change_the_own_name(index=0)


def _looked_at_often(machine: EmbeddedMachine) -> None:
    """By somebody whose session is another's: ten times, and then it is used up (A110)."""
    machine.sign_in_by_a_new_link(text=ADA, minutes=1440)
    machine.sign_in_by_a_new_link(text=BOB, minutes=1440)
    machine.mint_a_link(index=0, minutes=60)
    for _ in range(10):
        machine.follow_a_minted_link(index=0, join=1, minutes=None, again=False)
    machine.follow_a_minted_link(index=0, join=0, minutes=None, again=False)


def _as_its_own(factors: Any) -> frozenset[str]:
    return frozenset(f"{one.type} {one.delivery_method}" for one in factors)


async def _anybodys(call: Any, proof: Any, asked: Any, keys: Any) -> Any:
    if not asked.session_token:
        return None
    return await complete.live_session(call.storage, keys, call.settings, call.now, token=asked.session_token, jwt=None)


PLANTS: dict[str, Plant[EmbeddedMachine]] = {
    "a minted link is good twice, and late": (_minted, operations, "check_live", lambda *_: None),
    "a minted link joins anybody's session": (_minted, complete, "_joined", _anybodys),
    "a minted link is a category of its own": (_of_one_category, rules, "categories_of", _as_its_own),
    "looks at a minted link are free": (_looked_at_often, operations, "check_link", nothing),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_the_machine_sees_what_is_planted(monkeypatch: pytest.MonkeyPatch, plant: str) -> None:
    check_seen(monkeypatch, EmbeddedMachine, PLANTS[plant])
