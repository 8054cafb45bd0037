"""Passwords and whatever runs into them, one storage call at a time, over many orders each."""

from __future__ import annotations

from typing import Any

import pytest

from authmw import PasswordRules
from authmw.drive import step
from authmw.people.records import User
from authmw.testing import interleave
from authmw_adapters.memory import MemoryStorage
from tests.stories.test_interleavings import Stage, refused

FIRST, SECOND, THIRD = (
    "lovely purple submarine kettle",
    "nine quiet otters borrow ladders",
    "seven brave kettles ignore thunder",
)


@pytest.fixture
def stage() -> Stage:
    """Hashes that cost next to nothing: what is told here is who comes first."""
    stage = Stage(MemoryStorage(), passwords=PasswordRules(memory_kib=8, iterations=1))
    stage.seeds = range(200)
    return stage


def owned(stage: Stage, address: str) -> None:
    """Somebody who has proved their address and set a password."""
    token = stage.sign_in(address).session_token
    stage.run(stage.auth.passwords.sessions.reset(password=FIRST, session_token=token))


def reset_token(stage: Stage, address: str) -> str:
    stage.clock.advance(seconds=2)
    stage.run(stage.auth.passwords.email.reset_start(email=address))
    mail = next(one for one in stage.inbox.entries(to=address) if len(one.links) == 2)
    return mail.links[0].split("token=")[-1]


def signing_in(stage: Stage, address: str, password: str = FIRST) -> Any:
    return stage.auth.passwords.authenticate(email=address, password=password, session_duration_minutes=60)


def test_no_session_of_the_old_password_outlives_a_reset_that_ran_into_its_sign_in(stage: Stage) -> None:
    """A042, SES-07."""
    for seed in stage.orders():
        address = f"ada{seed}@example.org"
        owned(stage, address)
        token = reset_token(stage, address)
        entered, reset = interleave(
            [signing_in(stage, address), stage.auth.passwords.email.reset(token=token, password=SECOND)], seed
        )
        assert not refused(reset), seed
        if not refused(entered):
            assert not stage.lives(entered.session_token), seed
        assert not refused(interleave([signing_in(stage, address, SECOND)], seed)[0]), seed


def test_of_two_links_that_are_used_at_once_one_sets_the_password(stage: Stage) -> None:
    """A070."""
    for seed in stage.orders():
        address = f"ada{seed}@example.org"
        owned(stage, address)
        tokens = [reset_token(stage, address) for _ in range(2)]
        outcomes = interleave(
            [
                stage.auth.passwords.email.reset(token=token, password=password)
                for token, password in zip(tokens, (SECOND, THIRD), strict=True)
            ],
            seed,
        )
        stood = [password for password, one in zip((SECOND, THIRD), outcomes, strict=True) if not refused(one)]
        assert len(stood) == 1, seed
        for password in (FIRST, SECOND, THIRD):
            (entered,) = interleave([signing_in(stage, address, password)], seed)
            assert refused(entered) == (password not in stood), seed


def test_two_sign_ups_at_once_make_one_user(stage: Stage) -> None:
    """A206: in either form of letters."""
    for seed in stage.orders():
        address = f"ada{seed}@example.org"
        outcomes = interleave(
            [
                stage.auth.passwords.create(email=one, password=password)
                for one, password in ((address, FIRST), (address.upper(), SECOND))
            ],
            seed,
        )
        assert sorted(refused(one) for one in outcomes) == [False, True], seed
        holder = step(stage.storage.find(User, "email", (address,)))
        assert holder is not None
        assert len(holder.parts) == 1, seed


def test_a_squatters_sign_in_that_runs_into_the_owners_first_proof_opens_nothing(stage: Stage) -> None:
    """A209, A210."""
    for seed in stage.orders():
        address = f"ada{seed}@example.org"
        stage.run(stage.auth.passwords.create(email=address, password=FIRST))
        link = stage.link(address)
        entered, proved = interleave(
            [
                signing_in(stage, address),
                stage.auth.magic_links.authenticate(token=link, session_duration_minutes=60),
            ],
            seed,
        )
        assert not refused(proved), seed
        assert stage.lives(proved.session_token), seed
        if not refused(entered):
            assert not stage.lives(entered.session_token), seed
        assert refused(interleave([signing_in(stage, address)], seed)[0]), seed
