"""Sign-in by a certified OpenID provider (npm `oidc-provider`), which is asked over HTTP and answers as it pleases."""

from __future__ import annotations

import html
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import attrs
import httpx2
import pytest

from authmw import OAuthProvider
from authmw.clock import SystemClock
from authmw.testing import FixedClock
from tests.servers import Machine
from tests.stories.test_oauth import begun, landing, signed_in
from tests.web_servers import guarded
from tests.world import Answer, World, make_world

PROGRAM = Path(__file__).parents[1] / "js" / "openid_provider.mjs"
CLIENT = {"client_id": "client-of-ours", "client_secret": "secret-of-ours-0123456789-0123456789"}

pytestmark = [pytest.mark.server("node"), pytest.mark.xdist_group("node")]


@attrs.define(eq=False)
class Place:
    """A project, and the provider that it knows by its issuer."""

    world: World
    issuer: str

    def consents(self, url: str, name: str) -> dict[str, str]:
        """A person signs in at the provider and agrees: what it sends back to our callback."""
        with httpx2.Client(trust_env=False) as person:
            answer = person.get(url)
            for _ in range(8):
                there = answer.headers.get("location")
                if there and there.startswith(self.world.auth.oauth.callback_url("acme")):
                    return dict(parse_qsl(urlsplit(there).query))
                if there:
                    answer = person.get(urljoin(str(answer.url), there))
                    continue
                action = html.unescape(re.search(r'action="([^"]+)" method="post"', answer.text).group(1))  # type: ignore[union-attr]
                prompt = re.search(r'name="prompt" value="(\w+)"', answer.text).group(1)  # type: ignore[union-attr]
                answer = person.post(action, data={"prompt": prompt, "login": name, "password": "any"})
        raise AssertionError(answer.text)

    def comes_back(self, back: dict[str, str], *cookies: str) -> Answer:
        path = urlsplit(self.world.auth.oauth.callback_url("acme")).path
        return self.world.visit(f"{path}?{urlencode(back)}", *cookies)


@pytest.fixture(
    params=[("asgi", "client_secret_basic"), ("wsgi", "client_secret_post")], ids=["asgi-basic", "wsgi-post"]
)
def place(request: pytest.FixtureRequest, tmp_path: Path, machine: Machine) -> Iterator[Place]:
    host, method = request.param
    known = make_world(tmp_path, host, fetcher=guarded(), oauth=(acme("https://acme.example"),))
    callback = known.auth.oauth.callback_url("acme")
    told = json.dumps({**CLIENT, "redirect_uri": callback, "method": method})
    command = [str(machine.server("node").where), str(PROGRAM), told]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        issuer = json.loads(process.stdout.readline())["issuer"]
        world = make_world(
            tmp_path,
            host,
            clock=FixedClock(SystemClock().now()),
            fetcher=guarded(local_origins=[issuer]),
            oauth=(acme(issuer, email_is_proof=True),),
        )
        yield Place(world, issuer)
        process.stdin.close()
        process.wait(timeout=30)


def acme(issuer: str, **more: Any) -> OAuthProvider:
    return OAuthProvider(name="acme", issuer=issuer, **CLIENT, **more)


def test_a_person_of_a_certified_provider_signs_in_and_is_known_again(place: Place) -> None:
    """OAU-01 to OAU-05: discovery, PKCE, nonce, `iss`, keys, UserInfo."""
    url, cookie = begun(place.world, "acme")
    answer = signed_in(place.world, landing(place.comes_back(place.consents(url, "ada"), cookie))["token"]).json
    assert answer["provider_subject"] == "ada"
    assert [email["email"] for email in answer["user"]["emails"]] == ["ada@example.org"]
    assert answer["user"]["name"]["last_name"] == "Byron"
    assert answer["user"]["providers"][0]["profile_picture_url"] == "https://pictures.example/ada.png"
    assert answer["provider_values"]["id_token"].count(".") == 2
    assert set(answer["provider_values"]["scopes"]) == {"openid", "email", "profile"}
    url, cookie = begun(place.world, "acme")
    again = signed_in(place.world, landing(place.comes_back(place.consents(url, "ada"), cookie))["token"]).json
    assert again["user_id"] == answer["user_id"]


def test_an_address_that_the_provider_has_not_verified_is_left_out(place: Place) -> None:
    """A145, OAU-06."""
    url, cookie = begun(place.world, "acme")
    back = place.consents(url, "unverified-ada")
    assert signed_in(place.world, landing(place.comes_back(back, cookie))["token"]).json["user"]["emails"] == []


def test_what_the_provider_sends_back_is_good_once_unaltered_and_in_its_own_browser(place: Place) -> None:
    """A136 to A139, with codes that the provider would take."""
    url, cookie = begun(place.world, "acme")
    back = place.consents(url, "ada")
    _, other = begun(place.world, "acme")
    assert place.comes_back({**back, "state": "x" * 43}, cookie).json["error_type"] == "oauth_invalid_state"
    assert place.comes_back(back).json["error_type"] == "oauth_state_mismatch"
    assert place.comes_back(back, other).json["error_type"] == "oauth_state_mismatch"
    assert "token" in landing(place.comes_back(back, cookie))
    assert place.comes_back(back, cookie).json["error_type"] == "oauth_state_used"
    for iss in ("https://evil.example", None):
        url, cookie = begun(place.world, "acme")
        spoilt = {**place.consents(url, "ada"), "iss": iss}
        sent = {name: value for name, value in spoilt.items() if value is not None}
        assert landing(place.comes_back(sent, cookie))["error"] == "oauth_invalid_callback_request"


def test_a_stolen_code_is_refused_by_the_provider_in_a_flow_of_its_thief(place: Place) -> None:
    """A138: the verifier of one flow fits no code of another."""
    url, _ = begun(place.world, "acme")
    stolen = place.consents(url, "ada")
    own, cookie = begun(place.world, "acme")
    back = {**place.consents(own, "mallory"), "code": stolen["code"]}
    assert landing(place.comes_back(back, cookie))["error"] == "oauth_auth_code_error"


def test_whoever_aborts_at_the_provider_lands_with_a_fixed_word(place: Place) -> None:
    """OAU-09."""
    url, cookie = begun(place.world, "acme")
    state = dict(parse_qsl(urlsplit(url).query))["state"]
    back = {"error": "access_denied", "error_description": "<b>no</b>", "state": state, "iss": place.issuer}
    assert landing(place.comes_back(back, cookie))["error"] == "unable_to_authorize_oauth_provider"
