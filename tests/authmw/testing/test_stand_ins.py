"""The stand-ins for providers: each signs somebody in as the real one would, and takes what the real one would take."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from authmw.drive import step
from authmw.errors import FetchFailed, Misconfigured
from authmw.oauth_providers import PROVIDERS
from authmw.ports import FetchRequest
from authmw.settings import Settings
from authmw.testing import FixedClock
from authmw.testing.stand_ins import Person, StandInRefused, StandIns
from tests.stories.test_oauth import begun, called_back, landing, signed_in
from tests.world import URL, World, make_world

ADA = Person(email="ada@example.org", first_name="Ada", last_name="Byron")


def standing(folder: Path, host: str = "asgi") -> tuple[World, StandIns]:
    clock = FixedClock()
    providers = StandIns(f"{URL}/elsewhere", clock)
    return make_world(folder, host, clock=clock, fetcher=providers, oauth=providers.configured()), providers


def asked(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_each_of_the_thirteen_signs_a_person_in(name: str, host: str, tmp_path: Path) -> None:
    """OA-01: an address counts where the provider has verified it and says so."""
    world, providers = standing(tmp_path, host)
    for person, proved in (
        (ADA, PROVIDERS[name].proof != "never"),
        (Person(email="b@example.org", verified=False), False),
    ):
        url, cookie = begun(world, name)
        assert url.startswith(f"{URL}/elsewhere/{name}/authorize_url?")
        back = providers.agree(name, asked(url), person)
        assert back.posts == (name == "apple")
        answer = signed_in(world, landing(called_back(world, name, dict(back.parameters), cookie))["token"]).json
        assert [email["email"] for email in answer["user"]["emails"]] == ([person.email] if proved else [])
        assert answer["user"]["name"]["last_name"] == person.last_name


def test_a_person_who_declines_and_a_code_that_was_used_sign_nobody_in(tmp_path: Path) -> None:
    world, providers = standing(tmp_path)
    url, cookie = begun(world, "discord")
    back = providers.decline("discord", asked(url))
    assert landing(called_back(world, "discord", dict(back.parameters), cookie))["error"] == (
        "unable_to_authorize_oauth_provider"
    )
    url, cookie = begun(world, "github")
    first = dict(providers.agree("github", asked(url), ADA).parameters)
    assert "token" in landing(called_back(world, "github", first, cookie))
    url, cookie = begun(world, "github")
    again = {"code": first["code"], "state": asked(url)["state"]}
    assert landing(called_back(world, "github", again, cookie))["error"] == "oauth_auth_code_error"


@pytest.mark.parametrize(
    ("name", "spoilt"),
    [
        ("acme", {}),
        ("google", {"client_id": "other"}),
        ("google", {"response_type": "token"}),
        ("google", {"redirect_uri": "https://evil.example/"}),
        ("google", {"redirect_uri": f"{URL}.evil.example/"}),
        ("google", {"code_challenge_method": "plain"}),
    ],
)
def test_what_no_provider_would_take_is_refused(name: str, spoilt: dict[str, str], tmp_path: Path) -> None:
    world, providers = standing(tmp_path)
    good = asked(begun(world, "google")[0])
    with pytest.raises(StandInRefused):
        providers.agree(name, {**good, **spoilt}, ADA)
    with pytest.raises(StandInRefused):
        providers.decline(name, {**good, **spoilt})


@pytest.mark.parametrize("name", ["google", "apple", "bitbucket"])
def test_a_client_with_another_secret_gets_nothing(name: str, tmp_path: Path) -> None:
    world, providers = standing(tmp_path)
    code = providers.agree(name, asked(begun(world, name)[0]), ADA).parameters["code"]

    def post(headers: dict[str, str] | None = None, **form: str) -> int:
        body = urlencode({"code": code, "redirect_uri": world.auth.oauth.callback_url(name), **form}).encode()
        url = f"{URL}/elsewhere/{name}/token_url"
        return step(providers.fetch(FetchRequest(url=url, method="POST", headers=headers or {}, body=body))).status

    assert post(client_id=f"stand-in-{name}", client_secret="other") == 401
    assert post(client_id="other", client_secret="stand-in-secret") == 401
    assert post({"authorization": "Basic b3RoZXI6b3RoZXI="}) == 401


def test_no_other_address_is_reached_and_live_takes_no_stand_ins(tmp_path: Path) -> None:
    _, providers = standing(tmp_path)
    for url in ("https://github.com/login", f"{URL}/elsewhere/acme/token_url", f"{URL}/elsewhere"):
        with pytest.raises(FetchFailed):
            step(providers.fetch(FetchRequest(url=url)))
    shown = step(providers.fetch(FetchRequest(url=f"{URL}/elsewhere/github/userinfo_url")))
    assert shown.status == 401
    with pytest.raises(Misconfigured):
        Settings(
            project_id="project-live-1",
            secret="s" * 40,
            root_keys=("r" * 40,),
            public_url="https://app.example",
            oauth=StandIns("http://app.example/elsewhere").configured(),
        )
