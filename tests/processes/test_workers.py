"""Four workers of a real server on PostgreSQL: what one of them did, the others know."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest

from tests.processes.homes import new_home
from tests.processes.hosting import ROOT, Home, Host, hosted, until
from tests.servers import Machine
from tests.world import PROJECT_ID, URL

pytestmark = [pytest.mark.server("postgresql"), pytest.mark.xdist_group("workers")]

SERVERS = {
    "uvicorn": {"asynchronous": True},
    "gunicorn-asgi": {"asynchronous": False},
    "gunicorn-sync": {"asynchronous": False},
    "gunicorn-gthread": {"asynchronous": True},
}
"""Each server, and whether its storage is asynchronous: all four ways in which the core runs."""


@pytest.fixture(scope="module", params=SERVERS)
def host(request: pytest.FixtureRequest, machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp(request.param)
    with new_home(machine, folder, **SERVERS[request.param]) as home, hosted(home, request.param) as host:
        yield host


def cookies(signed_in: dict, *, opaque: bool = True, signed: bool = True) -> str:
    named = [f"authmw_session={signed_in['session_token']}"] * opaque
    return "; ".join([*named, *[f"authmw_session_jwt={signed_in['session_jwt']}"] * signed])


def everywhere(host: Host, **headers: str) -> Counter[int]:
    """What `/who` answers at each of the workers."""
    answers = {worker: host.ask("GET", "/who", of=worker, **headers) for worker in host.workers()}
    assert all(answer.json["pid"] == worker for worker, answer in answers.items() if answer.status == 200)
    return Counter(answer.status for answer in answers.values())


def authmw(home: Home, *arguments: str) -> str:
    command = [sys.executable, "-m", "authmw.cli", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=home.environment(), capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_session_that_began_at_one_worker_lives_on_all_of_them(host: Host) -> None:
    """OPS-03."""
    signed_in = host.sign_in("everywhere@example.org", of=host.workers()[0])
    for worker in host.workers():
        checked = host.backend("/v1/sessions/authenticate", {"session_token": signed_in["session_token"]}, of=worker)
        assert checked.json["session"]["session_id"] == signed_in["session"]["session_id"]
    assert everywhere(host, cookie=cookies(signed_in, opaque=False)) == {200: 4}
    assert everywhere(host, cookie=cookies(signed_in)) == {200: 4}
    host.home.later(301)
    assert everywhere(host, cookie=cookies(signed_in, opaque=False)) == {401: 4}
    assert everywhere(host, cookie=cookies(signed_in)) == {200: 4}


def test_no_session_ends_with_the_worker_it_began_at(host: Host) -> None:
    """OPS-03."""
    first = host.workers()[0]
    signed_in = host.sign_in("killed@example.org", of=first)
    os.kill(first, signal.SIGKILL)
    until(lambda: first not in host.workers() and len(host.workers()) == 4, "a new worker")
    assert everywhere(host, cookie=cookies(signed_in, signed=False)) == {200: 4}


def test_a_session_ended_at_one_worker_is_over_for_the_others_at_once_by_token_and_within_the_life_of_a_jwt_on_their_routes(
    host: Host,
) -> None:
    """OPS-04, TOK-08."""
    first, *others = host.workers()
    signed_in = host.sign_in("ended@example.org", of=others[0])
    assert everywhere(host, cookie=cookies(signed_in)) == {200: 4}
    revoked = host.browser("/sdk/v1/sessions/revoke", {}, of=first, origin=URL, cookie=cookies(signed_in))
    assert revoked.status == 200
    assert host.ask("GET", "/who", of=first, cookie=cookies(signed_in)).status == 401
    for worker in host.workers():
        answer = host.backend("/v1/sessions/authenticate", {"session_token": signed_in["session_token"]}, of=worker)
        assert answer.status == 404, worker
    assert everywhere(host, cookie=cookies(signed_in))[200] <= 3
    host.home.later(300)
    assert everywhere(host, cookie=cookies(signed_in)) == {401: 4}


def test_a_rotation_by_command_is_followed_by_every_worker_and_what_was_signed_before_holds_until_its_end(
    host: Host,
) -> None:
    """KEY-01, A299."""
    before = host.sign_in("before@example.org", of=host.workers()[0])
    assert everywhere(host, cookie=cookies(before, opaque=False)) == {200: 4}
    # The first step publishes a key, the second signs by it.
    for _ in range(2):
        assert "rotated" in authmw(host.home, "keys", "rotate")
    # Keys are read again after a minute; what a worker does not know yet it looks for at once.
    host.home.later(61)
    after = host.sign_in("after@example.org", of=host.workers()[1])
    assert (
        jwt.get_unverified_header(after["session_jwt"])["kid"]
        != jwt.get_unverified_header(before["session_jwt"])["kid"]
    )
    for signed_in in (before, after):
        assert everywhere(host, cookie=cookies(signed_in, opaque=False)) == {200: 4}
        for worker in host.workers():
            known = {"session_jwt": signed_in["session_jwt"]}
            assert host.backend("/v1/sessions/authenticate", known, of=worker).status == 200
    host.home.later(240)
    assert everywhere(host, cookie=cookies(before, opaque=False)) == {401: 4}
    assert everywhere(host, cookie=cookies(after, opaque=False)) == {200: 4}


def test_a_key_that_came_up_this_moment_is_found_by_every_worker(host: Host) -> None:
    """KEY-01: two rotations within a minute, as after a key was lost, leave workers that have never heard of the key that signs."""
    known = host.sign_in("known@example.org", of=host.workers()[0])
    assert everywhere(host, cookie=cookies(known, opaque=False)) == {200: 4}
    # One second is how often a worker looks for a key of which it has not heard.
    host.home.later(2)
    fresh = signed_after_two_rotations(host.home, known)
    assert jwt.get_unverified_header(fresh)["kid"] != jwt.get_unverified_header(known["session_jwt"])["kid"]
    for worker in host.workers():
        checked = host.backend("/v1/sessions/authenticate", {"session_jwt": fresh}, of=worker)
        seen = host.ask("GET", "/who", of=worker, cookie=f"authmw_session_jwt={fresh}")
        assert (checked.status, seen.status) == (200, 200)


def signed_after_two_rotations(home: Home, signed_in: dict) -> str:
    """A JWT of this session from another process, which has rotated the keys until one signs that nobody else has seen."""
    code = """
