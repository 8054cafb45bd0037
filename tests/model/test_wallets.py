"""The state machine with crypto wallets in it, and proof that it sees what could be wrong with them."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis.stateful import run_state_machine_as_test

from authmw.consumer.crypto_wallets import operations
from authmw.consumer.users import operations as users
from authmw.people import rules as people
from tests.model.people import ADDRESSES
from tests.model.planting import Plant, check_seen
from tests.model.test_machine import BOUNDED
from tests.model.wallets import WalletMachine

ADA, BOB, _ = ADDRESSES


def test_wallets_behave_as_the_model_over_memory_and_sqlite() -> None:
    """HOWTEST section 4: CW-01, CW-04 to CW-08, X-26, ACC-01 to ACC-04, SES-01, SES-07, among everything that the machine does without them."""
    run_state_machine_as_test(WalletMachine, settings=BOUNDED)


def _somebody_new(machine: WalletMachine) -> None:
    """Whoever has a wallet and nothing else, whom a text of theirs signs in once."""
    machine.have_a_wallet_sign(wallet=0, by="nobody", index=0)
    machine.present_a_signature(index=0, join=None, minutes=1440, again=True)
    machine.have_a_wallet_sign(wallet=0, by="nobody", index=0)
    machine.have_a_wallet_sign(wallet=0, by="session", index=0)
    machine.present_a_signature(index=1, join=None, minutes=60, again=False)
    machine.tick(seconds=301)
    machine.present_a_signature(index=0, join=None, minutes=60, again=False)
    machine.remove_an_own_wallet(index=0, which=0)


def _added(machine: WalletMachine) -> None:
    """A wallet of somebody who is there already, and of nobody else."""
    machine.sign_in_by_a_new_link(text=ADA, minutes=1440)
    machine.sign_in_by_a_new_link(text=BOB, minutes=1440)
    machine.have_a_wallet_sign(wallet=1, by="person", index=0)
    machine.have_a_wallet_sign(wallet=1, by="person", index=1)
    machine.present_a_signature(index=0, join=None, minutes=60, again=False)
    machine.have_a_wallet_sign(wallet=1, by="session", index=1)
    machine.remove_an_own_wallet(index=0, which=0)
    machine.prove_or_extend_a_session(index=0, minutes=60)
    machine.have_a_wallet_sign(wallet=1, by="person", index=0)
    machine.remove_an_address(index=0, which=0)
    machine.enrol(machine.people[0], "totp")
    machine.ask_to_add_an_address(index=0, text="eve@example.org")


def _meant_before(machine: WalletMachine) -> None:
    """A text that adds a wallet to somebody whose sessions were ended since means nothing any more."""
    machine.have_a_wallet_sign(wallet=0, by="nobody", index=0)
    machine.present_a_signature(index=0, join=None, minutes=1440, again=False)
    machine.sign_in_by_a_new_link(text=ADA, minutes=1440)
    machine.have_a_wallet_sign(wallet=1, by="nobody", index=0)
    machine.have_a_wallet_sign(wallet=1, by="person", index=1)
    machine.ask_to_add_an_address(index=1, text=BOB)
    machine.follow_a_link(index=1, join=1, minutes=None)
    machine.remove_an_address(index=1, which=1)
    machine.present_a_signature(index=1, join=None, minutes=60, again=False)


def _two_of_them(machine: WalletMachine) -> None:
    """Two wallets of somebody who has nothing else: each signs in, either can go, and then the other stays."""
    machine.have_a_wallet_sign(wallet=0, by="nobody", index=0)
    machine.present_a_signature(index=0, join=None, minutes=1440, again=False)
    machine.have_a_wallet_sign(wallet=1, by="session", index=0)
    machine.present_a_signature(index=0, join=0, minutes=None, again=True)
    machine.have_a_wallet_sign(wallet=1, by="nobody", index=0)
    machine.present_a_signature(index=0, join=None, minutes=1440, again=False)
    machine.prove_or_extend_a_session(index=1, minutes=60)
    machine.remove_an_own_wallet(index=1, which=0)
    machine.sessions_live_as_the_model_says()
    machine.people_are_as_the_model_says()
    machine.remove_an_own_wallet(index=1, which=0)


def _in_place_of_the_first(user: Any, part: Any) -> Any:
    others = tuple(one for one in user.parts if one.kind != part.kind)
    return attrs.evolve(user, parts=(*others, part))


def _all_of_its_kind(subject: Any, part_id: str) -> Any:
    gone = subject.part(part_id)
    return attrs.evolve(subject, parts=tuple(one for one in subject.parts if one.kind != gone.kind))


_kept = operations._kept


async def _for_anybody(call: Any, identity: Any, waiting: Any) -> Any:
    return await _kept(call, identity, attrs.evolve(waiting, session_id=None))


PLANTS: dict[str, Plant[WalletMachine]] = {
    "a signed text is good twice": (_somebody_new, operations, "Delete", operations.Update),
    "a text outlives its time": (_somebody_new, operations, "check_time", lambda *_: None),
    "a text of a session serves whoever has it": (_somebody_new, operations, "_kept", _for_anybody),
    "the last wallet can go": (_somebody_new, people, "_still_reachable", lambda subject: subject),
    "somebody else's wallet is asked for": (_added, operations, "_check_free", lambda *_: None),
    "a second wallet takes the place of the first": (_two_of_them, operations, "with_part", _in_place_of_the_first),
    "with one wallet all go": (_two_of_them, users, "without_part", _all_of_its_kind),
    "the last of two wallets can go": (_two_of_them, people, "_still_reachable", lambda subject: subject),
    "a text means what is over": (_meant_before, operations, "_check_still_meant", lambda *_: None),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_the_machine_sees_what_is_planted(monkeypatch: pytest.MonkeyPatch, plant: str) -> None:
    check_seen(monkeypatch, WalletMachine, PLANTS[plant])
