"""The state machine with a provider in it, and proof that it sees what could be wrong with linking (A209 to A227)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis.stateful import run_state_machine_as_test

from authmw.consumer.oauth import linking, operations
from authmw.factors.challenges import Challenge
from authmw.factors.oauth import rules
from authmw.operations import Call
from authmw.people import rules as people
from authmw.people.records import User
from authmw.people.rules import prove_email
from tests.model.oauth import OAuthMachine
from tests.model.people import ADDRESSES
from tests.model.planting import Plant, check_seen, nothing
from tests.model.test_machine import BOUNDED

ADA, BOB, EVE = ADDRESSES


def test_sign_in_by_a_provider_behaves_as_the_model_over_memory_and_sqlite() -> None:
    """HOWTEST section 4: OA-07, OA-08, OA-11, OAU-06, ACC-01 to ACC-07, X-16, SES-01, SES-07, among everything that the machine does without them."""
    run_state_machine_as_test(OAuthMachine, settings=BOUNDED)


def _somebody_came_before(machine: OAuthMachine) -> None:
    """An account that a stranger made for an address, whose owner comes by the provider (A209)."""
    machine.sign_up_or_log_in(text=ADA, code=False)
    machine.prove_any_factor(index=0, method=("password", "knowledge"), join=None, minutes=1440)
    machine.enrol(machine.people[0], "webauthn")
    machine.come_back_from_the_provider(text=ADA, verified=False)
    machine.sign_in_as_who_came_back(index=0, join=None, minutes=60)
    machine.come_back_from_the_provider(text=ADA, verified=True)
    machine.sign_in_as_who_came_back(index=1, join=None, minutes=60)


def _linked(machine: OAuthMachine) -> None:
    """Who proved an address here is who proves it there, once, and soon."""
    machine.sign_in_by_a_new_link(text=ADA, minutes=1440)
    machine.come_back_from_the_provider(text=ADA, verified=False)
    machine.come_back_from_the_provider(text=ADA, verified=True)
    machine.come_back_from_the_provider(text=ADA, verified=True)
    machine.sign_in_as_who_came_back(index=1, join=0, minutes=60)
    machine.sign_in_as_who_came_back(index=1, join=None, minutes=60)
    machine.tick(seconds=301)
    machine.sign_in_as_who_came_back(index=2, join=None, minutes=60)
    machine.remove_the_own_identity(index=0)


def _before_the_owner(machine: OAuthMachine) -> None:
    """Whatever an account held before its address was proved by the provider dies then, and an address that is only named is nobody's."""
    machine.sign_up_or_log_in(text=ADA, code=False)
    machine.prove_any_factor(index=0, method=("password", "knowledge"), join=None, minutes=1440)
    machine.enrol(machine.people[0], "webauthn")
    machine.come_back_from_the_provider(text=ADA, verified=True)
    machine.sign_in_as_who_came_back(index=0, join=None, minutes=60)
    machine.sessions_live_as_the_model_says()
    machine.people_are_as_the_model_says()
    machine.an_import_names_an_address(index=0, text=BOB)
    machine.come_back_from_the_provider(text=BOB, verified=True)
    machine.sign_in_as_who_came_back(index=1, join=None, minutes=60)


def _added(machine: OAuthMachine) -> None:
    """An identity that a session asks for comes back to that session, as long as it stands, and to nobody else."""
    machine.sign_in_by_a_new_link(text=ADA, minutes=1440)
    machine.sign_in_by_a_new_link(text=BOB, minutes=1440)
    machine.add_an_identity(text=EVE, verified=False, browser=True, index=0)
    machine.sign_in_as_who_came_back(index=0, join=None, minutes=60)
    machine.sign_in_as_who_came_back(index=0, join=0, minutes=60)
    machine.add_an_identity(text=EVE, verified=False, browser=False, index=1)
    machine.add_an_identity(text=BOB, verified=False, browser=False, index=1)
    machine.ask_to_add_an_address(index=1, text="dee@example.org")
    machine.follow_a_link(index=2, join=1, minutes=None)
    machine.remove_an_address(index=1, which=1)
    machine.sign_in_as_who_came_back(index=1, join=None, minutes=60)


def _alone(machine: OAuthMachine) -> None:
    """Whoever is reached by the provider only keeps it."""
    machine.come_back_from_the_provider(text=ADA, verified=False)
    machine.sign_in_as_who_came_back(index=0, join=None, minutes=60)
    machine.remove_the_own_identity(index=0)


async def _whoever(call: Call, attach_id: str) -> User | None:
    attach = await call.storage.get(Challenge, attach_id)
    return await call.storage.get(User, attach.subject_id) if attach else None


def _by_own_session(*args: Any, by_own_session: bool) -> Any:
    return prove_email(*args, by_own_session=True)


PLANTS: dict[str, Plant[OAuthMachine]] = {
    "every address of a provider is proved": (_somebody_came_before, rules, "is_proof", lambda *_: True),
    "what came before the owner stays": (_before_the_owner, linking, "prove_email", _by_own_session),
    "an address that is only named links": (_before_the_owner, linking, "is_theirs", lambda *_, **__: True),
    "a landing token is good twice": (_linked, operations, "spent", lambda _, challenge: challenge),
    "a landing token outlives its time": (_linked, operations, "waiting_of", lambda challenge, *_: challenge),
    "what a session asked for comes to another": (_added, operations, "check_same_session", nothing),
    "somebody else's identity is added": (_added, linking, "_owner", nothing),
    "what is to be added outlives the sessions": (_added, linking, "attached_to", _whoever),
    "the last identity can go": (_alone, people, "_still_reachable", lambda subject: subject),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_the_machine_sees_what_is_planted(monkeypatch: pytest.MonkeyPatch, plant: str) -> None:
    check_seen(monkeypatch, OAuthMachine, PLANTS[plant])
