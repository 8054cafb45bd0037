"""`authmw dev`: the main job on an embedded default. Test environment, fixed credentials, SQLite, an inbox instead of a carrier."""

from __future__ import annotations

import errno
import json
import os
import socket
from contextlib import suppress
from pathlib import Path

import click
import uvicorn

from authmw.auth import Auth
from authmw.cli.demo import LOOPBACK_HOSTS, demo_app
from authmw.errors import StorageError
from authmw.provider import Provider
from authmw.redirects import RedirectType, RedirectURL
from authmw.settings import Cookies, Settings
from authmw.testing.stand_ins import StandIns
from authmw_adapters.inbox import Inbox
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage

PROJECT_ID = "project-test-11111111-1111-4111-8111-111111111111"
SECRET = "secret-test-authmw-dev-is-for-this-machine-only"
PUBLIC_TOKEN = "public-token-test-22222222-2222-4222-8222-222222222222"
CONSUMER = frozenset(RedirectType) - {RedirectType.DISCOVERY}


def dev_auth(database: Path, url: str, inbox: Inbox | None = None) -> Auth:
    """The `Auth` of the demo over a SQLite file, reached at `url`. Its OAuth providers are stand-ins, so the buttons work without a network."""
    providers = StandIns(f"{url}/dev/providers")
    return Auth(
        Settings(
            project_id=PROJECT_ID,
            secret=SECRET,
            public_token=PUBLIC_TOKEN,
            name="authmw demo",
            public_url=url,
            claim_roots=True,
            step_up_path="/second",
            oauth=providers.configured(),
            provider=Provider(dynamic_registration=True, device_grant=True),
            cookies=Cookies(secure=False),
            cors_origins=("http://localhost:3000", url, url.replace("//localhost", "//127.0.0.1")),
            redirect_urls=(
                RedirectURL(f"{url}/authenticate", CONSUMER, CONSUMER),
                RedirectURL(f"{url}/authenticate?next={{}}", CONSUMER),
                RedirectURL("http://localhost:3000", CONSUMER),
                RedirectURL("http://localhost:3000/authenticate", CONSUMER),
            ),
        ),
        storage=SQLiteStorage(database),
        limiter=SQLiteLimiter(database),
        email=inbox,
        sms=inbox,
        whatsapp=inbox,
        fetcher=providers,
    )


def serve(host: str, port: int, database: Path, ready_file: Path | None) -> None:
    """Serve the demo until it is interrupted. Raises ClickException for what it cannot listen on, keep its data in or write to."""
    with _listen(host, port) as listening, suppress(KeyboardInterrupt):
        _serve(listening, host, database, ready_file)
    click.echo("Stopped.")


def _serve(listening: socket.socket, host: str, database: Path, ready_file: Path | None) -> None:
    url, inbox = f"http://localhost:{listening.getsockname()[1]}", Inbox()
    _forget(ready_file)
    auth = _opened(database, url, inbox)
    # Whoever listens for other machines is asked for by names that nobody here knows.
    hosts = ("*",) if host in {"0.0.0.0", "::"} else (*LOOPBACK_HOSTS, host)  # noqa: S104 -- compared, never bound by itself
    config = uvicorn.Config(demo_app(auth, inbox, hosts), log_level="warning", server_header=False)
    try:
        _announce(url)
        if ready_file is not None:
            _write_ready(ready_file, url)
        uvicorn.Server(config).run([listening])
    finally:
        auth.close()
        _forget(ready_file)


def _opened(database: Path, url: str, inbox: Inbox) -> Auth:
    try:
        auth = dev_auth(database, url, inbox)
        auth.run(auth.keys.active())
    except StorageError as fault:
        message = f"{database} cannot be used: {fault} Name another file by --database."
        raise click.ClickException(message) from None
    return auth


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens, so that whoever connects from now on waits for the server instead of being refused."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as fault:
        taken = fault.errno == errno.EADDRINUSE
        message = (
            f"Port {port} of {host} is taken; try --port 0." if taken else f"{host} is no address of this machine."
        )
        if isinstance(fault, PermissionError):
            message = f"Port {port} needs more rights; try --port 0."
        raise click.ClickException(message) from None


def _announce(url: str) -> None:
    click.echo(f"""
  authmw dev is ready:  {url}

  project id    {PROJECT_ID}
  secret        {SECRET}
  public token  {PUBLIC_TOKEN}
  inbox         {url}/dev/inbox

  Try:
    open {url} in a browser and sign in with any address
    curl -u {PROJECT_ID}:{SECRET} {url}/v1/users -H 'content-type: application/json' -d '{{"email":"ada@example.org"}}'
    python -c "import stytch; print(stytch.Client('{PROJECT_ID}', '{SECRET}', environment='{url}/').users.search())"
""")


def _write_ready(path: Path, url: str) -> None:
    facts = {
        "url": url,
        "project_id": PROJECT_ID,
        "secret": SECRET,
        "public_token": PUBLIC_TOKEN,
        "inbox_url": f"{url}/dev/inbox.json",
        "pid": os.getpid(),
    }
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(json.dumps(facts))
        partial.replace(path)
    except OSError:
        message = f"{path} cannot be written."
        raise click.ClickException(message) from None


def _forget(ready_file: Path | None) -> None:
    """Nobody who waits for the file shall take one of an earlier run for this one's."""
    if ready_file is not None:
        with suppress(OSError):
            ready_file.unlink()
