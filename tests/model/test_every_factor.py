"""Every product of the state machine at once, over one model of people: what one of them changes holds for all others."""

from __future__ import annotations

import hypothesis
from hypothesis.stateful import run_state_machine_as_test

from tests.model.devices import DeviceMachine
from tests.model.embedded import EmbeddedMachine
from tests.model.machine import SignInMachine
from tests.model.migrations import MigrationMachine
from tests.model.oauth import OAuthMachine
from tests.model.one_tap import OneTapMachine
from tests.model.passwords import PasswordMachine
from tests.model.phones import PhoneMachine
from tests.model.test_machine import BOUNDED
from tests.model.test_passkeys import PasskeyMachine
from tests.model.test_second_factors import SecondFactors
from tests.model.wallets import WalletMachine

PRODUCTS: tuple[type[SignInMachine], ...] = (
    PasswordMachine,
    MigrationMachine,
    EmbeddedMachine,
    OAuthMachine,
    OneTapMachine,
    PasskeyMachine,
    SecondFactors,
    WalletMachine,
    DeviceMachine,
    PhoneMachine,
)


class EveryFactor(
    MigrationMachine,
    EmbeddedMachine,
    OneTapMachine,
    PasskeyMachine,
    SecondFactors,
    WalletMachine,
    DeviceMachine,
    PhoneMachine,
):
    """Nothing of it is faked."""


def test_every_factor_behaves_as_the_model_beside_all_others_over_memory_and_sqlite() -> None:
    """HOWTEST section 4: add, remove, prove, extend, expire, link, change an address, reset and recover, whichever factors somebody has."""
    assert EveryFactor().faked == []
    run_state_machine_as_test(
        EveryFactor, settings=hypothesis.settings(BOUNDED, max_examples=60, stateful_step_count=80)
    )


def test_no_two_products_of_the_machine_use_one_name_for_two_things() -> None:
    """They are one class here: a step of one that hides a step of another would go untold."""
    own = [set(vars(product)) - {"__module__", "__doc__", "__init__", "real", "settings"} for product in PRODUCTS]
    names = [name for each in own for name in each if not name.startswith("__")]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []
