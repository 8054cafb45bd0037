"""Two processes whose clocks differ: what was stated about times holds to within the difference."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.processes.homes import new_home
from tests.processes.hosting import Host, hosted
from tests.servers import Machine

pytestmark = [pytest.mark.server("postgresql"), pytest.mark.xdist_group("skew")]


@pytest.fixture(scope="module", params=[59, 90])
def hosts(request: pytest.FixtureRequest, machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """A host, another whose clock is so many seconds ahead, and how many."""
    with new_home(machine, tmp_path_factory.mktemp("skew")) as home, ExitStack() as stack:
        right = stack.enter_context(hosted(home, "gunicorn-gthread", workers=1))
        ahead = stack.enter_context(hosted(home, "gunicorn-gthread", workers=1, skew=request.param))
        yield right, ahead, request.param


def who(host: Host, *cookies: str) -> int:
    return host.ask("GET", "/who", cookie="; ".join(cookies)).status


def of(signed_in: dict) -> tuple[str, str]:
    return f"authmw_session={signed_in['session_token']}", f"authmw_session_jwt={signed_in['session_jwt']}"


def test_a_session_lives_on_both_wherever_it_began(hosts: tuple[Host, Host, int]) -> None:
    for number, (here, there) in enumerate((hosts[:2], hosts[1::-1])):
        opaque, signed = of(here.sign_in(f"both-{number}@example.org"))
        for host in (here, there):
            assert who(host, opaque) == who(host, opaque, signed) == 200
            known = {"session_token": opaque.partition("=")[2]}
            assert host.backend("/v1/sessions/authenticate", known).status == 200


def test_a_jwt_alone_is_taken_from_a_clock_that_is_a_minute_ahead_and_no_more(hosts: tuple[Host, Host, int]) -> None:
    """TOK-06: the skew is at most 60 s."""
    right, ahead, skew = hosts
    _, signed = of(ahead.sign_in("jwt@example.org"))
    assert who(right, signed) == (200 if skew <= 60 else 401)
    right.home.later(30)
    assert who(right, signed) == 200
    # It ends by the clock of whoever looks: there sooner by the difference.
    right.home.later(300 - 30)
    assert (who(ahead, signed), who(right, signed)) == (401, 200)
    right.home.later(skew)
    assert who(right, signed) == 401


def test_guesses_are_five_whatever_the_clocks_say(hosts: tuple[Host, Host, int]) -> None:
    """OTP-03."""
    right = hosts[0]
    sent = right.backend("/v1/otps/email/login_or_create", {"email": "guessed@example.org"})
    code = right.home.code("guessed@example.org")
    wrong = {"method_id": sent.json["email_id"], "code": f"{(int(code) + 1) % 1_000_000:06d}"}
    for number in range(5):
        assert hosts[number % 2].backend("/v1/otps/authenticate", wrong).status == 401
    assert right.backend("/v1/otps/authenticate", {**wrong, "code": code}).status == 401


def test_a_limit_that_refills_opens_by_the_later_clock_and_holds_for_the_earlier_no_longer_than_they_differ(
    hosts: tuple[Host, Host, int],
) -> None:
    right, ahead, skew = hosts
    body = {"email": "often@example.org"}
    path = "/v1/otps/email/login_or_create"
    assert right.backend(path, body).status == 200
    assert right.backend(path, body).status == 429
    assert ahead.backend(path, body).status == 200
    assert (ahead.backend(path, body).status, right.backend(path, body).status) == (429, 429)
    right.home.later(skew + 1)
    assert right.backend(path, body).status == 200
