"""Redirect URLs as people meet them, a story for each row of what they promise: what is registered is where a link leads, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from authmw import Misconfigured, RedirectType, RedirectURL, Settings
from authmw.redirects import TEST_DEFAULT_URL, RedirectErrors, RedirectList, safe_next
from tests.stories.test_oauth import begun, provided
from tests.world import PROJECT_ID, PUBLIC_TOKEN, SECRET, Answer, World, make_world

LINK = "/v1/magic_links/email"
LIVE: dict[str, Any] = {
    "project_id": PROJECT_ID.replace("-test-", "-live-"),
    "secret": "9f8e7d6c5b4a39281706f5e4d3c2b1a0ffee",
    "root_keys": (bytes(range(32)),),
    "public_url": "https://app.example.org",
}
EVERY = [RedirectType.LOGIN, RedirectType.SIGNUP, RedirectType.INVITE, RedirectType.RESET_PASSWORD]
ERRORS = RedirectErrors(missing="missing", unmatched="unmatched", invalid="invalid")


@pytest.fixture(params=["asgi", "wsgi"])
def host(request: pytest.FixtureRequest) -> str:
    return request.param


def project(folder: Path, host: str, *urls: str) -> World:
    """A Test project in which these are registered for every type."""
    return make_world(folder, host, redirect_urls=tuple(RedirectURL(url, EVERY) for url in urls))


def asked(world: World, url: str | None) -> Answer:
    world.clock.advance(seconds=2)
    named = {} if url is None else {"login_magic_link_url": url, "signup_magic_link_url": url}
    return world.backend("POST", f"{LINK}/login_or_create", {"email": "ada@example.org", **named})


def led(world: World) -> str:
    """Where the newest mailed link leads a browser."""
    link = world.inbox.entries()[0].links[0]
    answer = world.send("GET", link.removeprefix("http://localhost:8000"))
    assert answer.status == 303
    return answer.header("location")[0]


def refused(answer: Answer) -> bool:
    return answer.status == 400 and answer.json["error_type"] in {
        "no_match_for_provided_magic_link_url",
        "invalid_login_magic_link_url",
    }


def registers(url: str, environment: str) -> bool:
    more = LIVE if environment == "live" else {"project_id": PROJECT_ID, "secret": SECRET}
    try:
        Settings(**more, redirect_urls=(RedirectURL(url, EVERY),))
    except Misconfigured as fault:
        assert "redirect_urls, entry 0" in str(fault)
        return False
    return True


def test_every_product_that_redirects_refuses_what_is_not_registered(tmp_path: Path, host: str) -> None:
    """RU-01: magic links, resets of passwords and OAuth."""
    stranger = "https://evil.example/authenticate"
    with provided(tmp_path, host, "google") as (world, _):
        assert refused(asked(world, stranger))
        world.backend("POST", "/v1/users", {"email": "ada@example.org"})
        body = {"email": "ada@example.org", "reset_password_redirect_url": stranger}
        reset = world.backend("POST", "/v1/passwords/email/reset/start", body)
        assert (reset.status, "redirect" in reset.json["error_type"]) == (400, True)
        start = f"/v1/public/oauth/google/start?public_token={PUBLIC_TOKEN}&login_redirect_url={quote(stranger)}"
        assert world.visit(start).json["error_type"] == "no_match_for_provided_oauth_url"
        assert not world.inbox.entries()
        assert begun(world, "google")


def test_a_url_is_taken_for_its_own_types_only(tmp_path: Path, host: str) -> None:
    """RU-02."""
    urls = [RedirectURL(f"https://app.example.org/{one.lower()}", [one], [one]) for one in EVERY]
    world = make_world(tmp_path, host, redirect_urls=tuple(urls))
    for right in EVERY:
        for named in EVERY:
            world.clock.advance(seconds=2)
            url = f"https://app.example.org/{named.lower()}"
            answer = {
                RedirectType.LOGIN: lambda url=url: world.backend(
                    "POST", f"{LINK}/login_or_create", {"email": "ada@example.org", "login_magic_link_url": url}
                ),
                RedirectType.SIGNUP: lambda url=url: world.backend(
                    "POST", f"{LINK}/login_or_create", {"email": "ada@example.org", "signup_magic_link_url": url}
                ),
                RedirectType.INVITE: lambda url=url, to=named: world.backend(
                    "POST", f"{LINK}/invite", {"email": f"{to.lower()}@example.org", "invite_magic_link_url": url}
                ),
                RedirectType.RESET_PASSWORD: lambda url=url: world.backend(
                    "POST",
                    "/v1/passwords/email/reset/start",
                    {"email": "ada@example.org", "reset_password_redirect_url": url},
                ),
            }[right]()
            assert (answer.status == 200) is (right is named), (right, named, answer.json)


def test_each_type_has_one_default_which_a_call_without_a_url_uses(tmp_path: Path, host: str) -> None:
    """RU-03: one of two defaults of a type is a fault at the start."""
    urls = [RedirectURL(f"https://app.example.org/{one.lower()}", [one], [one]) for one in EVERY]
    world = make_world(tmp_path, host, redirect_urls=tuple(urls))
    assert asked(world, None).status == 200
    assert led(world).startswith("https://app.example.org/signup?")
    assert asked(world, None).status == 200
    assert led(world).startswith("https://app.example.org/login?")
    second = RedirectURL("https://app.example.org/second", [RedirectType.LOGIN], [RedirectType.LOGIN])
    with pytest.raises(Misconfigured, match="redirect_urls, entry 4"):
        Settings(project_id=PROJECT_ID, secret=SECRET, redirect_urls=(*urls, second))


def test_every_type_starts_with_the_local_default_in_test_and_with_none_in_live(tmp_path: Path, host: str) -> None:
    """RU-04."""
    assert TEST_DEFAULT_URL == "http://localhost:3000"
    world = make_world(tmp_path, host)
    assert asked(world, None).status == 200
    assert led(world).startswith("http://localhost:3000?")
    for kind in EVERY:
        assert world.auth.settings.redirects.match(None, kind, errors=ERRORS) == TEST_DEFAULT_URL
    assert Settings(**LIVE).redirects.entries == ()


def test_what_one_environment_knows_the_other_does_not(tmp_path: Path, host: str) -> None:
    """RU-05: each has a list of its own."""
    one = project(tmp_path, host, "https://one.example.org/authenticate")
    live = Settings(**LIVE, redirect_urls=(RedirectURL("https://two.example.org/authenticate", EVERY),))
    assert refused(asked(one, "https://two.example.org/authenticate"))
    assert asked(one, "https://one.example.org/authenticate").status == 200
    with pytest.raises(Exception, match="unmatched"):
        live.redirects.match("https://one.example.org/authenticate", RedirectType.LOGIN, errors=ERRORS)


@pytest.mark.parametrize("url", ["http://localhost:3000/a", "http://127.0.0.1:8080/a", "http://app.example.org/a"])
def test_plain_http_and_this_machine_are_for_test_only(tmp_path: Path, host: str, url: str) -> None:
    """RU-06, RU-07."""
    world = project(tmp_path, host, url)
    assert asked(world, url).status == 200
    assert led(world).startswith(url + "?")
    assert registers(url, "test")
    assert not registers(url, "live")


@pytest.mark.parametrize(
    ("candidate", "taken"),
    [
        ("https://branch.example.com/a", True),
        ("https://example.com/a", False),
        ("https://two.labels.example.com/a", False),
        ("https://.example.com/a", False),
        ("https://branch.example.com.evil.example/a", False),
        ("https://evil.example/branch.example.com/a", False),
        ("http://branch.example.com/a", False),
        ("https://branch.example.com/b", False),
    ],
)
def test_a_wildcard_stands_for_one_label_in_test(tmp_path: Path, host: str, candidate: str, taken: bool) -> None:
    """RU-08, A201, RED-03."""
    world = project(tmp_path, host, "https://*.example.com/a")
    answer = asked(world, candidate)
    assert (answer.status == 200) is taken
    assert taken or refused(answer)


def test_a_wildcard_is_not_registered_in_live_and_never_in_a_parameter() -> None:
    """RU-08, RU-09."""
    assert registers("https://*.example.com/a", "test")
    assert not registers("https://*.example.com/a", "live")
    for environment in ("test", "live"):
        assert not registers("https://app.example.org/a?next=*", environment)


@pytest.mark.parametrize("url", ["https://app.example.org/a", "https://app.example.org/a?tab=1"])
def test_a_match_is_exact_query_included(tmp_path: Path, host: str, url: str) -> None:
    """RU-10: a parameter more, less or other is another URL."""
    world = project(tmp_path, host, url)
    assert asked(world, url).status == 200
    joint = "&" if "?" in url else "?"
    for other in (url + joint + "more=1", url.partition("?")[0] + "?tab=2", url + "/", url.upper(), url + "#x"):
        assert refused(asked(world, other)), other
    if "?" in url:
        assert refused(asked(world, url.partition("?")[0]))


@pytest.mark.parametrize("value", ["/profile/details/", "42", "a%20b", ""])
def test_a_placeholder_takes_any_value_and_it_arrives_unchanged(tmp_path: Path, host: str, value: str) -> None:
    """RU-11, RU-14."""
    world = project(tmp_path, host, "https://app.example.org/a?next_route={}")
    url = f"https://app.example.org/a?next_route={value}"
    assert asked(world, url).status == 200
    there = led(world)
    assert there.startswith(url + "&")
    names = [name for name, _ in parse_qsl(urlsplit(there).query, keep_blank_values=True)]
    assert sorted(names) == ["next_route", "stytch_token_type", "token"]
    assert refused(asked(world, "https://app.example.org/a"))
    assert refused(asked(world, "https://app.example.org/a?other=1"))


def test_an_optional_parameter_is_two_entries(tmp_path: Path, host: str) -> None:
    """RU-12."""
    world = project(tmp_path, host, "https://app.example.org/a", "https://app.example.org/a?next={}")
    for url in ("https://app.example.org/a", "https://app.example.org/a?next=/b"):
        assert asked(world, url).status == 200
        assert led(world).startswith(url)
    assert refused(asked(world, "https://app.example.org/a?next=/b&next=/c"))


def test_several_placeholders_are_each_filled_and_reach_the_app(tmp_path: Path, host: str) -> None:
    """RU-13."""
    world = project(tmp_path, host, "https://app.example.org/a?next={}&plan={}&fixed=1")
    assert asked(world, "https://app.example.org/a?next=/b&plan=gold&fixed=1").status == 200
    arrived = dict(parse_qsl(urlsplit(led(world)).query))
    assert (arrived["next"], arrived["plan"], arrived["fixed"]) == ("/b", "gold", "1")
    assert refused(asked(world, "https://app.example.org/a?next=/b&fixed=1"))
    assert refused(asked(world, "https://app.example.org/a?next=/b&plan=gold&fixed=2"))


@pytest.mark.parametrize(
    "value",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "/a\r\nb", "/%2e%2e/"],
)
def test_the_app_can_check_what_it_goes_on_to(value: str) -> None:
    """RU-15, RED-06: what arrived as a parameter leads to no other site."""
    assert safe_next("/profile/details/?tab=1") == "/profile/details/?tab=1"
    assert safe_next(value, "/home") == "/home"


def test_a_native_url_is_registered_in_both_environments_and_the_link_opens_the_app(tmp_path: Path, host: str) -> None:
    """RU-16, RU-17: the page of the mailed link routes to it."""
    assert registers("slack://auth/callback", "test")
    assert registers("slack://auth/callback", "live")
    for scheme in ("javascript:alert(1)", "data:text/html,x", "file:///etc/passwd"):
        assert not registers(scheme, "test")
    world = project(tmp_path, host, "slack://auth/callback")
    assert asked(world, "slack://auth/callback").status == 200
    there = led(world)
    assert there.startswith("slack://auth/callback?")
    token = dict(parse_qsl(urlsplit(there).query))["token"]
    assert world.backend("POST", "/v1/magic_links/authenticate", {"token": token}).status == 200
    assert refused(asked(world, "slack://auth/other"))


def test_what_is_registered_is_what_is_listed() -> None:
    listed = RedirectList.parse([RedirectURL("https://app.example.org/a", EVERY)], "live")
    assert [entry.url for entry in listed.entries] == ["https://app.example.org/a"]