import sys
from tests.processes.host import auth
auth.run(auth.start())
for _ in range(2):
    auth.run(auth.keys.rotate())
print(auth.run(auth.sessions.authenticate(session_token=sys.stdin.read())).session_jwt)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=home.environment(),
        input=signed_in["session_token"],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_guesses_are_counted_together_whichever_workers_take_them(host: Host) -> None:
    """OTP-03: five guesses a code."""
    workers = host.workers()
    for address, wrong_ones, status in (("four@example.org", 4, 200), ("five@example.org", 5, 401)):
        sent = host.backend("/v1/otps/email/login_or_create", {"email": address}, of=workers[0])
        code, method = host.home.code(address), sent.json["email_id"]
        wrong = {"method_id": method, "code": f"{(int(code) + 1) % 1_000_000:06d}"}
        for number in range(wrong_ones):
            assert host.backend("/v1/otps/authenticate", wrong, of=workers[number % 4]).status == 401
        right = {"method_id": method, "code": code}
        assert host.backend("/v1/otps/authenticate", right, of=workers[1]).status == status


def test_one_message_a_second_leaves_for_an_address_however_many_workers_are_asked_at_once(host: Host) -> None:
    with ThreadPoolExecutor(12) as pool:
        body = {"email": "asked@example.org"}
        answers = list(pool.map(lambda _: host.backend("/v1/otps/email/login_or_create", body).status, range(24)))
    assert Counter(answers) == {200: 1, 429: 23}
    assert len([one for one in host.home.said("sent") if one["to"] == "asked@example.org"]) == 1


@pytest.mark.parametrize("server", ["gunicorn-asgi", "gunicorn-gthread"])
def test_where_it_is_asked_to_be_exact_an_end_is_seen_by_every_worker_at_once(
    server: str, machine: Machine, tmp_path: object
) -> None:
    """OPS-04."""
    with new_home(machine, tmp_path, **SERVERS[server]) as home, hosted(home, server, exact=True) as host:
        signed_in = host.sign_in("exact@example.org")
        assert everywhere(host, cookie=cookies(signed_in)) == {200: 4}
        one = host.workers()[2]
        revoked = host.browser("/sdk/v1/sessions/revoke", {}, of=one, origin=URL, cookie=cookies(signed_in))
        assert revoked.status == 200
        assert everywhere(host, cookie=cookies(signed_in)) == {401: 4}
        assert everywhere(host, cookie=cookies(signed_in, opaque=False)) == {401: 4}
        assert host.stop() == (0, "")


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn-gthread"])
def test_where_processes_tell_each_other_an_end_is_seen_by_every_worker_at_once(
    server: str, machine: Machine, tmp_path: object
) -> None:
    """TOK-08: started one by one, and forked from one that had told and heard before."""
    with (
        new_home(machine, tmp_path, **SERVERS[server]) as home,
        hosted(home, server, notices=True, works_first=server != "uvicorn") as host,
    ):
        for worker in host.workers()[:2]:
            signed_in = host.sign_in(f"ended-at-{worker}@example.org", of=worker)
            assert everywhere(host, cookie=cookies(signed_in)) == {200: 4}
            revoked = host.browser("/sdk/v1/sessions/revoke", {}, of=worker, origin=URL, cookie=cookies(signed_in))
            assert revoked.status == 200
            # No time passes for these processes but what the test lets pass.
            until(lambda told=signed_in: everywhere(host, cookie=cookies(told)) == {401: 4}, "an end of a session")


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("server", ["gunicorn-asgi", "gunicorn-gthread"])
def test_an_auth_that_was_built_and_used_before_the_fork_serves_in_every_worker(
    server: str, asynchronous: bool, machine: Machine, tmp_path: object
) -> None:
    with (
        new_home(machine, tmp_path, asynchronous=asynchronous) as home,
        hosted(home, server, works_first=True) as host,
    ):
        signed_in = host.sign_in("forked@example.org", of=host.workers()[0])
        assert everywhere(host, cookie=cookies(signed_in)) == {200: 4}
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda _: host.ask("GET", "/create"), range(64)))
        assert [answer.status for answer in made] == [200] * 64
        assert len({answer.json["user_id"] for answer in made}) == 64
        published = host.ask("GET", f"/v1/sessions/jwks/{PROJECT_ID}").json["keys"]
        assert len(published) == 4  # one for each kind of token
        assert host.stop() == (0, "")
