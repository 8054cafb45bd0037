"""The state machine, and proof that it sees: each plant is a bug that somebody could make, and it must not go unseen."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
import hypothesis
import pytest
from hypothesis import HealthCheck, Phase
from hypothesis.stateful import run_state_machine_as_test

from authmw.consumer import proofs
from authmw.consumer.magic_links import operations as links
from authmw.consumer.sessions import operations as sessions
from authmw.people import rules as people
from authmw.signin import complete, ending, limits, rules
from authmw.signin import sessions as tokens
from tests.model.machine import SignInMachine
from tests.model.people import ADDRESSES

ADA, BOB, _ = ADDRESSES
BOUNDED = hypothesis.settings(
    max_examples=30,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)
SEARCHING = hypothesis.settings(
    BOUNDED, max_examples=400, phases=[Phase.generate], derandomize=True, database=None, print_blob=False
)


def test_people_and_sessions_behave_as_the_model_over_memory_and_sqlite() -> None:
    """HOWTEST section 4: TOK-03, SES-01, SES-05 to SES-07, ACC-01 to ACC-06, OTP-02 to OTP-04, STO-03, AUD-01, TOK-02."""
    run_state_machine_as_test(SignInMachine, settings=BOUNDED)


def _fresh_at_the_hour(factor: Any, now: Any, within: timedelta) -> bool:
    return timedelta(0) <= now - factor.last_authenticated_at <= within


def _fresh_by_extension(session: Any, **changes: Any) -> Any:
    if "expires_at" in changes:
        began = changes["expires_at"] - timedelta(minutes=60)
        session = attrs.evolve(
            session, factors=tuple(attrs.evolve(one, last_authenticated_at=began) for one in session.factors)
        )
    return attrs.evolve(session, **changes)


class _Extending:
    """`attrs` as a module that freshens factors where a session's end moves."""

    frozen = staticmethod(attrs.frozen)
    evolve = staticmethod(_fresh_by_extension)


PLANTS: dict[str, tuple[Any, str, Any]] = {
    "a factor is fresh at the full hour": (rules, "is_fresh", _fresh_at_the_hour),
    "an extension freshens factors": (sessions, "attrs", _Extending),
    "a link is good twice": (links, "check_live", lambda *_: None),
    "a step-up keeps the secret": (complete, "with_new_secret", lambda _roots, session, _now: session),
    "a removed factor leaves other sessions": (ending, "end_all", lambda _call, subject: subject),
    "a session outlives its time": (tokens, "lives", lambda *_: True),
    "two factors of one category are two": (
        rules,
        "categories_of",
        lambda factors: frozenset(one.type for one in factors),
    ),
    "a removed factor counts in the session that goes on": (ending, "still_held", lambda factors, _: tuple(factors)),
    "whose account names an address gets who proves it": (proofs, "is_theirs", lambda *_, **__: True),
    "the last address can go": (people, "_still_reachable", lambda subject: subject),
    "anybody's session takes the proof": (complete, "_joined", None),
    "mail is not limited": (limits, "charge", None),
}
"""What is broken, where, and how."""


def _planted(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    module, attribute, broken = PLANTS[name]
    if name == "anybody's session takes the proof":

        async def broken(call: Any, proof: Any, asked: Any, keys: Any) -> Any:
            return await tokens.live_session(
                call.storage, keys, call.settings, call.now, token=asked.session_token, jwt=asked.session_jwt
            )

    elif name == "mail is not limited":
        module = links

        async def broken(*_: Any, **__: Any) -> None:
            return None

    monkeypatch.setattr(module, attribute, broken)


class _OverMemory(SignInMachine):
    """Twice over memory: what is planted is no matter of storage, and this is faster."""

    sqlite = False


def _script(machine: SignInMachine, plant: str) -> None:
    """The steps to what chance seldom meets: somebody with two categories, who then waits, removes an address, or proves one category twice."""
    machine.begin()
    machine.sign_in_by_a_new_link(text=ADA, minutes=1440)
    machine.enrol(machine.people[0], "totp")
    if plant == "whose account names an address gets who proves it":
        machine.an_import_names_an_address(index=0, text=BOB)
        machine.sign_in_by_a_new_link(text=BOB, minutes=60)
        machine.sessions_live_as_the_model_says()
        machine.people_are_as_the_model_says()
        return
    if plant == "two factors of one category are two":
        machine.step_up(index=0, method=("password", "knowledge"))
        machine.change_the_own_name(index=0)
        return
    machine.step_up(index=0, method=("totp", "authenticator_app"))
    machine.change_the_own_name(index=0)
    if plant == "a factor is fresh at the full hour":
        machine.tick(seconds=3600)
        machine.change_the_own_name(index=0)
        return
    machine.ask_to_add_an_address(index=0, text=BOB)
    machine.follow_a_link(index=1, join=0, minutes=None)
    machine.tick(seconds=1)
    machine.sign_in_by_a_new_link(text=ADA, minutes=1440)
    machine.remove_an_address(index=0, which=0)
    machine.prove_or_extend_a_session(index=0, minutes=60)
    machine.sessions_live_as_the_model_says()
    machine.people_are_as_the_model_says()


SELDOM = (
    "a factor is fresh at the full hour",
    "a removed factor leaves other sessions",
    "a removed factor counts in the session that goes on",
    "whose account names an address gets who proves it",
    "two factors of one category are two",
)


@pytest.mark.parametrize("plant", SELDOM)
def test_the_machine_sees_what_is_planted_once_the_steps_lead_there(
    monkeypatch: pytest.MonkeyPatch, plant: str
) -> None:
    _script(_OverMemory(), plant)
    _planted(monkeypatch, plant)
    with pytest.raises(AssertionError):
        _script(_OverMemory(), plant)


@pytest.mark.parametrize("plant", sorted(PLANTS.keys() - set(SELDOM)))
def test_the_machine_sees_what_is_planted(monkeypatch: pytest.MonkeyPatch, plant: str) -> None:
    _planted(monkeypatch, plant)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(_OverMemory, settings=SEARCHING)
