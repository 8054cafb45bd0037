"""Two at once at the provider, one storage call at a time, in orders that seeds decide: what is good once is good once, and what ended stays ended."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from authmw import Provider, Refused
from authmw.errors import AuthError
from authmw.platform.idp.responses import TokenResponse
from authmw.testing import interleave
from tests.stories.test_interleavings import BEHIND, Stage, refused
from tests.stories.test_provider import BACK, CHALLENGE, VERIFIER


@attrs.define(eq=False)
class Scene:
    """A project, an app and a person."""

    stage: Stage
    client_id: str
    user_id: str

    def code(self) -> str:
        granted = self.stage.run(
            self.stage.auth.idp.oauth.authorize(
                consent_granted=True,
                scopes=["openid", "offline_access"],
                client_id=self.client_id,
                redirect_uri=BACK,
                response_type="code",
                user_id=self.user_id,
                code_challenge=CHALLENGE,
            )
        )
        return str(granted.authorization_code)

    def redeems(self, code: str) -> Any:
        return self.stage.auth.idp.exchange_code(
            client_id=self.client_id, code=code, redirect_uri=BACK, code_verifier=VERIFIER
        )

    def refreshes(self, token: str) -> Any:
        return self.stage.auth.idp.refresh(client_id=self.client_id, refresh_token=token)

    def tokens(self) -> TokenResponse:
        answer = self.stage.run(self.redeems(self.code()))
        assert isinstance(answer, TokenResponse)
        return answer

    def active(self, token: object) -> bool:
        asked = self.stage.auth.idp.introspect_token_network(token=str(token), client_id=self.client_id)
        return bool(self.stage.run(asked).active)

    def alive(self, answer: TokenResponse) -> bool:
        """Whether anything of what was given still holds."""
        return self.active(answer.access_token) or self.active(answer.refresh_token)


@pytest.fixture(params=["memory", "mutual batches"])
def scene(request: pytest.FixtureRequest) -> Scene:
    stage = Stage(BEHIND[request.param](), provider=Provider(device_grant=True))
    stage.seeds = stage.seeds[:200]
    made = stage.run(
        stage.auth.connected_app.clients.create(
            client_type="third_party_public", client_name="Notes", redirect_urls=[BACK]
        )
    )
    return Scene(stage, made.connected_app.client_id, stage.sign_in("ada@example.org").user_id)


def won(outcomes: list[Any]) -> list[TokenResponse]:
    return [one for one in outcomes if not refused(one)]


def test_of_two_refreshes_at_once_one_wins_and_the_family_dies(scene: Scene) -> None:
    """RFC 9700 section 4.14.2: whoever came second held a token that was spent, and nobody knows which of the two is the thief."""
    for seed in scene.stage.orders():
        given = scene.tokens()
        winners = won(interleave([scene.refreshes(str(given.refresh_token)) for _ in range(2)], seed))
        assert len(winners) == 1, seed
        assert not scene.alive(winners[0]), seed
        assert not scene.active(given.access_token), seed


def test_of_two_who_redeem_one_code_at_once_one_wins_and_keeps_nothing(scene: Scene) -> None:
    """RFC 6749 section 4.1.2."""
    for seed in scene.stage.orders():
        code = scene.code()
        winners = won(interleave([scene.redeems(code) for _ in range(2)], seed))
        assert len(winners) == 1, seed
        assert not scene.alive(winners[0]), seed


def test_nothing_outlives_an_agreement_that_was_revoked_while_it_was_used(scene: Scene) -> None:
    for seed in scene.stage.orders():
        given = scene.tokens()
        used, ended = interleave(
            [
                scene.refreshes(str(given.refresh_token)),
                scene.stage.auth.users.revoke(user_id=scene.user_id, connected_app_id=scene.client_id),
            ],
            seed,
        )
        assert not isinstance(ended, AuthError), seed
        for answer in [given, *won([used])]:
            assert not scene.alive(answer), seed


def test_a_family_that_its_app_ends_while_it_refreshes_is_over(scene: Scene) -> None:
    """RFC 7009 section 2.1: the refresh token is revoked with everything of its grant."""
    for seed in scene.stage.orders():
        given = scene.tokens()
        used, ended = interleave(
            [
                scene.refreshes(str(given.refresh_token)),
                scene.stage.auth.idp.revoke_token(token=str(given.refresh_token), client_id=scene.client_id),
            ],
            seed,
        )
        assert not isinstance(ended, AuthError), seed
        for answer in [given, *won([used])]:
            assert not scene.alive(answer), seed


def test_an_app_that_is_deleted_while_it_is_let_in_gets_nothing(scene: Scene) -> None:
    clients = scene.stage.auth.connected_app.clients
    for seed in scene.stage.orders():
        made = scene.stage.run(
            clients.create(client_type="third_party_public", client_name="Gone", redirect_urls=[BACK])
        )
        here = Scene(scene.stage, made.connected_app.client_id, scene.user_id)
        code = here.code()
        used, gone = interleave([here.redeems(code), clients.delete(client_id=here.client_id)], seed)
        assert not isinstance(gone, AuthError), seed
        for answer in won([used]):
            with pytest.raises(Refused):
                here.alive(answer)
            with pytest.raises(Refused):
                scene.stage.run(here.refreshes(str(answer.refresh_token)))


def test_a_device_that_two_answer_at_once_has_one_answer(scene: Scene) -> None:
    devices = scene.stage.auth.idp.devices
    for seed in scene.stage.orders():
        scene.stage.clock.advance(minutes=1)
        begun = scene.stage.run(devices.authorize(client_id=scene.client_id, scope="openid"))
        outcomes = interleave(
            [
                devices.decide(user_code=begun.user_code, consent_granted=granted, user_id=scene.user_id)
                for granted in (True, False)
            ],
            seed,
        )
        allowed, denied = (not refused(one) for one in outcomes)
        assert allowed != denied, seed
        answer = interleave(
            [devices.exchange(client_id=scene.client_id, device_code=begun.device_code)],
            seed,
        )[0]
        if allowed:
            assert isinstance(answer, TokenResponse), seed
        else:
            assert isinstance(answer, Refused), seed
            assert answer.error_type == "access_denied", seed
