"""The state machine with Google One Tap in it, and proof that it sees what could be wrong with a sign-in that leaves no page (OAU-07)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import hypothesis
import pytest
from hypothesis.stateful import run_state_machine_as_test

from authmw.consumer.oauth import flow, landing, one_tap
from authmw.crypto import tokens
from authmw.errors import Refused
from authmw.factors.challenges import Challenge
from authmw.factors.oauth.rules import profile_of
from authmw.operations import Call
from tests.model.oauth import GITHUB, GOOGLE
from tests.model.one_tap import OneTapMachine
from tests.model.people import ADDRESSES
from tests.model.planting import Plant, check_seen
from tests.model.test_machine import BOUNDED

ADA, BOB, _ = ADDRESSES


def test_one_tap_behaves_as_the_model_over_memory_and_sqlite() -> None:
    """HOWTEST section 4: OA-16, OAU-06, OAU-07, A150, ACC-05, ACC-07, among everything that the machine does without it."""
    run_state_machine_as_test(OneTapMachine, settings=hypothesis.settings(BOUNDED, max_examples=15))


def _tapped(machine: OneTapMachine, text: str, *, verified: bool = True, again: bool = False) -> None:
    machine.show_one_tap(browser=0)
    machine.tap(index=len(machine.taps) - 1, text=text, verified=verified, browser=0, other=None, again=again)
    machine.sign_in_as_who_came_back(index=len(machine.landings) - 1, join=None, minutes=60)
    machine.people_are_as_the_model_says()


def _a_life(machine: OneTapMachine) -> None:
    """Whoever came by One Tap is who comes by the redirect, and the other way round; each tap is one sign-in (A150)."""
    _tapped(machine, ADA)
    machine.come_back_from_a_provider(provider=GOOGLE, text=ADA, verified=False)
    machine.sign_in_as_who_came_back(index=1, join=None, minutes=60)
    machine.people_are_as_the_model_says()
    machine.come_back_from_a_provider(provider=GOOGLE, text=BOB, verified=False)
    machine.sign_in_as_who_came_back(index=2, join=None, minutes=60)
    _tapped(machine, BOB, verified=False, again=True)


def _of_two(machine: OneTapMachine) -> None:
    """An address that Google has verified makes a tap somebody's who is known by another provider; one that it has not makes somebody new (OAU-06)."""
    machine.come_back_from_a_provider(provider=GITHUB, text=ADA, verified=True)
    machine.sign_in_as_who_came_back(index=0, join=None, minutes=60)
    _tapped(machine, ADA)
    machine.sign_in_by_a_new_link(text=BOB, minutes=60)
    _tapped(machine, BOB, verified=False)


def _elsewhere(machine: OneTapMachine) -> None:
    """What one page of a browser shows is not submitted by another of its pages, nor by another browser."""
    for browser in (0, 0, 1):
        machine.show_one_tap(browser=browser)
    machine.tap(index=0, text=ADA, verified=True, browser=0, other=1, again=False)
    machine.tap(index=0, text=ADA, verified=True, browser=1, other=None, again=False)
    machine.tap(index=0, text=ADA, verified=True, browser=0, other=None, again=False)


def _late(machine: OneTapMachine) -> None:
    """A page that stood open for ten minutes shows nothing that counts."""
    machine.show_one_tap(browser=0)
    machine.tick(seconds=600)
    machine.tap(index=0, text=ADA, verified=True, browser=0, other=None, again=False)


class _Agreeing:
    """Our tokens, of which any two are the same."""

    def same(self, *_: Any) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(tokens, name)


async def _of_any_browser(call: Call, purpose: str, provider: str, state: str, browser: str | None) -> Challenge:
    try:
        return await flow.flow_of(call, purpose, provider, state, browser)
    except Refused as refused:
        found = await call.storage.find(Challenge, "digest", (tokens.digest(state),))
        if refused.error_type != "oauth_state_mismatch" or found is None:
            raise
        return found


def _of_taps_alone(*args: Any) -> Any:
    profile = profile_of(*args)
    profile.subject = f"tap {profile.subject}"
    return profile


def _always_proved(*args: Any) -> Any:
    profile = profile_of(*args)
    profile.proved = True
    return profile


PLANTS: dict[str, Plant[OneTapMachine]] = {
    "a tap is good twice": (_a_life, landing, "spent", lambda _, challenge: challenge),
    "whoever taps is another than who is redirected": (_a_life, landing, "profile_of", _of_taps_alone),
    "every tapped address is proved": (_of_two, landing, "profile_of", _always_proved),
    "another page's token is as good": (_elsewhere, one_tap, "tokens", _Agreeing()),
    "another browser submits what is shown": (_elsewhere, one_tap, "flow_of", _of_any_browser),
    "what is shown can be tapped for a day": (_late, flow, "LIFE", timedelta(days=1)),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_the_machine_sees_what_is_planted(monkeypatch: pytest.MonkeyPatch, plant: str) -> None:
    check_seen(monkeypatch, OneTapMachine, PLANTS[plant])
