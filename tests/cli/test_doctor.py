"""`authmw doctor`, and `--app`: the commands work on the host's own `Auth`."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

GOOD = """
from authmw import Auth, Settings
from authmw_adapters.console import ConsoleEmailSender
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage

def make():
    settings = Settings(project_id="project-test-1", secret="a-canary-of-a-secret")
    return Auth(settings, storage=SQLiteStorage("own.db"), limiter=SQLiteLimiter("own.db"), email=ConsoleEmailSender())

class made:
    auth = make()

auth = made.auth
number = 7
"""
LIVE = """
from authmw import Auth, Settings
from authmw_adapters.memory import MemoryLimiter, MemoryStorage

def auth():
    settings = Settings(
        project_id="project-live-1", secret="4c0ffee4c0ffee4c0ffee4c0ffee4c0ffee4", root_keys=(bytes(range(32)),), public_url="https://a.example"
    )
    return Auth(settings, storage=MemoryStorage(), limiter=MemoryLimiter())
"""


def authmw(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "authmw.cli", *arguments]
    env = {**os.environ, **environment}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60, env=env)


@pytest.fixture
def host(tmp_path: Path) -> Path:
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "live.py").write_text(LIVE)
    (tmp_path / "unsafe.py").write_text(
        "from authmw import Settings\nsettings = Settings(project_id='project-live-1', secret='a-canary-of-a-secret', public_url='http://a')\n"
    )
    (tmp_path / "lacking.py").write_text("import a_package_that_is_not_there\n")
    return tmp_path


@pytest.mark.parametrize("name", ["good:auth", "good:make", "good:made.auth"])
def test_a_sound_setup_is_said_to_be_sound(host: Path, name: str) -> None:
    done = authmw(host, "doctor", "--app", name, "--strict")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("0 faults, 0 warnings.\n")
    assert "canary" not in done.stdout


def test_it_can_be_read_by_a_machine(host: Path) -> None:
    done = authmw(host, "doctor", "--json", AUTHMW_APP="good:auth")
    said = json.loads(done.stdout)
    assert (done.returncode, said["healthy"]) == (0, True)
    assert {"settings", "storage", "limiter", "keys", "outbox", "email"} <= {one["part"] for one in said["findings"]}


def test_each_fault_of_the_adapters_is_named_and_the_exit_code_says_so(host: Path) -> None:
    done = authmw(host, "doctor", "--app", "live:auth", "--json")
    said = json.loads(done.stdout)
    assert (done.returncode, said["healthy"]) == (1, False)
    assert [one["status"] for one in said["findings"]] == ["fault", "fault"]
    assert "storage" in said["findings"][0]["message"]
    assert "limiter" in said["findings"][1]["message"]


def test_settings_that_are_refused_while_the_module_is_imported_are_named_too(host: Path) -> None:
    """OPS-06."""
    done = authmw(host, "doctor", "--app", "unsafe:settings")
    assert done.returncode == 1
    assert done.stdout.count("FAULT") == 3
    assert "root_keys" in done.stdout
    assert "canary" not in done.stdout + done.stderr


def test_warnings_fail_only_if_asked_to(host: Path) -> None:
    (host / "quiet.py").write_text(GOOD.replace(", email=ConsoleEmailSender()", ""))
    assert authmw(host, "doctor", "--app", "quiet:auth").returncode == 0
    assert authmw(host, "doctor", "--app", "quiet:auth", "--strict").returncode == 1


@pytest.mark.parametrize("name", ["good", ":auth", "nowhere:auth", "good:nothing", "good:number"])
def test_a_name_that_leads_to_no_auth_is_a_mistake_of_usage(host: Path, name: str) -> None:
    done = authmw(host, "doctor", "--app", name)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Error:" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_the_hosts_own_module_lacks_is_told_with_its_trace(host: Path) -> None:
    done = authmw(host, "doctor", "--app", "lacking:auth")
    assert done.returncode == 1
    assert "a_package_that_is_not_there" in done.stderr


def test_a_database_that_cannot_be_opened_is_a_fault(host: Path) -> None:
    (host / "own.db").mkdir()
    done = authmw(host, "doctor", "--app", "good:make", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["findings"][0]["part"] == "storage"


def test_a_database_that_a_newer_version_wrote_is_named_by_each_command(host: Path) -> None:
    assert authmw(host, "migrate", "--app", "good:make").returncode == 0
    with closing(sqlite3.connect(host / "own.db")) as connection, connection:
        connection.execute("UPDATE authmw_schema SET version = 99")
    for command in ("doctor", "migrate", "worker"):
        refused = authmw(host, command, "--app", "good:make")
        assert refused.returncode == 1
        assert "This database was written by a newer version of authmw." in refused.stdout + refused.stderr
        assert "Traceback" not in refused.stderr


def test_migrate_rotate_and_worker_work_on_the_hosts_own_auth(host: Path) -> None:
    migrated = authmw(host, "migrate", "--app", "good:make")
    assert (migrated.returncode, migrated.stdout) == (0, "good:make is up to date.\n")
    assert (host / "own.db").stat().st_mode & 0o777 == 0o600
    assert authmw(host, "keys", "rotate", "--app", "good:make").returncode == 0
    worked = authmw(host, "worker", "--once", "--app", "good:make")
    assert (worked.returncode, worked.stderr) == (0, "")
    said = json.loads(authmw(host, "doctor", "--app", "good:make", "--json").stdout)
    assert next(one for one in said["findings"] if one["part"] == "keys")["facts"]["published"] == 2


def test_keys_are_listed_and_one_is_withdrawn(host: Path) -> None:
    authmw(host, "keys", "rotate", "--app", "good:make")
    listed = authmw(host, "keys", "list", "--app", "good:make").stdout.splitlines()
    assert sorted(line.split()[2] for line in listed) == ["active,", "next,"]
    active = next(line.split()[0] for line in listed if " active," in line)
    withdrawn = authmw(host, "keys", "withdraw", active, "--app", "good:make")
    assert (withdrawn.returncode, withdrawn.stderr) == (0, "")
    left = authmw(host, "keys", "list", "--app", "good:make").stdout
    assert active not in left
    assert left.count(" active,") == 1
    again = authmw(host, "keys", "withdraw", active, "--app", "good:make")
    assert again.returncode == 1
    assert "no key of this id" in again.stderr


def test_what_rests_under_an_older_root_key_is_counted_sealed_anew_and_named_where_that_cannot_be(host: Path) -> None:
    for name, roots in (("old", "b'o' * 32,"), ("both", "b'n' * 32, b'o' * 32"), ("new", "b'n' * 32,")):
        rooted = GOOD.replace('secret="a-canary-of-a-secret"', f'secret="a-canary-of-a-secret", root_keys=({roots})')
        (host / f"{name}.py").write_text(rooted)
    assert authmw(host, "keys", "rotate", "--app", "old:make").returncode == 0
    making = "import old; auth = old.make(); auth.run(auth.m2m.clients.create(scopes=['read']))"
    subprocess.run([sys.executable, "-c", making], cwd=host, check=True, timeout=60)
    gone = authmw(host, "keys", "reseal", "--app", "new:make")
    assert (gone.returncode, gone.stdout) == (1, "")
    assert "signing_key: 2 cannot be opened" in gone.stderr
    assert "client_secret: 1 ended with a root key that is gone" in gone.stderr
    waits = "client_secret: 1 will be kept under the newest root key when next used, and end with the older one until then\n"
    before = authmw(host, "keys", "reseal", "--check", "--app", "both:make")
    assert (before.returncode, before.stdout) == (1, f"signing_key: 2 rest under an older root key\n{waits}")
    done = authmw(host, "keys", "reseal", "--app", "both:make")
    assert (done.returncode, done.stdout) == (0, f"signing_key: 2 were sealed under the newest root key\n{waits}")
    left = authmw(host, "keys", "reseal", "--check", "--app", "both:make")
    assert (left.returncode, left.stdout) == (1, waits)
    after = authmw(host, "keys", "reseal", "--check", "--app", "new:make")
    assert (after.returncode, after.stdout) == (0, "Everything rests under the newest root key.\n")
