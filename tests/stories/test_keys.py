"""Signing keys in the hands of an operator: many rotations, and a key that somebody else may have."""

from __future__ import annotations

import attrs
import jwt
import pytest

from authmw.crypto.signing import generate
from authmw.drive import step
from authmw.signin.keys import StoredKey
from authmw.storage import And, Insert
from tests.world import PROJECT_ID, World

CHECK = "/v1/sessions/authenticate"


def kid_of(token: str) -> str:
    kid: str = jwt.get_unverified_header(token)["kid"]
    return kid


def published(world: World) -> set[str]:
    return {key["kid"] for key in world.send("GET", f"/v1/sessions/jwks/{PROJECT_ID}").json["keys"]}


def test_what_a_withdrawn_key_signed_is_worth_nothing_and_its_sessions_go_on(world: World) -> None:
    signed_in = world.sign_in()
    kid = kid_of(signed_in["session_jwt"])
    assert world.visit("/who", f"authmw_session_jwt={signed_in['session_jwt']}").status == 200
    assert world.auth.run(world.auth.keys.withdraw(kid)) is True
    assert kid not in published(world)
    assert world.visit("/who", f"authmw_session_jwt={signed_in['session_jwt']}").status == 401
    assert world.backend("POST", CHECK, {"session_jwt": signed_in["session_jwt"]}).status in {400, 401, 404}
    renewed = world.visit("/who", f"authmw_session={signed_in['session_token']}")
    assert renewed.status == 200
    fresh = next(one for one in renewed.header("set-cookie") if one.startswith("authmw_session_jwt="))
    assert kid_of(fresh.split("=", 1)[1].split(";")[0]) != kid


@pytest.mark.parametrize("state", ["next", "retired"])
def test_a_key_that_signs_nothing_now_is_withdrawn_alone(world: World, state: str) -> None:
    world.sign_in()
    keys = world.auth.keys
    for _ in range(2):
        world.auth.run(keys.rotate())
    before = {key.kid: key.state for key in world.auth.run(keys.stored())}
    chosen = next(kid for kid, known in before.items() if known == state)
    assert world.auth.run(keys.withdraw(chosen)) is True
    after = {key.kid: key.state for key in world.auth.run(keys.stored())}
    assert after == {kid: known for kid, known in before.items() if kid != chosen}


def test_a_key_that_is_not_there_is_said_not_to_be(world: World) -> None:
    world.sign_in()
    assert world.auth.run(world.auth.keys.withdraw("jwk-test-nobody")) is False


def test_a_project_that_rotates_often_still_finds_its_active_key(world: World) -> None:
    """KEY-01: retired keys are published for 30 days, however many there are."""
    signed_in = world.sign_in()
    stored = world.auth.run(world.auth.keys.stored())[0]
    made = generate("test", world.clock.now(), "ES256")
    for number in range(120):
        kid = f"jwk-test-{number:04}"
        other = attrs.evolve(made, kid=kid)
        retired = attrs.evolve(
            stored,
            version=0,
            kid=kid,
            state="retired",
            algorithm="ES256",
            certificate=other.certificate,
            sealed=other.to_sealed(world.auth.core.roots, PROJECT_ID),
        )
        step(world.auth.storage.commit(Insert(retired)))
    assert step(world.auth.storage.count(StoredKey, And(), at_most=1000)) > 100
    world.auth.run(world.auth.keys.load(force=True))
    assert len(published(world)) == 124  # and one for each other kind of token
    assert world.backend("POST", CHECK, {"session_jwt": signed_in["session_jwt"]}).status == 200
    assert world.sign_in("eve@example.org")["session_jwt"]
